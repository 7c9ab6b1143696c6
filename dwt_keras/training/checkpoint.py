"""The state of a training in a file, from which another process goes on.

The file is a NumPy archive: arrays as bytes, and one with the rest as JSON. Loading it runs nothing
that it names, and what is damaged is noticed by the archive's checksums.
"""

from __future__ import annotations

import json
import shutil
import zipfile
import zlib
from pathlib import Path
from typing import Any

import ml_dtypes  # noqa: F401  Makes bfloat16 a name that NumPy knows.
import numpy as np

from dwt_keras import checks, files
from dwt_keras.training import runs

_FILE = "state.npz"
_REST = "rest"
# Stands for an array, with its number, dtype and shape.
_ARRAY = "__array__"


def save(folder: Path, state: dict[str, Any]) -> None:
    """Writes a state atomically, in the place of an earlier one.

    Args:
        folder: Of the training; the file goes to its `checkpoint` folder.
        state: Dicts with text keys, lists, numbers, text, None and arrays.
    """
    place = folder / runs.CHECKPOINT
    place.mkdir(parents=True, exist_ok=True)
    arrays: list[Any] = []
    rest = json.dumps(_without_arrays(state, arrays)).encode()
    named: dict[str, Any] = {str(number): array for number, array in enumerate(arrays)}
    named[_REST] = np.frombuffer(rest, np.uint8)
    with files.replacing(place / _FILE) as temporary:
        np.savez(temporary, **named)


def load(folder: Path) -> dict[str, Any] | None:
    """Reads what `save` wrote; None where nothing was.

    Raises:
        UserError: If the file is damaged.
    """
    path = folder / runs.CHECKPOINT / _FILE
    if not path.exists():
        return None
    try:
        # NumPy leaves a file open that is no archive.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            rest = json.loads(archive[_REST].tobytes())
            state: dict[str, Any] = _with_arrays(rest, archive)
    except (OSError, ValueError, KeyError, TypeError, zipfile.BadZipFile, zlib.error) as error:
        raise checks.UserError(
            f"{path} is damaged, so that it cannot be resumed: {error}"
        ) from None
    return state


def remove(folder: Path) -> None:
    """Removes the checkpoints of a run that is complete, those of its trials too."""
    for place in [folder / runs.CHECKPOINT, *folder.glob(f"trials/*/{runs.CHECKPOINT}")]:
        shutil.rmtree(place, ignore_errors=True)


def _without_arrays(value: Any, arrays: list[Any]) -> Any:
    if isinstance(value, dict):
        return {key: _without_arrays(each, arrays) for key, each in value.items()}
    if isinstance(value, (list, tuple)):
        return [_without_arrays(each, arrays) for each in value]
    if isinstance(value, np.ndarray):
        arrays.append(np.frombuffer(value.tobytes(), np.uint8))
        return {_ARRAY: len(arrays) - 1, "dtype": value.dtype.name, "shape": list(value.shape)}
    # Metrics and the like are NumPy's numbers.
    return value.item() if isinstance(value, np.generic) else value


def _with_arrays(value: Any, archive: Any) -> Any:
    if isinstance(value, list):
        return [_with_arrays(each, archive) for each in value]
    if not isinstance(value, dict):
        return value
    if _ARRAY not in value:
        return {key: _with_arrays(each, archive) for key, each in value.items()}
    # A copy, as what is read from bytes cannot be written to.
    flat = np.frombuffer(archive[str(value[_ARRAY])].tobytes(), np.dtype(value["dtype"])).copy()
    return flat.reshape(value["shape"])
