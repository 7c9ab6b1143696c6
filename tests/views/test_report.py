"""report.html and saliency: whole, escaped, with nothing to fetch; and what the commands say."""

from __future__ import annotations

import csv
import html.parser
import json
import re
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest

from dwt_keras.__main__ import main
from dwt_keras.settings import Settings
from dwt_keras.training import control
from dwt_keras.training.parts import ArrayPart
from dwt_keras.views import page, report_outcomes
from dwt_keras.views.outcomes import Outcomes

# Elements that have no end.
VOID = {"meta", "link", "img", "br"}


class Page(html.parser.HTMLParser):
    """Checks that elements nest, and keeps what they say."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.open: list[str] = []
        self.images: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.headings: list[str] = []
        self.words: list[str] = []
        self.feed(text)
        self.close()
        assert self.open == []

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        if tag not in VOID:
            self.open.append(tag)
        if tag == "img":
            self.images.append(found)
        if tag == "a":
            self.links.append(found["href"] or "")
        assert tag != "script"
        assert not any(name.startswith("on") for name in found)

    def handle_startendtag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        pass

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag

    def handle_data(self, data: str) -> None:
        if self.open and self.open[-1] == "h2":
            self.headings.append(data)
        if self.open and self.open[-1] != "style":
            self.words.append(data)


SECTIONS = [
    "Beside the dense control",
    "Training",
    "Zeros by layer and subband",
    "Coefficients and threshold",
    "Kernels before and after",
    "Where the bytes go",
    "Layer by layer",
    "Confusion matrix",
    "What compression changed",
    "Settings",
    "How to load and serve it",
]


def test_the_page_of_a_run_is_whole_and_needs_nothing(folder: Path) -> None:
    text = (folder / "report.html").read_text("utf-8")
    found = Page(text)
    assert found.headings == SECTIONS
    assert len(found.images) >= 5
    for image in found.images:
        assert image["alt"]
        assert (image["src"] or "").startswith("data:image/")
    said = " ".join(found.words)
    metrics = json.loads((folder / "metrics.json").read_text())
    assert f"{metrics['test_accuracy']:.4f}" in said
    assert f"{metrics['bytes']['dwtz']:,} bytes" in said
    assert "dense_1/kernel" in said
    assert "a<b>&c" in said
    assert "<b>&c" not in text
    assert "prefers-color-scheme: dark" in text
    assert not re.search(r"(src|href)=\"(?!data:)", text)


def test_the_control_stands_beside_it(folder: Path, told: Settings, digits) -> None:
    dense = control.find(told, digits)
    assert dense is not None
    said = " ".join(Page((folder / "report.html").read_text("utf-8")).words)
    ours = json.loads((folder / "metrics.json").read_text())["test_accuracy"]
    assert f"{dense.test_accuracy:.4f}" in said
    assert f"{ours - dense.test_accuracy:+.4f}" in said
    other = Settings.from_flat(told.flat() | {"seed": 9})
    assert control.find(other, digits) is None


def outcomes(classes: int = 3, shape: tuple[int, ...] = (4, 4, 1)) -> Outcomes:
    inputs = np.random.default_rng(0).random((6, *shape)).astype(np.float32)
    labels, predicted, dense = np.array(
        [[0, 1, 2, 0, 1, 2], [0, 2, 2, 1, 1, 0], [0, 1, 2, 2, 2, 2]]
    )
    return Outcomes(ArrayPart(inputs, labels), classes, predicted, dense)


def test_outcomes_are_counted() -> None:
    found = outcomes()
    np.testing.assert_array_equal(found.confusion, [[1, 1, 0], [0, 1, 1], [1, 0, 1]])
    assert found.accuracy == pytest.approx(3 / 6)
    assert found.dense_accuracy == pytest.approx(4 / 6)
    everything = found.inputs(range(6))
    np.testing.assert_array_equal(found.inputs([5, 0, 5]), everything[[5, 0, 5]])
    # Lost, won, both wrong.
    assert list(found.changed) == [1, 5, 4, 3]
    _, changed = report_outcomes.sections(found)
    assert "On 4 of 6 test samples" in changed
    assert "2 that only the control gets right, 1 that only this" in changed
    assert [int(n) for n in re.findall(r">sample (\d)", changed)] == [1, 5, 4, 3]


def test_many_classes_are_listed_by_their_confusions() -> None:
    confusion, _ = report_outcomes.sections(outcomes(classes=100))
    assert 'class="matrix"' not in confusion
    assert confusion.count("<tr>") == 1 + 3
    confusion, _ = report_outcomes.sections(outcomes())
    assert confusion.count("<tr>") == 1 + 3
    assert 'class="matrix"' in confusion


@pytest.mark.parametrize("shape", [(4, 4, 1), (4, 4, 3), (20, 2), (20,), (4, 4, 7)], ids=str)
def test_inputs_of_any_shape_are_drawn(shape: tuple[int, ...]) -> None:
    picture = page.sample(outcomes(shape=shape).inputs([0])[0], 'a "quoted" text')
    Page(picture)
    assert "a &quot;quoted&quot; text" in picture
    is_image = len(shape) == 3 and shape[2] in (1, 3)
    assert ("data:image/png" in picture) == is_image
    if not is_image:
        assert len(re.findall(r"[\d.]+,[\d.]+", picture)) == np.prod(shape)


def call(capsys, *arguments: object, status: int = 0) -> str:
    assert main(["dwt_keras", *map(str, arguments)]) == status
    printed = capsys.readouterr()
    return printed.err if status else printed.out


def test_report_writes_the_page_anew_and_keeps_what_training_alone_drew(folder, capsys) -> None:
    kernels = (folder / "figures" / "kernels.svg").read_bytes()
    (folder / "report.html").unlink()
    (folder / "figures" / "zeros.svg").unlink()
    assert "written: " in call(capsys, "report", folder)
    assert Page((folder / "report.html").read_text("utf-8")).headings == SECTIONS
    assert (folder / "figures" / "kernels.svg").read_bytes() == kernels
    assert (folder / "figures" / "zeros.svg").exists()


def test_report_without_data_says_what_it_leaves_out(folder, tmp_path, capsys) -> None:
    place = tmp_path / "digits-mlp" / "group" / "001"
    shutil.copytree(folder, place)
    record = json.loads((place / "settings.json").read_text())
    record["settings"] |= {"dataset": "mnist", "data_dir": str(tmp_path / "gone")}
    (place / "settings.json").write_text(json.dumps(record))
    said = call(capsys, "report", place)
    assert "left out: confusions, and what compression changed: data_dir" in said
    assert "Confusion matrix" not in (place / "report.html").read_text("utf-8")


def test_report_of_several_runs_compares_them(folder, told, tmp_path, capsys) -> None:
    for number, accuracy in (("001", 0.9), ("002", 0.5)):
        place = tmp_path / "digits-mlp" / "group" / number
        shutil.copytree(folder, place)
        metrics = json.loads((place / "metrics.json").read_text())
        metrics["test_accuracy"] = accuracy
        (place / "metrics.json").write_text(json.dumps(metrics))
    (tmp_path / "digits-mlp" / "group" / "002" / "report.html").unlink()
    assert f"written: {tmp_path / 'report.html'}" in call(capsys, "report", tmp_path)
    found = Page((tmp_path / "report.html").read_text("utf-8"))
    assert found.links == ["digits-mlp/group/001/report.html"]
    assert (tmp_path / found.links[0]).exists()
    said = " ".join(found.words)
    assert "digits-mlp/group/002" in said
    assert said.count(" yes") == 1
    assert len(found.images) == 1
    assert (tmp_path / "figures" / "accuracy_bytes.svg").exists()


def test_saliency_compares_with_the_control(folder: Path, capsys) -> None:
    said = call(capsys, "saliency", folder, "--compared_samples=20", "--shown_samples=2")
    rows = list(csv.reader((folder / "saliency.csv").read_text().splitlines()))
    assert [row[0] for row in rows[1:]] == [
        "gradient",
        "smooth gradient",
        "integrated gradients",
        "activations of dense_1",
    ]
    for row in rows[1:]:
        assert row[0] in said
        # Nearer to the control than shuffled weights are.
        assert float(row[3]) < float(row[1]) < 1
        assert row[5] == "20"
    call(capsys, "report", folder)
    headings = Page((folder / "report.html").read_text("utf-8")).headings
    assert {"What the networks look at", "What the layers answer"} <= set(headings)


def test_saliency_against_itself_agrees(folder: Path, tmp_path, capsys) -> None:
    place = tmp_path / "a" / "b" / "001"
    shutil.copytree(folder, place)
    said = call(capsys, "saliency", place, status=2)
    assert said.count("\n") == 1
    assert "--against must name a .keras file to compare with" in said
    against = f"--against={place / 'model.keras'}"
    call(capsys, "saliency", place, against, "--compared_samples=5", "--layers=dense_1")
    rows = list(csv.reader((place / "saliency.csv").read_text().splitlines()))
    assert {(row[1], row[2]) for row in rows[1:]} == {("1.000", "1.000")}


def test_saliency_of_convolutions_has_grad_cam(folder: Path, tmp_path, capsys) -> None:
    place = tmp_path / "a" / "b" / "001"
    shutil.copytree(folder, place)
    model = keras.Sequential(
        [
            keras.Input((8, 8, 1)),
            keras.layers.Conv2D(3, 3, name="conv"),
            keras.layers.Flatten(),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    model.save(place / "model.keras")
    model.save(tmp_path / "other.keras")
    said = call(
        capsys, "saliency", place, f"--against={tmp_path / 'other.keras'}", "--compared_samples=4"
    )
    assert "grad cam" in said
    assert "activations of conv" in said


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("report", "nowhere"), "nowhere: must be a folder; there is none of that name"),
        (("report", "."), "has no finished run of train.py below it"),
        (("saliency", "."), "must be the folder of a finished run of train.py; its settings.json"),
        (("saliency", ".", "--shown_samples=0"), "--shown_samples must be a whole number, 1 or"),
        (("saliency", ".", "--compared_samples=x"), "compared_samples"),
        (("report", ".", "x"), "takes RUN_OR_FOLDER; given . x"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, tuple) else "",
)
def test_mistakes_cost_one_line(arguments, message, tmp_path, monkeypatch, capsys) -> None:
    monkeypatch.chdir(tmp_path)
    said = call(capsys, *arguments, status=2)
    assert said.count("\n") == 1
    assert message in said
    assert list(tmp_path.iterdir()) == []


def test_a_network_for_other_data_is_refused(folder: Path, tmp_path, capsys) -> None:
    model = keras.Sequential([keras.Input((5,)), keras.layers.Dense(2)])
    model.save(tmp_path / "other.keras")
    said = call(capsys, "saliency", folder, f"--against={tmp_path / 'other.keras'}", status=2)
    assert said.count("\n") == 1
    assert "must take inputs of shape (8, 8, 1) and give 10 outputs; takes (5,)" in said
