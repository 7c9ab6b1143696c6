"""The network, how long it is trained, and where the run goes."""

from __future__ import annotations

import os
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings import sources
from dwt_keras.settings.fields import setting, whole_numbers

MLP = "mlp"
MODELS = (MLP, "cnn", "resnet20", "conv1d", "mixer", "vit_tiny")
_HIDDEN_UNITS = (128,)


@dataclass(frozen=True)
class TrainingSettings:
    """The network, how long it is trained, and where the run goes.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    model: str = setting(
        "mlp",
        "Network: mlp (dense layers), cnn (four convolutions), resnet20 (19 convolutions and "
        "shortcuts), conv1d (two long convolutions, for signals), mixer (dense layers over patches "
        "and channels) or vit_tiny (attention over patches); FILE.keras with its weights; "
        "applications:NAME of keras.applications, with a new head; or package.module:function, "
        "which is called with input_shape= and classes= and returns a Keras model.",
    )
    hidden_units: tuple[int, ...] = setting(
        _HIDDEN_UNITS, "Units of the mlp's hidden layers, comma-separated."
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
    seed: int = setting(0, "Seed of weights, shuffling and dropout: same seed, same weights.")
    save_dir: str = setting("SavedModels", "Folder that collects the runs.")
    run_name: str | None = setting(None, "Added to the run's number in its folder's name.")

    def __post_init__(self) -> None:
        object.__setattr__(self, "model", sources.model(self.model, MODELS))
        object.__setattr__(self, "hidden_units", whole_numbers("hidden_units", self.hidden_units))
        if self.model != MLP and self.hidden_units != _HIDDEN_UNITS:
            raise checks.ArgumentError(
                "hidden_units", f"goes with model=mlp; given beside model={self.model}"
            )
        checks.integer("batch_size", self.batch_size, least=1)
        checks.integer("epochs", self.epochs, least=1)
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
