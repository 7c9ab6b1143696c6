"""Which room may import which: the picture that keeps the parts apart."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PACKAGE = ROOT / "dwt_keras"
EVERYONE = {"checks", "compiled", "files", "native", "settings", "_version"}

# Room -> the rooms it may import, besides itself and what everyone may.
MAY_IMPORT = {
    "checks": set(),
    "compiled": set(),
    "files": set(),
    "native": set(),
    "_version": set(),
    "settings": {"wavelet"},
    "wavelet": set(),
    "coding": set(),
    "compression": {"wavelet", "coding"},
    "training": {"compression", "wavelet", "coding"},
    "studies": {"training", "compression", "wavelet", "coding", "views"},
    "views": {"training", "compression", "wavelet", "coding"},
    "serving": set(),
    "command_line": set(),
    "commands": {"command_line", "coding", "compression", "serving", "training", "views"},
    "__main__": {"command_line", "commands"},
    "__init__": {"coding", "compression"},
}
# training.fitting is where views hook into a run.
HOOKS = {("training/fitting.py", "views")}

# What a room may import from outside the standard library.
LIBRARIES = {
    "wavelet": {"numpy", "scipy", "pywt", "numba", "ml_dtypes"},
    "coding": {"numpy", "ml_dtypes"},
    "checks": set(),
    "compiled": {"numba"},
    "files": set(),
    "native": set(),
    "settings": set(),
    "serving": {"numpy", "orjson", "starlette", "tensorflow", "uvicorn"},
    "__init__": set(),
}


def rooms_and_modules() -> list[tuple[str, Path]]:
    found = []
    for path in sorted(PACKAGE.rglob("*.py")):
        relative = path.relative_to(PACKAGE)
        found.append((relative.parts[0] if len(relative.parts) > 1 else path.stem, path))
    return found


def imported(path: Path) -> set[str]:
    """Full names of everything a module imports, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path}: relative import"
            names |= {f"{node.module}.{alias.name}" for alias in node.names}
    return names


@pytest.mark.parametrize(
    ("room", "path"), rooms_and_modules(), ids=lambda value: getattr(value, "name", value)
)
def test_rooms_import_only_what_the_picture_allows(room: str, path: Path) -> None:
    assert room in MAY_IMPORT, f"a new room: give {room} its place in the picture"
    relative = path.relative_to(PACKAGE).as_posix()
    inside = {name.split(".")[1] for name in imported(path) if name.startswith("dwt_keras.")} - {
        room,
        *EVERYONE,
    }
    inside -= {target for source, target in HOOKS if source == relative}
    assert inside <= MAY_IMPORT[room]


@pytest.mark.parametrize("room", LIBRARIES)
def test_light_rooms_use_no_other_library(room: str) -> None:
    import sys

    for owner, path in rooms_and_modules():
        if owner != room:
            continue
        outside = {name.split(".")[0] for name in imported(path)}
        outside -= {"dwt_keras", "__future__"} | set(sys.stdlib_module_names)
        assert outside <= LIBRARIES[room], path


def test_flags_are_read_for_the_entry_points_alone() -> None:
    users = [room for room, path in rooms_and_modules() if "absl.flags" in imported(path)]
    assert users == ["command_line"]
    callers = {room for room, path in rooms_and_modules() if "command_line" in str(imported(path))}
    assert callers == {"commands", "__main__"}
    assert "dwt_keras.command_line" in imported(ROOT / "train.py")
