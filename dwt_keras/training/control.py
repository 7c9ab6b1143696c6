"""The dense control: the same network, trained as long, without compression.

It is trained once for each combination of what it depends on, and kept below the runs' folder.
"""

from __future__ import annotations

import contextlib
import dataclasses
import hashlib
import json
from pathlib import Path
from typing import Any

from dwt_keras import files
from dwt_keras._version import __version__
from dwt_keras.settings import CompressionSettings, Settings
from dwt_keras.training import (
    checkpoint,
    claims,
    data,
    export,
    fitting,
    runs,
    scoring,
    telling,
    transfer,
)

# The groups of settings that it depends on, and what in them it does not.
_GROUPS = (
    "training",
    "optimization",
    "numerics",
    "regularization",
    "augmentation",
    "distribution",
)
# The penalty on coefficients is part of the compression.
_NOT_ITS_OWN = ("save_dir", "run_name", "l1_wavelet")
_RECORD = "control.json"


@dataclasses.dataclass(frozen=True)
class Control:
    """A dense control.

    Attributes:
        folder: Where it is kept; `model.keras` is the network.
        validation_accuracy: Of the network, 0 to 1.
        test_accuracy: Of the network, 0 to 1.
    """

    folder: Path
    validation_accuracy: float
    test_accuracy: float


def dense(settings: Settings, dataset: data.Dataset) -> Control:
    """The dense control of a run, trained if it has not been yet.

    Args:
        settings: The run's; what they say of compression does not matter.
        dataset: The data.
    """
    # Of compression depends how large the first step is where none is given.
    settings = dataclasses.replace(settings, compression=CompressionSettings())
    depends_on, folder = _place(settings, dataset)
    known = _read(folder)
    if known is not None:
        return known
    folder.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # One process trains it; those that wait find it.
        claims.claim(folder, stack, waits=True)
        return _read(folder) or _trained(settings, dataset, folder, depends_on)


def _trained(
    settings: Settings, dataset: data.Dataset, folder: Path, depends_on: dict[str, Any]
) -> Control:
    telling.say("training the dense control, which later runs will share")
    model = fitting.build(settings, dataset)
    fitting.fit_control(model, settings, dataset, folder)
    export.save_keras(model, folder / "model.keras")
    accuracy = scoring.validation_accuracy(model, dataset)
    test_accuracy = float(scoring.test_scores(model, dataset)["accuracy"])
    found = {
        "validation_accuracy": accuracy,
        "test_accuracy": test_accuracy,
        "depends_on": depends_on,
    }
    # Last of all: a folder that has it is complete.
    files.write_text(folder / _RECORD, json.dumps(found, indent=2) + "\n")
    checkpoint.remove(folder)
    return Control(folder, accuracy, test_accuracy)


def find(settings: Settings, dataset: data.Dataset) -> Control | None:
    """The dense control of a run where there is one; trains none."""
    # Most runs have none, and to know which it would be takes a look at all data.
    return _read(_place(settings, dataset)[1]) if _controls(settings).is_dir() else None


def _controls(settings: Settings) -> Path:
    """The folder of all controls of the runs that share data and network."""
    return runs.group_folder(settings).parent / "controls"


def _place(settings: Settings, dataset: data.Dataset) -> tuple[dict[str, Any], Path]:
    """What the control of a run depends on, and the folder that follows from it."""
    depends_on = {
        **{
            group: {
                name: value
                for name, value in dataclasses.asdict(getattr(settings, group)).items()
                if name not in _NOT_ITS_OWN
            }
            for group in _GROUPS
        },
        "data": data.digest(dataset),
        "normalize": settings.data.normalize,
        "transfer": dataclasses.asdict(settings.transfer),
        "starts_from": transfer.digest(settings, lambda: fitting.build(settings, dataset)),
        "dwt_keras": __version__,
    }
    key = hashlib.blake2b(json.dumps(depends_on, sort_keys=True).encode(), digest_size=6)
    return depends_on, _controls(settings) / key.hexdigest()


def _read(folder: Path) -> Control | None:
    """The control in a folder; None where it is not there, or not whole."""
    try:
        found: Any = json.loads((folder / _RECORD).read_text(encoding="utf-8"))
        return Control(folder, float(found["validation_accuracy"]), float(found["test_accuracy"]))
    except (OSError, ValueError, KeyError, TypeError):
        return None
