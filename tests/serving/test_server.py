"""The address of the server, and how connections end."""

from __future__ import annotations

import contextlib
import gc
import http.client
import json
import signal
import threading
import time
from typing import Any

import pytest

from dwt_keras.serving import server
from dwt_keras.serving.application import Service
from dwt_keras.serving.batching import Batcher
from dwt_keras.serving.signature import Signature, Tensor


def test_what_is_sent_on_an_idle_connection_is_answered(monkeypatch: pytest.MonkeyPatch) -> None:
    """uvicorn alone would have closed it within the tenth of a second that it looks for signals."""
    made: list[server._Server] = []

    class Noted(server._Server):
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            made.append(self)

    monkeypatch.setattr(server, "_Server", Noted)
    monkeypatch.setattr(server, "_LAST_REQUEST_SECONDS", 2.0)
    x = Tensor("x", (), "float32", ())
    batcher = Batcher(lambda inputs: {"y": inputs["x"] + 1}, max_batch_size=4, wait_seconds=0.0)
    service = Service("it", Signature({"x": x}, {"y": x}), batcher, max_body_bytes=100)
    started = threading.Event()
    with server.address("127.0.0.1", 0) as bound:
        url = server.url(bound)
        thread = threading.Thread(target=server.serve, args=(service, bound, started.set))
        thread.start()
        assert started.wait(20)
        with contextlib.closing(http.client.HTTPConnection(url.removeprefix("http://"))) as client:

            def ask() -> tuple[str | None, Any]:
                client.request("POST", "/v1/models/it:predict", '{"instances": [1]}')
                answer = client.getresponse()
                return answer.headers["connection"], json.loads(answer.read())["predictions"]

            assert ask() == (None, [2.0])
            made[0].handle_exit(signal.SIGTERM, None)
            time.sleep(0.5)
            assert ask() == ("close", [2.0])
        thread.join(20)
    gc.unfreeze()  # Serving freezes what this process has.
    assert not thread.is_alive()
    assert service.answered == 2


def test_an_address_in_brackets() -> None:
    class Bound:
        def getsockname(self) -> tuple[str, int, int, int]:
            return "::1", 8501, 0, 0

    assert server.url(Bound()) == "http://[::1]:8501"
