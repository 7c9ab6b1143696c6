"""Requests that come together are computed together.

A network takes hardly longer for 32 samples than for one. Requests wait in one queue; one thread
computes. What comes while it computes is the next batch, so that batches grow with the load and a
lone request waits for nobody, unless it is told to wait for others.
"""

from __future__ import annotations

import asyncio
import collections
import contextlib
from collections.abc import AsyncIterator, Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from dwt_keras.serving.requests import Array, Arrays, RequestError

Predict = Callable[[Arrays], dict[str, Array]]

# Beyond this many a request is refused: it would wait longer than its sender does.
_MOST_WAITING = 1000


@dataclass(frozen=True)
class _Waiting:
    inputs: Arrays
    samples: int
    # Arrays of one shape can be put together.
    shapes: tuple[tuple[int, ...], ...]
    answer: asyncio.Future[dict[str, Array]]


class Batcher:
    """Puts requests together for a network, and its outputs asunder.

    Args:
        predict: From inputs by name, each of shape (samples, ...), to outputs by name; called in a
            thread of its own, never twice at a time.
        max_batch_size: Samples that it is given at once. A request with more is computed in parts.
        wait_seconds: How long a batch that is not full waits for more while nothing is computed.
    """

    def __init__(self, predict: Predict, max_batch_size: int, wait_seconds: float) -> None:
        self._predict = predict
        self._max_batch_size = max_batch_size
        self._wait_seconds = wait_seconds
        self._waiting: collections.deque[_Waiting] = collections.deque()
        self._samples = 0
        self._some, self._enough = asyncio.Event(), asyncio.Event()
        self._thread = ThreadPoolExecutor(1, "network")

    @contextlib.asynccontextmanager
    async def working(self) -> AsyncIterator[None]:
        """Computes within; on leaving nobody may be waiting any more."""
        task = asyncio.create_task(self._work())
        try:
            yield
        finally:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task
            self._thread.shutdown()

    async def ask(self, inputs: Arrays) -> dict[str, Array]:
        """The network's outputs for one request.

        Raises:
            RequestError: If too many are waiting, or the network cannot compute on the inputs.
        """
        if len(self._waiting) >= _MOST_WAITING:
            raise RequestError(503, "too many requests are waiting; try again later")
        answer: asyncio.Future[dict[str, Array]] = asyncio.get_running_loop().create_future()
        samples = len(next(iter(inputs.values())))
        shapes = tuple(values.shape[1:] for values in inputs.values())
        self._waiting.append(_Waiting(inputs, samples, shapes, answer))
        self._samples += samples
        self._some.set()
        if self._samples >= self._max_batch_size:
            self._enough.set()
        return await answer

    async def _work(self) -> None:
        while True:
            await self._some.wait()
            if self._wait_seconds:
                with contextlib.suppress(TimeoutError):
                    await asyncio.wait_for(self._enough.wait(), self._wait_seconds)
            await self._answer(self._next_batch())

    def _next_batch(self) -> list[_Waiting]:
        """Takes from the queue's front what fits into one batch, one request at least."""
        batch = [self._waiting.popleft()]
        samples = batch[0].samples
        while (
            self._waiting
            and self._waiting[0].shapes == batch[0].shapes
            and samples + self._waiting[0].samples <= self._max_batch_size
        ):
            batch.append(self._waiting.popleft())
            samples += batch[-1].samples
        self._samples -= samples
        if not self._waiting:
            self._some.clear()
        if self._samples < self._max_batch_size:
            self._enough.clear()
        return batch

    async def _answer(self, batch: list[_Waiting]) -> None:
        loop = asyncio.get_running_loop()
        try:
            outputs = await loop.run_in_executor(self._thread, self._compute, batch)
        except Exception as error:
            if len(batch) > 1:  # One of them is at fault; the others shall not notice.
                for each in batch:
                    await self._answer([each])
            elif not batch[0].answer.done():
                batch[0].answer.set_exception(error)
            return
        at = 0
        for each in batch:
            its = slice(at, at + each.samples)
            if not each.answer.done():  # Nobody waits any more when the server has to stop at once.
                each.answer.set_result({name: values[its] for name, values in outputs.items()})
            at += each.samples

    def _compute(self, batch: Sequence[_Waiting]) -> dict[str, Array]:
        inputs = {
            name: np.concatenate([each.inputs[name] for each in batch]) for name in batch[0].inputs
        }
        samples, most = sum(each.samples for each in batch), self._max_batch_size
        parts = [
            self._predict({name: values[at : at + most] for name, values in inputs.items()})
            for at in range(0, samples, most)
        ]
        outputs = {name: np.concatenate([part[name] for part in parts]) for name in parts[0]}
        for name, values in outputs.items():
            if len(values) != samples:
                raise RuntimeError(f"{name}: {len(values)} values for {samples} samples")
        return outputs
