"""What a network starts from, and which part of it learns when."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings import sources
from dwt_keras.settings.fields import setting
from dwt_keras.settings.numerics import AUTO, OFF, ON

IMAGENET, FRESH = "imagenet", "none"
FREEZING = (AUTO, ON, OFF)
INIT_SUFFIXES = (".keras", ".dwtz", ".weights.h5")
WEIGHTS_SUFFIXES = (".h5",)


@dataclass(frozen=True)
class TransferSettings:
    """What a network starts from, and which part of it learns when.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    init: str | None = setting(
        None,
        "Network to start from: FILE.keras, FILE.dwtz or FILE.weights.h5. Layers take the weights "
        "of layers of their name and shapes; the others stay fresh.",
    )
    weights: str | None = setting(
        None,
        "Weights of --model=applications:NAME: imagenet (downloaded once by Keras, the default), "
        "none for fresh ones, or FILE.h5 as Keras distributes them, without the top.",
    )
    freeze_until: str | None = setting(
        None,
        "Layer that, with all before it, keeps the weights that it starts from. Normalisation "
        "layers among them keep their statistics too.",
    )
    head_epochs: int = setting(
        0,
        "Epochs before the others in which only the layers with fresh weights, and the last, "
        "learn, without compression. Raising it disturbs the weights that came along less; "
        "lowering it ends sooner.",
    )
    head_learning_rate: float | None = setting(
        None,
        "The optimizer's step size in the head's epochs, which does not change in them (default: "
        "that of --learning_rate without a schedule). Raising it learns faster, less steadily.",
    )
    freeze_batch_norm: str = setting(
        AUTO,
        "Whether BatchNormalization layers that come with weights keep these and normalise by the "
        "statistics that they came with, as they do once trained: on, off, or auto, which is on "
        "with head_epochs and for pretrained applications:NAME. Their statistics move too slowly "
        "to follow a short training; off suits long ones, and data unlike those they are from.",
    )
    shrink_frozen: bool = setting(
        False, "Compress the frozen layers too, which cannot recover from it."
    )

    def __post_init__(self) -> None:
        for name, suffixes in (("init", INIT_SUFFIXES), ("weights", WEIGHTS_SUFFIXES)):
            value = getattr(self, name)
            if value is None:
                continue
            words = (IMAGENET, FRESH) if name == "weights" else ()
            if checks.text(name, value) in words:
                continue
            if not value.endswith(suffixes):
                allowed = [*words, *(f"FILE{suffix}" for suffix in suffixes)]
                raise checks.ArgumentError(
                    name, f"must be one of {', '.join(allowed)}; given {value!r}"
                )
            object.__setattr__(self, name, os.path.expanduser(value))
        if self.freeze_until is not None and not checks.text("freeze_until", self.freeze_until):
            raise checks.ArgumentError("freeze_until", "must name a layer; given ''")
        checks.integer("head_epochs", self.head_epochs, least=0)
        if self.head_learning_rate is not None:
            checks.real("head_learning_rate", self.head_learning_rate, above=0.0)
            if not self.head_epochs:
                raise checks.ArgumentError(
                    "head_learning_rate",
                    f"needs head_epochs; given {self.head_learning_rate:g} without",
                )
        checks.choice("freeze_batch_norm", self.freeze_batch_norm, FREEZING)
        checks.boolean("shrink_frozen", self.shrink_frozen)
        if self.shrink_frozen and self.freeze_until is None:
            raise checks.ArgumentError("shrink_frozen", "needs freeze_until; given without")


def check_beside(transfer: TransferSettings, model: str) -> None:
    """Checks that a network has what is asked for of the weights that it starts from.

    Raises:
        ArgumentError: If not.
    """
    if transfer.weights is not None and sources.model_kind(model) != sources.APPLICATION:
        raise checks.ArgumentError(
            "weights",
            f"goes with model=applications:NAME; given beside model={model} "
            "(init takes the weights of a network for any)",
        )
    has_start = transfer.init or comes_with_weights(transfer, model)
    for name in ("head_epochs", "freeze_batch_norm"):
        given = getattr(transfer, name)
        if given not in (0, AUTO, OFF) and not has_start:
            raise checks.ArgumentError(
                name,
                "needs weights to start from: init, or a model that comes with some; given "
                f"{given} beside model={model}",
            )


def freezes_batch_norm(transfer: TransferSettings, model: str) -> bool:
    """Whether BatchNormalization layers stay as they came."""
    if transfer.freeze_batch_norm != AUTO:
        return transfer.freeze_batch_norm == ON
    is_pretrained = comes_with_weights(transfer, model)
    return bool(transfer.head_epochs) or (
        is_pretrained and sources.model_kind(model) == sources.APPLICATION
    )


def comes_with_weights(transfer: TransferSettings, model: str) -> bool:
    """Whether a network is one that has been trained before."""
    kind = sources.model_kind(model)
    return bool(kind) and not (kind == sources.APPLICATION and transfer.weights == FRESH)
