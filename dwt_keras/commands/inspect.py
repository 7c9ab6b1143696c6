"""Show what is in a compact file, layer by layer. Loads no TensorFlow."""

from __future__ import annotations

from dwt_keras.commands import networks
from dwt_keras.settings.commands import InspectSettings
from dwt_keras.views import contents


def run(source: str, settings: InspectSettings) -> None:
    """Prints the tensors of a compact file with their bases, zeros and bytes.

    Args:
        source: A .dwtz file.
        settings: How it is read.

    Raises:
        CodecError: If it is none, or damaged.
    """
    print(contents.table(networks.open_compact(source, settings.trusted)))
