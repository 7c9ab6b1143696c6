"""Mutates small files by the million; each must be refused, or load within the limits.

    python benchmarks/fuzz.py --inputs=1000000 --processes=2

Starts from the golden files of the tests and from files of a few small models. Most mutations get
right checksums, so that they reach the decoder. An input goes into an existing model
(`load_compressed_weights`), and some also make one (`load_compressed`): it must raise CodecError
and leave the model alone, or give finite weights of the model's shapes. Whatever else happens is
a finding: the input is written to --findings, and the script exits with 1. So are inputs that take
more than --most_seconds, or by which the process' peak memory grows beyond --most_mebibytes.

Input number i depends on --seed and i alone: `--first=i --inputs=1` makes it again, and a run that
was stopped goes on with --first.
"""

from __future__ import annotations

import argparse
import collections
import copy
import dataclasses
import multiprocessing
import os
import resource
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
from fuzz_mutations import (
    deflated,
    mutate_tree,
    mutated_bytes,
    mutated_fields,
    mutated_payload,
)
from fuzz_seeds import Seed, Seeds

from dwt_keras.coding import container
from dwt_keras.coding.errors import CodecError
from dwt_keras.views.tables import table

# How many of 1000 inputs change the architecture, and are built.
BUILT = 10
# Inputs between two lines of progress, and between two times that Keras forgets its names.
_REPORT, _FORGET = 10_000, 2000
# Refusals of a model's files between two times that its weights are compared.
_COMPARED = 64


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--inputs", type=int, default=1_000_000)
    parser.add_argument("--first", type=int, default=0, help="number of the first input")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--processes", type=int, default=2)
    parser.add_argument("--most_seconds", type=float, default=5.0)
    parser.add_argument("--most_mebibytes", type=float, default=256.0)
    parser.add_argument("--findings", type=Path, default=Path("fuzz_findings"))
    options = parser.parse_args()
    started = time.perf_counter()
    parts = [
        range(options.first + part, options.first + options.inputs, options.processes)
        for part in range(options.processes)
    ]
    context = multiprocessing.get_context("spawn")  # TensorFlow does not survive a fork.
    with context.Pool(options.processes) as pool:
        found = pool.starmap(part_of, [(part, options) for part in parts])
    result = found[0]
    for other in found[1:]:
        result.add(other)
    print(result.table(time.perf_counter() - started))
    return 1 if result.findings else 0


@dataclasses.dataclass
class Result:
    """What came of some inputs.

    Attributes:
        outcomes: How many had which outcome, by what was done to them.
        slowest: Seconds and number of the slowest input, by what was done to it.
        grown: By how many MiB the peak of a process grew, and the input at which it grew most.
        findings: Number and description of all that must not happen.
    """

    outcomes: collections.Counter[tuple[str, str]]
    slowest: dict[str, tuple[float, int]]
    grown: tuple[float, int] = (0.0, -1)
    findings: list[tuple[int, str]] = dataclasses.field(default_factory=list)

    def add(self, other: Result) -> None:
        self.outcomes += other.outcomes
        for kind, slow in other.slowest.items():
            self.slowest[kind] = max(self.slowest.get(kind, slow), slow)
        self.grown = max(self.grown, other.grown)
        self.findings += other.findings

    def table(self, seconds: float) -> str:
        kinds = sorted({kind for kind, _ in self.outcomes})
        rows: list[tuple[str, ...]] = [
            ("mutation", "inputs", "refused", "loaded", "slowest, s", "input")
        ]
        for kind in kinds:
            counts = [self.outcomes[kind, what] for what in ("refused", "loaded")]
            rows.append(_row(kind, counts, self.slowest[kind]))
        total = [sum(self.outcomes[kind, what] for kind in kinds) for what in ("refused", "loaded")]
        rows.append(_row("all", total, max(self.slowest.values())))
        lines = [table(rows, right_from=1)]
        lines.append(f"{seconds:.0f} seconds; peak memory of a process grew by {self.grown[0]:.0f}")
        lines[-1] += f" MiB, last at input {self.grown[1]}; findings: {len(self.findings)}"
        lines += [f"  input {number}: {what}" for number, what in self.findings[:20]]
        return "\n".join(lines)


def _row(kind: str, counts: Sequence[int], slowest: tuple[float, int]) -> tuple[str, ...]:
    """A row of the table, from how many were refused and how many loaded."""
    seconds, number = slowest
    numbers = (f"{count:,}" for count in (sum(counts), *counts))
    return kind, *numbers, f"{seconds:.3f}", str(number)


