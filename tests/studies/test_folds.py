"""Cross-validations: one that is killed on the way, against its runs made by hand."""

from __future__ import annotations

import contextlib
import csv
import json
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from fold_studies import TINY, Trainings, record_of, tiny, told
from sklearn.model_selection import StratifiedKFold

from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import folds, splits, study_run, variants
from dwt_keras.training import data, interrupts, resuming, run
from dwt_keras.training.array_data import SPLIT_SEED
from dwt_keras.training.sampling import systematic

ROOT = Path(__file__).parents[2]
COMPARED = ("wavelet=haar level=2", "wavelet=none")


def killed(save_dir: Path) -> Path:
    """A cross-validation that is killed within the second fold; its folder."""
    flags = {**TINY, "hidden_units": 8, "folds": 2, "save_dir": save_dir}
    process = subprocess.Popen(
        [
            sys.executable,
            str(ROOT / "train.py"),
            *(f"--{name}={value}" for name, value in flags.items()),
            *(f"--compare={text}" for text in COMPARED),
        ],
        stdout=subprocess.DEVNULL,
    )
    history = save_dir / "digits-mlp/studies/001/setting-1/fold-2/history.csv"
    deadline = time.monotonic() + 120
    while process.poll() is None and time.monotonic() < deadline:
        if history.exists() and history.read_text().count("\n") > 1:
            break
        time.sleep(0.005)
    process.send_signal(signal.SIGKILL)
    assert process.wait(timeout=60) == -signal.SIGKILL
    return save_dir / "digits-mlp/studies/001"


