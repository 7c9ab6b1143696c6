"""The kernels of a model that are transformed and thresholded, each with its basis."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from dwt_keras import checks
from dwt_keras.compression import geometry, places
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet import basis, best_basis, families, frame

Reader = Callable[[Any, tuple[int, ...]], geometry.Geometry]


def _without(layer: Any, shape: tuple[int, ...]) -> geometry.Geometry:
    return geometry.plain(shape)


_RECURRENT: dict[str, Reader] = {"kernel": _without, "recurrent_kernel": _without}
_SEPARABLE: dict[str, Reader] = {"depthwise_kernel": geometry.spatial, "pointwise_kernel": _without}
_CONVOLUTION: dict[str, Reader] = {"kernel": geometry.spatial}

# Layer class -> its kernels -> how to read their geometry. Biases, normalisation and other
# small vectors are never targets. Attention's projections are EinsumDense layers of their own.
_KERNELS: dict[type, dict[str, Reader]] = {
    layers.Dense: {"kernel": places.dense},
    layers.EinsumDense: {"kernel": places.einsum},
    layers.Embedding: {"embeddings": _without},
    layers.Conv1D: _CONVOLUTION,
    layers.Conv2D: _CONVOLUTION,
    layers.Conv3D: _CONVOLUTION,
    layers.Conv1DTranspose: _CONVOLUTION,
    layers.Conv2DTranspose: _CONVOLUTION,
    layers.Conv3DTranspose: _CONVOLUTION,
    layers.DepthwiseConv1D: _CONVOLUTION,
    layers.DepthwiseConv2D: _CONVOLUTION,
    layers.SeparableConv1D: _SEPARABLE,
    layers.SeparableConv2D: _SEPARABLE,
    layers.SimpleRNNCell: _RECURRENT,
    layers.LSTMCell: _RECURRENT,
    layers.GRUCell: _RECURRENT,
}


@dataclass(frozen=True, eq=False)
class Target:
    """One kernel and the basis in which it is thresholded.

    Attributes:
        layer_path: Names of the layer and of those around it, joined by "/"; numbered where layers
            of a subclassed model have equal ones.
        name: Name of the kernel within the layer.
        variable: The Keras variable.
        axes: The axes with geometry of the unflattened kernel.
        basis: Its basis; a frame for a continuous wavelet. With wavelet=auto or level=auto the
            identity until one is chosen.
        note: What to tell about the basis (a capped level), or "".
        choice: How the basis was chosen, where it was.
        step: The quantisation step that its coefficients are whole multiples of, where they have
            been trained to be.
        layer: The layer; what looks at weights alone can do without.
    """

    layer_path: str
    name: str
    variable: Any
    axes: tuple[int, ...]
    basis: basis.Basis | frame.Frame
    note: str = ""
    choice: best_basis.Choice | None = None
    step: float | None = None
    layer: Any = None

    @property
    def path(self) -> str:
        """Layer path and kernel name."""
        return f"{self.layer_path}/{self.name}"

    def read(self) -> np.ndarray[Any, np.dtype[Any]]:
        """The kernel as it stands, read-only: no copy where TensorFlow shares its memory."""
        found = np.asarray(tf.convert_to_tensor(self.variable.value))
        found.flags.writeable = False
        return found

    def write(self, kernel: np.ndarray[Any, np.dtype[Any]]) -> None:
        """Sets the kernel."""
        self.variable.assign(kernel)

    def kernel(
        self, coefficients: np.ndarray[Any, np.dtype[Any]]
    ) -> np.ndarray[Any, np.dtype[Any]]:
        """The kernel with these coefficients, which are used up."""
        shape, dtype = self.variable.shape, np.dtype(self.variable.dtype)
        return self.basis.reconstruct(coefficients, shape, dtype, overwrite=True)


@dataclass(frozen=True)
class Targets:
    """All kernels to compress, in the model's order, and what to tell about them."""

    items: tuple[Target, ...]
    notes: tuple[str, ...]


def register_layer(layer_class: type, kernels: dict[str, Sequence[int]]) -> None:
    """Makes the kernels of a custom layer class targets, of its subclasses too.

    Args:
        layer_class: Subclass of keras.layers.Layer.
        kernels: For each kernel, the name of the layer's attribute that holds the variable and
            the axes of it that have neighbours (negative ones count from the end); an empty
            tuple where none has.

    Raises:
        ArgumentError: If it is no layer class. Axes that a kernel does not have are a UserError
            when training starts.
    """
    if not (isinstance(layer_class, type) and issubclass(layer_class, layers.Layer)):
        raise checks.ArgumentError(
            "layer_class", f"must be a subclass of keras.layers.Layer; given {layer_class!r}"
        )

    def reader(name: str, axes: tuple[int, ...]) -> Reader:
        def read(layer: Any, shape: tuple[int, ...]) -> geometry.Geometry:
            rank = len(shape)
            known = sorted({axis % rank for axis in axes if -rank <= axis < rank})
            if len(known) < len(axes):
                raise checks.UserError(
                    f"{layer_class.__name__} is registered with axes {axes} of {name}: they must "
                    f"be different axes of its shape, {shape}"
                )
            return geometry.Geometry(shape, tuple(known))

        return read

    _KERNELS[layer_class] = {name: reader(name, tuple(axes)) for name, axes in kernels.items()}


