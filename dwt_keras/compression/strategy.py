"""What takes coefficients from kernels during one training, and keeps them away.

The callback says when; a strategy knows the kernels with their bases, and what is held of them.
"""

from __future__ import annotations

import abc
import dataclasses
from collections.abc import Sequence
from typing import Any

from dwt_keras.compression import records, shrink
from dwt_keras.compression.penalty import L1
from dwt_keras.compression.targets import Target
from dwt_keras.settings import CompressionSettings

Reports = dict[Target, shrink.TargetReport]


@dataclasses.dataclass(frozen=True, eq=False)
class Task:
    """What a training is to compress, and how.

    Attributes:
        model: The model, built.
        settings: How its kernels are compressed.
        training: Any object that stands for this training.
        samples: Inputs of the model, which tell how much what multiplies a row varies.
        drawing: What draws coefficients to zero with each optimizer step; None for nothing.
    """

    model: Any
    settings: CompressionSettings
    training: object
    samples: Any = None
    drawing: L1 | None = None


class Strategy(abc.ABC):
    """What shrinks the kernels of a model during one training.

    Args:
        found: The model's kernels.
        task: What the training is to do.

    Attributes:
        targets: The kernels that are compressed, each with its basis as it is now.
        notes: What to tell the user, one line each.
    """

    # Whether a state that the kernels are brought to at the end of an epoch may be left as it is
    # when training ends early; else all is cut to what was asked for.
    leaves_early_ends = False

    def __init__(self, found: Sequence[Target], task: Task) -> None:
        self._task = task
        self.targets = tuple(found)
        self.notes: list[str] = []
        # After which epoch, counted from 1, bases were chosen last, and whether not for the first
        # time.
        self._chosen_epoch = 0
        self._rechosen = False

    @property
    def has_bases(self) -> bool:
        """Whether kernels have the bases to shrink them in."""
        return self._chosen_epoch > 0 or not self._task.settings.is_automatic

    @property
    def changes_targets(self) -> bool:
        """Whether kernels brought back to an earlier state may have other bases or steps there."""
        return self._rechosen

    def choose_bases_where_due(self, epochs_done: float, epochs: int) -> None:
        """Chooses bases where an epoch after which to do so has passed.

        Args:
            epochs_done: Epochs that are over.
            epochs: Epochs of the training.
        """
        wanted = self._task.settings.basis_epochs(epochs)
        due = [epoch for epoch in wanted if epoch <= epochs_done]
        if due and due[-1] > self._chosen_epoch:
            self._rechosen = self._chosen_epoch > 0
            self._chosen_epoch = due[-1]
            self.choose_bases()

    @abc.abstractmethod
    def hold(self) -> None:
        """Lets optimizer steps keep to what the next shrinkings leave, or draw it to zero."""

    @abc.abstractmethod
    def detach(self) -> None:
        """Ends what `hold` began; kernels stay as they are."""

    @abc.abstractmethod
    def choose_bases(self) -> None:
        """Chooses each kernel's basis from its weights as they stand, and holds in it."""

    @abc.abstractmethod
    def shrink(self, factor: float, only: Sequence[Target] | None = None) -> Reports:
        """Shrinks kernels.

        Args:
            factor: How far the schedule is, 0 to 1.
            only: The kernels that need it, where others shall stay as they are; None for all.

        Returns:
            What was done to each.

        Raises:
            UserError: If a kernel has weights that are NaN or infinite; nothing is written then.
        """

    @abc.abstractmethod
    def held_state(self) -> records.State | None:
        """What is held, as plain values; None for nothing."""

    @abc.abstractmethod
    def set_held_state(self, state: records.State) -> None:
        """Sets what `held_state` gave, for kernels with the bases that they had then."""

    def get_state(self) -> records.State:
        """Bases and what is held in them, as plain values."""
        return {
            "targets": records.of_targets(self.targets),
            "held": self.held_state(),
            "chosen_epoch": self._chosen_epoch,
            "rechosen": self._rechosen,
        }

    def set_state(self, state: records.State) -> None:
        """Takes up what `get_state` gave, for a model of the same architecture.

        Kernels stay as they are: their weights are the caller's to restore.
        """
        self.detach()
        self._chosen_epoch, self._rechosen = state["chosen_epoch"], state["rechosen"]
        self.targets = records.to_targets(self.targets, state["targets"])
        if self.has_bases:
            self.hold()
        if state["held"] is not None:
            self.set_held_state(state["held"])
