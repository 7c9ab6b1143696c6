"""How the threshold grows over the epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras.settings import CompressionSettings
from dwt_keras.settings.budget import BYTES

# Share of the epochs after which the threshold is full where nothing else is asked for. A network
# that trains through its quantiser needs the rest to settle.
_RAMP_SHARE, _BYTES_RAMP_SHARE = 2 / 3, 1 / 2
# And after which it is quantised then.
_QUANTISED_SHARE = 0.6


@dataclass(frozen=True)
class Schedule:
    """A factor for the threshold: 0 before `begin_epoch`, 1 from `end_epoch` on.

    In between, with p the share of the way from begin to end, it is p (linear) or
    1 - (1 - p)^3 (cubic; Zhu and Gupta 2017, arXiv:1710.01878). A constant schedule is 1 from
    the begin on.

    Attributes:
        ramp: constant, linear or cubic.
        begin_epoch: Epochs that pass before the threshold starts.
        end_epoch: Epochs after which it is full.
        quantised_from: Epochs after which the coefficients are quantised too; None for never.
    """

    ramp: str
    begin_epoch: int
    end_epoch: int
    quantised_from: int | None = None

    def factor(self, epochs_done: float) -> float:
        """The factor after so many epochs, parts of an epoch included."""
        if epochs_done <= self.begin_epoch:
            return 0.0
        if self.ramp == "constant" or epochs_done >= self.end_epoch:
            return 1.0
        progress = (epochs_done - self.begin_epoch) / (self.end_epoch - self.begin_epoch)
        return progress if self.ramp == "linear" else 1.0 - (1.0 - progress) ** 3

    def is_quantised(self, epochs_done: float) -> bool:
        """Whether the coefficients are quantised after so many epochs."""
        return self.quantised_from is not None and epochs_done >= self.quantised_from


def for_training(
    ramp: str, begin_epoch: int, end_epoch: int | None, epochs: int, *, quantised: bool = False
) -> Schedule:
    """A schedule for a training of so many epochs, its end chosen where none is given.

    Args:
        ramp: constant, linear or cubic.
        begin_epoch: Epochs that pass before the threshold starts.
        end_epoch: Epochs after which it is full; None for two thirds of the training, half of it
            where it is `quantised`.
        epochs: Epochs of the training.
        quantised: Whether the last part of the training shall be quantised.

    Returns:
        The schedule. It reaches its full threshold by the last epoch at the latest.
    """
    if end_epoch is None:
        share = _BYTES_RAMP_SHARE if quantised else _RAMP_SHARE
        end_epoch = max(begin_epoch + 1, round(share * epochs))
    if not quantised:
        return Schedule(ramp, begin_epoch, end_epoch)
    quantised_from = max(end_epoch, round(_QUANTISED_SHARE * epochs))
    return Schedule(ramp, begin_epoch, end_epoch, quantised_from)


def of_settings(settings: CompressionSettings, epochs: int) -> Schedule:
    """The schedule that settings ask for, in a training of so many epochs."""
    return for_training(
        str(settings.ramp),
        settings.ramp_begin_epoch,
        settings.ramp_end_epoch,
        epochs,
        quantised=settings.threshold_rule == BYTES,
    )


def first_full_epoch(settings: CompressionSettings, epochs: int) -> int:
    """The first epoch at whose end a network is what may remain of the training.

    Args:
        settings: How it is compressed.
        epochs: Epochs of the training.

    Returns:
        The epoch, counted from 0: the threshold is full and bases are chosen at its end and, with a
        target in bytes, coefficients have been quantised all through it. `epochs` where there is
        none.
    """
    chosen = max(settings.basis_epochs(epochs), default=0)
    found = of_settings(settings, epochs)
    if found.quantised_from is not None:
        # Quantised is what is chosen at the beginning of an epoch.
        return min(max(found.quantised_from, chosen), epochs)
    full = found.begin_epoch + 1 if found.ramp == "constant" else found.end_epoch
    return max(full, chosen) - 1