@pytest.fixture(scope="module")
def study(digits: data.Dataset, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """The cross-validation, taken up again; its folder, and what it told."""
    save_dir = tmp_path_factory.mktemp("runs")
    folder = killed(save_dir)
    done = [path.parent.name for path in (folder / "setting-1").glob("*/metrics.json")]
    assert done == ["fold-1"]
    before = (folder / "setting-1/fold-1/metrics.json").stat().st_mtime_ns
    settings = tiny(save_dir, resume=str(folder))
    told = StudySettings.from_flat({"folds": 2, "compare": COMPARED})
    said = study_run.run(settings, told, digits)
    assert (folder / "setting-1/fold-1/metrics.json").stat().st_mtime_ns == before
    return folder, said


def test_mean_and_files_are_those_of_runs_made_by_hand(
    study: tuple[Path, str], digits: data.Dataset, tmp_path: Path
) -> None:
    inputs = np.concatenate([digits.train.samples(), digits.validation.samples()])
    labels = np.concatenate([digits.train.labels, digits.validation.labels])
    settings = tiny(tmp_path, wavelet="haar", level=2)
    by_hand = []
    splitter = StratifiedKFold(2, shuffle=True, random_state=5)
    for number, (others, held_out) in enumerate(splitter.split(inputs, labels), start=1):
        count = round(0.1 * len(others))
        kept, drawn = (np.sort(each) for each in systematic(labels[others], count, SPLIT_SEED))
        parts = (others[kept], others[drawn], held_out)
        train, validation, test = (data.ArrayPart(inputs[at], labels[at]) for at in parts)
        dataset = data.Dataset("digits", 10, train, validation, test)
        found = run.run(settings, dataset)
        by_hand.append(found.metrics)
        # One of them was killed on the way.
        theirs = study[0] / f"setting-1/fold-{number}"
        assert (theirs / "model.dwtz").read_bytes() == (found.folder / "model.dwtz").read_bytes()
        history = [(at / "history.csv").read_bytes() for at in (theirs, found.folder)]
        assert history[0] == history[1]
    (first, _) = record_of(study[0])["settings"]
    assert first["name"] == COMPARED[0]
    for row, metrics in zip(first["folds"], by_hand, strict=True):
        assert (row["accuracy"], row["bytes"]) == (
            metrics["test_accuracy"],
            metrics["bytes"]["dwtz"],
        )
    for name, values in (
        ("accuracy", [each["test_accuracy"] for each in by_hand]),
        ("zero_fraction", [each["zero_fraction"] for each in by_hand]),
        ("bytes", [each["bytes"]["dwtz"] for each in by_hand]),
    ):
        assert first["summary"][name]["mean"] == pytest.approx(np.mean(values), abs=1e-12)
        assert first["summary"][name]["deviation"] == pytest.approx(np.std(values, ddof=1))


def test_the_last_run_is_an_ordinary_one(study: tuple[Path, str], digits: data.Dataset) -> None:
    for number, setting in enumerate(record_of(study[0])["settings"], start=1):
        metrics = json.loads((study[0] / f"setting-{number}/final/metrics.json").read_text())
        assert setting["final"]["accuracy"] == metrics["test_accuracy"]
        assert setting["final"]["samples"] == len(digits.test)
        assert f"{metrics['test_accuracy']:.4f}" in study[1]
    told = json.loads((study[0] / "setting-2/final/settings.json").read_text())["settings"]
    assert (told["wavelet"], told["epochs"]) == ("none", 3)


def test_predictions_are_of_samples_that_were_held_out(
    study: tuple[Path, str], digits: data.Dataset
) -> None:
    pool = splits.pool(digits)
    with np.load(study[0] / "predictions.npz") as archive:
        found = dict(archive)
    for number, setting in enumerate(record_of(study[0])["settings"], start=1):
        mine = found["setting"] == number
        assert sorted(found["index"][mine]) == list(range(len(pool)))
        np.testing.assert_array_equal(found["label"][mine], pool.labels[found["index"][mine]])
        assert set(found["repeat"]) == {1}
        for row in setting["folds"]:
            here = mine & (found["fold"] == row["fold"])
            said = found["probabilities"][here].argmax(axis=1)
            assert np.mean(said == found["label"][here]) == pytest.approx(row["accuracy"])
    np.testing.assert_allclose(found["probabilities"].sum(axis=1), 1.0, atol=1e-5)


def test_the_settings_are_compared_fold_by_fold(study: tuple[Path, str]) -> None:
    record = record_of(study[0])
    for name, compared in record["comparison"].items():
        pairs = [[row[name] for row in each["folds"]] for each in record["settings"]]
        difference = np.subtract(*pairs)
        assert compared["difference"] == pytest.approx(difference.mean())
        assert (compared["pairs"], compared["test"]) == (2, "corrected_t")
        # With two folds, 1 / 2 + 1 / 1 of the variance; t of one degree has a closed form.
        statistic = difference.mean() / np.sqrt(1.5 * difference.var(ddof=1))
        assert compared["p"] == pytest.approx(1 - 2 / np.pi * np.arctan(abs(statistic)))
    assert set(record["comparison"]) == {"accuracy", "zero_fraction", "bytes"}
    assert study[1].count("wavelet=haar level=2 minus wavelet=none: ") == 3


def test_the_folder_has_what_is_documented(study: tuple[Path, str]) -> None:
    folder, said = study
    assert {entry.name for entry in folder.iterdir()} == {
        *("settings.json", "study.json", "folds.csv", "predictions.npz"),
        *("setting-1", "setting-2"),
    }
    rows = list(csv.DictReader((folder / "folds.csv").read_text().splitlines()))
    assert [(row["setting"], row["fold"]) for row in rows] == [
        (name, fold) for name in COMPARED for fold in ("1", "2", "")
    ]
    for row in rows:
        assert (folder / row["folder"] / "metrics.json").exists()
    assert said.splitlines()[0] == COMPARED[0]
    assert said.endswith(str(folder))


# From here on runs are not trained: what matters is which there are, and on which data.


def test_processes_share_folds_and_the_last_one_sums_up(
    digits: data.Dataset,
    trainings: Trainings,
    tmp_path: Path,
    capsys: pytest.CaptureFixture[str],
) -> None:
    folder = tmp_path / "digits-mlp/studies/001"
    said = study_run.run(tiny(tmp_path), told(folds=3, fold=2), digits)
    assert trainings.names == ["fold-2"]
    assert not (folder / "study.json").exists()
    assert said.splitlines()[0] == "fold 2 is done; not done yet: 1, 3"
    assert f"python train.py --resume={folder} --fold=K" in said
    # Another process joins; one that has been named; one that does nothing new.
    study_run.run(tiny(tmp_path), told(folds=3, fold=3), digits)
    study_run.run(tiny(tmp_path, resume=str(folder)), told(folds=3, fold=3), digits)
    assert trainings.names == ["fold-2", "fold-3"]
    said = study_run.run(tiny(tmp_path), told(folds=3, fold=1), digits)
    assert trainings.names == ["fold-2", "fold-3", "fold-1", "final"]
    assert [each.name for each in folder.parent.glob("0*")] == ["001"]
    rows = record_of(folder)["settings"][0]["folds"]
    assert [row["accuracy"] for row in rows] == [0.903, 0.901, 0.902]
    assert "zero_fraction" not in rows[0]
    assert not (folder / "checkpoint").exists()
    # The next one is another study.
    study_run.run(tiny(tmp_path), told(folds=3, fold=1), digits)
    assert (folder.parent / "002").exists()


def test_processes_that_begin_together_make_one_study(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    began = []

    def meanwhile(folder: Path) -> None:
        if not began:
            began.append(folder)
            study_run.run(tiny(tmp_path), told(folds=2, fold=2), digits)

    trainings.before = meanwhile
    study_run.run(tiny(tmp_path), told(folds=2, fold=1), digits)
    assert trainings.names == ["fold-2", "fold-1", "final"]
    assert (tmp_path / "digits-mlp/studies/001/study.json").exists()


def test_of_two_that_find_all_folds_done_one_sums_up(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    said = []

    def meanwhile(folder: Path) -> None:
        if folder.name == "final":
            said.append(study_run.run(tiny(tmp_path), told(folds=2, fold=1), digits))

    study_run.run(tiny(tmp_path), told(folds=2, fold=1), digits)
    trainings.before = meanwhile
    study_run.run(tiny(tmp_path), told(folds=2, fold=2), digits)
    assert trainings.names == ["fold-1", "fold-2", "final"]
    (line, *_) = said[0].splitlines()
    assert line == "all folds are done; another process sums up"
    # One that comes when that one has tidied up.
    with contextlib.ExitStack() as stack:
        assert not folds._may_sum_up(tmp_path / "digits-mlp/studies/001", stack)


def test_all_folds_are_not_for_one_process_while_others_share_them(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    folder = tmp_path / "digits-mlp/studies/001"

    def meanwhile(_: Path) -> None:
        with pytest.raises(ValueError, match="001 is being worked on by another process"):
            study_run.run(tiny(tmp_path, resume=str(folder)), told(folds=2), digits)

    trainings.before = meanwhile
    study_run.run(tiny(tmp_path), told(folds=2, fold=1), digits)
    trainings.before = lambda _: None
    study_run.run(tiny(tmp_path, resume=str(folder)), told(folds=2), digits)
    assert trainings.names == ["fold-1", "fold-2", "final"]


def test_an_interrupted_study_says_how_to_go_on_and_does(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    def interrupt(folder: Path) -> None:
        if folder.name == "fold-2":
            with interrupts.resumable("this fold"):
                raise KeyboardInterrupt

    trainings.before = interrupt
    folder = tmp_path / "digits-mlp/studies/001"
    with pytest.raises(KeyboardInterrupt, match=f"python train.py --resume={folder}$"):
        study_run.run(tiny(tmp_path), told(folds=2), digits)
    with pytest.raises(KeyboardInterrupt, match=f"--resume={folder.parent / '002'} --fold=2$"):
        study_run.run(tiny(tmp_path, seed=1), told(folds=2, fold=2), digits)
    trainings.before = lambda _: None
    study_run.run(tiny(tmp_path, resume="auto"), told(folds=2), digits)
    assert trainings.names == ["fold-1", "fold-2", "final"]


def test_repeats_have_folders_of_their_own_and_the_test_part_comes_last(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    said = study_run.run(tiny(tmp_path), told(folds=2, fold_repeats=2), digits)
    folder = tmp_path / "digits-mlp/studies/001"
    assert (folder / "repeat-2/fold-1/metrics.json").exists()
    assert "\n2.1  " in said
    assert [each.test is digits.test for _, each in trainings.made] == [False] * 4 + [True]
    assert trainings.made[-1][1] is digits
    with np.load(folder / "predictions.npz") as archive:
        assert sorted(archive["index"]) == sorted([*range(1437)] * 2)
        assert sorted(set(archive["repeat"])) == [1, 2]


def test_two_settings_are_drawn_side_by_side(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    long = "threshold=0.0123456789 level=2"
    study = told(folds=2, compare=[long, "wavelet=none"])
    study_run.run(tiny(tmp_path, figures="svg"), study, digits)
    figure = (tmp_path / "digits-mlp/studies/001/figures/folds.svg").read_text()
    for text in ("accuracy (share)", "compact file (bytes)", "wavelet=none", "mean, 95 % interval"):
        assert text in figure
    assert f"{long[:21]}..." in figure
    # None of the runs has zeros to count.
    assert "zero coefficients" not in figure


def test_a_part_of_a_study_is_not_resumed_alone(
    digits: data.Dataset, trainings: Trainings, tmp_path: Path
) -> None:
    study_run.run(tiny(tmp_path), told(folds=2), digits)
    part = tmp_path / "digits-mlp/studies/001/fold-1"
    with pytest.raises(ValueError, match=f"resume must be the whole study, '{part.parent}'"):
        resuming.settings_of({"resume": str(part)}, {"resume"})
    # What others keep above a run is no matter.
    (tmp_path / "settings.json").write_text("[1]")
    assert resuming.settings_of({"resume": str(part.parent)}, {"resume"})[1] == told(folds=2)


def test_what_is_taken_up_compares_the_same_settings(tmp_path: Path) -> None:
    # Which have other defaults than those that the first command filled in.
    begun = told(folds=2, compare=["threshold=0.1", "target_bytes=900"])
    resuming.write_study(tmp_path, tiny(tmp_path), begun)
    settings, study = resuming.settings_of({"resume": str(tmp_path)}, {"resume"})
    assert study == begun
    first, second = (
        [each.settings.changed({"resume": None}) for each in variants.of(mine, begun.folds)]
        for mine in (tiny(tmp_path), settings)
    )
    assert first == second
