"""What `python -m dwt_keras saliency` is told: one field per flag."""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings.fields import setting

GRAD_CAM, ACTIVATION = "grad_cam", "activation"
# Maps that the command `saliency` compares.
METHODS = ("gradient", "smooth_gradient", "integrated_gradients", GRAD_CAM, ACTIVATION)
# Layers of a network whose activations are drawn, where none are named.
DRAWN_LAYERS = 4
# What a figure can hold.
_MOST_ROWS, _MOST_CHANNELS = 100, 32


@dataclass(frozen=True)
class SaliencySettings:
    """How `saliency` compares what two networks look at.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    against: str | None = setting(
        None, "A .keras file to compare with (default: the dense control of the run)."
    )
    method: tuple[str, ...] = setting(
        (),
        f"Maps to compare, comma-separated: {', '.join(METHODS)} (default: all; grad_cam where "
        "there is a two-dimensional convolution).",
    )
    layers: tuple[str, ...] = setting(
        (),
        "Names of the layers whose activations are compared and drawn, comma-separated (default: "
        f"all that have kernels, but for the last, are compared, and {DRAWN_LAYERS} of them "
        "drawn).",
    )
    shown_samples: int = setting(
        6,
        "Samples in the figures; those on which the networks disagree come first. Raising it makes "
        "the figures longer.",
    )
    shown_channels: int = setting(
        4,
        "Channels of each layer in the figure of activations: those that answer most in the "
        "network compared with. Raising it makes the figure wider.",
    )
    compared_samples: int = setting(
        200, "Test samples of the table. Raising it steadies the figures, and takes longer."
    )
    data_dir: str | None = setting(
        None, "Folder of the run's data, where they are not where they were any more."
    )

    def __post_init__(self) -> None:
        for name in ("method", "layers"):
            object.__setattr__(self, name, _words(name, getattr(self, name)))
        for name in self.method:
            checks.choice("method", name, METHODS)
        if self.layers and self.method and ACTIVATION not in self.method:
            raise checks.ArgumentError(
                "layers", f"needs {ACTIVATION} among the methods; given {','.join(self.method)}"
            )
        for name in ("shown_samples", "shown_channels", "compared_samples"):
            checks.integer(name, getattr(self, name), least=1)
        layers = len(self.layers) or DRAWN_LAYERS
        if layers * self.shown_samples > _MOST_ROWS:
            raise checks.ArgumentError(
                "shown_samples",
                f"times the layers that are drawn must be {_MOST_ROWS} at most; given "
                f"{self.shown_samples}, and {layers} layers",
            )
        if self.shown_channels > _MOST_CHANNELS:
            raise checks.ArgumentError(
                "shown_channels", f"must be {_MOST_CHANNELS} at most; given {self.shown_channels}"
            )
        for name in ("against", "data_dir"):
            path = getattr(self, name)
            if path is not None:
                object.__setattr__(self, name, os.path.expanduser(checks.text(name, path)))


def _words(argument: str, value: Any) -> tuple[str, ...]:
    """Reads words, comma-separated or in a sequence, each once.

    Raises:
        ArgumentError: If there is none in what is given.
    """
    parts = value.split(",") if isinstance(value, str) else value
    words = tuple(dict.fromkeys(filter(None, (checks.text(argument, part) for part in parts))))
    if value and not words:
        raise checks.ArgumentError(argument, f"must be names, comma-separated; given {value!r}")
    return words
