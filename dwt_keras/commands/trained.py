"""A finished run with its data, its network and its dense control."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

from dwt_keras import checks, native
from dwt_keras.settings import Settings
from dwt_keras.training import data

# Which folders of runs, and of studies, have.
SETTINGS = "settings.json"


def settings_in(folder: Path) -> Settings:
    """What a run was told, with the save_dir that its folder lies in now.

    Raises:
        UserError: If it is no run's folder, or has settings that are not known here.
    """
    try:
        told = Settings.from_json((folder / SETTINGS).read_text("utf-8"))
    except checks.UserError as error:
        raise checks.UserError(f"{folder}: its settings are of another version: {error}") from None
    except (OSError, ValueError, TypeError, AttributeError):
        raise checks.UserError(
            f"{folder}: must be the folder of a run of train.py; its settings.json cannot be read"
        ) from None
    place = folder.absolute()
    if len(place.parents) < 3:
        return told
    training = dataclasses.replace(told.training, save_dir=str(place.parents[2]))
    return dataclasses.replace(told, training=training)


def class_names(folder: Path) -> tuple[str, ...]:
    """What the classes of a run's data are called; empty where nothing says so."""
    try:
        record = json.loads((folder / SETTINGS).read_text("utf-8"))
        return tuple(map(str, record.get("class_names", ())))
    except (OSError, ValueError, AttributeError, TypeError):
        return ()


def dataset_of(settings: Settings, data_dir: str | None) -> data.Dataset:
    """The data of a run.

    Args:
        settings: The run's.
        data_dir: Where the data are now; None for where they were.

    Raises:
        UserError: If they cannot be loaded.
    """
    wanted = settings.data
    if data_dir is not None:
        wanted = dataclasses.replace(wanted, data_dir=data_dir)
    with native.messages_hidden():  # keras.datasets loads TensorFlow.
        return data.load(wanted)


def dense_control(settings: Settings, dataset: data.Dataset) -> Path | None:
    """The file of a run's dense control; None where there is none. Loads TensorFlow."""
    from dwt_keras.training import control

    found = control.find(settings, dataset)
    path = None if found is None else found.folder / "model.keras"
    return path if path is not None and path.is_file() else None


def network(path: Path, dataset: data.Dataset) -> Any:
    """A Keras model that takes the inputs of the data.

    Raises:
        UserError: If it cannot be loaded, or takes or gives something else.
    """
    from dwt_keras.commands import networks

    model = networks.load_archive(str(path))
    networks.of_model(model, str(path))  # One input, one output.
    takes, gives = tuple(model.inputs[0].shape[1:]), tuple(model.outputs[0].shape[1:])
    if takes != dataset.input_shape or gives != (dataset.classes,):
        raise checks.UserError(
            f"{path}: must take inputs of shape {dataset.input_shape} and give "
            f"{dataset.classes} outputs; takes {takes} and gives {gives}"
        )
    return model
