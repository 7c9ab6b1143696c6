"""The paths of the server: TF Serving's REST interface for one model, and its health."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator
from typing import Any

import orjson
from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from dwt_keras.serving import requests
from dwt_keras.serving.batching import Batcher
from dwt_keras.serving.requests import RequestError
from dwt_keras.serving.signature import Signature

# How long the body of a request may take to arrive, and once the service is to stop.
_BODY_SECONDS, _LAST_BODY_SECONDS = 30.0, 4.0

_log = logging.getLogger(__name__)


class Service:
    """One network behind an address.

    Args:
        name: What the network is called in paths.
        signature: What it takes and gives.
        batcher: What computes.
        max_body_bytes: Longest body that is read.

    Attributes:
        application: For an ASGI server.
        is_stopping: Whether it has been told to stop.
        answered: Requests that were answered with predictions.
    """

    def __init__(
        self, name: str, signature: Signature, batcher: Batcher, max_body_bytes: int
    ) -> None:
        self._name = name
        self._signature = signature
        self._batcher = batcher
        self._max_body_bytes = max_body_bytes
        self.is_stopping = False
        self._reading: set[asyncio.Timeout] = set()
        self.answered = 0
        self._model = f"/v1/models/{name}"
        self.application = Starlette(
            routes=[
                Route(f"{self._model}:predict", self._predict, methods=["POST"]),
                Route(self._model, self._status),
                Route(f"{self._model}/metadata", self._metadata),
                Route("/health", self._ready),
                Route("/health/ready", self._ready),
                Route("/health/live", self._live),
            ],
            exception_handlers={
                RequestError: self._refuse,
                HTTPException: self._refuse_path,
                ClientDisconnect: self._refuse_nobody,
                Exception: self._fail,
            },
            lifespan=self._lifespan,
        )
        self.application.router.redirect_slashes = False

    def stop(self) -> None:
        """From now on answers ask their receivers to go, and the service is not ready.

        Is called in the thread of the event loop.
        """
        self.is_stopping = True
        ends = asyncio.get_running_loop().time() + _LAST_BODY_SECONDS
        for timeout in self._reading:
            timeout.reschedule(min(ends, timeout.when() or ends))

    @contextlib.asynccontextmanager
    async def _lifespan(self, _: Starlette) -> AsyncIterator[None]:
        async with self._batcher.working():
            yield

    async def _predict(self, request: Request) -> Response:
        body = await self._body(request)
        outputs = await self._batcher.ask(requests.decode(body, self._signature))
        answer = self._answer(200, requests.encode(outputs))
        self.answered += 1
        return answer

    async def _body(self, request: Request) -> bytes:
        if request.headers.get("content-encoding", "identity") != "identity":
            raise RequestError(415, "the body must not be compressed")
        length = request.headers.get("content-length", "")
        self._check_length(int(length) if length.isdecimal() else 0)
        body = bytearray()
        try:
            async with self._in_time():
                async for part in request.stream():
                    body += part
                    self._check_length(len(body))
        except TimeoutError:
            raise RequestError(408, "the body took too long to arrive") from None
        return bytes(body)

    @contextlib.asynccontextmanager
    async def _in_time(self) -> AsyncIterator[None]:
        seconds = _LAST_BODY_SECONDS if self.is_stopping else _BODY_SECONDS
        async with asyncio.timeout(seconds) as timeout:
            self._reading.add(timeout)
            try:
                yield
            finally:
                self._reading.remove(timeout)

    def _check_length(self, length: int) -> None:
        if length > self._max_body_bytes:
            raise RequestError(413, f"the body must have {self._max_body_bytes} bytes at most")

    async def _status(self, _: Request) -> Response:
        """As TF Serving has it, which keeps several versions; this one has one."""
        state = {
            "version": "1",
            "state": "UNLOADING" if self.is_stopping else "AVAILABLE",
            "status": {"error_code": "OK", "error_message": ""},
        }
        return self._answer(200, {"model_version_status": [state]})

    async def _metadata(self, _: Request) -> Response:
        return self._answer(200, self._signature.metadata(self._name))

    async def _ready(self, _: Request) -> Response:
        if self.is_stopping:
            return self._answer(503, {"status": "stopping"})
        return self._answer(200, {"status": "ready"})

    async def _live(self, _: Request) -> Response:
        return self._answer(200, {"status": "live"})

    async def _refuse(self, _: Request, error: Exception) -> Response:
        assert isinstance(error, RequestError)
        return self._error(error.status, str(error))

    async def _refuse_path(self, request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        if error.status_code == 404:
            said = f"there is nothing here; predictions are at POST {self._model}:predict"
        elif error.status_code == 405:
            allowed = (error.headers or {}).get("Allow", "another")
            said = f"the method must be {allowed}; given {request.method}"
        else:
            said = error.detail
        return self._error(error.status_code, said, error.headers)

    async def _refuse_nobody(self, _: Request, error: Exception) -> Response:
        return self._error(400, "the sender went away")

    async def _fail(self, _: Request, error: Exception) -> Response:
        """For what is not the sender's fault."""
        _log.error("a request failed", exc_info=error)
        return self._error(500, "the network failed")

    def _error(self, status: int, said: str, headers: Any = None) -> Response:
        return self._answer(status, {"error": " ".join(said.split())}, headers)

    def _answer(self, status: int, content: Any, headers: Any = None) -> Response:
        body = content if isinstance(content, bytes) else orjson.dumps(content)
        answer = Response(body, status, headers, "application/json")
        if self.is_stopping:
            answer.headers["Connection"] = "close"
        return answer
