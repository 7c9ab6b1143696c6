"""Ensembles: several networks whose predictions are combined."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from dwt_keras import checks
from dwt_keras.settings.distribution import MULTIWORKER
from dwt_keras.settings.fields import setting
from dwt_keras.settings.numerics import OFF, ON
from dwt_keras.settings.optimization import CONSTANT, COSINE

if TYPE_CHECKING:
    from dwt_keras.settings import Settings

BAGGING, BOOSTING, SNAPSHOT, WAVELETS = "bagging", "boosting", "snapshot", "wavelets"
KINDS = (BAGGING, BOOSTING, SNAPSHOT, WAVELETS)
MEAN, VOTE = "mean", "vote"
COMBINATIONS = (MEAN, VOTE)

_MEMBERS = 5
# From short filters to long ones, orthogonal and biorthogonal.
_WAVELETS = ("haar", "sym2", "bior2.2", "coif1", "sym4", "bior4.4", "db3", "rbio2.2")


@dataclass(frozen=True)
class EnsembleSettings:
    """Several networks whose predictions are combined.

    The others are filled in, where they mean something, if there is to be an ensemble.

    Raises:
        ArgumentError: On the first field that is out of range, or given without an ensemble.
    """

    ensemble: str | None = setting(
        None,
        "Train several networks and combine them: bagging (each on samples drawn with "
        "replacement), boosting (SAMME: each with more weight on what those before it get wrong), "
        "snapshot (one training, its epochs divided among the members, each the network at the end "
        "of a cycle of step size and threshold), or wavelets (each in another wavelet).",
    )
    members: int = setting(
        None,
        "How many networks an ensemble has (default: 5, or as many as --ensemble_wavelets names). "
        "Raising it costs bytes and time, and gains less with each; 1 is a single network.",
    )
    combine: str = setting(
        None,
        "What an ensemble answers: mean of its members' probabilities, or vote for the shares of "
        "their votes; members of boosting count by their weights (default: mean; for boosting "
        "vote).",
    )
    ensemble_wavelets: tuple[str, ...] | None = setting(
        None,
        f"The members' wavelets, comma-separated (default: the first of {','.join(_WAVELETS)}).",
    )
    boosting_rate: float = setting(
        None,
        "How fast boosting turns to what members get wrong, above 0 (default: 1, as in the paper). "
        "Lowering it keeps members of strong networks from learning little but the odd samples "
        "that the first one missed.",
    )

    def __post_init__(self) -> None:
        if self.members is not None:
            checks.integer("members", self.members, least=1)
        if self.ensemble is None:
            for field in dataclasses.fields(self):
                value = getattr(self, field.name)
                if value is not None:
                    raise checks.ArgumentError(
                        field.name, f"needs ensemble={'|'.join(KINDS)}; given {value!r} without"
                    )
            return
        checks.choice("ensemble", self.ensemble, KINDS)
        if self.combine is None:
            self._set("combine", VOTE if self.ensemble == BOOSTING else MEAN)
        checks.choice("combine", self.combine, COMBINATIONS)
        for name, kind in (("ensemble_wavelets", WAVELETS), ("boosting_rate", BOOSTING)):
            if getattr(self, name) is not None and self.ensemble != kind:
                raise checks.ArgumentError(
                    name, f"needs ensemble={kind}; given beside ensemble={self.ensemble}"
                )
        if self.ensemble == WAVELETS:
            self._check_wavelets()
        if self.ensemble == BOOSTING:
            rate = 1.0 if self.boosting_rate is None else self.boosting_rate
            self._set("boosting_rate", checks.real("boosting_rate", rate, above=0.0))
        if self.members is None:
            self._set("members", _MEMBERS)

    @property
    def is_wanted(self) -> bool:
        """Whether there is to be an ensemble."""
        return self.ensemble is not None

    def of_member(self, settings: Settings, number: int) -> Settings:
        """The settings of one member, but for its seed.

        Args:
            settings: Those that the user gave.
            number: Which member, from 1.

        Raises:
            ArgumentError: If they are not those of a run.
        """
        if self.ensemble == SNAPSHOT:
            return self._of_snapshot(settings, number)
        if self.ensemble == WAVELETS and self.ensemble_wavelets is not None:
            return _in_wavelet(settings, self.ensemble_wavelets[number - 1])
        return settings

    def check_beside(self, settings: Settings) -> None:
        """Checks that the settings of a run go with an ensemble.

        Raises:
            ArgumentError: If not.
        """
        if not self.is_wanted:
            return
        allowed = settings.compression.max_accuracy_drop
        if allowed is not None:
            raise checks.ArgumentError(
                "max_accuracy_drop",
                f"must not be given beside ensemble={self.ensemble}, each of whose members would "
                f"take several trainings: give target_bytes; given {allowed!r}",
            )
        if settings.distribution.distribute == MULTIWORKER:
            raise checks.ArgumentError(
                "distribute",
                f"must be none or mirrored beside ensemble={self.ensemble}; given {MULTIWORKER}",
            )
        if self.ensemble == SNAPSHOT:
            self._check_snapshots(settings)
        for number in range(1, self.members + 1):
            self.of_member(settings, number)

    def _check_snapshots(self, settings: Settings) -> None:
        epochs, optimization = settings.training.epochs, settings.optimization
        if self.members > epochs:
            raise checks.ArgumentError(
                "members",
                f"must be at most the epochs, {epochs}, which snapshots share; given "
                f"{self.members}",
            )
        if optimization.learning_rate_schedule not in (CONSTANT, COSINE):
            raise checks.ArgumentError(
                "learning_rate_schedule",
                f"must be {COSINE} beside ensemble={SNAPSHOT}, whose members each end where it "
                f"ends; given {optimization.learning_rate_schedule}",
            )
        if optimization.stops_early:
            raise checks.ArgumentError(
                "early_stopping_patience_epochs",
                f"must not be given beside ensemble={SNAPSHOT}, whose members each end where the "
                f"step size does; given {optimization.early_stopping_patience_epochs}",
            )

    def _of_snapshot(self, settings: Settings, number: int) -> Settings:
        whole, rest = divmod(settings.training.epochs, self.members)
        epochs = whole + (number <= rest)
        transfer = settings.transfer
        if number > 1:  # Its head has been trained before.
            transfer = dataclasses.replace(
                transfer,
                head_epochs=0,
                head_learning_rate=None,
                freeze_batch_norm=ON if settings.freezes_batch_norm else OFF,
            )
        try:
            return dataclasses.replace(
                settings,
                training=dataclasses.replace(settings.training, epochs=epochs),
                optimization=dataclasses.replace(
                    settings.optimization, learning_rate_schedule=COSINE
                ),
                transfer=transfer,
            )
        except checks.ArgumentError as error:
            raise checks.ArgumentError(
                error.argument, f"{error.problem} (snapshot {number} has {epochs} of the epochs)"
            ) from None

    def _check_wavelets(self) -> None:
        name = "ensemble_wavelets"
        given = self.ensemble_wavelets
        if given is None:
            if self.members is not None and self.members > len(_WAVELETS):
                raise checks.ArgumentError(
                    name, f"must be given for more than {len(_WAVELETS)} members"
                )
            self._set(name, _WAVELETS[: self.members or _MEMBERS])
            return
        found = _canonical(name, given.split(",") if isinstance(given, str) else given)
        if self.members is None:
            self._set("members", len(found))
        if len(found) != self.members:
            raise checks.ArgumentError(
                name,
                f"must name as many wavelets as there are members, {self.members}; given "
                f"{','.join(found)}",
            )
        self._set(name, found)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


def _in_wavelet(settings: Settings, name: str) -> Settings:
    try:
        compression = dataclasses.replace(settings.compression, wavelet=name)
        return dataclasses.replace(settings, compression=compression)
    except checks.ArgumentError as error:
        if error.argument == "wavelet":
            raise checks.ArgumentError("ensemble_wavelets", error.problem) from None
        raise checks.ArgumentError(
            error.argument, f"{error.problem} (of the member in {name})"
        ) from None


def _canonical(argument: str, names: Any) -> tuple[str, ...]:
    """Wavelets by their canonical names.

    Raises:
        ArgumentError: If one is none, or two are the same.
    """
    from dwt_keras.settings.compression import CompressionSettings

    found: list[str] = []
    for name in names:
        try:
            wavelet = CompressionSettings(wavelet=name).wavelet
        except checks.ArgumentError as error:
            raise checks.ArgumentError(argument, error.problem) from None
        if wavelet in found:
            raise checks.ArgumentError(
                argument, f"must be different wavelets; given {name.strip()!r} twice"
            )
        found.append(wavelet)
    return tuple(found)
