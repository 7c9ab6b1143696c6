"""The server's life: its address, and how it stops."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import socket
from collections.abc import Callable, Iterator
from types import FrameType

import uvicorn

from dwt_keras import checks
from dwt_keras.serving.application import Service
from dwt_keras.serving.protocol import Protocol

# While it stops: how long a connection has for a request that is on its way, and requests that have
# begun for their answers. Together below the 10 s after which `docker stop` kills.
_LAST_REQUEST_SECONDS = 0.5
_LAST_ANSWERS_SECONDS = 7


@contextlib.contextmanager
def address(host: str, port: int) -> Iterator[socket.socket]:
    """A socket that is bound, and not listened at yet: who connects is refused until then.

    Args:
        host: Name or address of an interface of this machine.
        port: Its port; 0 for any that is free.

    Raises:
        ArgumentError: If it cannot be had.
    """
    try:
        ((family, kind, protocol, _, place), *_) = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )
    except (OSError, UnicodeError):
        raise checks.ArgumentError(
            "host", f"must be a name or an address of this machine; given {host!r}"
        ) from None
    with socket.socket(family, kind, protocol) as bound:
        if os.name == "posix":  # Elsewhere it would let two servers share a port.
            bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            bound.bind(place)
        except OSError as error:
            raise _taken(host, port, error) from None
        yield bound


def url(bound: socket.socket) -> str:
    """What clients on this machine put before a path."""
    host, port = bound.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"


def _taken(host: str, port: int, error: OSError) -> checks.ArgumentError:
    return checks.ArgumentError("port", f"must be free on {host}; given {port}: {error.strerror}")


def serve(service: Service, bound: socket.socket, started: Callable[[], None]) -> None:
    """Answers requests until SIGINT or SIGTERM.

    Args:
        service: What answers.
        bound: Where.
        started: Called once requests are taken.

    Raises:
        ArgumentError: If another process has begun to listen there since.
        KeyboardInterrupt: If a second signal ends it with requests unanswered.
    """
    config = uvicorn.Config(
        service.application,
        # h11 bounds what a header may be, the faster httptools does not.
        http=Protocol,
        loop="asyncio",
        ws="none",
        # Requests that are cancelled at the very end are no errors; others the service logs.
        log_level="critical",
        access_log=False,
        server_header=False,
        timeout_graceful_shutdown=_LAST_ANSWERS_SECONDS,
    )
    server = _Server(config, service, started)
    # What is there by now stays: looking for garbage among TensorFlow's objects again and again
    # would hold every request up for tenths of a second.
    gc.collect()
    gc.freeze()
    server.run(sockets=[bound])
    if server.force_exit:
        raise KeyboardInterrupt


class _Server(uvicorn.Server):
    """Stops in two steps, so that no request that has been sent meets a closed connection.

    uvicorn alone closes every connection that is between two requests; what its client has just
    sent is lost. Here, for a moment, requests are still answered, and the answers say that the
    connection closes.
    """

    def __init__(
        self, config: uvicorn.Config, service: Service, started: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._service = service
        self._tell_started = started
        self._loop: asyncio.AbstractEventLoop | None = None
        self._is_told_to_stop = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Begins to take requests; remembers the loop, as signals arrive outside of it."""
        self._loop = asyncio.get_running_loop()
        try:
            await super().startup(sockets)
        except OSError as error:
            # Until one of them listens, two may be bound to one port.
            host, port = (sockets or [])[0].getsockname()[:2]
            await self.lifespan.shutdown()
            raise _taken(host, port, error) from None
        self._tell_started()

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """Takes a signal: the first stops gently, the second at once."""
        if self._is_told_to_stop or self._loop is None:
            self.should_exit = self.force_exit = True
            return
        self._is_told_to_stop = True
        self._loop.call_soon_threadsafe(self._stop_gently, self._loop)

    def _stop_gently(self, loop: asyncio.AbstractEventLoop) -> None:
        self._service.stop()
        for listening in self.servers:
            listening.close()
        loop.call_later(_LAST_REQUEST_SECONDS, self._close)

    def _close(self) -> None:
        self.should_exit = True
