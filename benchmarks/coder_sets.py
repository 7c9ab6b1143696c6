"""The sets of integer tensors that coder.py codes, from trained networks and from a package.

A trained set is the kernels' levels in the file of one run of train.py, kept in a folder so that a
later call does not train again. The others are the weights that PyPI's mtcnn ships, quantised.
"""

from __future__ import annotations

import dataclasses
import json
import math
import shutil
import tempfile
from pathlib import Path
from typing import Any, NotRequired, TypedDict

import numpy as np
import packages
from runs import FASHION_MNIST

from dwt_keras import save_compressed
from dwt_keras.coding import quantizer, records, tensors
from dwt_keras.compression import layout, sections


class Basis(TypedDict):
    """What train.py and `save_compressed` are told of a basis; for "none" no level counts."""

    wavelet: str
    level: NotRequired[int]


BASES: dict[str, Basis] = {
    "haar": {"wavelet": "haar", "level": 3},
    "none": {"wavelet": "none"},
}
ZEROS = (0.90, 0.95, 0.98)

MTCNN_NETWORKS = ("pnet", "rnet", "onet")
MTCNN_DISTORTIONS = (1e-2, 1e-3)

Set = list[tensors.Tensor]


def trained_names() -> list[str]:
    return [
        f"{model}-{basis}-{100 * zeros:.0f}"
        for model in ("mlp", "cnn")
        for basis in BASES
        for zeros in ZEROS
    ]


@dataclasses.dataclass(frozen=True)
class Training:
    """How long a model is trained.

    Attributes:
        epochs: Number of epochs.
        images: Images of each; None for all 55,000.
    """

    epochs: int
    images: int | None = None


def trained(cache: Path, data_dir: str | None, trainings: dict[str, Training]) -> dict[str, Set]:
    """The sets of trained networks by name; networks that the cache lacks are trained.

    Args:
        cache: Folder of NAME.npz (the set) and NAME.keras (the run's network).
        data_dir: Folder of Fashion-MNIST's IDX files; None lets Keras download them.
        trainings: How long to train each model.
    """
    cache.mkdir(parents=True, exist_ok=True)
    found = {}
    for name in trained_names():
        path = cache / f"{name}.npz"
        if not path.exists():
            train(name, cache, data_dir, trainings[name.split("-")[0]])
        found[name] = load(path)
    return found


def train(name: str, cache: Path, data_dir: str | None, training: Training) -> None:
    """Trains the network of a set and puts its files into the cache."""
    from dwt_keras.settings import Settings
    from dwt_keras.training import data, run, telling

    model, basis, zeros = name.split("-")
    with tempfile.TemporaryDirectory() as folder:
        settings = Settings.from_flat(
            {
                **FASHION_MNIST,
                **BASES[basis],
                "threshold_rule": "quantile",
                "model": model,
                "threshold": int(zeros) / 100,
                "epochs": training.epochs,
                "save_dir": folder,
                **({"data_dir": data_dir} if data_dir else {}),
            }
        )
        dataset = data.load(settings.data)
        dataset = dataclasses.replace(
            dataset,
            train=data.ArrayPart(
                dataset.train.samples(training.images), dataset.train.labels[: training.images]
            ),
        )
        with telling.quietly():
            result = run.run(settings, dataset)
        shutil.copy(result.folder / "model.keras", cache / f"{name}.keras")
        # Last of all: what has an npz is complete.
        file = sections.read(result.folder / "model.dwtz")
        save(cache / f"{name}.npz", kernels(layout.decoded(file)))
    print(f"trained {name}: test accuracy {result.metrics['test_accuracy']:.4f}", flush=True)


def kernels(found: Set) -> Set:
    """Those that are kernels; biases may be kept as levels too."""
    return [tensor for tensor in found if len(tensor.shape) > 1]


def network(cache: Path, name: str) -> Any:
    """The network of a trained set."""
    import keras

    return keras.models.load_model(cache / f"{name}.keras", compile=False)


