"""What a run is told: frozen, validated settings, one field per flag of train.py.

The settings come in groups, one for each part of the program, but their names are unique
over all groups: a flag, a key of settings.json and a field are the same word.
"""

from __future__ import annotations

import dataclasses
import json
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import optimization as optimizations
from dwt_keras.settings import ramps, regularization
from dwt_keras.settings import transfer as transfers
from dwt_keras.settings.augmentation import AugmentationSettings
from dwt_keras.settings.coding import CodingSettings
from dwt_keras.settings.compression import CompressionSettings
from dwt_keras.settings.data import DataSettings
from dwt_keras.settings.distribution import DistributionSettings
from dwt_keras.settings.export import ExportSettings
from dwt_keras.settings.groups import Groups
from dwt_keras.settings.numerics import NumericsSettings
from dwt_keras.settings.optimization import OptimizationSettings
from dwt_keras.settings.regularization import RegularizationSettings
from dwt_keras.settings.resuming import ResumingSettings
from dwt_keras.settings.training import TrainingSettings
from dwt_keras.settings.transfer import TransferSettings
from dwt_keras.settings.views import ViewSettings


@dataclass(frozen=True)
class Settings(Groups):
    """Everything that one run is told, in groups with names of their own.

    Raises:
        ArgumentError: On a field that is out of range for another group's.
    """

    compression: CompressionSettings = dataclasses.field(default_factory=CompressionSettings)
    data: DataSettings = dataclasses.field(default_factory=DataSettings)
    training: TrainingSettings = dataclasses.field(default_factory=TrainingSettings)
    optimization: OptimizationSettings = dataclasses.field(default_factory=OptimizationSettings)
    numerics: NumericsSettings = dataclasses.field(default_factory=NumericsSettings)
    coding: CodingSettings = dataclasses.field(default_factory=CodingSettings)
    export: ExportSettings = dataclasses.field(default_factory=ExportSettings)
    regularization: RegularizationSettings = dataclasses.field(
        default_factory=RegularizationSettings
    )
    augmentation: AugmentationSettings = dataclasses.field(default_factory=AugmentationSettings)
    transfer: TransferSettings = dataclasses.field(default_factory=TransferSettings)
    views: ViewSettings = dataclasses.field(default_factory=ViewSettings)
    distribution: DistributionSettings = dataclasses.field(default_factory=DistributionSettings)
    resuming: ResumingSettings = dataclasses.field(default_factory=ResumingSettings)

    def __post_init__(self) -> None:
        ramps.check_within(self.compression, self.training.epochs)
        regularization.check_beside(self.regularization, self.training.model, self.compression)
        coding, allowed = self.coding.coding_accuracy_drop, self.compression.max_accuracy_drop
        if self.compression.is_structured and allowed is not None and coding >= allowed:
            raise checks.ArgumentError(
                "coding_accuracy_drop",
                f"must be below max_accuracy_drop, {allowed:g}, of which it is a part; given "
                f"{coding:g}",
            )
        transfers.check_beside(self.transfer, self.training.model)
        if self.optimization.learning_rate_schedule is None:
            falls = self.compression.budget or self.compression.is_structured
            optimization = dataclasses.replace(
                self.optimization, learning_rate_schedule="cosine" if falls else "constant"
            )
            object.__setattr__(self, "optimization", optimization)
        optimizations.check_within(self.optimization, self.compression, self.training.epochs)

    @property
    def comes_with_weights(self) -> bool:
        """Whether the network is one that has been trained before."""
        return transfers.comes_with_weights(self.transfer, self.training.model)

    @property
    def freezes_batch_norm(self) -> bool:
        """Whether BatchNormalization layers that come with weights stay as they came."""
        return transfers.freezes_batch_norm(self.transfer, self.training.model)

    def to_json(self) -> str:
        """The settings as a JSON object, one key a setting."""
        return json.dumps(self.flat(), indent=2)

    @classmethod
    def from_json(cls, text: str) -> Settings:
        """The inverse of `to_json`; takes a run's whole settings.json as well."""
        record = json.loads(text)
        return cls.from_flat(record.get("settings", record))


def flat_fields() -> dict[str, dataclasses.Field[Any]]:
    """Every setting's field by name, in the order of the groups."""
    return Settings.flat_fields()
