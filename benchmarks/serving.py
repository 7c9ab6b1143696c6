"""What serving costs, and what it survives.

    python benchmarks/serving.py [RUN_OR_FILE]

Without an argument a network is trained on the digits first. Then, against one process of
`python -m dwt_keras serve` on localhost:

1. load: clients that ask for one sample after the other, each on one connection, beside the same
   network called as a bare tf.function in a process of its own, while no server runs;
2. malformed requests: every one must be answered 4xx, and the memory must stay;
3. SIGTERM under load: every request that has been sent must be answered.
"""

from __future__ import annotations

import argparse
import asyncio
import contextlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import runs

from dwt_keras.views.tables import table

PATH = "/v1/models/model:predict"
MOST_BYTES = 1_000_000
# Prints median and 99th percentile, in seconds, of calls with one sample and with a batch.
BARE = """
import sys, time, numpy as np, tensorflow as tf
from dwt_keras.commands import networks, serve
from dwt_keras.settings.serving import ServeSettings
from pathlib import Path
settings = ServeSettings(trusted=True)
source = Path(sys.argv[1])
network = serve._load(serve._network_path(str(source), settings), source, settings)
for size in (1, 16):
    inputs = {
        name: np.random.default_rng(0).random((size, *each.shape)).astype(each.dtype)
        for name, each in network.signature.inputs.items()
    }
    for _ in range(20): network.predict(inputs)
    times, ends = [], time.perf_counter() + float(sys.argv[2])
    while time.perf_counter() < ends:
        started = time.perf_counter()
        network.predict(inputs)
        times.append(time.perf_counter() - started)
    print(size, len(times) / sum(times), np.median(times), np.quantile(times, 0.99))
"""


@dataclass
class Outcome:
    """What the clients of one part saw.

    Attributes:
        seconds: Of every request that was answered.
        statuses: How many answers had a status of HTTP.
        unanswered: What became of requests that were sent and not answered.
    """

    seconds: list[float] = field(default_factory=list)
    statuses: dict[int, int] = field(default_factory=dict)
    unanswered: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", nargs="?", help="run, .dwtz or .keras file (default: digits)")
    parser.add_argument("--seconds", type=float, default=30.0)
    parser.add_argument("--clients", type=int, default=16)
    parser.add_argument("--malformed", type=int, default=1000)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        source = options.source or trained(Path(folder))
        print(f"load of the machine before: {os.getloadavg()[0]:.1f} on {os.cpu_count()} cores")
        bare = bare_calls(source, options.seconds / 3)
        with served(source) as (process, port):
            good = asyncio.run(good_request(port))
            asyncio.run(load(port, good, options.clients, 2.0))  # Warms up.
            loaded = asyncio.run(load(port, good, options.clients, options.seconds))
            print_load(loaded, options, bare)
            malformed(process, port, good, options.malformed)
            asyncio.run(until_stopped(process, port, good, options.clients))
        print(f"load of the machine after: {os.getloadavg()[0]:.1f}")


def trained(folder: Path) -> str:
    runs.train({"save_dir": folder, "figures": "none"})
    return str(runs.folder_of(folder))


def bare_calls(source: str, seconds: float) -> dict[int, tuple[float, float, float]]:
    """Calls a second, and seconds of a call at the median and the 99th percentile, by batch."""
    command = [sys.executable, "-c", BARE, source, str(seconds)]
    printed = subprocess.run(
        command, check=True, capture_output=True, text=True, env=environment()
    ).stdout
    rows = [line.split() for line in printed.splitlines()]
    return {int(size): (float(rate), float(p50), float(p99)) for size, rate, p50, p99 in rows}


def environment() -> dict[str, str]:
    return {**os.environ, "PYTHONPATH": str(runs.ROOT)}


