"""Cross-validation: runs that each leave another part of the training data out."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings.changes import changeable, parse
from dwt_keras.settings.fields import setting

CORRECTED_T, WILCOXON = "corrected_t", "wilcoxon"
COMPARISON_TESTS = (CORRECTED_T, WILCOXON)


@dataclass(frozen=True)
class FoldSettings:
    """Cross-validation.

    Raises:
        ArgumentError: On the first field that is out of range, or needs another one.
    """

    folds: int | None = setting(
        None,
        "Cross-validate: divide all data but the test part into this many folds, each with its "
        "share of every class; train as many runs that each leave one out, and score each on what "
        "it has not seen. The test part is scored once, by a last run on everything else. Raising "
        "it trains on more and takes longer.",
    )
    fold_repeats: int = setting(
        1,
        "Divide so often, each time otherwise. Raising it steadies the mean and takes as many "
        "times as long.",
    )
    fold: int | None = setting(
        None,
        "Run this fold alone, from 1 on, so that several processes or machines share the folds: "
        "each gives its own, all else the same, and they join one study. Whoever finishes the last "
        "fold sums up.",
    )
    compare: tuple[str, ...] | None = setting(
        None,
        "Give it twice to cross-validate two settings on the same folds and test which is better: "
        '--compare="wavelet=haar level=3" --compare="wavelet=none". Each is NAME=VALUE of flags, '
        "as if they stood on the command line.",
        is_repeated=True,
    )
    comparison_test: str = setting(
        CORRECTED_T,
        "How the two are compared: corrected_t allows for folds that share most of what they "
        "train on (Nadeau and Bengio 2003); wilcoxon is the signed-rank test, which asks for no "
        "normal distribution, does not allow for that, and needs 6 folds or more in all.",
    )

    def __post_init__(self) -> None:
        if self.folds is None:
            self._refuse_alone()
            return
        checks.integer("folds", self.folds, least=2)
        checks.integer("fold_repeats", self.fold_repeats, least=1)
        if self.fold is not None:
            checks.integer("fold", self.fold, least=1)
            if self.fold > self.folds:
                raise checks.ArgumentError(
                    "fold", f"must be within 1 and folds, {self.folds}; given {self.fold}"
                )
        checks.choice("comparison_test", self.comparison_test, COMPARISON_TESTS)
        if self.compare is not None:
            object.__setattr__(self, "compare", tuple(self.compare))
            self._check_compared()
        elif self.comparison_test != CORRECTED_T:
            raise checks.ArgumentError(
                "comparison_test", f"needs compare; given {self.comparison_test} without"
            )

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a cross-validation."""
        return self.folds is not None

    @property
    def compared(self) -> tuple[dict[str, Any], ...]:
        """What the settings that are compared change, by name; empty where none are."""
        return tuple(parse("compare", text) for text in self.compare or ())

    def _refuse_alone(self) -> None:
        for field in dataclasses.fields(self):
            value = getattr(self, field.name)
            if value != field.default:
                raise checks.ArgumentError(field.name, f"needs folds; given {value!r} without")

    def _check_compared(self) -> None:
        if len(self.compared) != 2:
            raise checks.ArgumentError(
                "compare",
                f"must be given twice, for two settings; given {len(self.compared)}",
            )
        for changes in self.compared:
            for name in changes:
                if name not in changeable():
                    raise checks.ArgumentError(
                        "compare", f"must not change {name}, which is the same for both"
                    )
