"""Runs that are killed or interrupted, and --resume, as the users of train.py meet them."""

from __future__ import annotations

import contextlib
import errno
import json
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np
import pytest

ROOT = Path(__file__).parents[1]
FLAGS = (
    "--epochs=4",
    "--hidden_units=16",
    "--batch_size=128",
    "--target_bytes=900",
    "--figures=none",
)


def command(*arguments: str) -> list[str]:
    return [sys.executable, str(ROOT / "train.py"), *arguments]


def call(*arguments: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command(*arguments), capture_output=True, text=True, check=False)


def default_interrupts() -> None:
    # A shell's background has it ignored.
    signal.signal(signal.SIGINT, signal.default_int_handler)


def stopped(number: int, when: Callable[[], bool], *arguments: str) -> tuple[int, str]:
    """Sends a signal to a run as soon as something is there; its exit status and its stderr."""
    process = subprocess.Popen(
        command(*arguments),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=default_interrupts,
    )
    deadline = time.monotonic() + 120
    while not when() and process.poll() is None and time.monotonic() < deadline:
        time.sleep(0.005)
    process.send_signal(number)
    _, said = process.communicate(timeout=120)
    return process.returncode, said


def below(save_dir: Path, pattern: str) -> list[Path]:
    """What runs have left so far; what goes while it is looked for is not there."""
    with contextlib.suppress(FileNotFoundError):
        return list(save_dir.glob(pattern))
    return []


def the_folder(save_dir: Path) -> Path:
    (folder,) = save_dir.glob("*/*/001")
    return folder


def rows(save_dir: Path) -> int:
    found = below(save_dir, "*/*/001/history.csv")
    return sum(len(path.read_text().splitlines()) - 1 for path in found)


@pytest.fixture(scope="module")
def whole(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The folder of a run that nothing interrupted."""
    save_dir = tmp_path_factory.mktemp("whole")
    done = call(*FLAGS, f"--save_dir={save_dir}")
    assert done.returncode == 0, done.stderr
    return the_folder(save_dir)


def test_a_killed_run_ends_with_the_same_bytes(whole: Path, tmp_path: Path) -> None:
    flags = (*FLAGS, f"--save_dir={tmp_path}", "--resume=auto")
    # In the quantised part, and while the files are written.
    moments = (
        lambda: rows(tmp_path) >= 3,
        lambda: bool(below(tmp_path, "*/*/001/model.dwtz")),
    )
    for moment in moments:
        status, _ = stopped(signal.SIGKILL, moment, *flags)
        assert status == -signal.SIGKILL
        assert not list(tmp_path.rglob("metrics.json"))
    done = call(f"--resume={the_folder(tmp_path)}")
    assert done.returncode == 0, done.stderr
    assert "Epoch" not in done.stdout  # All of them were over.
    folder = the_folder(tmp_path)
    assert (folder / "model.dwtz").read_bytes() == (whole / "model.dwtz").read_bytes()
    assert (folder / "history.csv").read_bytes() == (whole / "history.csv").read_bytes()
    mine, other = (
        keras.models.load_model(each / "model.keras").get_weights() for each in (folder, whole)
    )
    for one, another in zip(mine, other, strict=True):
        np.testing.assert_array_equal(one, another)
    assert {entry.name for entry in folder.iterdir()} == {entry.name for entry in whole.iterdir()}


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_run_says_how_to_go_on(tmp_path: Path, number: int) -> None:
    status, said = stopped(
        number,
        lambda: rows(tmp_path) >= 1,
        *FLAGS,
        "--epochs=200",
        "--ramp_end_epoch=100",
        f"--save_dir={tmp_path}",
    )
    assert status == 130
    folder = the_folder(tmp_path)
    again = f"python train.py --resume={folder}"
    assert said == f"train.py: interrupted; to go on: {again}\n"
    assert (folder / "checkpoint").is_dir()


def test_a_complete_run_is_not_resumed(whole: Path) -> None:
    done = call(f"--resume={whole}")
    assert done.returncode == 0
    assert done.stdout == f"{whole} is complete: there is nothing to resume\n"


def test_other_settings_than_the_runs_are_refused(whole: Path) -> None:
    done = call(f"--resume={whole}", "--epochs=5")
    assert done.returncode == 2
    assert done.stderr == ("train.py: --epochs must be 4 as in the run that is resumed; given 5\n")


def test_a_folder_that_is_no_run_is_refused(tmp_path: Path) -> None:
    done = call(f"--resume={tmp_path}")
    assert done.returncode == 2
    assert done.stderr == (
        "train.py: --resume must be the folder of a run, with a settings.json, or auto; given "
        f"'{tmp_path}'\n"
    )


def test_settings_that_repeat_a_run_resume_nothing(whole: Path) -> None:
    record = json.loads((whole / "settings.json").read_text())
    assert record["settings"]["resume"] is None


def test_a_full_disk_costs_one_line_that_says_how_to_go_on(
    train_here: Callable[..., subprocess.CompletedProcess[str]],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from dwt_keras.training import export

    def fill(*_: object) -> None:
        raise OSError(errno.ENOSPC, "No space left on device", "model.keras")

    flags = ("--epochs=1", "--hidden_units=8", "--figures=none")
    with monkeypatch.context() as patch:
        patch.setattr(export, "save_keras", fill)
        done = train_here(*flags, f"--save_dir={tmp_path}")
    folder = the_folder(tmp_path)
    assert done.returncode == 2
    assert done.stderr == (
        "train.py: model.keras: No space left on device; to go on: python train.py "
        f"--resume={folder}\n"
    )
    assert train_here(f"--resume={folder}").returncode == 0
    assert (folder / "metrics.json").is_file()
