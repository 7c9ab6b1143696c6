"""What TensorBoard shows of a finished run: its settings, and its figures among those of others."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import tensorflow as tf
from tensorboard.plugins.hparams import api as hparams

from dwt_keras.settings import Settings

# What sets no run apart from another.
_NO_PARAMETER = ("save_dir", "run_name", "data_dir", "figures")
# Tag -> how to call it, and where metrics.json has it.
_FIGURES: dict[str, tuple[str, tuple[str, ...]]] = {
    "shipped/test_accuracy": ("test accuracy", ("test_accuracy",)),
    "shipped/test_loss": ("test loss", ("test_loss",)),
    "shipped/validation_accuracy": ("validation accuracy", ("validation_accuracy",)),
    "shipped/validation_loss": ("validation loss", ("validation_loss",)),
    "shipped/dwtz_bytes": ("bytes of model.dwtz", ("bytes", "dwtz")),
    "shipped/zero_fraction": ("zero fraction", ("zero_fraction",)),
    "shipped/train_seconds": ("seconds of training", ("seconds", "train")),
}


def write(
    folder: Path,
    settings: Settings,
    metrics: Mapping[str, Any],
    name: str,
    parameters: Sequence[str] | None = None,
) -> None:
    """Writes the settings as text and as hyperparameters, and the figures of what ships.

    Args:
        folder: Of the event files.
        settings: The run's.
        metrics: Its metrics.json.
        name: What to call the run among others.
        parameters: The settings that set it apart from others, by name (default: all).
    """
    flat = settings.flat()
    names = parameters or [each for each in flat if each not in _NO_PARAMETER]
    figures = {tag: _figure(metrics, keys) for tag, (_, keys) in _FIGURES.items()}
    figures = {tag: value for tag, value in figures.items() if value is not None}
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
        rows = [f"| {key} | {_cell(value)} |" for key, value in flat.items()]
        text = "\n".join(["| setting | value |", "|---|---|", *rows])
        tf.summary.text("settings", text, description=f"What {name} was told")
        hparams.hparams_config(
            [hparams.HParam(each) for each in names],
            [hparams.Metric(tag, display_name=_FIGURES[tag][0]) for tag in figures],
        )
        hparams.hparams(
            {
                key: value if isinstance(value, (bool, int, float, str)) else _cell(value)
                for key, value in flat.items()
                if key in names and value is not None
            },
            trial_id=name,
        )
        for tag, value in figures.items():
            tf.summary.scalar(tag, value)
    writer.close()


def _figure(metrics: Mapping[str, Any], keys: Sequence[str]) -> Any:
    value: Any = metrics
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return value


def _cell(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    return text.replace("|", "\\|")
