"""HTTP as uvicorn reads it with h11; what is none is answered too, so that its sender learns it."""

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
    """uvicorn's protocol, with an answer in JSON to what is no HTTP.

    uvicorn closes the connection at once. Where more had been sent than it has read, the sender
    then meets a reset connection in the place of the answer.
    """

    is_refused = False

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
