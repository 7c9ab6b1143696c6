"""What ends a command before its time costs one line; what it says of flags and of pipes."""

from __future__ import annotations

import atexit
import errno
import gc
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from dwt_keras import command_line
from dwt_keras.training import interrupts

ROOT = Path(__file__).parents[1]
FULL = os.strerror(errno.ENOSPC)

# Argument 1 is how many letters are printed, argument 2 whether there is anything to go on with.
PRINTING = """
import contextlib, sys
from dwt_keras import command_line
from dwt_keras.training import interrupts

def command():
    with interrupts.resumable("again") if sys.argv[2:] else contextlib.nullcontext():
        print("a" * int(sys.argv[1]))
    return 0

sys.exit(command_line.run("program", {}, command))
"""


def raising(error: BaseException, *notes: str) -> Any:
    def command() -> int:
        for note in notes:
            error.add_note(note)
        raise error

    return command


@pytest.mark.parametrize(
    ("error", "status", "line"),
    [
        (OSError(errno.ENOSPC, FULL, "runs/a"), 2, f"runs/a: {FULL}"),
        (OSError(errno.ENOSPC, FULL), 2, f"writing: {FULL}"),
        (KeyboardInterrupt(), 130, "interrupted"),
        (MemoryError("cannot hold\n8 TiB"), 2, "not enough memory: cannot hold 8 TiB"),
    ],
    ids=["file", "no_file", "interrupt", "memory"],
)
def test_an_end_is_one_line_with_the_outermost_way_to_go_on(
    error: BaseException, status: int, line: str, capsys: pytest.CaptureFixture[str]
) -> None:
    assert command_line.run("program", {}, raising(error)) == status
    assert capsys.readouterr().err == f"program: {line}\n"
    command_line.run("program", {}, raising(error, "to go on: the trial", "to go on: the study"))
    assert capsys.readouterr().err == f"program: {line}; to go on: the study\n"


def test_a_fault_is_no_line() -> None:
    with pytest.raises(RuntimeError):
        command_line.run("program", {}, raising(RuntimeError("a fault")))


def test_tensorflow_without_memory_or_disk_is_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    import tensorflow as tf

    def allocate() -> int:
        tf.random.stateless_uniform((64, 10**12), (1, 2))
        return 0

    assert command_line.run("program", {}, allocate) == 2
    said = capsys.readouterr().err
    assert said.startswith("program: not enough memory: OOM when allocating tensor with shape[64,")
    assert said.count("\n") == 1

    full = tf.errors.ResourceExhaustedError(None, None, f"runs/1/part-0.tempstate9; {FULL}")
    assert command_line.run("program", {}, raising(full, "to go on: again")) == 2
    assert capsys.readouterr().err == f"program: writing: {FULL}; to go on: again\n"


def printed_to_nobody(*arguments: str) -> tuple[int, str]:
    """The exit status and stderr of a command whose reader is gone, and whose output waits."""
    environment = {**os.environ, "PYTHONUNBUFFERED": ""}
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "wb") as pipe:
        done = subprocess.run(
            [sys.executable, "-c", PRINTING, *arguments],
            cwd=ROOT,
            env=environment,
            stdout=pipe,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    return done.returncode, done.stderr


def test_a_reader_that_is_gone_is_no_mistake() -> None:
    assert printed_to_nobody("100000") == (0, "")
    assert printed_to_nobody("1") == (0, "")  # Found out at the end alone, when all is written.


@pytest.mark.skipif(not os.path.exists("/dev/full"), reason="a device of Linux")
@pytest.mark.parametrize("arguments", [["--help"], ["inspect", "--help"]], ids=["all", "one"])
def test_output_that_cannot_be_written_is_one_line(arguments: list[str]) -> None:
    with open("/dev/full", "w") as full:
        done = subprocess.run(
            [sys.executable, "-m", "dwt_keras", *arguments],
            cwd=ROOT,
            env={**os.environ, "PYTHONUNBUFFERED": ""},
            stdout=full,
            stderr=subprocess.PIPE,
            text=True,
            check=False,
        )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert done.stderr.endswith(f": writing: {FULL}\n")


def test_a_training_that_nobody_reads_has_not_succeeded() -> None:
    said = "program: nobody reads what it prints; to go on: again\n"
    assert printed_to_nobody("100000", "resumable") == (141, said)


def test_what_a_mistake_of_the_user_ends_is_not_gone_on_with(
    capsys: pytest.CaptureFixture[str],
) -> None:
    from dwt_keras import checks

    def command() -> int:
        with interrupts.resumable("again"):
            raise checks.UserError("diverged")

    assert command_line.run("program", {}, command) == 2
    assert capsys.readouterr().err == "program: diverged\n"


def test_garbage_is_not_looked_for_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    at_the_end: list[Any] = []
    monkeypatch.setattr(atexit, "register", at_the_end.append)
    command_line.load_tensorflow()
    assert gc.freeze in at_the_end
