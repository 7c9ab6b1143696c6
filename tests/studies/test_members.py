"""The single runs of a study: quiet, and not made twice."""

from __future__ import annotations

import json
import logging
from pathlib import Path

import pytest

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.studies import members, progress
from dwt_keras.training import data

TINY = {"epochs": 1, "hidden_units": (4,), "batch_size": 256, "figures": "none"}


def test_a_complete_run_is_taken_as_it_is(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    settings = Settings.from_flat({**TINY, "save_dir": str(tmp_path)})
    dataset = data.load(settings.data)
    place = tmp_path / "members" / "1"
    found = members.train(settings, dataset, place)
    assert capsys.readouterr().out == ""
    assert found.metrics == json.loads((place / "metrics.json").read_text())
    assert found.folder == place
    before = (place / "metrics.json").stat().st_mtime_ns
    assert members.train(settings, dataset, place) == found
    assert (place / "metrics.json").stat().st_mtime_ns == before
    with pytest.raises(checks.ArgumentError, match="level must be 1 as in the run"):
        members.train(settings.changed({"level": 2}), dataset, place)


def test_a_graph_for_each_run_is_nothing_to_warn_of(caplog: pytest.LogCaptureFixture) -> None:
    logger = logging.getLogger("tensorflow")
    warning = "5 out of the last 17 calls to <function> triggered tf.function retracing."
    with members._many_graphs_unsaid():
        logger.warning(warning)
        logger.warning("another")
    logger.warning(warning)
    assert [record.getMessage() for record in caplog.records] == ["another", warning]


def test_progress_counts_from_what_was_done(capsys: pytest.CaptureFixture[str]) -> None:
    with progress.over("trial", 3, done=1) as shown:
        shown.step("0.9")
        shown.step("0.8")
        shown.step("0.7", done=3)  # Of a step that another process has made meanwhile.
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("trial 2 of 3: 0.9; about 00:0")
    assert lines[1:] == ["trial 3 of 3: 0.8", "trial 3 of 3: 0.7"]
