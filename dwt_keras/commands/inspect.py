"""Show what is in a compact file, layer by layer. Loads no TensorFlow."""

from __future__ import annotations

from pathlib import Path

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
    networks.check_compact(source)
    print(contents.table(contents.read(Path(source), networks.limits(settings.trusted))))
