"""Ensembles: what members learn from, and the one network that all of them become."""

from __future__ import annotations

import dataclasses
import json
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest
import tensorflow as tf

from dwt_keras import checks, load_compressed
from dwt_keras.coding import container
from dwt_keras.compression import layout, sections
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import combination, ensemble, ensemble_members, members, study_run
from dwt_keras.studies.boosting import Samme
from dwt_keras.training import data, parts, runs

# What dies closes no files.
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")

SAMPLES, CLASSES = 256, 10
COMMON = {"hidden_units": (8,), "epochs": 2, "batch_size": 32, "threshold": 0.02}


@pytest.fixture(scope="module")
def dataset() -> data.Dataset:
    found = data.load(DataSettings())
    train = parts.ArrayPart(found.train.samples(SAMPLES), found.train.labels[:SAMPLES])
    return dataclasses.replace(found, train=train)


def study_of(
    dataset: data.Dataset, save_dir: Path, told: dict[str, Any], **values: Any
) -> tuple[Path, dict[str, Any]]:
    """Makes a study; its folder, and what study.json says."""
    settings = Settings.from_flat({**COMMON, "save_dir": str(save_dir), **values})
    text = study_run.run(settings, StudySettings.from_flat(told), dataset)
    folder = Path(text.splitlines()[-1])
    return folder, json.loads((folder / "study.json").read_text())


BAGGING = {"ensemble": "bagging", "members": 2}


@pytest.fixture(scope="module")
def bagged(
    dataset: data.Dataset, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any]]:
    return study_of(dataset, tmp_path_factory.mktemp("bagged"), BAGGING)


@pytest.fixture(scope="module")
def boosted(train_py: Any, tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """By the command line, as its users make it."""
    save_dir = tmp_path_factory.mktemp("boosted")
    done = train_py(
        *"--ensemble=boosting --members=2 --hidden_units=8 --epochs=2 --figures=none".split(),
        f"--save_dir={save_dir}",
    )
    assert (done.returncode, done.stderr) == (0, "")
    folder = save_dir / "digits-mlp" / "studies" / "001"
    assert "ensemble of 2 (boosting, vote)" in done.stdout
    assert done.stdout.splitlines()[-1] == str(folder)
    return folder, json.loads((folder / "study.json").read_text())


def said_by_members(folder: Path, record: dict[str, Any], images: Any) -> np.ndarray[Any, Any]:
    """The probabilities of the members' own files, of shape (members, samples, classes)."""
    paths = [folder / each["folder"] / "model.dwtz" for each in record["members"]]
    return np.stack([np.asarray(load_compressed(path)(images)) for path in paths])


def answers(folder: Path, images: Any) -> list[np.ndarray[Any, Any]]:
    """What the SavedModel, the compact file and the archive answer."""
    serve = tf.saved_model.load(str(folder / "serving" / "1")).signatures["serving_default"]
    return [
        serve(images=images)["outputs"].numpy(),
        np.asarray(load_compressed(folder / "model.dwtz")(images)),
        np.asarray(keras.models.load_model(folder / "model.keras")(images)),
    ]


def test_all_files_answer_as_the_members_mean(
    bagged: tuple[Path, dict[str, Any]], dataset: data.Dataset
) -> None:
    images = dataset.test.samples()
    wanted = said_by_members(*bagged, images).mean(axis=0)
    for found in answers(bagged[0], images):
        np.testing.assert_allclose(found, wanted, atol=1e-6)
    accuracy = np.mean(wanted.argmax(axis=1) == dataset.test.labels)
    assert bagged[1]["ensemble"]["test_accuracy"] == pytest.approx(accuracy, abs=1e-6)
    assert bagged[1]["by_count"][-1] == pytest.approx(accuracy)


def test_one_file_has_the_members_levels_and_bases(bagged: tuple[Path, dict[str, Any]]) -> None:
    folder, record = bagged
    whole = layout.decoded(sections.read(folder / "model.dwtz"))
    parts = [
        (f"member_{number}", tensor)
        for number, each in enumerate(record["members"], start=1)
        for tensor in layout.decoded(sections.read(folder / each["folder"] / "model.dwtz"))
    ]
    assert len(whole) == len(parts) == 8
    for tensor, (name, mine) in zip(whole, parts, strict=True):
        assert tensor.name == f"{name}/{mine.name}"
        assert (tensor.step, tensor.transform) == (mine.step, mine.transform)
        np.testing.assert_array_equal(tensor.levels, mine.levels)
    assert whole[0].transform is not None
    assert whole[0].transform.wavelet == "haar"


def test_what_stands_beside_it(bagged: tuple[Path, dict[str, Any]]) -> None:
    folder, record = bagged

    def metrics(place: str) -> dict[str, Any]:
        return json.loads((folder / place / "metrics.json").read_text())

    own = [metrics(each["folder"]) for each in record["members"]]
    mean = record["mean_member"]
    assert mean["test_accuracy"] == pytest.approx(np.mean([each["test_accuracy"] for each in own]))
    assert mean["bytes"] == np.mean([each["bytes"]["dwtz"] for each in own])
    assert record["single"]["bytes"] == metrics("single")["bytes"]["dwtz"]
    assert record["dense"]["bytes"] == 4 * (64 * 8 + 8 + 8 * 10 + 10)
    assert record["ensemble"]["bytes"] == (folder / "model.dwtz").stat().st_size
    (control,) = (folder.parents[1] / "controls").glob("*/control.json")
    assert record["dense"]["test_accuracy"] == json.loads(control.read_text())["test_accuracy"]
    assert metrics(".")["epochs_run"] == 4
    assert set(metrics(".")["zero_fraction_by_layer"]) >= {"member_1/dense_1", "member_2/classes"}
    assert (folder / "figures" / "ensemble.svg").exists()
    assert "The ensemble beside single networks" in (folder / "report.html").read_text()
    assert not (folder / "checkpoint").exists()
    found, problems = runs.find(folder)
    assert [each.name for each in found] == [folder.name, "members/01", "members/02", "single"]
    assert not problems


def test_a_killed_study_goes_on_to_the_same_bytes(
    bagged: tuple[Path, dict[str, Any]],
    dataset: data.Dataset,
    tmp_path: Path,
    dying_after: Any,
    capsys: pytest.CaptureFixture[str],
) -> None:
    again = {"resume": "auto", "figures": "none"}
    with dying_after(2 * 8 + 8 + 3):  # In the second epoch of the second member.
        study_of(dataset, tmp_path, BAGGING, **again)
    capsys.readouterr()
    folder, record = study_of(dataset, tmp_path, BAGGING, **again)
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(":")[0] for line in lines] == [f"network {n} of 4" for n in (2, 3, 4)]
    assert lines[0].startswith("network 2 of 4: member 02, test accuracy 0.")
    assert folder.name == "001"
    assert record == bagged[1]
    assert (folder / "model.dwtz").read_bytes() == (bagged[0] / "model.dwtz").read_bytes()


