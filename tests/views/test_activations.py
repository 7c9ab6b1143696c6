"""Activation maps of chosen layers: what is drawn, and what the command says of them."""

from __future__ import annotations

import csv
import shutil
from pathlib import Path

import keras
import numpy as np
import pytest
from matplotlib.figure import Figure

from dwt_keras.__main__ import main
from dwt_keras.settings import saliency as settings
from dwt_keras.views import drawing, saliency, saliency_figure


def images_of(figure: Figure) -> list[list[np.ndarray]]:
    return [[np.asarray(each.get_array()) for each in axes.images] for axes in figure.axes]


def words_of(figure: Figure) -> list[str]:
    return [text.get_text() for axes in figure.axes for text in axes.texts]


def drawn(inputs: np.ndarray, pair: tuple[np.ndarray, np.ndarray], channels: int) -> Figure:
    titles = [f"sample {number}" for number in range(len(inputs))]
    found = saliency_figure.draw_activations(inputs, titles, {"conv: 0.5": pair}, channels)
    assert found.name == "activations"
    assert [axes.get_title(loc="left") for axes in found.figure.axes] == ["conv: 0.5"]
    assert drawing.encoded(found.figure, "png").startswith(b"\x89PNG")
    return found.figure


def test_channels_stand_in_pairs_the_strongest_of_the_control_first() -> None:
    random = np.random.default_rng(0)
    inputs = random.random((2, 6, 6, 1))
    control, ours = random.random((2, 2, 4, 4, 3)) * [1, 3, 2]
    figure = drawn(inputs, (control, ours), 2)
    (shown,) = images_of(figure)
    expected = [
        *inputs[..., 0],
        *(
            maps[sample, ..., channel]
            for channel in (1, 2)
            for maps in (control, ours)
            for sample in (0, 1)
        ),
    ]
    for found, wanted in zip(shown, expected, strict=True):
        np.testing.assert_array_equal(found, wanted)
    assert words_of(figure) == [
        "sample 0",
        "sample 1",
        *(f"channel {n}\n{whose}" for n in (1, 2) for whose in ("control", "this run")),
    ]
    # One scale for both networks, of each channel its own.
    tops = [image.get_clim()[1] for image in figure.axes[0].images[2:]]
    assert tops == [
        max(control[..., n].max(), ours[..., n].max()) for n in (1, 2) for _ in range(4)
    ]


def test_tiles_lie_beside_each_other_and_do_not_overlap() -> None:
    maps = np.ones((2, 4, 8, 2))
    figure = drawn(np.ones((2, 8, 16, 3)), (maps, maps), 2)
    boxes = [image.get_extent() for image in figure.axes[0].images]
    assert {
        (round(right - left, 6), round(bottom - top, 6)) for left, right, bottom, top in boxes
    } == {(1.0, 0.5)}
    lefts = sorted({round(left, 3) for left, *_ in boxes})
    assert len(lefts) == 5
    assert min(np.diff(lefts)) > 1
    right, bottom = figure.axes[0].get_xlim()[1], figure.axes[0].get_ylim()[0]
    assert max(box[1] for box in boxes) <= right
    assert max(box[2] for box in boxes) <= bottom


def test_answers_below_zero_have_a_scale_with_zero_in_its_middle() -> None:
    control = np.array([[[[-1.0, 2.0]], [[0.5, 1.0]]]])
    figure = drawn(np.ones((1, 2, 1, 1)), (control, 4 * control), 9)
    tiles = figure.axes[0].images[1:]
    assert [tile.get_clim() for tile in tiles] == [(-8.0, 8.0)] * 2 + [(-4.0, 4.0)] * 2
    # Of the channel without any too: a layer has one kind of colours.
    assert all(tile.get_cmap() is drawing.DIVERGING for tile in tiles)


