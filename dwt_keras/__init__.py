"""Train Keras networks whose weights are sparse in a wavelet basis.

Importing this package loads neither TensorFlow nor Keras: the public names come on first use.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

from dwt_keras._version import __version__

if TYPE_CHECKING:
    from dwt_keras.coding.errors import CodecError
    from dwt_keras.compression.artifact import (
        load_compressed,
        load_compressed_weights,
        save_compressed,
    )
    from dwt_keras.compression.callback import DWTCompression
    from dwt_keras.compression.folding import fold
    from dwt_keras.compression.holding import hold_support
    from dwt_keras.compression.targets import register_layer

__all__ = [
    "CodecError",
    "DWTCompression",
    "__version__",
    "fold",
    "hold_support",
    "load_compressed",
    "load_compressed_weights",
    "register_layer",
    "save_compressed",
]

_HOMES = {
    "CodecError": "dwt_keras.coding.errors",
    "load_compressed": "dwt_keras.compression.artifact",
    "load_compressed_weights": "dwt_keras.compression.artifact",
    "save_compressed": "dwt_keras.compression.artifact",
    "DWTCompression": "dwt_keras.compression.callback",
    "fold": "dwt_keras.compression.folding",
    "hold_support": "dwt_keras.compression.holding",
    "register_layer": "dwt_keras.compression.targets",
}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(importlib.import_module(_HOMES[name]), name)


def __dir__() -> list[str]:
    return __all__
