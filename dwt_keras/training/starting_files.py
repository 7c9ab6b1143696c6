"""Whether the files that a network starts from are there; found out without TensorFlow."""

from __future__ import annotations

import zipfile
from pathlib import Path

from dwt_keras import checks
from dwt_keras.coding import container
from dwt_keras.compression import sections
from dwt_keras.settings import Settings, sources
from dwt_keras.settings.transfer import FRESH, IMAGENET
from dwt_keras.training import imported


def check(settings: Settings) -> None:
    """Checks that the files and the module are there, and the files what their names say.

    Raises:
        ArgumentError: If not.
        CodecError: If a compact file is none.
    """
    model = settings.training.model
    kind = sources.model_kind(model)
    if kind == sources.ARCHIVE:
        _check_file("model", model)
    elif kind == sources.FUNCTION:
        imported.check_package("model", model)
    weights, init = settings.transfer.weights, settings.transfer.init
    if weights not in (None, IMAGENET, FRESH):
        _check_file("weights", str(weights))
    if init is None:
        return
    _check_file("init", init)
    if init.endswith(".dwtz"):
        opened = sections.read(Path(init), container.UNLIMITED)
        if sections.ARCHITECTURE not in opened.parts:
            raise checks.ArgumentError(
                "init",
                f"must be a file with its architecture, which tells the names of layers; {init} "
                "holds weights alone",
            )


def _check_file(argument: str, path: str) -> None:
    if not Path(path).is_file():
        raise checks.ArgumentError(argument, f"must be a file; there is none at {path!r}")
    if path.endswith(".keras") and not zipfile.is_zipfile(path):
        raise checks.ArgumentError(
            argument, f"must be a .keras file, as Keras 3 saves a whole model; {path} is none"
        )
