"""What the service answers when something goes wrong, or while it stops."""

from __future__ import annotations

import asyncio
import json
import logging
from typing import Any

import numpy as np
import pytest

from dwt_keras.serving import application
from dwt_keras.serving.application import Service
from dwt_keras.serving.batching import Batcher
from dwt_keras.serving.signature import Signature, Tensor

X = Tensor("x", (), "float32", ())
PREDICT = "/v1/models/it:predict"


def predict(inputs: Any) -> dict[str, Any]:
    if inputs["x"].max() > 9:
        raise ZeroDivisionError("a fault of the network")
    return {"y": inputs["x"] + 1}


class Exchange:
    """One request to a service without a server between."""

    def __init__(self, service: Service, path: str, body: bytes | None, method: str = "POST"):
        self.scope = {
            "type": "http",
            "method": method,
            "path": path,
            "raw_path": path.encode(),
            "query_string": b"",
            "headers": [],
        }
        self.service, self.body = service, body
        self.sent: list[Any] = []

    async def receive(self) -> Any:
        if self.body is None:  # Never arrives.
            await asyncio.sleep(60)
        return {"type": "http.request", "body": self.body, "more_body": False}

    async def send(self, message: Any) -> None:
        self.sent.append(message)

    async def answer(self) -> tuple[int, dict[bytes, bytes], Any]:
        try:
            await self.service.application(self.scope, self.receive, self.send)
        except ZeroDivisionError:  # Starlette raises what it has answered, for the server to see.
            assert self.sent
        start, body = self.sent
        return start["status"], dict(start["headers"]), json.loads(body["body"])


def asked(*requests: tuple[str, bytes | None], stop: bool = False) -> list[Any]:
    """Answers to requests that come at once; the service stops while it has them, if told to."""

    async def steps() -> list[Any]:
        batcher = Batcher(predict, max_batch_size=4, wait_seconds=0.0)
        service = Service("it", Signature({"x": X}, {"y": X}), batcher, max_body_bytes=100)
        async with batcher.working():
            answers = [
                asyncio.create_task(
                    Exchange(service, path, body, "POST" if path == PREDICT else "GET").answer()
                )
                for path, body in requests
            ]
            if stop:
                await asyncio.sleep(0.05)
                service.stop()
                answers += [
                    asyncio.create_task(Exchange(service, path, b"", "GET").answer())
                    for path in ("/health/ready", "/health/live", "/v1/models/it", "/none")
                ]
            return await asyncio.wait_for(asyncio.gather(*answers), 10)

    return asyncio.run(steps())


def test_a_fault_of_the_network_is_one_line_and_logged(caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.ERROR):
        good, bad = asked((PREDICT, b'{"instances": [1]}'), (PREDICT, b'{"instances": [10]}'))
    assert good[::2] == (200, {"predictions": [2.0]})
    assert bad[::2] == (500, {"error": "the network failed"})
    assert "a fault of the network" in caplog.text


def test_a_body_that_does_not_arrive(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(application, "_BODY_SECONDS", 0.1)
    ((status, _, content),) = asked((PREDICT, None))
    assert (status, content) == (408, {"error": "the body took too long to arrive"})


def test_while_it_stops(monkeypatch: pytest.MonkeyPatch) -> None:
    """Bodies have less time, answers ask their receivers to go, and only liveness is left."""
    monkeypatch.setattr(application, "_LAST_BODY_SECONDS", 0.1)
    before, late, *after = asked((PREDICT, b'{"instances": [1]}'), (PREDICT, None), stop=True)
    assert (before[0], b"connection" in before[1]) == (200, False)
    assert late[0] == 408
    assert [status for status, *_ in after] == [503, 200, 200, 404]
    assert all(headers[b"connection"] == b"close" for _, headers, _ in (late, *after))
    assert after[0][2] == {"status": "stopping"}
    assert after[2][2]["model_version_status"][0]["state"] == "UNLOADING"


def test_outputs_that_are_not_finite_are_no_answer() -> None:
    def infinite(inputs: Any) -> dict[str, Any]:
        return {"y": np.full(len(inputs["x"]), np.inf)}

    async def steps() -> Any:
        batcher = Batcher(infinite, max_batch_size=4, wait_seconds=0.0)
        service = Service("it", Signature({"x": X}, {"y": X}), batcher, max_body_bytes=100)
        async with batcher.working():
            return await Exchange(service, PREDICT, b'{"instances": [1]}').answer()

    status, _, content = asyncio.run(steps())
    assert status == 400
    assert "outputs are finite" in content["error"]
