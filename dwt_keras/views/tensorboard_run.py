"""What TensorBoard shows of a finished run: its settings, and its figures among those of others."""

from __future__ import annotations

from collections.abc import Mapping
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
    "shipped/dwtz_bytes": ("bytes of model.dwtz", ("bytes", "dwtz")),
    "shipped/zero_fraction": ("zero fraction", ("zero_fraction",)),
    "shipped/train_seconds": ("seconds of training", ("seconds", "train")),
}


def write(folder: Path, settings: Settings, metrics: Mapping[str, Any], name: str) -> None:
    """Writes the settings as text and as hyperparameters, and the figures of what ships.

    Args:
        folder: Of the event files.
        settings: The run's.
        metrics: Its metrics.json.
        name: What to call the run among others.
    """
    flat = settings.flat()
    names = [each for each in flat if each not in _NO_PARAMETER]
    writer = tf.summary.create_file_writer(str(folder))
    with writer.as_default(step=0):
        rows = [f"| {key} | {_cell(value)} |" for key, value in flat.items()]
        text = "\n".join(["| setting | value |", "|---|---|", *rows])
        tf.summary.text("settings", text, description=f"What {name} was told")
        hparams.hparams_config(
            [hparams.HParam(each) for each in names],
            [hparams.Metric(tag, display_name=title) for tag, (title, _) in _FIGURES.items()],
        )
        parameters = {each: flat[each] for each in names if flat[each] is not None}
        hparams.hparams(
            {
                key: value if isinstance(value, (bool, int, float, str)) else _cell(value)
                for key, value in parameters.items()
            },
            trial_id=name,
        )
        for tag, (_, keys) in _FIGURES.items():
            value: Any = metrics
            for key in keys:
                value = value.get(key) if isinstance(value, Mapping) else None
            if value is not None:
                tf.summary.scalar(tag, value)
    writer.close()


def _cell(value: Any) -> str:
    text = ",".join(map(str, value)) if isinstance(value, (tuple, list)) else str(value)
    return text.replace("|", "\\|")
