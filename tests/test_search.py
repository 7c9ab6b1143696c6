"""Searches as the users of train.py meet them: their mistakes, and two processes on one study."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import optuna
import pytest

from dwt_keras.studies import storages

ROOT = Path(__file__).parents[1]
TRIALS = 6

MISTAKES = [
    ("--trials=3", "--space must say what the trials vary, as wavelet=haar,sym2; none is given"),
    ("--trials=3 --space=wavlet=haar", "(did you mean wavelet?)"),
    ("--trials=3 --space=level=4..1", "--space must have ranges that rise; given level=4..1"),
    ("--trials=3 --space=wavelet=haar,sym99", "--space has a value that is refused, wavelet=sym99"),
    ("--search=grid --space=threshold=0..1", "--space must say how many values of a range a grid"),
    ("--trials=9 --search=grid --space=level=1..4", "--trials must be 4 at most, which the grid"),
    ("--space=level=1..4", "--space needs trials, of which none are given"),
    (
        "--trials=3 --space=level=1,2 --storage=sqlite:////nowhere/t.db",
        "--storage must be a database or journal that can be used; given 'sqlite:////nowhere/t.db'",
    ),
    (
        "--trials=3 --space=level=1,2 --prune_trials=median --objectives=accuracy,bytes",
        "--prune_trials must be none with two objectives",
    ),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[0][:60] for m in MISTAKES])
def test_mistakes_cost_one_line_before_tensorflow_loads(
    arguments: str, message: str, tmp_path: Path
) -> None:
    code = (
        f"import os, sys; sys.path.insert(0, {str(ROOT)!r}); import train; "
        f"status = train.main(['train.py', *{arguments.split()!r}]); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=False
    )
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert not list(tmp_path.iterdir())


def running(database: Path) -> int:
    """How many trials are being trained."""
    try:
        with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
            rows = connection.execute("SELECT 1 FROM trials WHERE state = 'RUNNING'").fetchall()
        connection.close()
        return len(rows)
    except sqlite3.OperationalError:  # Not there yet.
        return 0


def test_two_processes_share_the_trials_also_where_one_is_killed(tmp_path: Path) -> None:
    database = tmp_path / "trials.db"
    flags = {
        "storage": f"sqlite:///{database}",
        "save_dir": tmp_path / "runs",
        "trials": TRIALS,
        "space": "level=1..3 threshold=1e-2..1e-1:log",
        "search": "random",
        "epochs": 4,
        "hidden_units": 8,
        "batch_size": 128,
        "figures": "none",
    }
    command = [sys.executable, str(ROOT / "train.py")]
    command += [f"--{name}={value}" for name, value in flags.items()]
    options: Any = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    first, second = (subprocess.Popen(command, **options) for _ in range(2))
    said = first.stdout.readline()
    deadline = time.monotonic() + 120
    while running(database) < 2 and time.monotonic() < deadline:
        time.sleep(0.01)
    first.kill()
    first.communicate(timeout=60)
    printed, problems = second.communicate(timeout=300)
    assert first.returncode == -signal.SIGKILL
    assert said.startswith("trial ")
    assert second.returncode == 0, problems
    assert problems == ""

    with storages.opened(flags["storage"]) as storage:
        (name,) = optuna.get_all_study_names(storage)
        trials = optuna.load_study(study_name=name, storage=storage).trials
    assert [trial.number for trial in trials] == list(range(TRIALS))
    assert {trial.state.name for trial in trials} == {"COMPLETE"}
    assert sum(trial.user_attrs.get("losses", 0) for trial in trials) == 1
    assert sum(line.startswith("trial ") for line in printed.splitlines()) >= TRIALS - 2
    (folder,) = (tmp_path / "runs/digits-mlp/studies").iterdir()
    assert {place.name for place in (folder / "trials").iterdir()} == {
        f"{number:03d}" for number in range(TRIALS)
    }
    assert json.loads((folder / "study.json").read_text())["trials"] == {"complete": TRIALS}
    assert not (folder / "checkpoint").exists()

    # Who comes late has nothing to do.
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout == f"{folder} is complete: there is nothing to resume\n"
