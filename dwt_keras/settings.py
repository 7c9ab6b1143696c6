"""What a run is told: frozen, validated settings, one field per flag of train.py.

The settings come in groups, one for each part of the program, but their names are unique
over all groups: a flag, a key of settings.json and a field are the same word.
"""

from __future__ import annotations

import dataclasses
import json
import os
import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks

AXES = ("auto", "matrix")
DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100")
MODELS = ("mlp", "cnn")
MODES = ("hard", "soft", "garrote", "firm")
GIVEN_RULES = ("absolute", "relative", "quantile")
DATA_DRIVEN_RULES = ("universal",)
RULES = GIVEN_RULES + DATA_DRIVEN_RULES
RAMPS = ("constant", "linear", "cubic")
DEFAULT_THRESHOLD = 0.05


def setting(default: Any, help: str) -> Any:
    """A dataclass field that carries its flag's help text."""
    return dataclasses.field(default=default, metadata={"help": help})


@dataclass(frozen=True)
class CompressionSettings:
    """How the weights are transformed and thresholded, and when.

    `wavelet` is replaced by its canonical name, `level` by a whole number or "max",
    `threshold` by its default where the rule takes one and none was given; `hold_support`
    and `ramp` are filled in from the rule. `notes` says in words what was read into the
    wavelet's name.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    wavelet: str = setting(
        "haar",
        "Wavelet whose coefficients of the weights are thresholded: any discrete name of "
        "PyWavelets (haar, db2, sym4, coif1, bior4.4, rbio1.3, dmey), a family alone for its "
        "lowest order, or none for the weights themselves. Longer filters suit smoother kernels.",
    )
    level: int | str = setting(
        1,
        "Decomposition level, or max. Raising it gathers more of a smooth kernel's energy in "
        "fewer coefficients, so that more of them can go; lowering it keeps the transform local.",
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
    threshold_rule: str = setting(
        "absolute",
        "How the threshold is found: absolute takes it as given; relative as a fraction of each "
        "kernel's largest magnitude; quantile as the fraction of coefficients to zero over all "
        "layers together; universal estimates it from each kernel's noise.",
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
        "Keep zeroed coefficients at zero after every optimizer step (default: on for the rule "
        "quantile, off for the others).",
    )
    ramp: str | None = setting(
        None,
        "How the threshold grows over the epochs: constant, linear or cubic (default: cubic for "
        "the rule quantile, constant for the others).",
    )
    ramp_begin_epoch: int = setting(0, "Epochs to train before the threshold starts.")
    ramp_end_epoch: int | None = setting(
        None, "Epoch by whose end the threshold is full (default: two thirds of the epochs)."
    )
    apply_every_batches: int | None = setting(
        None, "Shrink every so many batches too, not only at the end of each epoch."
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
        self._check_ramp()
        if self.apply_every_batches is not None:
            checks.integer("apply_every_batches", self.apply_every_batches, least=1)
        # The wavelet last: it is the only check that needs PyWavelets (0.3 s).
        from dwt_keras.wavelet import families

        resolved = families.resolve(self.wavelet)
        self._set("wavelet", resolved.name)
        self._set("notes", (resolved.note,) if resolved.note else ())

    @property
    def layer_patterns(self) -> tuple[str, ...]:
        """The regular expressions of `layers`, empty where all layers are meant."""
        return tuple(part.strip() for part in (self.layers or "").split(",") if part.strip())

    def check_ramp_within(self, epochs: int) -> None:
        """Checks that the ramp begins and ends within a training of so many epochs.

        Raises:
            ArgumentError: If it does not, so that the full threshold would never be reached.
        """
        begin, end = self.ramp_begin_epoch, self.ramp_end_epoch
        if begin >= epochs:
            raise checks.ArgumentError(
                "ramp_begin_epoch", f"must lie before the last epoch, {epochs}; given {begin}"
            )
        if end is not None and end > epochs:
            raise checks.ArgumentError(
                "ramp_end_epoch", f"must not lie beyond the last epoch, {epochs}; given {end}"
            )

    def _check_threshold(self) -> None:
        rule = checks.choice("threshold_rule", self.threshold_rule, RULES)
        checks.choice("threshold_mode", self.threshold_mode, MODES)
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

    def _check_ramp(self) -> None:
        quantile = self.threshold_rule == "quantile"
        if self.hold_support is None:
            self._set("hold_support", quantile)
        if self.ramp is None:
            self._set("ramp", "cubic" if quantile else "constant")
        checks.boolean("hold_support", self.hold_support)
        checks.choice("ramp", self.ramp, RAMPS)
        begin = checks.integer("ramp_begin_epoch", self.ramp_begin_epoch, least=0)
        if self.ramp_end_epoch is not None:
            if self.ramp == "constant":
                raise checks.ArgumentError(
                    "ramp_end_epoch", "needs ramp=linear or cubic; the ramp is constant"
                )
            checks.integer("ramp_end_epoch", self.ramp_end_epoch, least=begin + 1)

    def _set(self, name: str, value: Any) -> None:
        object.__setattr__(self, name, value)


@dataclass(frozen=True)
class DataSettings:
    """Which data a run learns from.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    dataset: str = setting(
        "digits",
        "Data to train on. digits comes with scikit-learn; the others are read from --data_dir "
        "or downloaded once by keras.datasets.",
    )
    data_dir: str | None = setting(
        None, "Folder with the dataset's IDX files (.gz or not) or its .npz file."
    )
    validation_fraction: float = setting(
        0.1,
        "Share of the training part, its last samples, set aside for validation; the test part "
        "only reports.",
    )

    def __post_init__(self) -> None:
        checks.choice("dataset", self.dataset, DATASETS)
        if self.data_dir is not None:
            checks.text("data_dir", self.data_dir)
        if self.data_dir is not None:
            object.__setattr__(self, "data_dir", os.path.expanduser(self.data_dir))
        checks.real("validation_fraction", self.validation_fraction, above=0.0, below=1.0)


