"""The versions that a result depends on."""

from __future__ import annotations

import importlib.metadata
import sys

from dwt_keras._version import __version__

_LIBRARIES = ("tensorflow", "keras", "numpy", "numba", "scipy", "PyWavelets")


def found() -> dict[str, str]:
    """The versions of this program, of Python and of the libraries, by name."""
    libraries = {name: importlib.metadata.version(name) for name in _LIBRARIES}
    return {"dwt_keras": __version__, "python": sys.version.split()[0], **libraries}
