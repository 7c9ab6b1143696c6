"""Writing so that a reader finds the old content or the new, never half of it."""

from __future__ import annotations

import contextlib
import errno
import os
import shutil
import tempfile
from collections.abc import Iterator
from pathlib import Path


def write_text(path: Path, text: str) -> None:
    """Writes a text file atomically (UTF-8)."""
    with replacing(path) as temporary:
        temporary.write_text(text, encoding="utf-8")


@contextlib.contextmanager
def replacing(path: Path) -> Iterator[Path]:
    """Yields a temporary path beside `path`; on leaving, what was written there takes its place.

    The caller writes a file or a folder. Its content reaches the disk before the rename; an
    error or a kill leaves what stood at `path` before. A folder can only be put where nothing
    stands yet, as no system call exchanges two folders portably.

    Args:
        path: The final place. The temporary one has the same suffix, as some writers ask for.

    Yields:
        A path that does not exist yet, in a hidden folder beside `path`. A kill leaves that folder
        behind, and `path` as it was.
    """
    workplace = Path(tempfile.mkdtemp(prefix=f".{path.name}.", dir=path.parent))
    temporary = workplace / path.name
    try:
        yield temporary
        for entry in [temporary, *temporary.rglob("*")] if temporary.is_dir() else [temporary]:
            _flush(entry)
        os.replace(temporary, path)
        _flush(path.parent)
    except OSError as error:
        if error.errno is not None and error.filename is None:  # Of a full disk a write says none.
            error.filename = str(path)
        raise
    finally:
        shutil.rmtree(workplace, ignore_errors=True)


@contextlib.contextmanager
def full_disk_told() -> Iterator[None]:
    """Makes what TensorFlow raises where a disk is full what Python raises there: an OSError."""
    said = os.strerror(errno.ENOSPC)
    try:
        yield
    except Exception as error:
        if isinstance(error, OSError) or said not in str(error):
            raise
        told = OSError(errno.ENOSPC, said)
        for note in getattr(error, "__notes__", []):
            told.add_note(note)
        raise told from error


def _flush(path: Path) -> None:
    if path.is_dir() and os.name == "nt":  # Windows cannot open a folder.
        return
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
