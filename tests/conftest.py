"""What the tests of whole commands share."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

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
