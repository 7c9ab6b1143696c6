"""What metrics.json says: of a run, of a trial, of an ensemble."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import keras

from dwt_keras import files
from dwt_keras.training import coding, export, runs


def of(
    part: str,
    scores: Mapping[str, float],
    sizes: Mapping[str, int],
    seconds: Mapping[str, float],
    epochs: int,
    others: Mapping[str, Any],
) -> dict[str, Any]:
    """The content of metrics.json.

    Args:
        part: What was scored, "test" or "validation".
        scores: The "accuracy" and the "loss" there.
        sizes: Of the files, in bytes.
        seconds: What it took, by what was done.
        epochs: How many were trained.
        others: What else there is to say; a key that does not apply is absent.
    """
    return {
        f"{part}_accuracy": scores["accuracy"],
        f"{part}_loss": scores["loss"],
        **others,
        "bytes": dict(sizes),
        "seconds": dict(seconds),
        "epochs_run": epochs,
    }


def sizes(model: keras.Model, folder: Path) -> dict[str, int]:
    """The bytes of a network's weights, and of those of its files that a folder has."""
    compact = folder / "model.dwtz"
    found = {
        "float32": 4 * model.count_params(),
        "dwtz": compact.stat().st_size,
        "dwtz_weights": coding.weights_alone(compact),
    }
    for name in ("serving", "serving_fast"):
        if (folder / name / "1").exists():
            found[name] = export.folder_bytes(folder / name / "1")
    archive = folder / "model.keras"
    return {**found, "keras": archive.stat().st_size} if archive.exists() else found


def write(folder: Path, metrics: Mapping[str, Any]) -> None:
    """Writes metrics.json. Last of all: a run's folder that has it is complete."""
    files.write_text(folder / runs.METRICS, json.dumps(metrics, indent=2) + "\n")


def read(folder: Path) -> dict[str, Any] | None:
    """The content of a folder's metrics.json; None where there is none."""
    try:
        text = (folder / runs.METRICS).read_text(encoding="utf-8")
    except FileNotFoundError:
        return None
    found: dict[str, Any] = json.loads(text)
    return found
