"""Whether the files that a network starts from are there; found out without TensorFlow."""

from __future__ import annotations

import importlib.util
import os
import sys
import zipfile
from pathlib import Path

from dwt_keras import checks
from dwt_keras.coding import container
from dwt_keras.compression import sections
from dwt_keras.settings import Settings, sources
from dwt_keras.settings.transfer import FRESH, IMAGENET


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
        _check_module(model.partition(":")[0])
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


def _check_module(name: str) -> None:
    """Looks for a module's package alone, as finding modules within it would import it."""
    package = name.partition(".")[0]
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
    if importlib.util.find_spec(package) is None:
        raise checks.ArgumentError(
            "model", f"must be package.module:function; there is no module {package}"
        )
