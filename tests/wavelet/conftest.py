"""Lets the tests of the wavelets share helpers."""

from __future__ import annotations

import sys
from pathlib import Path

# pytest imports tests by their paths, which finds no module beside them.
sys.path.insert(0, str(Path(__file__).parent))
