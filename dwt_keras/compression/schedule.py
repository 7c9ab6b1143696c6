"""How the threshold grows over the epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass

# Share of the epochs after which the threshold is full where nothing else is asked for.
_RAMP_SHARE = 2 / 3


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
    """

    ramp: str
    begin_epoch: int
    end_epoch: int

    def factor(self, epochs_done: float) -> float:
        """The factor after so many epochs, parts of an epoch included."""
        if epochs_done <= self.begin_epoch:
            return 0.0
        if self.ramp == "constant" or epochs_done >= self.end_epoch:
            return 1.0
        progress = (epochs_done - self.begin_epoch) / (self.end_epoch - self.begin_epoch)
        return progress if self.ramp == "linear" else 1.0 - (1.0 - progress) ** 3


def for_training(ramp: str, begin_epoch: int, end_epoch: int | None, epochs: int) -> Schedule:
    """A schedule for a training of so many epochs, its end chosen where none is given.

    Args:
        ramp: constant, linear or cubic.
        begin_epoch: Epochs that pass before the threshold starts.
        end_epoch: Epochs after which it is full; None for two thirds of the training.
        epochs: Epochs of the training.

    Returns:
        The schedule. It reaches its full threshold by the last epoch at the latest.
    """
    if end_epoch is None:
        end_epoch = max(begin_epoch + 1, round(_RAMP_SHARE * epochs))
    return Schedule(ramp, begin_epoch, end_epoch)