@contextlib.contextmanager
def served(source: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    command = [sys.executable, "-m", "dwt_keras", "serve", source, "--port=0", "--trusted"]
    process = subprocess.Popen(
        [*command, f"--max_body_bytes={MOST_BYTES}"],
        stdout=subprocess.PIPE,
        text=True,
        env=environment(),
    )
    try:
        assert process.stdout is not None
        found = None
        while found is None:
            line = process.stdout.readline()
            if not line:
                sys.exit("the server did not start")
            found = re.search(rf":(\d+){PATH}", line)
        yield process, int(found[1])
    finally:
        process.kill()
        process.wait()


def request(body: bytes, method: str = "POST", path: str = PATH) -> bytes:
    head = f"{method} {path} HTTP/1.1\r\nHost: localhost\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def good_request(port: int) -> bytes:
    """A request for one sample of random numbers, of the shape that the server states."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(request(b"", "GET", "/v1/models/model/metadata"))
    _, _, body = await answer(reader)
    writer.close()
    record = json.loads(body)["metadata"]["signature_def"]["signature_def"]["serving_default"]
    ((_, info),) = record["inputs"].items()
    shape = [int(each["size"]) for each in info["tensor_shape"]["dim"][1:]]
    sample = np.random.default_rng(0).random(shape, "float32").round(4)
    return request(json.dumps({"instances": [sample.tolist()]}).encode())


async def answer(reader: asyncio.StreamReader) -> tuple[int, bool, bytes]:
    """Status, whether the server closes the connection, and body."""
    head = (await reader.readuntil(b"\r\n\r\n")).lower()
    length = re.search(rb"content-length: (\d+)", head)
    body = await (reader.readexactly(int(length[1])) if length else reader.read())
    return int(head.split()[1]), b"connection: close" in head, body


async def client(port: int, sent: bytes, outcome: Outcome, ends: float) -> None:
    """Asks until a time, or until the server says that it closes the connection."""
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    closes = False
    while not closes and time.perf_counter() < ends:
        started = time.perf_counter()
        try:
            writer.write(sent)
            status, closes, _ = await answer(reader)
        except (OSError, EOFError) as error:
            outcome.unanswered.append(repr(error))
            break
        outcome.seconds.append(time.perf_counter() - started)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
    writer.close()


async def load(port: int, sent: bytes, clients: int, seconds: float) -> Outcome:
    outcome = Outcome()
    ends = time.perf_counter() + seconds
    await asyncio.gather(*(client(port, sent, outcome, ends) for _ in range(clients)))
    return outcome


def print_load(
    outcome: Outcome, options: argparse.Namespace, bare: dict[int, tuple[float, float, float]]
) -> None:
    good = outcome.statuses.get(200, 0)
    errors = len(outcome.seconds) - good + len(outcome.unanswered)
    p50, p99 = np.quantile(outcome.seconds, (0.5, 0.99))
    rate = good / options.seconds
    lines: list[tuple[str, ...]] = [("", "samples a second", "p50, ms", "p99, ms")]
    lines.append((f"serve, {options.clients} clients", f"{rate:.0f}", *ms(p50, p99)))
    for size, (calls, middle, high) in bare.items():
        lines.append((f"bare calls of {size}", f"{size * calls:.0f}", *ms(middle, high)))
    print(f"\n{options.seconds:g} s of load: {good:,} answers, {errors} errors")
    print(table(lines, right_from=1))
    calls, middle, _ = bare[1]
    print(
        f"serve beside bare calls of 1: {rate / calls:.2f} of the throughput; p50 is "
        f"{p50 / middle:.0f} calls, p99 {p99 / middle:.0f} calls\n"
    )


def ms(*seconds: float) -> tuple[str, ...]:
    return tuple(f"{1e3 * each:.2f}" for each in seconds)


def malformed(process: subprocess.Popen[str], port: int, good: bytes, count: int) -> None:
    """Sends requests that are wrong in many ways, and looks at the memory around them."""
    kinds = bad_requests(good)
    for kind in kinds:  # What the largest of them takes stays with the process.
        asyncio.run(client_once(port, kind, Outcome()))
    before = rss(process.pid)
    outcome = Outcome()
    for number in range(count):
        asyncio.run(client_once(port, kinds[number % len(kinds)], outcome))
    after = rss(process.pid)
    refused = sum(n for status, n in outcome.statuses.items() if 400 <= status < 500)
    alive = asyncio.run(load(port, good, 1, 0.2)).statuses
    print(
        f"{count:,} malformed requests of {len(kinds)} kinds: {refused:,} answered 4xx "
        f"{dict(sorted(outcome.statuses.items()))}, unanswered: {len(outcome.unanswered)}\n"
        f"memory: {before:.1f} MiB before, {after:.1f} MiB after; then answers {alive}\n"
    )


async def client_once(port: int, sent: bytes, outcome: Outcome) -> None:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        writer.write(sent)
        status, _, body = await answer(reader)
        outcome.statuses[status] = outcome.statuses.get(status, 0) + 1
        assert b"Traceback" not in body and body.count(b"\n") == 0
    except (OSError, EOFError) as error:
        outcome.unanswered.append(repr(error))
    writer.close()


def bad_requests(good: bytes) -> list[bytes]:
    body = good.split(b"\r\n\r\n", 1)[1]
    bodies = [
        b"", b"x", b"[]", b"{}", b"null", b"\xff\xfe", body[:-1], body + b"]", b"[" * 100_000,
        b"9" * 10_000, b'{"instances": []}', b'{"instances": {}}', b'{"instances": "x"}',
        b'{"instances": [1]}', b'{"instances": [[[]]]}', b'{"instances": [[1], [1, 2]]}',
        body.replace(b"0.", b"NaN, 0.", 1), body.replace(b"0.", b"1e999, 0.", 1),
        re.sub(rb"0\.\d+", b"NaN", body), re.sub(rb"0\.\d+", b"-Infinity", body),
        re.sub(rb"0\.\d+", b"1e39", body), re.sub(rb"0\.\d+", b'"a"', body),
        re.sub(rb"0\.\d+", b"null", body), re.sub(rb"0\.\d+", b"true", body),
        re.sub(rb"0\.\d+", b"{}", body), body.replace(b"instances", b"inputs"),
        body[:-1] + b', "other": 1}', b" " * (MOST_BYTES + 1), b"[" + b"[]," * (MOST_BYTES // 4),
    ]  # fmt: skip
    return [
        *map(request, bodies),
        request(body, "GET"),
        request(body, "DELETE"),
        request(body, path="/v1/models/other:predict"),
        request(body, path="/%2e%2e/etc/passwd"),
        good.replace(b"Content-Length", b"Content-Encoding: gzip\r\nContent-Length"),
        b"garbage\r\n\r\n",
        b"POST / HTTP/9.9\r\n\r\n",
        b"GET / HTTP/1.1\r\nHost: x\r\nX: " + b"y" * 200_000 + b"\r\n\r\n",
        good.replace(b"Content-Length: ", b"Content-Length: -"),
        good.split(b"Content-Length")[0] + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
    ]


def rss(pid: int) -> float:
    """Resident memory of a process, in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    found = re.search(r"VmRSS:\s+(\d+) kB", status)
    assert found
    return int(found[1]) / 1024


async def until_stopped(
    process: subprocess.Popen[str], port: int, good: bytes, clients: int
) -> None:
    outcome = Outcome()
    ends = time.perf_counter() + 60
    asking = [asyncio.create_task(client(port, good, outcome, ends)) for _ in range(clients)]
    await asyncio.sleep(3)
    process.send_signal(signal.SIGTERM)
    told = time.perf_counter()
    await asyncio.gather(*asking)
    status = await asyncio.to_thread(process.wait, 30)
    print(
        f"SIGTERM under load: {outcome.statuses} answered, {len(outcome.unanswered)} unanswered "
        f"{outcome.unanswered[:3]}, exit status {status} after {time.perf_counter() - told:.1f} s"
    )


if __name__ == "__main__":
    main()
