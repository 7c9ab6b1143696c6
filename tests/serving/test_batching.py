"""Which requests are computed together, and that nobody gets another's answer."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest

from dwt_keras.serving import batching
from dwt_keras.serving.batching import Batcher
from dwt_keras.serving.requests import RequestError


class Doubling:
    """A network that doubles, and notes how many samples it was given at once."""

    def __init__(self) -> None:
        self.sizes: list[int] = []
        self.go_on = threading.Event()
        self.go_on.set()

    def __call__(self, inputs: Any) -> dict[str, Any]:
        self.go_on.wait(5)
        self.sizes.append(len(inputs["x"]))
        if (inputs["x"] < 0).any():
            raise RequestError(400, "a number below zero")
        if (inputs["x"] > 1e6).any():
            raise ZeroDivisionError
        return {"y": 2 * inputs["x"]}


def within(batcher: Batcher, steps: Callable[[], Awaitable[Any]]) -> Any:
    async def all_steps() -> Any:
        async with batcher.working():
            return await asyncio.wait_for(steps(), 10)

    return asyncio.run(all_steps())


def ask(batcher: Batcher, *values: float) -> Awaitable[dict[str, Any]]:
    return batcher.ask({"x": np.array(values)})


def test_what_comes_while_the_network_computes_is_the_next_batch() -> None:
    network = Doubling()
    batcher = Batcher(network, max_batch_size=4, wait_seconds=0.0)

    async def steps() -> list[Any]:
        network.go_on.clear()
        first = asyncio.create_task(ask(batcher, 0.0))
        await asyncio.sleep(0.05)
        later = [
            asyncio.create_task(ask(batcher, *range(10 * n, 10 * n + 1 + n % 2)))
            for n in range(1, 8)
        ]
        await asyncio.sleep(0.05)
        network.go_on.set()
        return [await each for each in (first, *later)]

    answers = within(batcher, steps)
    assert network.sizes == [1, 3, 3, 3, 2]  # Of 2, 1, 2, 1, 2, 1, 2 samples, four at most.
    assert [list(answer["y"]) for answer in answers] == [
        [0], [20, 22], [40], [60, 62], [80], [100, 102], [120], [140, 142],
    ]  # fmt: skip


def test_a_batch_that_is_not_full_waits_if_told_to() -> None:
    network = Doubling()
    batcher = Batcher(network, max_batch_size=3, wait_seconds=0.3)

    async def steps() -> float:
        loop = asyncio.get_running_loop()

        async def late(value: float) -> Any:
            await asyncio.sleep(0.05)
            return await ask(batcher, value)

        await asyncio.gather(ask(batcher, 1.0), late(2.0), late(3.0))  # Full: waits no longer.
        started = loop.time()
        await ask(batcher, 1.0)
        return loop.time() - started

    assert within(batcher, steps) > 0.25
    assert network.sizes == [3, 1]


def test_a_request_larger_than_a_batch_is_computed_in_parts() -> None:
    network = Doubling()
    batcher = Batcher(network, max_batch_size=4, wait_seconds=0.0)
    found = within(batcher, lambda: ask(batcher, *range(10)))
    np.testing.assert_array_equal(found["y"], 2 * np.arange(10))
    assert network.sizes == [4, 4, 2]


def test_the_fault_of_one_is_not_that_of_others() -> None:
    network = Doubling()
    batcher = Batcher(network, max_batch_size=8, wait_seconds=0.1)

    async def steps() -> list[Any]:
        asked = [ask(batcher, value) for value in (1.0, -1.0, 2.0, 1e9)]
        answers = await asyncio.gather(*asked, return_exceptions=True)
        return [*answers, await ask(batcher, 3.0)]

    one, refused, two, failed, after = within(batcher, steps)
    assert [list(each["y"]) for each in (one, two, after)] == [[2], [4], [6]]
    assert isinstance(refused, RequestError)
    assert isinstance(failed, ZeroDivisionError)
    assert network.sizes == [4, 1, 1, 1, 1, 1]


def test_inputs_of_several_lengths_are_not_put_together() -> None:
    network = Doubling()
    batcher = Batcher(network, max_batch_size=8, wait_seconds=0.1)
    rows = [np.ones((1, length)) for length in (2, 2, 5, 2)]

    async def steps() -> list[Any]:
        return await asyncio.gather(*(batcher.ask({"x": row}) for row in rows))

    assert [each["y"].shape for each in within(batcher, steps)] == [row.shape for row in rows]
    assert network.sizes == [2, 1, 1]


def test_a_queue_does_not_grow_forever(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(batching, "_MOST_WAITING", 2)
    network = Doubling()
    batcher = Batcher(network, max_batch_size=1, wait_seconds=0.0)

    async def steps() -> list[Any]:
        asked = [ask(batcher, float(value)) for value in range(5)]
        return await asyncio.gather(*asked, return_exceptions=True)

    answers = within(batcher, steps)
    refused = [each for each in answers if isinstance(each, RequestError)]
    assert [each.status for each in refused] == [503] * 3


def test_a_network_whose_outputs_are_not_one_for_each_sample() -> None:
    batcher = Batcher(lambda inputs: {"y": np.zeros(1)}, max_batch_size=4, wait_seconds=0.0)
    with pytest.raises(RuntimeError, match="1 values for 2 samples"):
        within(batcher, lambda: ask(batcher, 1.0, 2.0))
