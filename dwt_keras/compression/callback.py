"""The callback that shrinks a network's wavelet coefficients while it trains."""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any

import keras

from dwt_keras.compression import (
    constraints,
    dropout,
    penalty,
    records,
    schedule,
    shrink,
    states,
    strategies,
)
from dwt_keras.compression import targets as kernels
from dwt_keras.compression.strategy import Strategy, Task
from dwt_keras.settings import CompressionSettings, budget, ramps, regularization


class DWTCompression(keras.callbacks.Callback):
    """Thresholds the wavelet coefficients of a model's kernels once an epoch.

        model.fit(x, y, callbacks=[DWTCompression("sym2", level=2, threshold=0.05)])

    **When.** In the last `on_train_batch_end` of an epoch where the number of batches is known,
    so that validation, checkpoints and early stopping see the shrunk weights whatever the order
    of the callbacks. Where it is not known (a generator), in the `on_test_begin` of the epoch's
    validation; without validation at the epoch's end, and then callbacks listed
    before this one still see the weights as they were. At the end of training kernels that
    something else has overwritten since (`use_ema`) are shrunk once more; those restored to a
    shrunk state (`EarlyStopping(restore_best_weights=True)`) are left, since soft and garrote
    would shrink them further.

    **Bases.** With wavelet or level "auto" each kernel's basis is chosen at the first shrinking
    after each of `choose_basis_epochs`, from the weights as they are; before the first nothing is
    thresholded. Continuous wavelets give redundant frames, whose support cannot be held.

    **Logs.** Each epoch's `logs` get `zero_fraction`, `energy_kept` (share of the coefficients'
    sum of squares) and `threshold` (the magnitude applied; a mean where layers have their own).
    List this callback before CSVLogger or TensorBoard so that they record them.

    **A target in bytes.** With `target_bytes` the network trains through thresholding and, in the
    last part, through quantisation (see `latent`): at the end of each epoch kernels are what a file
    would hold. A last
    shrinking makes sure that `save_compressed(model, path, kernels=callback.targets)` writes a file
    of that size at most. `EarlyStopping(restore_best_weights=True)` belongs before this callback
    then, with a `start_from_epoch` of 0.6 of the epochs or more: earlier weights are not quantised
    yet, and would be cut to the size without training. Let the learning rate fall to zero
    (`keras.optimizers.schedules.CosineDecay`): much of what this gains comes from it. Dropout
    layers drop less during the epochs as coefficients go (`scale_dropout=False` leaves them).

    **Optimizer slots** are never touched.

    Under MirroredStrategy Keras itself cannot do `steps_per_execution` above 1 or
    `jit_compile=True`; such a model is refused.

    Args:
        wavelet: Wavelet by PyWavelets' name, family, "auto" or "none". Defaults to "haar", with
            target_bytes to "auto".
        level: Decomposition level, "max" or "auto". Defaults to 1, with wavelet "auto" to "auto".
        threshold: Magnitude or fraction, by rule; 0.05 by default.
        l1_wavelet: Each optimizer step takes the learning rate times this from the magnitude of
            every coefficient, down to zero (see `penalty`), once there are bases. Held
            coefficients are drawn within the support; with target_bytes latent ones are.
        samples: Some inputs of the model, of shape (samples, ...), a thousand say: with `keep_rows`
            they tell how much what multiplies a row varies. Without them it is taken as equal.
        frozen: Whether kernels that are not trainable are compressed too.
        **settings: The other fields of `dwt_keras.settings.CompressionSettings` by name:
            target_bytes, keep_rows, keep_columns, structure, threshold_mode, threshold_rule,
            keep_approximation, axes, layers, hold_support, scale_dropout, ramp,
            ramp_begin_epoch, ramp_end_epoch, choose_basis_epochs, apply_every_batches.

    Attributes:
        settings: The settings, with defaults filled in.
        targets: The kernels with their bases, from the start of training on (from its first
            batch on where that builds the model).
        report: What the shrinking did that left the kernels as they stand, which need not be the
            last one (`EarlyStopping(restore_best_weights=True)`); of the last one where kernels
            have changed since, None before the first.
        seconds: Time spent shrinking, in seconds.

    Raises:
        ArgumentError: On a setting out of range; when training starts also UserError, if the
            model has nothing to compress or cannot be compressed.
    """

    def __init__(
        self,
        wavelet: str | None = None,
        level: int | str | None = None,
        threshold: float | None = None,
        *,
        l1_wavelet: float = 0.0,
        samples: Any = None,
        frozen: bool = False,
        **settings: Any,
    ) -> None:
        super().__init__()
        if wavelet is not None:
            settings["wavelet"] = wavelet
        self.settings = CompressionSettings(level=level, threshold=threshold, **settings)
        budget.check_one_training(self.settings)
        regularization.check_l1_wavelet(l1_wavelet, self.settings)
        self._l1_wavelet = l1_wavelet
        self._samples = samples
        self._frozen = frozen
        self._strategy: Strategy | None = None
        self._last: shrink.Report | None = None
        self.seconds = 0.0
        self._schedule = schedule.of_settings(self.settings, epochs=1)
        self._dropout: dropout.DropoutRates | None = None
        self._states = states.ShrunkStates()
        self._in_epoch = self._shrunk_this_epoch = False
        self._epoch = self._batches_before = self._batch_count = 0
        self._epochs = 1

    @property
    def report(self) -> shrink.Report | None:
        return self._states.report(self._targets) or self._last

    @property
    def targets(self) -> tuple[kernels.Target, ...]:
        if self._strategy is None or not self._strategy.changes_targets:
            return self._targets
        return self._states.as_they_were(self._targets)

    def get_state(self) -> records.State:
        """All that the training has come to at the end of an epoch, as plain values."""
        return {
            "strategy": None if self._strategy is None else self._strategy.get_state(),
            "states": self._states.get_state(),
            "dropout": None if self._dropout is None else self._dropout.get_state(),
            "last": records.of_report(self._last),
            "seconds": self.seconds,
            "epoch": self._epoch,
            "batches": self._batch_count,
        }

    def set_state(self, state: records.State) -> None:
        """Takes up a training of the same settings where `get_state` left it.

        To be called after `on_train_begin`, for a built model whose weights the caller restores.
        """
        if self._strategy is not None and state["strategy"] is not None:
            self._strategy.set_state(state["strategy"])
            self._states.set_state(state["states"], self._targets)
        if self._dropout is not None:
            self._dropout.set_state(state["dropout"])
        self._last = records.to_report(state["last"])
        self.seconds = state["seconds"]
        self._epoch = state["epoch"]
        self._batches_before = self._batch_count = state["batches"]

    def on_train_begin(self, logs: Any = None) -> None:
        constraints.refuse_what_keras_cannot(self.model)
        self._epochs = epochs = self.params.get("epochs") or 1
        ramps.check_within(self.settings, epochs)
        self._states = states.ShrunkStates()
        self._strategy = self._dropout = self._last = None
        self._schedule = schedule.of_settings(self.settings, epochs)
        self._batches_before = self._batch_count = 0
        # All callbacks of one fit are given the same params.
        constraints.release(self.model, self.params)
        if self.model.built:
            self._find_targets()

    def on_epoch_begin(self, epoch: int, logs: Any = None) -> None:
        self._in_epoch = True
        self._epoch = epoch
        self._shrunk_this_epoch = False
        if epoch > 0:
            self._choose_kept(epoch)
        if self._bytes is not None and self.params.get("steps"):
            self._bytes.expect(self.params["steps"])
        if self._dropout is not None and self._last is not None:
            self._dropout.scale(1.0 - self._last.zero_fraction)

    def on_train_batch_end(self, batch: int, logs: Any = None) -> None:
        if self._strategy is None:
            # The model was not built before its first batch.
            self._find_targets()
        # Under steps_per_execution `batch` is the last of several batches, not all of which
        # there need to be at the end of an epoch.
        steps = self.params.get("steps")
        done = min(batch + 1, steps) if steps else batch + 1
        before, self._batch_count = self._batch_count, self._batches_before + done
        if done == steps:
            self._shrink_epoch()
            return
        every = self.settings.apply_every_batches
        if every and self._batch_count // every > before // every:
            # Of an epoch of unknown length it is known only that some part is over.
            over = self._epoch + (done / steps if steps else 1e-6)
            if self.settings.target_bytes is None:
                self._shrink(over)
            else:
                self._choose_kept(over)

    def on_test_begin(self, logs: Any = None) -> None:
        if self._in_epoch:
            self._shrink_epoch()

    def on_epoch_end(self, epoch: int, logs: Any = None) -> None:
        self._shrink_epoch()
        self._in_epoch = False
        self._batches_before = self._batch_count
        if logs is not None and self._last is not None:
            logs["zero_fraction"] = self._last.zero_fraction
            logs["energy_kept"] = self._last.energy_kept
            logs["threshold"] = self._last.threshold

    def on_train_end(self, logs: Any = None) -> None:
        if self._last is not None:  # Else no epoch was trained.
            self._shrink_at_the_end()
        if self._strategy is not None:
            self._strategy.detach()
        if self._dropout is not None:
            self._dropout.end()

    @property
    def _targets(self) -> tuple[kernels.Target, ...]:
        return () if self._strategy is None else self._strategy.targets

    @property
    def _bytes(self) -> strategies.ByBytes | None:
        return self._strategy if isinstance(self._strategy, strategies.ByBytes) else None

    def _find_targets(self) -> None:
        found = kernels.find(self.model, self.settings, frozen=self._frozen)
        drawing = penalty.L1(self.model, self._l1_wavelet) if self._l1_wavelet else None
        task = Task(self.model, self.settings, self.params, self._samples, drawing)
        self._strategy = strategies.for_training(found.items, task)
        if self.params.get("verbose", 1):
            for note in (*self.settings.notes, *found.notes, *self._strategy.notes):
                print(note)
        if self.settings.scale_dropout:
            self._dropout = dropout.DropoutRates(self.model)
        if not self.settings.is_automatic:
            self._strategy.hold()

    def _shrink_epoch(self) -> None:
        """Shrinks if this epoch has not been shrunk yet."""
        if self._shrunk_this_epoch:
            return
        self._shrunk_this_epoch = True
        if self._dropout is not None:
            # Its batches are over, and a file of the network has the layers' own rates.
            self._dropout.restore()
        self._shrink(self._epoch + 1, final=True)

    def _shrink(
        self, epochs_done: float, only: Sequence[kernels.Target] | None = None, final: bool = False
    ) -> None:
        """Shrinks some kernels or all; `final` for a state that may be what remains."""
        if self._strategy is None:  # Not one batch has built the model.
            return
        started = time.perf_counter()
        if self._bytes is not None and self._in_epoch:
            self._bytes.show()
        # After the training only where none has been chosen: a network that had been trained in one
        # basis would be cut to size in another.
        if self._in_epoch or not self._strategy.has_bases:
            self._strategy.choose_bases_where_due(epochs_done, self._epochs)
        has_bases = self._strategy.has_bases
        factor = self._schedule.factor(epochs_done) if has_bases else 0.0
        if self._bytes is not None and epochs_done >= self._epochs:
            self._bytes.settle(self.targets)
        reports = self._strategy.shrink(factor, only)
        # Before bases are chosen there is no state to come back to.
        if final and has_bases:
            self._states.add(reports)
        self._last = shrink.Report(tuple(reports.values()))
        self.seconds += time.perf_counter() - started

    def _choose_kept(self, epochs_done: float) -> None:
        """At the beginning of an epoch, or in it: what of a target in bytes is kept from now on.

        Coefficients gather about the threshold, so that a network suffers where it moves: there
        must be a training behind it before the network is looked at.
        """
        if self._bytes is None:
            return
        started = time.perf_counter()
        # The schedule counts the epochs at whose end something is reached.
        factor = self._schedule.factor(epochs_done + 1)
        self._bytes.choose_kept(factor, quantised=self._schedule.is_quantised(epochs_done))
        self.seconds += time.perf_counter() - started

    def _shrink_at_the_end(self) -> None:
        """The training may have ended early, or weights of an earlier epoch have come back."""
        if self._strategy is None:
            return
        if not self._strategy.leaves_early_ends:
            self._shrink(self._epochs, final=True)
        elif overwritten := self._states.overwritten(self._targets):
            self._shrink(self._epoch + 1, overwritten, final=True)
        wanted = self.settings.target_bytes
        if self._bytes is not None and wanted and self._bytes.size > wanted:
            print(f"target_bytes could not be kept: the file has {self._bytes.size} bytes")
