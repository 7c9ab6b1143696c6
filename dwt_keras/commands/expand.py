"""Make an ordinary network of a compact file: a .keras file, or a SavedModel folder.

The result has the very weights that the compact file decodes to.
"""

from __future__ import annotations

from pathlib import Path

from dwt_keras import checks, command_line
from dwt_keras.commands import networks
from dwt_keras.settings.commands import ExpandSettings


def run(source: str, target: str, settings: ExpandSettings) -> None:
    """Writes what a compact file decodes to.

    Args:
        source: A .dwtz file.
        target: A .keras file, which may be replaced, or a folder that is not there yet.
        settings: How.

    Raises:
        UserError: If a file is none that goes; nothing is written then.
    """
    networks.open_compact(source, settings.trusted)
    is_archive = Path(target).suffix == networks.ARCHIVE
    networks.check_target(target, networks.ARCHIVE, "", source=source)
    if not is_archive and Path(target).exists():
        raise checks.UserError(f"{target}: must end in .keras, or be a folder not there yet")
    if settings.model is not None:
        networks.check_archive(settings.model)

    command_line.load_tensorflow()
    from dwt_keras.compression import artifact
    from dwt_keras.training import export

    if settings.model is None:
        model = networks.load_compact(source, settings.trusted)
    else:
        model = networks.load_archive(settings.model)
        artifact.load_compressed_weights(source, model, networks.limits(settings.trusted))
    if is_archive:
        export.save_keras(model, Path(target))
        size = Path(target).stat().st_size
    else:
        export.save_serving(model, Path(target))
        size = export.folder_bytes(Path(target))
    print(f"{target}: {size:,} bytes, {model.count_params():,} parameters")
