"""Packages that ship trained networks, fetched for one benchmark and not installed."""

from __future__ import annotations

import io
import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

# The package, and what its weights are packed by.
MTCNN = ("mtcnn==1.0.0", "lz4==4.4.5")


def from_npm(package: str, folder: Path) -> Path:
    """Downloads a package from npm's registry; returns its archive in the folder."""
    command = ["npm", "pack", package, "--json", f"--pack-destination={folder}"]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return folder / str(json.loads(done.stdout)[0]["filename"])


def from_pypi(packages: Sequence[str], folder: Path) -> None:
    """Unpacks packages of PyPI, without what they depend on, into a folder to import from."""
    command = [sys.executable, "-m", "pip", "install", "--quiet", "--no-deps"]
    subprocess.run([*command, f"--target={folder}", *packages], check=True)


def mtcnn_weights(folder: Path, network: str) -> list[np.ndarray[Any, Any]]:
    """The weights of one of mtcnn's networks, in the order of its layers.

    They are pickled: reading them runs what they say, as using the package does.

    Args:
        folder: Where the packages of MTCNN have been unpacked.
        network: pnet, rnet or onet.
    """
    import joblib

    if str(folder) not in sys.path:
        sys.path.append(str(folder))
    # joblib itself finds lz4 only if it was there when joblib was first imported.
    import lz4.frame

    packed = (folder / "mtcnn" / "assets" / "weights" / f"{network}.lz4").read_bytes()
    found: list[np.ndarray[Any, Any]] = joblib.load(io.BytesIO(lz4.frame.decompress(packed)))
    return found