def find(model: Any, settings: CompressionSettings, *, frozen: bool = False) -> Targets:
    """Finds the trainable kernels that the settings mean, and gives each its basis.

    Args:
        model: A built Keras model.
        settings: Wavelet, level, axes and layer patterns.
        frozen: Whether kernels that are not trainable are meant too, and none is no error.

    Returns:
        The targets and notes for the user, one line each.

    Raises:
        UserError: If a pattern matches no layer, a layer is quantised, or nothing is left.
    """
    found = list(_kernels(model, frozen))
    if settings.layer_patterns:
        found = _narrowed(found, settings.layer_patterns)
    _refuse_quantised(found)
    if not found and not frozen:
        raise checks.UserError(
            f"model {model.name!r} has no trainable kernel to compress (Dense, EinsumDense, "
            "convolution, Embedding or recurrent layers; others by register_layer)"
        )
    shapes = [tuple(getattr(layer, name).shape) for _, layer, name, _ in found]
    geometries = [
        read(layer, shape) for (_, layer, _, read), shape in zip(found, shapes, strict=True)
    ]
    # Rows and columns are of inputs and units as they are.
    if settings.is_structured:
        geometries = [
            geometry.plain(shape) if read.mixes_places else read
            for read, shape in zip(geometries, shapes, strict=True)
        ]
    notes = list(_geometry_notes(found, geometries, settings))
    as_matrices = not settings.is_structured and not _any_axes(geometries)
    if settings.axes == "matrix" or as_matrices:
        geometries = [geometry.matrix(shape) for shape in shapes]
    items = []
    for (path, layer, name, _), read in zip(found, geometries, strict=True):
        kernel_basis, note = _basis(settings, read)
        variable, axes = getattr(layer, name), read.axes
        items.append(Target(path, name, variable, axes, kernel_basis, note, layer=layer))
    notes.extend(f"{item.path}: {item.note}" for item in items if item.note)
    return Targets(tuple(items), tuple(notes))


def _basis(
    settings: CompressionSettings, read: geometry.Geometry
) -> tuple[basis.Basis | frame.Frame, str]:
    if settings.is_automatic:
        return basis.identity(read.shape), ""
    level: Any = settings.level
    if settings.is_frame:
        found, note = frame.build(settings.wavelet, level, read.axes, read.shape)
        return found or basis.identity(read.shape), note
    return basis.build(settings.wavelet, level, read.axes, read.shape)


_Kernel = tuple[str, Any, str, Reader]


def _kernels(model: Any, frozen: bool) -> Iterator[_Kernel]:
    """Every kernel once, or every trainable one: layer path, layer, attribute, reader."""
    # By identity, and kept: LoRA's kernels are new tensors that would leave their ids to others.
    seen: dict[int, Any] = {}
    for path, layer in walk(model, ""):
        kernels = next((_KERNELS[c] for c in type(layer).__mro__ if c in _KERNELS), {})
        for name, reader in kernels.items():
            variable = getattr(layer, name, None)
            # A layer that is never called has no kernel.
            if variable is None or id(variable) in seen:
                continue
            if not frozen and not getattr(layer, "trainable", False):
                continue
            seen[id(variable)] = variable
            yield path, layer, name, reader


def walk(layer: Any, prefix: str = "") -> Iterator[tuple[str, Any]]:
    """All layers within a layer or model, each with its path."""
    count = Counter[str]()
    for child in layer._flatten_layers(include_self=False, recursive=False):
        count[child.name] += 1
        # Layers of a subclassed model may have equal names.
        number = f"#{count[child.name]}" if count[child.name] > 1 else ""
        path = f"{prefix}{child.name}{number}"
        yield path, child
        yield from walk(child, f"{path}/")


def _refuse_quantised(found: list[_Kernel]) -> None:
    bad = [
        path
        for path, layer, name, _ in found
        if getattr(layer, "quantization_mode", None) is not None
        or not isinstance(getattr(layer, name), keras.Variable)
    ]
    if bad:
        raise checks.UserError(
            f"layers {', '.join(dict.fromkeys(bad))} are quantised or carry LoRA weights: their "
            "kernels cannot be thresholded; compress before quantising"
        )


def _narrowed(found: list[_Kernel], patterns: Sequence[str]) -> list[_Kernel]:
    paths = dict.fromkeys(kernel[0] for kernel in found)
    misses = [p for p in patterns if not any(matches(p, path) for path in paths)]
    if misses:
        raise checks.ArgumentError(
            "layers",
            f"must match layers with kernels ({', '.join(paths)}); no match: {', '.join(misses)}",
        )
    return [kernel for kernel in found if any(matches(p, kernel[0]) for p in patterns)]


def matches(pattern: str, path: str) -> bool:
    """Whether a path matches, with or without the numbers of equally named layers."""
    return any(re.search(pattern, form) for form in (path, re.sub(r"#\d+", "", path)))


def _any_axes(geometries: Sequence[geometry.Geometry]) -> bool:
    return any(shape.shape[axis] > 1 for shape in geometries for axis in shape.axes)


def _geometry_notes(
    found: list[_Kernel], geometries: Sequence[geometry.Geometry], settings: CompressionSettings
) -> Iterator[str]:
    if settings.axes == "matrix" or settings.wavelet == families.IDENTITY:
        return
    untraced = [
        kernel[0] for kernel, shape in zip(found, geometries, strict=True) if not shape.traced
    ]
    if untraced:
        yield (
            f"{', '.join(untraced)}: not part of a Functional or Sequential graph, so whether "
            "the input was flattened is not known"
        )
    if not settings.is_structured and not _any_axes(geometries):
        yield (
            "no kernel of this model has an axis with geometry: "
            f"{settings.wavelet} is applied to the kernels as matrices (axes=matrix)"
        )
