"""HTTP as uvicorn reads it with h11, but for senders that uvicorn leaves without an answer."""

from __future__ import annotations

import orjson
from uvicorn.protocols.http.h11_impl import H11Protocol

_SAID = orjson.dumps({"error": "the request must be HTTP/1.1"})
_ANSWER = b"\r\n".join(
    [
        b"HTTP/1.1 400 Bad Request",
        b"content-type: application/json",
        b"content-length: %d" % len(_SAID),
        b"connection: close",
        b"",
        _SAID,
    ]
)
# How long the sender has to read the answer.
_LINGER_SECONDS = 1.0


class Protocol(H11Protocol):
    """uvicorn's protocol, with an answer for those who send no HTTP, or say that they are through.

    What is no HTTP is answered in JSON, where uvicorn closes the connection at once: had more been
    sent than it has read, the sender would meet a reset connection in the place of the answer.
    Who closes its half of the connection behind a request can still read: uvicorn closes the other.
    """

    is_refused = is_through = False

    def send_400_response(self, msg: str) -> None:
        """Answers, and reads on for a moment without looking."""
        self.is_refused = True
        self.transport.write(_ANSWER)
        if self.transport.can_write_eof():
            self.transport.write_eof()
        self.flow.resume_reading()
        self.loop.call_later(_LINGER_SECONDS, self.transport.close)

    def data_received(self, data: bytes) -> None:
        """Takes what has arrived."""
        if not self.is_refused:
            super().data_received(data)

    def eof_received(self) -> bool:  # type: ignore[override]  # As asyncio has it.
        """Keeps the connection for the answer to what the sender asked before it was through."""
        self.is_through = True
        asked = self.cycle
        return asked is not None and not asked.more_body and not asked.response_complete

    def on_response_complete(self) -> None:
        """Closes the connection behind the last answer."""
        super().on_response_complete()
        # What was sent on it meanwhile is being answered by now.
        if self.is_through and self.cycle.response_complete:
            self.transport.close()
