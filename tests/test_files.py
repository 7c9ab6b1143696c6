"""Atomic writing: a reader finds the old content or the new, after a kill too."""

from __future__ import annotations

import errno
import os
import random
import subprocess
import sys
import time
from pathlib import Path

import pytest

import dwt_keras
from dwt_keras import files

ROOT = Path(dwt_keras.__file__).parents[1]

# Argument 1 is the target. Says "ready" in the middle of a write, then waits to be killed.
HALF_WRITTEN = """
import sys, time
from pathlib import Path
from dwt_keras import files
with files.replacing(Path(sys.argv[1])) as temporary:
    with open(temporary, "w") as stream:
        stream.write("half")
        stream.flush()
        print("ready", flush=True)
        time.sleep(60)
"""

# Writes versions without end, each of one letter, in pieces.
WRITE_FOREVER = """
import itertools, sys
from pathlib import Path
from dwt_keras import files
for letter in itertools.cycle("bcdefgh"):
    with files.replacing(Path(sys.argv[1])) as temporary:
        with open(temporary, "w") as stream:
            for piece in range(16):
                stream.write(letter * 8192)
                stream.flush()
    print("ready", flush=True)
"""


def start(code, path):
    """Starts a child that writes, and waits until it says that it does."""
    child = subprocess.Popen(
        [sys.executable, "-c", code, str(path)], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "ready\n"
    return child


def kill(child):
    child.kill()
    child.wait()
    child.stdout.close()


@pytest.mark.parametrize("name", ["model.weights.h5", "settings.json", "plain", ".hidden"])
def test_the_temporary_path_is_new_and_has_the_same_suffix(tmp_path, name):
    path = tmp_path / name
    with files.replacing(path) as temporary:
        assert temporary != path
        assert not temporary.exists()
        assert temporary.suffixes == path.suffixes
        # On the same file system, where a rename is atomic.
        assert temporary.parent.stat().st_dev == tmp_path.stat().st_dev
        assert tmp_path in temporary.parents
        temporary.write_text("new")
        assert not path.exists()
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == [name]


def test_old_content_stays_until_the_end(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with files.replacing(path) as temporary:
        temporary.write_text("new")
        assert path.read_text() == "old"
    assert path.read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


@pytest.mark.parametrize("error", [RuntimeError, KeyboardInterrupt])
@pytest.mark.parametrize("old", ["old", None])
def test_an_error_of_the_writer_leaves_the_old_content_alone(tmp_path, error, old):
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)
    with pytest.raises(error), files.replacing(path) as temporary:
        temporary.write_text("half")
        raise error("in the middle")
    assert {entry.name: entry.read_text() for entry in tmp_path.iterdir()} == (
        {} if old is None else {"a.txt": old}
    )


def test_a_full_disk_says_what_could_not_be_written(tmp_path):
    path = tmp_path / "a.txt"
    # As writing raises it: without a name.
    with pytest.raises(OSError) as caught, files.replacing(path):
        raise OSError(errno.ENOSPC, "No space left on device")
    assert caught.value.filename == str(path)
    with pytest.raises(OSError, match=r"^a library's own$"), files.replacing(path):
        raise OSError("a library's own")
    with pytest.raises(OSError) as caught, files.replacing(path):
        raise OSError(errno.EIO, "broken", "elsewhere")
    assert caught.value.filename == "elsewhere"


def test_a_writer_that_writes_nothing_changes_nothing(tmp_path):
    path = tmp_path / "a.txt"
    path.write_text("old")
    with pytest.raises(FileNotFoundError), files.replacing(path):
        pass
    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["a.txt"]


def test_a_missing_folder_is_an_error(tmp_path):
    with pytest.raises(FileNotFoundError), files.replacing(tmp_path / "no" / "a.txt"):
        pytest.fail("must not be entered")


def test_a_relative_path(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    files.write_text(Path("a.txt"), "new")
    assert Path("a.txt").read_text() == "new"
    assert os.listdir(tmp_path) == ["a.txt"]


def fill(folder):
    (folder / "deep").mkdir(parents=True)
    (folder / "a.txt").write_text("a")
    (folder / "deep" / "b.txt").write_text("b")


def test_a_folder_is_put_in_place_whole(tmp_path):
    path = tmp_path / "run"
    with files.replacing(path) as temporary:
        fill(temporary)
        assert not path.exists()
    assert (path / "a.txt").read_text() == "a"
    assert (path / "deep" / "b.txt").read_text() == "b"
    assert os.listdir(tmp_path) == ["run"]


def test_a_folder_whose_writer_fails_is_gone(tmp_path):
    with pytest.raises(RuntimeError), files.replacing(tmp_path / "run") as temporary:
        fill(temporary)
        raise RuntimeError("in the middle")
    assert os.listdir(tmp_path) == []


def test_a_folder_does_not_replace_one_with_content(tmp_path):
    path = tmp_path / "run"
    path.mkdir()
    (path / "old.txt").write_text("old")
    with pytest.raises(OSError), files.replacing(path) as temporary:
        fill(temporary)
    assert os.listdir(tmp_path) == ["run"]
    assert os.listdir(path) == ["old.txt"]


def test_the_permissions_are_those_of_any_new_file(tmp_path):
    (tmp_path / "usual.txt").write_text("")
    files.write_text(tmp_path / "a.txt", "new")
    with files.replacing(tmp_path / "run") as temporary:
        temporary.mkdir()
    (tmp_path / "usual").mkdir()
    assert (tmp_path / "a.txt").stat().st_mode == (tmp_path / "usual.txt").stat().st_mode
    assert (tmp_path / "run").stat().st_mode == (tmp_path / "usual").stat().st_mode


def test_content_reaches_the_disk_before_the_rename(tmp_path, monkeypatch):
    events = []
    real_sync, real_replace = os.fsync, os.replace

    def sync(descriptor):
        events.append(os.fstat(descriptor).st_ino)
        real_sync(descriptor)

    def replace(source, target):
        events.append("rename")
        real_replace(source, target)

    monkeypatch.setattr(files.os, "fsync", sync)
    monkeypatch.setattr(files.os, "replace", replace)
    path = tmp_path / "run"
    with files.replacing(path) as temporary:
        fill(temporary)
    written = {entry.stat().st_ino for entry in [path, *path.rglob("*")]}
    assert len(written) == 4
    at = events.index("rename")
    assert set(events[:at]) == written
    assert events[at + 1 :] == [tmp_path.stat().st_ino]


def test_write_text_is_utf8(tmp_path):
    files.write_text(tmp_path / "a.txt", "naïve ψ\n")
    assert (tmp_path / "a.txt").read_bytes() == "naïve ψ\n".encode()


@pytest.mark.parametrize("old", ["old", None])
def test_a_kill_in_the_middle_of_a_write_leaves_the_old_content(tmp_path, old):
    path = tmp_path / "a.txt"
    if old is not None:
        path.write_text(old)
    kill(start(HALF_WRITTEN, path))
    assert (path.read_text() if path.exists() else None) == old


def test_a_kill_at_any_moment_leaves_a_whole_version(tmp_path):
    path = tmp_path / "a.txt"
    chance = random.Random(0)
    for _ in range(6):
        child = start(WRITE_FOREVER, path)
        time.sleep(chance.uniform(0.0, 0.05))
        kill(child)
        content = path.read_text()
        assert content == content[:1] * (16 * 8192)
