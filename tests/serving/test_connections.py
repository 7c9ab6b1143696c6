"""Connections as they come: what clients do besides sending a request and reading the answer."""

from __future__ import annotations

import contextlib
import gc
import json
import signal
import socket
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from dwt_keras import checks
from dwt_keras.serving import server
from dwt_keras.serving.application import Service
from dwt_keras.serving.batching import Batcher
from dwt_keras.serving.signature import Signature, Tensor


def slow(inputs: Any) -> dict[str, Any]:
    time.sleep(0.1)
    return {"y": inputs["x"] + 1}


def service() -> Service:
    x = Tensor("x", (), "float32", ())
    batcher = Batcher(slow, max_batch_size=4, wait_seconds=0.0)
    return Service("it", Signature({"x": x}, {"y": x}), batcher, max_body_bytes=100)


@pytest.fixture(scope="module")
def place() -> Iterator[tuple[str, int]]:
    """The address of a service whose answers take a tenth of a second."""
    made: list[server._Server] = []

    class Noted(server._Server):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    started = threading.Event()
    with pytest.MonkeyPatch.context() as patch, server.address("127.0.0.1", 0) as bound:
        patch.setattr(server, "_Server", Noted)
        thread = threading.Thread(target=server.serve, args=(service(), bound, started.set))
        thread.start()
        assert started.wait(20)
        yield bound.getsockname()
        made[0].handle_exit(signal.SIGTERM, None)
        thread.join(20)
    gc.unfreeze()  # Serving freezes what this process has.


def request(value: float, version: str = "1.1") -> bytes:
    body = json.dumps({"instances": [value]})
    head = f"POST /v1/models/it:predict HTTP/{version}\r\nHost: it\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n{body}".encode()


def answers(place: tuple[str, int], sent: bytes, *, is_through: bool) -> list[list[float]]:
    """The predictions that come back until the server closes the connection, or for a second."""
    with socket.create_connection(place, timeout=1.0) as connection:
        connection.sendall(sent)
        if is_through:
            connection.shutdown(socket.SHUT_WR)
        got = b""
        with contextlib.suppress(TimeoutError):
            while part := connection.recv(4096):
                got += part
    bodies = got.decode().split("HTTP/1.1 200 OK")[1:]
    return [json.loads(body.partition("\r\n\r\n")[2])["predictions"] for body in bodies]


@pytest.mark.parametrize("is_through", [False, True])
def test_requests_in_a_row_are_answered_in_their_order(
    place: tuple[str, int], is_through: bool
) -> None:
    sent = b"".join(map(request, (1, 2, 3)))
    assert answers(place, sent, is_through=is_through) == [[2.0], [3.0], [4.0]]


def test_who_sends_half_a_request_gets_no_answer(place: tuple[str, int]) -> None:
    before = time.monotonic()
    assert answers(place, request(1)[:-2], is_through=True) == []
    assert time.monotonic() - before < 1.0  # The connection was closed.


def test_an_old_client_gets_its_answer_and_the_end(place: tuple[str, int]) -> None:
    before = time.monotonic()
    assert answers(place, request(1, "1.0"), is_through=False) == [[2.0]]
    assert time.monotonic() - before < 1.0


def test_a_port_that_another_process_listens_at_first_is_one_line() -> None:
    with server.address("127.0.0.1", 0) as other:
        port = other.getsockname()[1]
        with server.address("127.0.0.1", port) as bound:  # As none of them listens yet.
            other.listen()
            with pytest.raises(checks.ArgumentError, match=f"port must be free on .* {port}"):
                server.serve(service(), bound, lambda: None)
    gc.unfreeze()