@dataclass(frozen=True)
class TrainingSettings:
    """The network, the optimisation, and where the run goes.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    model: str = setting("mlp", "Network: mlp (dense layers) or cnn (four convolutions).")
    hidden_units: tuple[int, ...] = setting(
        (128,), "Units of the mlp's hidden layers, comma-separated."
    )
    batch_size: int = setting(
        32,
        "Samples per gradient update. Raising it makes epochs faster and gradients smoother, "
        "with fewer updates an epoch; lowering it updates more often and regularises.",
    )
    epochs: int = setting(
        10,
        "Passes over the training data. Raising it gives the network more time to recover from "
        "each shrinking; lowering it ends sooner.",
    )
    learning_rate: float = setting(1e-3, "Adam's step size.")
    seed: int = setting(0, "Seed of weights, shuffling and dropout: same seed, same weights.")
    save_dir: str = setting("SavedModels", "Folder that collects the runs.")
    run_name: str | None = setting(None, "Added to the run's number in its folder's name.")

    def __post_init__(self) -> None:
        checks.choice("model", self.model, MODELS)
        object.__setattr__(self, "hidden_units", _units(self.hidden_units))
        checks.integer("batch_size", self.batch_size, least=1)
        checks.integer("epochs", self.epochs, least=1)
        checks.real("learning_rate", self.learning_rate, above=0.0)
        checks.integer("seed", self.seed, least=0)
        if self.seed >= 2**32:
            raise checks.ArgumentError("seed", f"must be below 2**32; given {self.seed}")
        if not checks.text("save_dir", self.save_dir):
            raise checks.ArgumentError("save_dir", "must name a folder; given an empty one")
        if "\0" in self.save_dir:
            raise checks.ArgumentError("save_dir", f"must name a folder; given {self.save_dir!r}")
        object.__setattr__(self, "save_dir", os.path.expanduser(self.save_dir))
        if self.run_name is not None and len(checks.text("run_name", self.run_name)) > 100:
            raise checks.ArgumentError(
                "run_name", f"must have 100 characters at most; given {len(self.run_name)}"
            )


@dataclass(frozen=True)
class Settings:
    """Everything that one run is told, in three groups with names of their own.

    Raises:
        ArgumentError: On a field that is out of range for another group's.
    """

    compression: CompressionSettings = dataclasses.field(default_factory=CompressionSettings)
    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)

    def __post_init__(self) -> None:
        self.compression.check_ramp_within(self.training.epochs)

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Settings:
        """Builds the groups from one mapping of names to values; missing names take defaults.

        Raises:
            ArgumentError: On a name that no group has, or a value out of range.
        """
        unknown = sorted(set(values) - set(flat_fields()))
        if unknown:
            raise checks.ArgumentError(unknown[0], "is not a setting")
        groups = {
            name: group(**{f.name: values[f.name] for f in _own(group) if f.name in values})
            for name, group in _GROUPS.items()
        }
        return cls(**groups)

    def flat(self) -> dict[str, Any]:
        """All settings by name; `from_flat` takes them back."""
        return {
            field.name: getattr(getattr(self, name), field.name)
            for name, group in _GROUPS.items()
            for field in _own(group)
        }

    def to_json(self) -> str:
        """The settings as a JSON object, one key a setting."""
        return json.dumps(self.flat(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of `to_json`; takes a run's whole settings.json as well."""
        record = json.loads(text)
        return cls.from_flat(record.get("settings", record))


_GROUPS: dict[str, Any] = {
    "compression": CompressionSettings,
    "data": DataSettings,
    "training": TrainingSettings,
}


def flat_fields() -> dict[str, dataclasses.Field[Any]]:
    """Every setting's field by name, in the order of the groups."""
    return {field.name: field for group in _GROUPS.values() for field in _own(group)}


def _own(group: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(group) if field.init]


def _level(value: object) -> int | str:
    if value == "max":
        return "max"
    if isinstance(value, str) and re.fullmatch(r"[+-]?\d{1,9}", value):
        value = int(value)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise checks.ArgumentError(
            "level", f"must be a whole number, 1 or more, or max; given {value!r}"
        )
    return value


def _units(value: object) -> tuple[int, ...]:
    parts: Any = value.split(",") if isinstance(value, str) else value
    try:
        units = tuple(int(part) if isinstance(part, str) else part for part in parts)
        for unit in units:
            checks.integer("hidden_units", unit, least=1)
    except (TypeError, ValueError):
        units = ()
    if not units:
        raise checks.ArgumentError(
            "hidden_units", f"must be whole numbers, 1 or more, comma-separated; given {value!r}"
        )
    return units