@pytest.mark.parametrize(
    ("inputs", "answers", "tiles"),
    [
        ((2, 64), (2, 5), (1, 5)),
        ((2, 30, 1), (2, 30, 4), (1, 30)),
        ((2, 9, 3), (2, 3, 4, 5, 2), (12, 5)),
    ],
    ids=["units", "time", "frames"],
)
def test_other_than_images_are_bars(inputs, answers, tiles) -> None:
    random = np.random.default_rng(0)
    pair = random.random(answers), random.random(answers)
    figure = drawn(random.random(inputs), pair, 1)
    shown = images_of(figure)[0][2:]
    assert [each.shape for each in shown] == [tiles] * 4
    if len(answers) == 2:
        np.testing.assert_array_equal([each[0] for each in shown[::2]], pair[0])
        np.testing.assert_array_equal([each[0] for each in shown[1::2]], pair[1])


def test_names_of_methods_are_those_that_there_are() -> None:
    assert (*saliency.METHODS, settings.ACTIVATION) == settings.METHODS


@pytest.fixture(scope="module")
def place(folder: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The run, with a network that has a convolution; beside it one with more channels."""
    place = tmp_path_factory.mktemp("runs") / "a" / "b" / "001"
    # Other tests may have looked at the run already.
    shutil.copytree(folder, place, ignore=shutil.ignore_patterns("saliency.*", "activations.*"))
    for name, filters in (("model", 3), ("dense", 3), ("wide", 4)):
        keras.utils.set_random_seed(1 if name == "dense" else 2)
        model = keras.Sequential(
            [
                keras.Input((8, 8, 1)),
                keras.layers.Conv2D(filters, 3, activation="relu", name="conv"),
                keras.layers.Flatten(name="flat"),
                keras.layers.Dense(6, name="hidden"),
                keras.layers.Dense(10, activation="softmax", name="classes"),
            ]
        )
        model.save(place / f"{name}.keras")
    return place


def call(capsys, *arguments: object, status: int = 0) -> str:
    assert main(["dwt_keras", "saliency", *map(str, arguments)]) == status
    printed = capsys.readouterr()
    return printed.err if status else printed.out


def test_activations_of_chosen_layers_are_compared_and_drawn(place: Path, capsys) -> None:
    against = f"--against={place / 'dense.keras'}"
    said = call(
        capsys, place, against, "--method=activation", "--layers=conv,flat", "--shown_samples=2"
    )
    rows = list(csv.reader((place / "saliency.csv").read_text().splitlines()))
    assert [row[0] for row in rows[1:]] == ["activations of conv", "activations of flat"]
    assert "gradient" not in said
    assert "figures/activations.svg" in said
    assert not (place / "figures" / "saliency.svg").exists()
    text = (place / "figures" / "activations.svg").read_text()
    assert f"conv: rank correlation {float(rows[1][1]):.2f}" in text
    assert "channel 0" in text
    # Same input, flattened: the same order.
    assert rows[1][1:] == rows[2][1:]


def test_one_method_alone_is_compared(place: Path, capsys) -> None:
    against = f"--against={place / 'dense.keras'}"
    few = ("--compared_samples=4", "--shown_samples=1")
    call(capsys, place, against, "--method=grad_cam,gradient", *few)
    rows = list(csv.reader((place / "saliency.csv").read_text().splitlines()))
    assert [row[0] for row in rows[1:]] == ["grad cam", "gradient"]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ("--method=activations", "--method must be one of gradient, smooth_gradient, "),
        ("--method=,", "--method must be names, comma-separated; given ','"),
        ("--method=gradient --layers=conv", "--layers needs activation among the methods; given"),
        ("--layers=cnv", "--layers must be one of "),
        ("--shown_samples=26", "--shown_samples times the layers that are drawn must be 100 at"),
        ("--shown_channels=0", "--shown_channels must be a whole number, 1 or more; given 0"),
        ("--shown_channels=33", "--shown_channels must be 32 at most; given 33"),
        ("--layers=conv --against={place}/wide.keras", "--layers must be one of "),
    ],
)
def test_mistakes_cost_one_line(place: Path, arguments: str, message: str, capsys) -> None:
    against = f"--against={place / 'dense.keras'}"
    said = call(capsys, place, against, *arguments.format(place=place).split(), status=2)
    assert said.count("\n") == 1
    assert message in said


def test_grad_cam_is_refused_without_a_convolution(folder: Path, capsys) -> None:
    against = f"--against={folder / 'model.keras'}"
    said = call(capsys, folder, against, "--method=grad_cam", status=2)
    assert "--method grad_cam needs a two-dimensional convolution in both networks" in said
