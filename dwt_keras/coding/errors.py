"""What reading a file raises."""

from __future__ import annotations

from dwt_keras import checks


class CodecError(checks.UserError):
    """A file that cannot be read: damaged, of another format, too new, or above a limit.

    The message stays one line, and harmless to a terminal, whatever names of the file are in it.
    """

    def __init__(self, message: str) -> None:
        super().__init__("".join(c if c.isprintable() else repr(c)[1:-1] for c in message))
