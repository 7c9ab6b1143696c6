"""How the threshold grows over the epochs of a training."""

from __future__ import annotations

from dataclasses import dataclass

# Share of the epochs after which the threshold is full where nothing else is asked for. A network
# that trains through its quantiser needs the rest to settle, and one that has few inputs left most of
# the training to learn from them.
_RAMP_SHARE, _BYTES_RAMP_SHARE, _STRUCTURED_RAMP_SHARE = 2 / 3, 1 / 2, 1 / 4
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
    ramp: str,
    begin_epoch: int,
    end_epoch: int | None,
    epochs: int,
    *,
    quantised: bool = False,
    structured: bool = False,
) -> Schedule:
    """A schedule for a training of so many epochs, its end chosen where none is given.

    Args:
        ramp: constant, linear or cubic.
        begin_epoch: Epochs that pass before the threshold starts.
        end_epoch: Epochs after which it is full; None for two thirds of the training, half of it
            where it is `quantised`, a quarter where it is `structured`.
        epochs: Epochs of the training.
        quantised: Whether the last part of the training shall be quantised.
        structured: Whether whole rows or columns go.

    Returns:
        The schedule. It reaches its full threshold by the last epoch at the latest.
    """
    if end_epoch is None:
        share = _RAMP_SHARE
        if quantised:
            share = _BYTES_RAMP_SHARE
        elif structured:
            share = _STRUCTURED_RAMP_SHARE
        end_epoch = max(begin_epoch + 1, round(share * epochs))
    if not quantised:
        return Schedule(ramp, begin_epoch, end_epoch)
    quantised_from = max(end_epoch, round(_QUANTISED_SHARE * epochs))
    return Schedule(ramp, begin_epoch, end_epoch, quantised_from)
