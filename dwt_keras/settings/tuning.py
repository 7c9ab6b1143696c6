"""A search over settings: many runs, each with some of them changed."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings.fields import setting

GRID, RANDOM, BAYESIAN, NSGA2 = "grid", "random", "bayesian", "nsga2"
SEARCHES = (GRID, RANDOM, BAYESIAN, NSGA2)
ACCURACY, BYTES = "accuracy", "bytes"
BOTH = f"{ACCURACY},{BYTES}"
OBJECTIVES = (ACCURACY, BYTES, BOTH)
NONE, MEDIAN, HYPERBAND = "none", "median", "hyperband"
PRUNERS = (NONE, MEDIAN, HYPERBAND)
# What --storage begins with where it is a journal and no database.
JOURNAL = "journal:"
_DROP = 0.01
# All trials are there from the beginning.
_MOST = 10_000
_DATABASE = re.compile(r"[a-z0-9+]+://.+")


@dataclass(frozen=True)
class TuningSettings:
    """A search over settings.

    `trials` is replaced by the size of the grid, and `allowed_accuracy_drop` by its default, where
    they have a meaning and were not given.

    Raises:
        ArgumentError: On the first field that is out of range, or that has no meaning beside
            another.
    """

    trials: int | None = setting(
        None,
        "Search for good settings: train this many runs, each with the settings of --space changed "
        "(default: none; with search=grid all of its combinations). Raising it finds better ones, "
        "and takes longer.",
    )
    space: str | None = setting(
        None,
        "What a search varies: settings with values or ranges, as in 'wavelet=haar,sym2 level=1..4 "
        "threshold=1e-3..1e-1:log batch_size=32,64'; :log searches a range by its logarithm, "
        "1e-3..1e-1:log:5 takes five values of it. Values with commas stand in parentheses: "
        "hidden_units=(300,100),128.",
    )
    search: str = setting(
        BAYESIAN,
        "How a search chooses: grid takes all combinations (a sample of them for fewer trials), "
        "random draws them, bayesian (TPE) learns from the trials before, nsga2 breeds the best.",
    )
    objectives: str = setting(
        ACCURACY,
        "What a search is for: accuracy, on the validation part, of the network that ships; bytes "
        "of model.dwtz within --allowed_accuracy_drop; or accuracy,bytes for the best of both, a "
        "Pareto front.",
    )
    allowed_accuracy_drop: float | None = setting(
        None,
        "Validation accuracy, as a fraction, that may be lost for bytes (default: 0.01): with "
        "objectives=bytes against the dense control, which is trained once; with accuracy,bytes "
        "against the most accurate trial, where one of the front is chosen to be trained again. "
        "Raising it makes the file smaller.",
    )
    prune_trials: str = setting(
        NONE,
        "End hopeless trials early: median, those below the median that trials before had at the "
        "same epoch; hyperband, all but the best third again and again (Li and others 2018). "
        "Epochs before the threshold is full do not count. One objective only.",
    )
    storage: str | None = setting(
        None,
        "Where the trials of a search are kept, for several machines that run the same command: "
        f"the URL of a database (postgresql://..., mysql://..., sqlite:////FILE) or {JOURNAL}FILE "
        "on a disk that all see (default: an SQLite file in the study's folder).",
    )

    def __post_init__(self) -> None:
        checks.choice("search", self.search, SEARCHES)
        checks.choice("objectives", self.objectives, OBJECTIVES)
        checks.choice("prune_trials", self.prune_trials, PRUNERS)
        if self.trials is not None and checks.integer("trials", self.trials, least=1) > _MOST:
            raise checks.ArgumentError("trials", f"must be {_MOST:,} at most; given {self.trials}")
        if self.storage is not None:
            _check_storage(self.storage)
        self._check_space()
        if not self.is_wanted:
            self._check_unused()
        self._check_objectives()

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be a search."""
        return self.trials is not None

    @property
    def parameters(self) -> Any:
        """What is varied: the `Space` that `space` says."""
        # Here, as the grammar needs the settings of runs, which need not be loaded for others.
        from dwt_keras.settings import space_grammar

        return space_grammar.parse(self.space or "")

    @property
    def names(self) -> tuple[str, ...]:
        """The names of the objectives."""
        return tuple(self.objectives.split(","))

    def _check_space(self) -> None:
        if self.space is None:
            if self.is_wanted:
                raise checks.ArgumentError(
                    "space", "must say what the trials vary, as wavelet=haar,sym2; none is given"
                )
            return
        checks.text("space", self.space)
        parameters = self.parameters
        if self.search != GRID:
            return
        from dwt_keras.settings import space

        size = space.grid_size(parameters)
        if self.trials is None and size > _MOST:
            raise checks.ArgumentError(
                "trials", f"must say how many of the {size:,} combinations are tried; none is given"
            )
        if self.trials is None:
            object.__setattr__(self, "trials", size)
        elif self.trials > size:
            raise checks.ArgumentError(
                "trials", f"must be {size} at most, which the grid has; given {self.trials}"
            )

    def _check_unused(self) -> None:
        unused = {"space": None, "search": BAYESIAN, "objectives": ACCURACY, "prune_trials": NONE}
        for name, default in {**unused, "storage": None, "allowed_accuracy_drop": None}.items():
            if getattr(self, name) != default:
                raise checks.ArgumentError(
                    name, f"needs trials, of which none are given; given {getattr(self, name)!r}"
                )

    def _check_objectives(self) -> None:
        drop, for_bytes = self.allowed_accuracy_drop, BYTES in self.names
        if for_bytes:
            drop = _DROP if drop is None else drop
            checks.real("allowed_accuracy_drop", drop, least=0.0, below=1.0)
            object.__setattr__(self, "allowed_accuracy_drop", drop)
        elif drop is not None:
            raise checks.ArgumentError(
                "allowed_accuracy_drop",
                f"goes with objectives={BYTES} or {BOTH}; given {drop!r} beside "
                f"objectives={self.objectives}",
            )
        if len(self.names) > 1 and self.prune_trials != NONE:
            raise checks.ArgumentError(
                "prune_trials",
                f"must be {NONE} with two objectives, which say of no trial that it is hopeless; "
                f"given {self.prune_trials}",
            )


def _check_storage(storage: object) -> None:
    given = checks.text("storage", storage)
    is_journal = given.startswith(JOURNAL) and len(given) > len(JOURNAL)
    if not is_journal and not _DATABASE.fullmatch(given):
        raise checks.ArgumentError(
            "storage",
            f"must be the URL of a database, as sqlite:////FILE, or {JOURNAL}FILE; given {given!r}",
        )
