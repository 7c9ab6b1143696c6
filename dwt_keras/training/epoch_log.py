"""history.csv: a row for each epoch of a training, those of the head's phase before the others."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras

from dwt_keras import files

FILE = "history.csv"
_EPOCH = "epoch"


class EpochLog(keras.callbacks.Callback):
    """Adds a row to history.csv at the end of each epoch: its number, then the logs by name.

    Keras' CSVLogger keeps to the columns of the first epoch that it sees; the epochs of a head's
    phase know nothing of the compression, whose columns are then empty in their rows.

    Args:
        folder: Of the training.
        first: Number of the first epoch. The head's are below 0, so that 0 is that of the others.
    """

    def __init__(self, folder: Path, first: int = 0) -> None:
        super().__init__()
        self._path = folder / FILE
        self._first = first

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        row = {_EPOCH: str(self._first + epoch)}
        row |= {name: str(value) for name, value in (logs or {}).items()}
        _write(self._path, [*_read(self._path), row])


def cut(folder: Path, end: int) -> None:
    """Removes from a history.csv what it says of epochs that have to be repeated.

    Args:
        folder: Of the training; the file need not exist.
        end: The number of the first of these epochs.
    """
    path = folder / FILE
    if path.exists():
        _write(path, [row for row in _read(path) if int(row[_EPOCH]) < end])


def _read(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def _write(path: Path, rows: Sequence[Mapping[str, str]]) -> None:
    names = sorted({name for row in rows for name in row} - {_EPOCH})
    text = io.StringIO()
    writer = csv.DictWriter(text, [_EPOCH, *names])
    writer.writeheader()
    writer.writerows(rows)
    with files.replacing(path) as temporary:
        temporary.write_text(text.getvalue(), encoding="utf-8", newline="")
