"""Kills one of two workers in the middle of a training; taken up again, it must end the same.

    python benchmarks/kill_worker.py

Two processes on this machine train together. Of a second pair one is killed (SIGKILL); the other
must end by itself, with one line. Both are started again with --resume=auto, and the weights must
be those of the first pair to the bit.
"""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import keras
import numpy as np
import runs

FLAGS: dict[str, object] = {
    "epochs": 30,
    "hidden_units": 16,
    "batch_size": 100,
    "distribute": "multiworker",
    "threshold_rule": "quantile",
    "threshold": 0.8,
    "figures": "none",
    "resume": "auto",
}
KILLED_AFTER_EPOCHS = 8


def main() -> int:
    with tempfile.TemporaryDirectory() as place:
        whole, parts = Path(place) / "whole", Path(place) / "parts"
        for process in pair(whole):
            ended(process)
        chief, other = pair(parts)
        while epochs(parts) < KILLED_AFTER_EPOCHS:
            time.sleep(0.1)
        other.kill()
        other.wait()
        started = time.monotonic()
        _, said = chief.communicate()
        print(f"the chief ended with {chief.returncode} after {time.monotonic() - started:.0f} s:")
        print(said.strip())
        for process in pair(parts):
            ended(process)
        mine, wanted = (weights(folder) for folder in (parts, whole))
    same = all(np.array_equal(one, another) for one, another in zip(mine, wanted, strict=True))
    print(f"taken up again, all weights are the same: {'yes' if same else 'NO'}")
    return 0 if same and chief.returncode == 2 else 1


def pair(save_dir: Path) -> list[subprocess.Popen[str]]:
    """Starts two workers, the chief first."""
    sockets = [socket.create_server(("localhost", 0)) for _ in range(2)]
    workers = [f"localhost:{each.getsockname()[1]}" for each in sockets]
    for each in sockets:
        each.close()
    processes = []
    for index in range(2):
        config = {"cluster": {"worker": workers}, "task": {"type": "worker", "index": index}}
        processes.append(
            subprocess.Popen(
                runs.command({**FLAGS, "save_dir": save_dir}),
                env={**os.environ, "TF_CONFIG": json.dumps(config)},
                stdout=subprocess.DEVNULL,
                stderr=subprocess.PIPE,
                text=True,
            )
        )
    return processes


def ended(process: subprocess.Popen[str]) -> None:
    _, said = process.communicate()
    if process.returncode:
        raise RuntimeError(f"a worker ended with {process.returncode}: {said}")


def epochs(save_dir: Path) -> int:
    found = save_dir.glob("*-*/*/001/history.csv") if save_dir.exists() else ()
    return sum(len(path.read_text().splitlines()) - 1 for path in found)


def weights(save_dir: Path) -> list[np.ndarray]:
    path = runs.folder_of(save_dir) / "model.keras"
    found: list[np.ndarray] = keras.models.load_model(path).get_weights()
    return found


if __name__ == "__main__":
    sys.exit(main())
