"""What the tests of whole commands share."""

from __future__ import annotations

import contextlib
import os
import resource
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

# Two processes run tests side by side, and what they start inherits it.
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")
os.environ.setdefault("TF_NUM_INTEROP_THREADS", "1")

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def train_py() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs train.py with flags, in the project's folder or another one."""

    def call(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, str(ROOT / "train.py"), *arguments],
            cwd=cwd,
            capture_output=True,
            text=True,
            check=False,
        )

    return call


@pytest.fixture(scope="session")
def processor_seconds() -> Callable[[], float]:
    """What the processes that have ended have taken: other work on the machine does not count."""

    def read() -> float:
        used = resource.getrusage(resource.RUSAGE_CHILDREN)
        return used.ru_utime + used.ru_stime

    return read


class _Killed(BaseException):
    """Nothing in the program may handle it, as nothing handles a kill."""


@pytest.fixture
def dying_after(
    monkeypatch: pytest.MonkeyPatch,
) -> Callable[[int], contextlib.AbstractContextManager[None]]:
    """A context in which a training dies once so many batches are over."""
    from dwt_keras.compression.callback import DWTCompression

    @contextlib.contextmanager
    def context(batches: int) -> Iterator[None]:
        done = 0
        original = DWTCompression.on_train_batch_end

        def count(self: Any, batch: int, logs: Any = None) -> None:
            nonlocal done
            original(self, batch, logs)
            done += 1
            if done == batches:
                raise _Killed

        with monkeypatch.context() as patch, pytest.raises(_Killed):
            patch.setattr(DWTCompression, "on_train_batch_end", count)
            yield

    return context


@pytest.fixture
def train_here(
    capsys: pytest.CaptureFixture[str],
) -> Callable[..., subprocess.CompletedProcess[str]]:
    """The same in this process, which has TensorFlow loaded once for all."""
    import train

    def call(*arguments: str) -> subprocess.CompletedProcess[str]:
        capsys.readouterr()
        status = train.main(["train.py", *arguments])
        printed = capsys.readouterr()
        return subprocess.CompletedProcess(list(arguments), status, printed.out, printed.err)

    return call
