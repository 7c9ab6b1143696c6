"""What networks say of the samples that they have not seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import tensorflow as tf

from dwt_keras import files
from dwt_keras.training import data

Array = np.ndarray[Any, Any]

FILE = "predictions.npz"
_BATCH = 1000


def of_run(folder: Path, part: data.Part) -> Array:
    """What the network that a run ships says of a part.

    Args:
        folder: The run's.
        part: The samples.

    Returns:
        The SavedModel's outputs, of shape (samples, classes).
    """
    # Not model.keras, which cannot be loaded without the user's own layers where it has some.
    loaded = tf.saved_model.load(str(folder / "serving" / "1"))
    serve = loaded.signatures["serving_default"]
    (name,) = serve.structured_input_signature[1]
    found = [
        serve(**{name: tf.constant(inputs)})["outputs"].numpy() for inputs, _ in part.arrays(_BATCH)
    ]
    return np.concatenate(found)


def save(folder: Path, arrays: Mapping[str, Array]) -> None:
    """Writes arrays with one row a sample to a folder's predictions.npz, atomically."""
    with files.replacing(folder / FILE) as temporary:
        np.savez_compressed(temporary, allow_pickle=False, **arrays)


def joined(folders: Sequence[Path]) -> dict[str, Array]:
    """What `save` wrote into folders, one behind the other."""
    found = []
    for folder in folders:
        with np.load(folder / FILE, allow_pickle=False) as archive:
            found.append(dict(archive))
    return {name: np.concatenate([each[name] for each in found]) for name in found[0]}
