"""Keeping what libraries print past Python off the terminal."""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
from collections.abc import Iterator

from dwt_keras import checks


@contextlib.contextmanager
def messages_hidden() -> Iterator[None]:
    """Keeps what TensorFlow's libraries say of themselves while they load off the terminal.

    They write to the file descriptor before any log level counts. If loading fails, all is shown.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except checks.UserError:
            raise
        except BaseException:
            hidden.seek(0)
            os.write(shown, hidden.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)