def part_of(numbers: range, options: argparse.Namespace) -> Result:
    """Tries the inputs of some numbers."""
    import keras

    warnings.simplefilter("ignore")
    seeds = Seeds()
    result = Result(collections.Counter(), {})
    path = Path(tempfile.mkdtemp()) / "input.dwtz"
    warm_up(seeds, path)
    before = peak()
    started = time.perf_counter()
    for done, number in enumerate(numbers, start=1):
        rng = np.random.default_rng((options.seed, number))
        kind, seed, data, build = mutated(seeds, rng)
        path.write_bytes(data)
        begun = time.perf_counter()
        try:
            outcome = tried(path, seed, build)
        except Exception:
            outcome = "finding"
            result.findings.append((number, traceback.format_exc(limit=-3)))
        seconds = time.perf_counter() - begun
        grown = peak() - before
        if grown > result.grown[0]:
            result.grown = grown, number
        if seconds > options.most_seconds or grown > options.most_mebibytes:
            result.findings.append((number, f"{seconds:.2f} s, {grown:.0f} MiB"))
        if result.findings and result.findings[-1][0] == number:
            options.findings.mkdir(parents=True, exist_ok=True)
            (options.findings / f"{options.seed}-{number}.dwtz").write_bytes(data)
            print(f"finding at input {number}: {result.findings[-1][1]}", flush=True)
        result.outcomes[kind, outcome] += 1
        slow = (seconds, number)
        result.slowest[kind] = max(result.slowest.get(kind, slow), slow)
        if done % _FORGET == 0:
            keras.backend.clear_session()
        if done % _REPORT == 0:
            rate = done / (time.perf_counter() - started)
            print(
                f"{done:,} of {len(numbers):,}, {rate:.0f} a second, peak +{result.grown[0]:.0f} "
                f"MiB, slowest {max(result.slowest.values())[0]:.2f} s, "
                f"{len(result.findings)} findings",
                flush=True,
            )
    return result


def peak() -> float:
    """The largest memory that the process ever had, in MiB."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024.0


def warm_up(seeds: Seeds, path: Path) -> None:
    """Has everything compiled, imported and allocated once."""
    for seed in seeds.all:
        path.write_bytes(seed.data)
        tried(path, seed, False)
        if seed.tree is not None:
            tried(path, seed, True)


def tried(path: Path, seed: Seed, build: bool) -> str:
    """Reads a file; "refused" or "loaded".

    Raises:
        Exception: Whatever should not have happened.
    """
    from dwt_keras.compression import artifact

    outcome = "loaded"
    if build:
        try:
            model = artifact.load_compressed(path)
        except CodecError as error:
            check_message(error)
            outcome = "refused"
        else:
            check_weights(model, None)
    else:
        try:
            artifact.load_compressed_weights(path, seed.model)
        except CodecError as error:
            check_message(error)
            outcome = "refused"
            seed.refused += 1
            if seed.refused % _COMPARED == 0:  # Reading variables takes longer than all else.
                check_unchanged(seed)
        else:
            seed.weights = check_weights(seed.model, seed)
    return outcome


def check_message(error: CodecError) -> None:
    text = str(error)
    assert text.isprintable(), "a message of several lines"
    assert len(text) < 2000, "a long message"


def check_unchanged(seed: Seed) -> None:
    for variable, values in zip(seed.model.weights, seed.weights, strict=True):
        assert np.asarray(variable.value).tobytes() == values.tobytes(), "a changed weight"


def check_weights(model: Any, seed: Seed | None) -> list[Any]:
    found = []
    for number, variable in enumerate(model.weights):
        values = np.asarray(variable.value)
        if values.dtype.kind not in "iub":
            assert np.isfinite(values.astype(np.float64)).all(), "a weight that is not finite"
        if seed is not None:
            assert values.shape == seed.weights[number].shape, "a weight of another shape"
        found.append(np.array(values))
    return found


Mutated = tuple[str, Seed, bytes, bool]


def mutated(seeds: Seeds, rng: np.random.Generator) -> Mutated:
    """What was done, to which seed, the bytes, and whether they are to be built."""
    chance = int(rng.integers(1000))
    if chance < BUILT:
        seed = seeds.with_tree[rng.integers(len(seeds.with_tree))]
        if chance < BUILT // 8:  # Bytes of the deflated architecture.
            payload = mutated_bytes(rng, seed.sections[2].payload)
        else:
            tree = copy.deepcopy(seed.tree)
            for _ in range(int(rng.integers(1, 4))):
                mutate_tree(rng, tree)
            payload = deflated(tree)
        return "architecture", seed, resealed(seed, 2, payload), True
    seed = seeds.all[rng.integers(len(seeds.all))]
    if chance < 200:
        return "whole file", seed, mutated_bytes(rng, seed.data), False
    if chance < 300:
        return "file, new digest", seed, redigested(mutated_bytes(rng, seed.data)), False
    at = next(i for i, part in enumerate(seed.sections) if part.kind == 2)
    payload = seed.sections[at].payload
    if chance < 350:
        other = seeds.all[rng.integers(len(seeds.all))]
        second = next(part.payload for part in other.sections if part.kind == 2)
        cut, end = int(rng.integers(len(payload) + 1)), int(rng.integers(len(second) + 1))
        return "weights spliced", seed, resealed(seed, at, payload[:cut] + second[end:]), False
    if chance < 600:
        return "weights, bytes", seed, resealed(seed, at, mutated_payload(rng, payload)), False
    return "weights, fields", seed, resealed(seed, at, mutated_fields(rng, payload)), False


def resealed(seed: Seed, index: int, payload: bytes) -> bytes:
    """The file with another payload, and right checksums and digest."""
    parts = list(seed.sections)
    parts[index] = dataclasses.replace(parts[index], payload=payload)
    return container.pack(parts, several=range(128))


def redigested(data: bytes) -> bytes:
    return data[:-8] + container._digest(data[:-8])


if __name__ == "__main__":
    sys.exit(main())
