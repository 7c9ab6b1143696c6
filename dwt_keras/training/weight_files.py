"""The weights of a file, layer by layer."""

from __future__ import annotations

import functools
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import h5py
import numpy as np

from dwt_keras import checks
from dwt_keras.coding import container
from dwt_keras.compression import artifact, targets
from dwt_keras.training import outside_models

Array = np.ndarray[Any, np.dtype[Any]]
Weights = dict[str, list[Array]]


def of_layers(model: Any) -> Iterator[tuple[str, Any]]:
    """The layers of a model that have weights of their own, each with its path."""
    for path, layer in targets.walk(model):
        if own_variables(layer):
            yield path, layer


def own_variables(layer: Any) -> list[Any]:
    """The variables of a layer without those of layers within it."""
    return [*layer._trainable_variables, *layer._non_trainable_variables]


def read(path: str) -> Weights:
    """Reads a .keras, .dwtz or .weights.h5 file.

    Returns:
        By the path of a layer, its weights in its own order.

    Raises:
        UserError: If the file cannot be read, or is a compact file of weights alone, which do not
            say what layers they belong to.
    """
    # Several trainings of one run begin with the same.
    state = Path(path).stat()
    return _read(path, state.st_size, state.st_mtime_ns)


@functools.lru_cache(maxsize=1)
def _read(path: str, size: int, modified: int) -> Weights:
    if path.endswith(".h5"):
        return _read_h5(path)
    if path.endswith(".keras"):
        model = outside_models.load_archive("init", path)
    else:
        model = artifact.load_compressed(path, container.UNLIMITED)
    return {
        name: [np.asarray(variable) for variable in own_variables(layer)]
        for name, layer in of_layers(model)
    }


def _read_h5(path: str) -> Weights:
    """What `model.save_weights` wrote: a group for each layer, with its name and its variables."""
    found: Weights = {}

    def visit(group: Any, prefix: str) -> None:
        variables = group.get("vars")
        if isinstance(variables, h5py.Group) and group.name != "/":
            name = variables.attrs.get("name", group.name.rpartition("/")[2])
            prefix = f"{prefix}{name}"
            if len(variables):
                found[prefix] = [np.asarray(variables[key]) for key in sorted(variables, key=int)]
            prefix += "/"
        for key, child in group.items():
            if key not in ("vars", "optimizer") and isinstance(child, h5py.Group):
                visit(child, prefix)

    try:
        with h5py.File(path, "r") as file:
            visit(file, "")
    except (OSError, ValueError, KeyError, RuntimeError) as error:
        raise checks.ArgumentError(
            "init",
            f"must be a file that save_weights of Keras 3 wrote; {path}: {checks.said(error)}",
        ) from None
    return found