def write_network(cache: Path, name: str, path: Path, *, with_architecture: bool = True) -> None:
    """Writes the file of a trained set's network anew, in its basis and at its step.

    The run's own file is not kept: a later version of the coder might not read it.
    """
    save_compressed(
        network(cache, name),
        path,
        step=load(cache / f"{name}.npz")[0].step,
        with_architecture=with_architecture,
        **BASES[name.split("-")[1]],
    )


def save(path: Path, found: Set) -> None:
    about = []
    for tensor in found:
        transform = tensor.transform
        about.append(
            {
                "name": tensor.name,
                "shape": tensor.shape,
                "dtype": tensor.dtype.name,
                "step": tensor.step,
                "transform": dataclasses.asdict(transform) if transform else None,
            }
        )
    arrays = {f"levels{index}": levels_of(tensor) for index, tensor in enumerate(found)}
    np.savez_compressed(path, allow_pickle=False, about=json.dumps(about), **arrays)


def load(path: Path) -> Set:
    with np.load(path) as arrays:
        return [
            tensors.Tensor(
                entry["name"],
                tuple(entry["shape"]),
                np.dtype(entry["dtype"]),
                levels=arrays[f"levels{index}"],
                step=entry["step"],
                transform=_transform(entry["transform"]),
            )
            for index, entry in enumerate(json.loads(str(arrays["about"])))
        ]


def _transform(about: dict[str, Any] | None) -> records.Transform | None:
    if about is None:
        return None
    return records.Transform(
        about["wavelet"],
        about["level"],
        tuple(about["axes"]),
        tuple(about["shape"]),
        None if about["splits"] is None else tuple(about["splits"]),
    )


def mtcnn(folder: Path) -> dict[str, Set]:
    """The sets of mtcnn by name: each network's kernels at each distortion, no transform.

    Args:
        folder: Where pip put the package and lz4, which its files need.
    """
    found = {}
    for network in MTCNN_NETWORKS:
        weights = mtcnn_kernels(folder, network)
        for distortion in MTCNN_DISTORTIONS:
            found[f"mtcnn-{network}-{distortion:g}"] = quantised(weights, distortion)
    return found


def mtcnn_kernels(folder: Path, network: str) -> dict[str, np.ndarray]:
    weights = packages.mtcnn_weights(folder, network)
    # Slopes of PReLU have three axes, biases one; the files have no names.
    found = [values for values in weights if values.ndim in (2, 4)]
    return {f"layer{index}/kernel": values for index, values in enumerate(found, start=1)}


def quantised(kernels: dict[str, np.ndarray], distortion: float) -> Set:
    """Kernels at the largest step that moves them together by a share of their energy."""

    def moved(step: float) -> float:
        errors = (
            quantizer.dequantise(quantizer.quantise(values, step), step) - values
            for values in kernels.values()
        )
        return sum(float(np.vdot(error, error)) for error in errors) / energy

    energy = sum(float(np.vdot(values, values)) for values in kernels.values())
    largest = max(float(np.abs(values).max()) for values in kernels.values())
    step = quantizer.step_for(moved, distortion, 2.0 * largest, 2.0**-20 * largest)
    return [
        tensors.Tensor(
            name, values.shape, values.dtype, levels=quantizer.quantise(values, step), step=step
        )
        for name, values in kernels.items()
    ]


def levels_of(tensor: tensors.Tensor) -> np.ndarray:
    """The levels of a tensor that is kept as levels, as all of a set are."""
    if tensor.levels is None:
        raise ValueError(f"{tensor.name} has no levels")
    return tensor.levels


def weights(found: Set) -> int:
    """How many weights the tensors of a set have."""
    return sum(math.prod(tensor.shape) for tensor in found)


def zeros(found: Set) -> float:
    """The share of their levels that is zero."""
    return 1.0 - sum(int(np.count_nonzero(levels_of(tensor))) for tensor in found) / weights(found)