def test_boosted_members_vote_by_their_weights(boosted: tuple[Path, dict[str, Any]]) -> None:
    folder, record = boosted
    dataset = data.load(DataSettings())
    samme = Samme(len(dataset.train), CLASSES)
    said = said_by_members(*boosted, dataset.train.samples()).argmax(axis=2)
    for each, classes in zip(record["members"], said, strict=True):
        error = samme.add(classes != dataset.train.labels)
        assert each["weighted_error"] == pytest.approx(error)
        assert each["weight"] == pytest.approx(samme.member_weights[-1])
    weights = np.array(samme.member_weights)
    assert (weights > 0).all()
    images = dataset.test.samples()
    votes = np.eye(CLASSES)[said_by_members(*boosted, images).argmax(axis=2)]
    wanted = np.tensordot(weights / weights.sum(), votes, axes=1)
    for found in answers(folder, images):
        np.testing.assert_allclose(found, wanted, atol=1e-6)


class Recorded:
    """Stands for the training of members: notes what each is told and learns from."""

    def __init__(self) -> None:
        self.told: list[Settings] = []
        self.parts: list[Any] = []
        self.starts: list[Path | None] = []

    def __call__(
        self, settings: Settings, dataset: data.Dataset, place: Path, start: Path | None
    ) -> members.Member:
        self.told.append(settings)
        self.starts.append(start)
        self.parts.append(dataset.train)
        metrics = {"epochs_run": 1, "test_accuracy": 0.5, "bytes": {"dwtz": 100}}
        return members.Member(place, metrics)

    def members(
        self, dataset: data.Dataset, values: dict[str, Any] | None = None, **told: Any
    ) -> list[ensemble_members.Trained]:
        study = StudySettings.from_flat({"members": 3, **told})
        places = [Path(f"members/{number:02d}") for number in (1, 2, 3)]
        settings = Settings.from_flat(values or {})
        return ensemble_members.train(settings, study.ensemble, dataset, places, self)


def test_bags_are_drawn_with_replacement_by_the_seed(dataset: data.Dataset) -> None:
    one, same, other = Recorded(), Recorded(), Recorded()
    one.members(dataset, ensemble="bagging")
    same.members(dataset, ensemble="bagging")
    other.members(dataset, {"seed": 1}, ensemble="bagging")
    bags = [part.inputs for part in one.parts]
    for bag in bags:
        assert len(bag) == SAMPLES
        # A sample is missed with probability (1 - 1/n)^n.
        assert len(np.unique(bag, axis=0)) / SAMPLES == pytest.approx(1 - np.exp(-1), abs=0.08)
    assert not np.array_equal(bags[0], bags[1])
    for mine, again, different in zip(bags, same.parts, other.parts, strict=True):
        np.testing.assert_array_equal(mine, again.inputs)
        assert not np.array_equal(mine, different.inputs)
    assert len({told.training.seed for told in one.told + other.told}) == 6


