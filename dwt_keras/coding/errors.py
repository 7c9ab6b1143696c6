"""What reading a file raises."""

from __future__ import annotations

from dwt_keras import checks

_LONGEST = 1000  # Characters of a message.


class CodecError(checks.UserError):
    """A file that cannot be read: damaged, of another format, too new, or above a limit.

    The message stays one line of bounded length, and harmless to a terminal, whatever names of the
    file are in it.
    """

    def __init__(self, message: str) -> None:
        text = "".join(c if c.isprintable() else repr(c)[1:-1] for c in message[:_LONGEST])
        if len(text) > _LONGEST or len(message) > _LONGEST:
            text = text[: _LONGEST - 3] + "..."
        super().__init__(text)
