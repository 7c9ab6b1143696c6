"""Kills a process while it overwrites a compact file, again and again; the file must stay whole.

    python benchmarks/kill.py

A child process overwrites one .dwtz file with two contents in turns, as `save_compressed` does; it
is killed (SIGKILL) at a random moment. Then the file must load, and be one of the two. What kills
leave behind, hidden folders beside the file, is counted and removed.
"""

from __future__ import annotations

import argparse
import collections
import random
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from dwt_keras.coding import container, tensors
from dwt_keras.coding.container import Section
from dwt_keras.coding.tensors import Tensor
from dwt_keras.compression import layout, sections
from dwt_keras.views.tables import table

# Arguments: the file, then files with the contents. Says so after each that it has written.
WRITER = """
import itertools, sys
from pathlib import Path
from dwt_keras import files
contents = [Path(name).read_bytes() for name in sys.argv[2:]]
for data in itertools.cycle(contents):
    with files.replacing(Path(sys.argv[1])) as temporary:
        temporary.write_bytes(data)
    print("written", flush=True)
"""


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--megabytes", type=float, default=64.0, help="size of the file")
    parser.add_argument("--folder", type=Path, default=None, help="where to write; a disk to test")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    folder = Path(tempfile.mkdtemp(prefix="kill.", dir=options.folder))
    try:
        counts = kill_often(folder, options)
    finally:
        shutil.rmtree(folder)
    print(table([("kills", "file"), *((str(n), what) for what, n in counts.items())], right_from=0))
    return 1 if counts["damaged"] else 0


def kill_often(folder: Path, options: argparse.Namespace) -> collections.Counter[str]:
    """How often the file was found with which content, and how many folders were left."""
    sources = [folder / f"{name}.source" for name in ("first", "second")]
    for number, source in enumerate(sources):
        source.write_bytes(content(number, int(1e6 * options.megabytes)))
    path = folder / "target.dwtz"
    shutil.copy(sources[0], path)
    counts: collections.Counter[str] = collections.Counter(damaged=0)
    chance = random.Random(options.seed)
    seconds = 1.0
    for kill in range(options.kills):
        command = [sys.executable, "-c", WRITER, str(path), *map(str, sources)]
        with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
            assert child.stdout is not None
            child.stdout.readline()
            started = time.perf_counter()
            child.stdout.readline()
            seconds = time.perf_counter() - started
            # In about two writings every moment of one is as likely as any other.
            time.sleep(chance.uniform(0.0, 2.0 * seconds))
            child.kill()
        counts[found(path)] += 1
        left = list(folder.glob(f".{path.name}.*"))
        counts["(killed in the middle of a writing)"] += len(left)
        for one in left:
            shutil.rmtree(one)
        if (kill + 1) % 10 == 0:
            print(f"{kill + 1} kills: {dict(counts)}; {seconds:.2f} s a writing", flush=True)
    return counts


def content(number: int, size: int) -> bytes:
    """A file of about that size, whose weights are all the number."""
    values = np.full(size // 4, number, np.float32)
    tensor = Tensor("kernel", values.shape, values.dtype, values=values)
    payload = tensors.encode([tensor], layout.grid_of)
    return container.pack(
        [Section(sections.FINGERPRINT, bytes(8)), Section(sections.WEIGHTS, payload)]
    )


def found(path: Path) -> str:
    """Which content the file has."""
    try:
        (values,) = layout.weights(sections.read(path))
    except Exception as error:
        print(f"finding: {error!r}")
        return "damaged"
    number = int(values[0])
    assert (values == number).all()
    return ("first", "second")[number]


if __name__ == "__main__":
    sys.exit(main())
