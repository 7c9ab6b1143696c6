"""Train Keras networks whose weights are sparse in a wavelet basis.

Importing this package loads neither TensorFlow nor Keras: the public names come on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dwt_keras._version import __version__

if TYPE_CHECKING:
    from dwt_keras.compression.callback import DWTCompression
    from dwt_keras.compression.targets import register_layer

__all__ = ["DWTCompression", "__version__", "register_layer"]

_HOMES = {
    "DWTCompression": "dwt_keras.compression.callback",
    "register_layer": "dwt_keras.compression.targets",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
