"""Run folders: their names, their numbers, and a save_dir that cannot be used."""

from __future__ import annotations

import multiprocessing
import os
from pathlib import Path

import pytest

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.training import runs


def settings(save_dir: Path, **values: object) -> Settings:
    return Settings.from_flat({"save_dir": str(save_dir), **values})


@pytest.mark.parametrize(
    ("values", "name"),
    [
        ({}, "haar-level1-threshold0.05-batch32-epochs10"),
        ({"wavelet": "SYM", "level": "max"}, "sym2-levelmax-threshold0.05-batch32-epochs10"),
        (
            {"threshold_rule": "quantile", "threshold": 0.95, "threshold_mode": "soft"},
            "haar-level1-threshold0.95-quantile-soft-batch32-epochs10",
        ),
        ({"threshold_rule": "universal"}, "haar-level1-thresholdauto-universal-batch32-epochs10"),
        (
            {"axes": "matrix", "batch_size": 8, "epochs": 3, "threshold": 1e-6},
            "haar-level1-threshold1e-06-matrix-batch8-epochs3",
        ),
    ],
)
def test_folder_is_named_after_the_parameters(
    tmp_path: Path, values: dict[str, object], name: str
) -> None:
    assert runs.group_folder(settings(tmp_path, **values)) == tmp_path / "digits-mlp" / name


def test_numbers_count_up_and_skip_what_is_there(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    assert runs.create(chosen).name == "001"
    assert runs.create(settings(tmp_path, run_name="a b/../c:d")).name == "002-a-b-..-c-d"
    (runs.group_folder(chosen) / "017-by-hand").mkdir()
    assert runs.create(chosen).name == "018"
    assert {entry.name for entry in runs.group_folder(chosen).iterdir()} == {
        "001",
        "002-a-b-..-c-d",
        "017-by-hand",
        "018",
    }


def test_a_marker_left_by_a_killed_run_costs_only_its_number(tmp_path: Path) -> None:
    chosen = settings(tmp_path)
    runs.group_folder(chosen).mkdir(parents=True)
    (runs.group_folder(chosen) / ".001").touch()
    assert runs.create(chosen).name == "002"


def _create(save_dir: str, name: str) -> str:
    return runs.create(settings(Path(save_dir), run_name=name)).name


def test_runs_that_start_together_get_different_numbers(tmp_path: Path) -> None:
    with multiprocessing.get_context("spawn").Pool(4) as pool:
        names = pool.starmap(_create, [(str(tmp_path), f"r{i}") for i in range(24)])
    assert len({name.split("-")[0] for name in names}) == 24


def test_check_save_dir_leaves_nothing(tmp_path: Path) -> None:
    runs.check_save_dir(str(tmp_path / "a" / "b"))
    assert list(tmp_path.iterdir()) == []


def test_save_dir_that_is_a_file_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("file", "file/below"):
        with pytest.raises(checks.ArgumentError, match="save_dir must be a folder that can be"):
            runs.check_save_dir(str(tmp_path / place))
        with pytest.raises(checks.ArgumentError, match="save_dir must be a folder that can be"):
            runs.create(settings(tmp_path / place))


@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="needs a folder that root can't write")
def test_save_dir_that_cannot_be_written_is_refused() -> None:
    with pytest.raises(checks.ArgumentError, match="given '/proc/here'"):
        runs.check_save_dir("/proc/here")
