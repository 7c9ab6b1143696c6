"""How the weights are transformed and thresholded, and when."""

from __future__ import annotations

import dataclasses
import re
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import budget as budgets
from dwt_keras.settings import ramps, structure
from dwt_keras.settings.fields import setting, whole_numbers
from dwt_keras.settings.structure import Kept

AXES = ("auto", "matrix")
MODES = ("hard", "soft", "garrote", "firm")
GIVEN_RULES = ("absolute", "relative", "quantile")
DATA_DRIVEN_RULES = ("universal", "bayes", "sure")
RULES = (*GIVEN_RULES, *DATA_DRIVEN_RULES, budgets.BYTES, structure.RULE)
AUTO = "auto"
DEFAULT_THRESHOLD = 0.05
# In a training for bytes bases are chosen once a tenth of it is over.
_EPOCHS_A_CHOICE = 10


@dataclass(frozen=True)
class CompressionSettings:
    """How the weights are transformed and thresholded, and when.

    `wavelet` is replaced by its canonical name, `level` by a whole number, "max" or "auto",
    `threshold` by its default where the rule takes one and none was given; `wavelet`,
    `threshold_rule`, `hold_support` and `ramp` are filled in from the others. `notes` says in words
    what was read into the wavelet's name.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    # These two have a value once the settings stand.
    wavelet: str = setting(
        None,
        "Wavelet whose coefficients of the weights are thresholded: any discrete name of "
        "PyWavelets (haar, db2, sym4, coif1, bior4.4, rbio1.3, dmey), a continuous one, which "
        "makes a redundant frame (mexh, morl, gaus1, cgau1, shan1.5-1.0, fbsp2-1.0-1.5, "
        "cmor1.5-1.0), a family alone for its lowest order, auto for the cheapest basis of each "
        "layer, or none for the weights themselves (default: haar; auto with target_bytes or "
        "max_accuracy_drop). Longer filters suit smoother kernels.",
    )
    level: int | str | None = setting(
        None,
        "Decomposition level, max, or auto for the cheapest levels and wavelet packets of each "
        "layer (default: 1; auto where the wavelet is). Raising it gathers more of a smooth "
        "kernel's energy in fewer coefficients, so that more of them can go; lowering it keeps "
        "the transform local.",
    )
    threshold: float | None = setting(
        None,
        "Threshold on the wavelet coefficients (default 0.05): a magnitude for the rule "
        "absolute, a fraction for relative and quantile (of the coefficients that are not spared). "
        "Raising it removes more coefficients "
        "and costs accuracy; lowering it keeps more; 0 changes nothing.",
    )
    threshold_mode: str = setting(
        "hard",
        "What happens to the coefficients that stay: hard leaves them, soft subtracts the "
        "threshold, garrote and firm lie between (firm's upper bound is twice the threshold).",
    )
    target_bytes: int | None = setting(
        None,
        "Size that model.dwtz shall have at most, in bytes, in place of a threshold: training "
        "finds thresholds and quantisation steps for it, and trains the network with the "
        "quantised coefficients that the file will hold. Raising it costs bytes and gains "
        "accuracy.",
    )
    max_accuracy_drop: float | None = setting(
        None,
        "Validation accuracy that compression may cost, as a fraction, against the same network "
        "trained as long without it; in place of a threshold or target_bytes. Several sizes are "
        "trained for and the smallest file that keeps to it remains: takes up to five times as "
        "long (the uncompressed network is trained once and kept).",
    )
    threshold_rule: str = setting(
        None,
        "How the threshold is found: absolute takes it as given; relative as a fraction of each "
        "kernel's largest magnitude; quantile as the fraction of coefficients to zero over all "
        "layers together; universal, bayes (BayesShrink) and sure (SureShrink) estimate it from "
        "each kernel's noise, the last two for each subband of its own; these three spare the "
        "approximation; bytes goes with target_bytes and max_accuracy_drop, structure with rows "
        "and columns (default: what goes with what is given, else absolute).",
    )
    structure: str = setting(
        None,
        "What goes as a whole: coefficients one by one; rows, each of which multiplies one input, "
        "one coefficient of the inputs or one input channel of a convolution, so that it need not "
        "be computed; or columns, which make a unit or filter (default: coefficients, or what "
        "keep_rows or keep_columns say).",
    )
    keep_rows: str | float | None = setting(
        None,
        "How many rows remain in each kernel, in place of a threshold: a whole number, or a share "
        "below 1; or by layer path, PATTERN:NUMBER, comma-separated (dense_1:98,conv:0.5), others "
        "whole. Lowering it makes inference faster and costs accuracy.",
    )
    keep_columns: str | float | None = setting(
        None, "How many columns remain in each kernel, likewise; of the outputs all do."
    )
    keep_approximation: bool = setting(
        False, "Spare the approximation coefficients: threshold details only."
    )
    axes: str = setting(
        "auto",
        "Axes to transform: auto takes those with geometry (height, width, time; a flattened "
        "input is unflattened) and leaves the others alone; matrix takes each kernel as a matrix.",
    )
    layers: str | None = setting(
        None,
        "Regular expressions, comma-separated (so without commas of their own); only layers whose "
        "path matches one are shrunk.",
    )
    hold_support: bool | None = setting(
        None,
        "Keep zeroed coefficients at zero after every optimizer step (default: on for the rules "
        "quantile, bytes and structure, off for the others; with bytes they go on learning, and "
        "come back once they have grown).",
    )
    scale_dropout: bool | None = setting(
        None,
        "Lessen the rates of dropout layers as coefficients go: by the square root of the share "
        "that is kept (default: on with target_bytes, max_accuracy_drop, keep_rows or "
        "keep_columns, else off). A network "
        "with few coefficients learns too little by heart to need it.",
    )
    ramp: str | None = setting(
        None,
        "How the threshold grows over the epochs: constant, linear or cubic (default: cubic for "
        "the rules quantile, bytes and structure, constant for the others).",
    )
    ramp_begin_epoch: int = setting(0, "Epochs to train before the threshold starts.")
    ramp_end_epoch: int | None = setting(
        None,
        "Epoch by whose end the threshold is full (default: two thirds of the epochs; half of them "
        "with target_bytes, a quarter where rows or columns go).",
    )
    choose_basis_epochs: tuple[int, ...] | None = setting(
        None,
        "Epochs after which wavelet=auto or level=auto choose each layer's basis, comma-separated "
        "(default: 1; with target_bytes or max_accuracy_drop a tenth of the epochs); nothing is "
        "thresholded before the first, and the last choice stays.",
    )
    apply_every_batches: int | None = setting(
        None,
        "Shrink every so many batches too, not only at the end of each epoch; with target_bytes "
        "choose what is kept so often too, not only at the beginning of each epoch.",
    )
    notes: tuple[str, ...] = dataclasses.field(default=(), init=False, compare=False)

    def __post_init__(self) -> None:
        self._check_threshold()
        checks.boolean("keep_approximation", self.keep_approximation)
        checks.choice("axes", self.axes, AXES)
        self._set("level", _level(self.level))
        if self.layers is not None:
            checks.text("layers", self.layers)
            if not self.layer_patterns:
                raise checks.ArgumentError(
                    "layers", f"must be regular expressions; given {self.layers!r}"
                )
            for pattern in self.layer_patterns:
                try:
                    re.compile(pattern)
                except re.error as error:
                    raise checks.ArgumentError(
                        "layers", f"must be regular expressions; given {pattern!r}: {error}"
                    ) from None
        if self.apply_every_batches is not None:
            checks.integer("apply_every_batches", self.apply_every_batches, least=1)
        # The wavelet last, with what depends on it: only this needs PyWavelets (0.3 s).
        self._check_wavelet()
        ramps.fill_in(self)

    @property
    def is_automatic(self) -> bool:
        """Whether each layer's basis is chosen during the training."""
        return AUTO in (self.wavelet, self.level)

    @property
    def is_frame(self) -> bool:
        """Whether the wavelet is a continuous one, whose transform is redundant."""
        from dwt_keras.wavelet import families

        return self.wavelet != AUTO and families.is_continuous(self.wavelet)

    @property
    def is_data_driven(self) -> bool:
        """Whether the rule finds the threshold itself."""
        return self.threshold_rule in DATA_DRIVEN_RULES

    @property
    def layer_patterns(self) -> tuple[str, ...]:
        """The regular expressions of `layers`, empty where all layers are meant."""
        return tuple(part.strip() for part in (self.layers or "").split(",") if part.strip())

    def basis_epochs(self, epochs: int) -> tuple[int, ...]:
        """After which epochs, of so many, bases are chosen; none where they are given."""
        if self.choose_basis_epochs or not self.is_automatic:
            return self.choose_basis_epochs or ()
        if not self.budget:
            return (1,)
        last = min(epochs // _EPOCHS_A_CHOICE, (self.ramp_end_epoch or epochs) - 1)
        return (max(last, 1),)

    def _check_threshold(self) -> None:
        checks.choice("threshold_mode", self.threshold_mode, MODES)
        structure.fill_in(self)
        if self.threshold_rule is None:
            default = budgets.BYTES if self.budget else GIVEN_RULES[0]
            self._set("threshold_rule", structure.RULE if self.is_structured else default)
        rule = checks.choice("threshold_rule", self.threshold_rule, RULES)
        if rule == structure.RULE or self.is_structured:
            structure.check(self)
            return
        if rule == budgets.BYTES or self.budget:
            budgets.check(self)
            return
        if rule in DATA_DRIVEN_RULES:
            if self.threshold is not None:
                raise checks.ArgumentError(
                    "threshold",
                    f"must not be given beside threshold_rule={rule}, which finds its own; "
                    f"given {self.threshold!r}",
                )
            return
        threshold = DEFAULT_THRESHOLD if self.threshold is None else self.threshold
        below = None if rule == "absolute" else 1.0
        self._set("threshold", checks.real("threshold", threshold, least=0.0, below=below))

    @property
    def is_structured(self) -> bool:
        """Whether rows or columns go as a whole."""
        return self.structure != structure.COEFFICIENTS

    @property
    def kept(self) -> Kept:
        """How many rows or columns remain: patterns of layer paths, with a count or a share."""
        given = self.keep_rows if self.structure == structure.ROWS else self.keep_columns
        return () if given is None else structure.parse(f"keep_{self.structure}", given)

    @property
    def budget(self) -> str | None:
        """The name of the field that takes the place of a threshold, if one does."""
        return budgets.given(self)

    def _check_wavelet(self) -> None:
        from dwt_keras.wavelet import families

        if self.wavelet is None:
            self._set("wavelet", AUTO if self.budget or self.is_structured else "haar")
        automatic = isinstance(self.wavelet, str) and self.wavelet.strip().lower() == AUTO
        resolved = families.Resolved(AUTO, "") if automatic else families.resolve(self.wavelet)
        self._set("wavelet", resolved.name)
        self._set("notes", (resolved.note,) if resolved.note else ())
        if self.level is None:
            self._set("level", AUTO if automatic else 1)
        if self.level == AUTO and self.is_frame:
            raise checks.ArgumentError(
                "level",
                f"must be a whole number or max with the continuous wavelet {self.wavelet}; "
                f"given {AUTO}",
            )
        if self.choose_basis_epochs is None:
            return
        epochs = whole_numbers("choose_basis_epochs", self.choose_basis_epochs)
        if not self.is_automatic:
            raise checks.ArgumentError(
                "choose_basis_epochs",
                "needs wavelet=auto or level=auto, which choose a basis; "
                f"given {','.join(map(str, epochs))}",
            )
        self._set("choose_basis_epochs", tuple(sorted(set(epochs))))

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def _level(value: object) -> int | str | None:
    if value is None or value in ("max", AUTO):
        return None if value is None else str(value)
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise checks.ArgumentError(
            "level", f"must be a whole number, 1 or more, max or auto; given {value!r}"
        )
    return value
