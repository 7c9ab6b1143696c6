"""Runs of train.py in processes of their own: how they are started, and what they leave."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
# What all trainings on Fashion-MNIST are told; the last 5,000 images of its 60,000 validate.
FASHION_MNIST: dict[str, object] = {
    "dataset": "fashion_mnist",
    "batch_size": 128,
    "validation_fraction": 0.08334,
}
# Where a run puts them; deeper there may be what a killed run had not put in its place yet.
_METRICS = "*/*/*/metrics.json"


def command(flags: Mapping[str, object]) -> list[str]:
    """What starts train.py with flags, whose lines come as they are printed."""
    given = (f"--{name}={value}" for name, value in flags.items())
    return [sys.executable, "-u", str(ROOT / "train.py"), *given]


def train(flags: Mapping[str, object]) -> None:
    """Runs train.py to its end, and keeps what it prints off the terminal.

    Raises:
        CalledProcessError: If it fails.
    """
    subprocess.run(command(flags), check=True, stdout=subprocess.DEVNULL)


def is_complete(save_dir: Path) -> bool:
    """Whether a complete run is below what it was given as save_dir."""
    return any(save_dir.glob(_METRICS))


def folder_of(save_dir: Path) -> Path:
    """The folder of the only complete run below what it was given as save_dir."""
    (metrics,) = save_dir.glob(_METRICS)
    return metrics.parent


def metrics_of(folder: Path) -> dict[str, Any]:
    """What a run measured."""
    found: dict[str, Any] = json.loads((folder / "metrics.json").read_text())
    return found


def bases_of(folder: Path) -> dict[str, Any]:
    """The basis of each kernel of a run, by the kernel's path."""
    found: dict[str, Any] = json.loads((folder / "settings.json").read_text())["bases"]
    return found
