"""Which data a run learns from."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

DATASETS = ("digits", "mnist", "fashion_mnist", "cifar10", "cifar100")


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
