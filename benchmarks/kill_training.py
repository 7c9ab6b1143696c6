"""Kills runs at random moments and resumes them; they must end with the bytes of a whole run.

    python benchmarks/kill_training.py --kills=10

For each configuration one run is left alone. Another is killed (SIGKILL) again and again, at
moments drawn evenly from the time that a run takes once its libraries are loaded, the writing of
its files included, and is taken up with --resume=auto each time. Then model.dwtz must be the same
to the byte and the weights of model.keras to the bit.
"""

from __future__ import annotations

import argparse
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import keras
import numpy as np
import runs

from dwt_keras.views.tables import table

COMMON: dict[str, object] = {"epochs": 6, "hidden_units": 32}
CONFIGURATIONS: dict[str, dict[str, object]] = {
    "threshold": {},
    "quantile, held": {"threshold_rule": "quantile", "threshold": 0.9, "wavelet": "sym2"},
    "bytes, auto": {"target_bytes": 900},
    "rows": {"keep_rows": 0.25},
}


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--kills", type=int, default=10, help="for each configuration")
    parser.add_argument("--only", default=None, help="one configuration")
    parser.add_argument("--seed", type=int, default=0)
    options = parser.parse_args()
    chance = random.Random(options.seed)
    rows: list[tuple[str, ...]] = [
        ("configuration", "kills", "before an epoch was over", "in the export", "the same")
    ]
    same = True
    for name, flags in CONFIGURATIONS.items():
        if options.only in (None, name):
            row = compared(name, {**COMMON, **flags}, options.kills, chance)
            same = same and row[-1] == "yes"
            rows.append(row)
    print(table(rows, right_from=1))
    return 0 if same else 1


def compared(
    name: str, flags: Mapping[str, object], kills: int, chance: random.Random
) -> tuple[str, ...]:
    """One row of the table."""
    place = Path(tempfile.mkdtemp(prefix="kill_training."))
    try:
        whole, parts = place / "whole", place / "parts"
        seconds = run(whole, flags, None)
        early = exporting = 0
        done = 0
        while done < kills:
            run(parts, flags, chance.uniform(0.0, seconds))
            if runs.is_complete(parts):
                # It was over before it was killed: begin another.
                shutil.rmtree(parts)
                continue
            done += 1
            early += not list(parts.glob("*/*/*/checkpoint/state.npz"))
            exporting += bool(list(parts.glob("*/*/*/model.dwtz")))
        run(parts, flags, None)
        same = "yes" if equal(runs.folder_of(whole), runs.folder_of(parts)) else "NO"
    finally:
        shutil.rmtree(place)
    print(f"{name}: {done} kills, the same: {same}", flush=True)
    return name, str(done), str(early), str(exporting), same


def run(save_dir: Path, flags: Mapping[str, object], kill_after: float | None) -> float:
    """Runs until it ends or is killed; the seconds from its first line on."""
    command = runs.command({**flags, "save_dir": save_dir, "resume": "auto"})
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as child:
        assert child.stdout is not None
        child.stdout.readline()
        started = time.perf_counter()
        if kill_after is None:
            child.stdout.read()
        else:
            time.sleep(kill_after)
            child.kill()
        child.wait()
    if kill_after is None and child.returncode:
        raise RuntimeError(f"{' '.join(command)} ended with {child.returncode}")
    return time.perf_counter() - started


def equal(one: Path, other: Path) -> bool:
    weights = [keras.models.load_model(each / "model.keras").get_weights() for each in (one, other)]
    files = [(each / "model.dwtz").read_bytes() for each in (one, other)]
    return files[0] == files[1] and all(
        np.array_equal(mine, another) for mine, another in zip(*weights, strict=True)
    )


if __name__ == "__main__":
    sys.exit(main())
