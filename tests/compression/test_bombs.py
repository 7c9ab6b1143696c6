"""Small files that ask for much are refused, or read with bounded memory in a bounded time."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]

# What must be read; all others must be refused, with these words where it says so.
LOADED = {
    "zeros",
    "zeros of 64 bits",
    "zeros of 16 bits",
    "zeros in a wavelet",
    "zeros, dmey",
    "zeros, dmey of 64 bits",
    "zeros, image",
    "few of many, 0",
    "few of many, 1",
    "rows of none",
    "all alike, 1",
    "packets",
    "many packets",
    "a whole model",
}
REFUSED = {
    "2^31 zeros": "more values than the limit",
    "2^62 zeros": "more values than the limit",
    "few, one row, 0": "more memory than the limit",
    "all alike, 0": "more work than a file of this size may ask for",
    "16384 empty tensors": "the index of the tensors is longer than",
    "16 axes": "more than 4 axes are transformed",
    "dense, random": "another architecture",
    "dense, orthogonal": "another architecture",
    "dense, huge": "more than 8452096 parameters",
    "sequences nested deep": "more than the limit of 2500",
    "more variables than tensors": "more variables than the file has tensors",
    "many axes": "'batch_shape' has 120001 whole numbers, too many",
    "many sections": "another architecture",
    "a long name": "'name' has 7340032 characters, too many",
    "a bomb": "longer than 8388608 bytes",
}


@pytest.fixture(scope="module")
def outcomes():
    environment = os.environ | {"PYTHONPATH": str(ROOT)}
    script = Path(__file__).with_name("bombs.py")
    run = subprocess.run(
        [sys.executable, script, "quick"],
        capture_output=True,
        text=True,
        env=environment,
        check=False,
    )
    assert run.returncode == 0, run.stderr[-2000:]
    return [json.loads(line) for line in run.stdout.splitlines()]


@pytest.mark.skipif(not Path("/proc/self/clear_refs").exists(), reason="Linux tells the peak")
def test_no_small_file_takes_much_memory_or_time(outcomes):
    assert len(outcomes) > 35
    for one in outcomes:
        assert one["mebibytes"] < 256, one
        # Of the processor: other work on the machine does not count.
        assert one["processor"] < 10, one
        if one["name"] in LOADED:
            assert one["outcome"] == "loaded", one
        else:
            assert one["outcome"] != "loaded", one
            assert REFUSED.get(one["name"], "") in one["outcome"], one
    names = {one["name"] for one in outcomes}
    assert names >= LOADED | set(REFUSED)