def test_boosting_weighs_what_members_get_wrong(
    dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = np.arange(SAMPLES) % 8 == 0
    monkeypatch.setattr(ensemble_members, "_is_wrong", lambda member, part: wrong)
    recorded = Recorded()
    found = recorded.members(dataset, ensemble="boosting")
    first, second, third = (part.weights for part in recorded.parts)
    np.testing.assert_array_equal(first, np.ones(SAMPLES, np.float32))
    assert second[wrong].sum() / second.sum() == pytest.approx(0.9)
    assert second.dtype == np.float32
    # 0.9 is chance among ten classes: that member is left out, and the next begins anew.
    assert [member.weight > 0 for member in found] == [True, False, True]
    np.testing.assert_array_equal(third, np.ones(SAMPLES, np.float32))


def test_boosting_turns_as_fast_as_it_is_told(
    dataset: data.Dataset, monkeypatch: pytest.MonkeyPatch
) -> None:
    wrong = np.arange(SAMPLES) % 8 == 0
    monkeypatch.setattr(ensemble_members, "_is_wrong", lambda member, part: wrong)
    recorded = Recorded()
    recorded.members(dataset, ensemble="boosting", boosting_rate=0.5)
    second = recorded.parts[1].weights
    # Odds of 1 to 7 times the root of what they had been multiplied by.
    assert second[wrong].sum() / second[~wrong].sum() == pytest.approx(np.sqrt(7 * 9) / 7)


def test_a_snapshot_begins_where_the_one_before_ended(dataset: data.Dataset) -> None:
    recorded = Recorded()
    recorded.members(dataset, {"epochs": 7, "init": "mine.keras"}, ensemble="snapshot")
    assert recorded.starts == [
        None,
        Path("members/01/model.keras"),
        Path("members/02/model.keras"),
    ]
    assert [told.training.epochs for told in recorded.told] == [3, 2, 2]


def test_none_better_than_chance_is_one_line(
    dataset: data.Dataset, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def train(
        settings: Settings, dataset: data.Dataset, place: Path, begins_with: Path | None
    ) -> members.Member:
        return Recorded()(settings, dataset, place, begins_with)

    monkeypatch.setattr(members, "train", train)
    monkeypatch.setattr(ensemble_members, "_is_wrong", lambda member, part: np.ones(SAMPLES, bool))
    settings = Settings.from_flat({"save_dir": str(tmp_path)})
    study = StudySettings.from_flat({"ensemble": "boosting", "members": 2})
    with pytest.raises(checks.UserError, match="no member is better than chance"):
        ensemble.run(settings, study, dataset, tmp_path)


def small(seed: int) -> keras.Model:
    keras.utils.set_random_seed(seed)
    return keras.Sequential(
        [keras.Input((4,), name="features"), keras.layers.Dense(3, activation="softmax")]
    )


@pytest.mark.parametrize("combine", ["mean", "vote"])
@pytest.mark.parametrize("weights", [[1.0], [1.0, 1.0, 1.0], [2.0, 0.5, 1.0]])
def test_combinations(combine: str, weights: list[float], tmp_path: Path) -> None:
    networks = [small(seed) for seed in range(len(weights))]
    inputs = np.random.default_rng(0).normal(size=(50, 4)).astype(np.float32)
    said = np.stack([np.asarray(network(inputs)) for network in networks])
    parts = np.eye(3)[said.argmax(axis=2)] if combine == "vote" else said
    wanted = np.tensordot(np.array(weights) / sum(weights), parts, axes=1)
    model = combination.network(networks, weights, combine)
    np.testing.assert_allclose(np.asarray(model(inputs)), wanted, atol=1e-6)
    assert [tensor.name for tensor in model.inputs] == ["features"]
    labels = np.arange(50) % 3
    (*_, last) = combination.by_count(list(said), labels, weights, combine)
    assert last == np.mean(wanted.argmax(axis=1) == labels)
    model.save(tmp_path / "model.keras")
    loaded = keras.models.load_model(tmp_path / "model.keras")
    np.testing.assert_array_equal(np.asarray(loaded(inputs)), np.asarray(model(inputs)))


def test_limits_of_readers_allow_many_members(bagged: tuple[Path, dict[str, Any]]) -> None:
    """Twenty networks of the usual kind are read with the limits for files from anybody."""
    network = load_compressed(bagged[0] / "members" / "01" / "model.dwtz")
    networks = []
    for _ in range(20):
        networks.append(keras.models.clone_model(network))
        networks[-1].set_weights(network.get_weights())
    source = bagged[0] / "members" / "01" / "model.dwtz"
    model = combination.network(networks, list(range(1, 21)), "vote")
    path = bagged[0].parent / "many.dwtz"
    combination.save(model, networks, [source] * 20, path)
    assert len(sections.read(path, container.LIMITS).records) == 80
    assert load_compressed(path).count_params() == 20 * network.count_params()
