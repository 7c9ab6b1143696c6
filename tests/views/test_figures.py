"""Figures of a run: what is drawn where, and what is not drawn without what it needs."""

from __future__ import annotations

import dataclasses
import json
import xml.etree.ElementTree as ET
from pathlib import Path

import numpy as np
import pytest

from dwt_keras.settings import Settings
from dwt_keras.views import contents, curves, drawing, figures, history, pictures, run_view
from dwt_keras.views.run_view import Before, Kernel, RunView
from dwt_keras.wavelet import basis, frame

ALL = ["bytes", "coefficients", "kernels", "training", "zeros"]


@pytest.fixture(scope="module")
def run(folder: Path) -> RunView:
    found = run_view.read(folder)
    kernels = tuple(
        dataclasses.replace(
            kernel,
            before=Before(
                kernel.basis.reconstruct(kernel.coefficients + 0.01, kernel.basis.shape, "f8"), 0.07
            ),
        )
        for kernel in found.kernels
    )
    return dataclasses.replace(found, kernels=kernels)


def test_a_run_leaves_all_figures_as_svg_with_text(folder: Path) -> None:
    assert sorted(path.name for path in (folder / "figures").iterdir()) == [
        f"{name}.svg" for name in ALL
    ]
    for path in (folder / "figures").iterdir():
        text = "".join(ET.parse(path).getroot().itertext())
        assert "kernel" in text or "epoch" in text
    assert "before shrinking" in (folder / "figures" / "kernels.svg").read_text()


def test_training_shows_each_column_that_there_is(run: RunView) -> None:
    drawn = curves.training(run)
    assert drawn is not None
    loss, accuracy, ramp, zeros = drawn.figure.axes
    np.testing.assert_array_equal(loss.lines[1].get_ydata(), run.history["val_loss"])
    np.testing.assert_array_equal(accuracy.lines[0].get_ydata(), run.history["accuracy"])
    np.testing.assert_array_equal(ramp.lines[0].get_ydata(), run.history["threshold"])
    np.testing.assert_array_equal(zeros.lines[0].get_ydata(), run.history["zero_fraction"])
    assert list(loss.lines[0].get_xdata()) == [1, 2, 3]
    some = dataclasses.replace(run, history={"epoch": [0.0, 1.0], "loss": [2.0, np.nan]})
    assert curves.training(some) is not None
    columns = {"epoch": [-2.0, -1.0, 0.0], "loss": [2.0, 1.5, 1.0], "threshold": [np.nan] * 3}
    with_head = curves.training(dataclasses.replace(run, history=columns))
    assert with_head is not None
    assert list(with_head.figure.axes[0].lines[0].get_xdata()) == [-1, 0, 1]
    assert with_head.figure.axes[0].patches[0].get_width() == 2  # The grey of two epochs.
    assert "grey" in with_head.caption
    assert "grey" not in drawn.caption
    assert curves.training(dataclasses.replace(run, history={})) is None


def test_zeros_are_those_of_the_subbands(run: RunView) -> None:
    drawn = curves.zeros(run)
    assert drawn is not None
    (axes,) = drawn.figure.axes
    shares = [bar.get_width() for bar in axes.patches]
    kernel = run.kernels[0]
    expected = [np.mean(kernel.coefficients[band.slices] == 0) for band in kernel.basis.subbands]
    assert shares[:4] == pytest.approx(expected)
    assert shares[4] == pytest.approx(np.mean(run.kernels[1].coefficients == 0))
    assert axes.get_yticklabels()[0].get_text() == "aa1 (384)"


def test_many_subbands_are_taken_together_by_level() -> None:
    its, _ = basis.build("haar", 4, (0, 1), (16, 16, 2))
    kernel = Kernel("a/kernel", its, np.ones((16, 16, 2)))
    names = [(name, values.size) for name, values in curves._bands(kernel)]
    assert names == [
        ("approximation", 2),
        *((f"details, level {n}", 6 * 4 ** (4 - n)) for n in (4, 3, 2, 1)),
    ]


def test_the_histogram_has_the_threshold_and_every_coefficient(run: RunView) -> None:
    drawn = curves.coefficients(run)
    assert drawn is not None
    first = drawn.figure.axes[0]
    before, shipped = (np.sum(patch.get_data().values) for patch in first.patches)
    kernel = run.kernels[0]
    assert shipped == np.count_nonzero(kernel.coefficients)
    assert before > shipped
    assert first.lines[0].get_xdata()[0] == 0.07


def test_kernels_are_those_before_and_after(run: RunView) -> None:
    drawn = figures.kernels(run)
    assert drawn is not None
    images = [axes.images[0].get_array() for axes in drawn.figure.axes if axes.images]
    assert len(images) == 6
    np.testing.assert_allclose(images[0] - images[1], images[2], atol=1e-12)
    without = [dataclasses.replace(kernel, before=None) for kernel in run.kernels]
    assert figures.kernels(dataclasses.replace(run, kernels=tuple(without))) is None


def test_bytes_add_up_to_the_file(run: RunView) -> None:
    assert run.file is not None
    sizes = contents.sizes(run.file)
    assert sum(sizes.values()) == (run.folder / "model.dwtz").stat().st_size
    drawn = figures.file_bytes(run)
    assert drawn is not None
    assert [bar.get_width() for bar in drawn.figure.axes[0].patches] == list(sizes.values())


def test_pareto_front_has_what_no_other_beats() -> None:
    runs = [("a", 100, 0.9), ("b", 200, 0.8), ("c", 200, 0.95), ("d", 300, 0.95), ("e", 50, 0.1)]
    assert [name for name, *_ in figures.pareto_front(runs)] == ["e", "a", "c"]
    drawn = figures.pareto({"digits, mlp": runs, "digits, cnn": [("f", 10, 0.5)]})
    assert [axes.get_title() for axes in drawn.figure.axes] == ["digits, mlp", "digits, cnn"]
    assert len(drawn.figure.axes[0].lines[0].get_xdata()) == 5


def test_the_same_figure_has_the_same_bytes_and_leaves_no_global_state(run: RunView) -> None:
    import sys

    one, other = (figures.file_bytes(run) for _ in range(2))
    assert one is not None and other is not None
    assert drawing.encoded(one.figure, "svg") == drawing.encoded(other.figure, "svg")
    assert drawing.encoded(one.figure, "png").startswith(b"\x89PNG")
    pyplot = sys.modules.get("matplotlib.pyplot")
    assert pyplot is None or not pyplot.get_fignums()


@pytest.mark.parametrize("kind", ["png", "none"])
def test_figures_says_what_is_drawn(kind: str, told: Settings, digits, tmp_path: Path) -> None:
    from dwt_keras.training import run as training_run

    flat = told.flat() | {"figures": kind, "epochs": 1, "save_dir": str(tmp_path)}
    folder = training_run.run(Settings.from_flat(flat), digits).folder
    drawn = sorted(path.name for path in folder.glob("figures/*"))
    assert drawn == ([f"{name}.png" for name in ALL] if kind == "png" else [])
    assert (folder / "report.html").exists() == (kind == "png")
    assert (folder / "metrics.json").exists()


def test_a_figure_that_fails_costs_no_run(
    told: Settings, digits, tmp_path: Path, monkeypatch, capsys
) -> None:
    from dwt_keras.training import run as training_run

    def fail(*_: object) -> None:
        raise RuntimeError("no font")

    monkeypatch.setattr(figures, "write", fail)
    flat = told.flat() | {"epochs": 1, "save_dir": str(tmp_path)}
    folder = training_run.run(Settings.from_flat(flat), digits).folder
    assert (folder / "metrics.json").exists()
    assert "no figures or report: no font (python -m dwt_keras report" in capsys.readouterr().out


def test_the_history_of_a_search_is_that_of_the_trial_chosen(tmp_path: Path) -> None:
    for number, size in ((1, 2000), (2, 800), (3, 1200)):
        place = tmp_path / "trials" / f"{number}-bytes{size}"
        place.mkdir(parents=True)
        (place / "history.csv").write_text(f"epoch,loss\n0,{number}\n1,x\n")
    found = history.of_run(tmp_path, {"accuracy_drop": {"chosen_trial": 3}})
    assert found["loss"][0] == 3
    assert np.isnan(found["loss"][1])
    # A run of an earlier version does not say which it was.
    assert history.of_run(tmp_path, {"accuracy_drop": {}}) == {}
    assert history.of_run(tmp_path / "none", {}) == {}


CASES = [
    ((8, 8, 1, 16), (0, 1), (8, 8), 7),
    ((64, 100), (), (64, 64), 1),
    ((30, 4, 16), (0,), (30, 16), 3),
    ((3, 3, 5, 7), (0, 1), (3, 3), 7),
    ((3, 3, 3, 2, 2), (0, 1, 2), (3, 3), 7),
    ((128, 300), (0, 1), (128, 300), 7),
]


@pytest.mark.parametrize(("shape", "axes", "size", "blocks"), CASES, ids=str)
def test_a_mosaic_is_tiled_by_its_subbands(shape, axes, size, blocks: int) -> None:
    its = basis.build("haar", 2, axes, shape)[0] if axes else basis.identity(shape)
    kernel = np.random.default_rng(0).normal(size=shape).astype(np.float32)
    planes = pictures.strongest(kernel, its, 2)
    energies = [np.sum(plane.of(kernel).astype("f8") ** 2) for plane in planes]
    assert energies == sorted(energies, reverse=True)
    matrix, found = pictures.mosaic(its.decompose(kernel), its, planes[0])
    assert matrix.shape == size
    covered = np.zeros(size, int)
    for top, left, rows, columns in found:
        covered[top : top + rows, left : left + columns] += 1
    if len(axes) < 3:
        assert (covered == 1).all()
        assert len(found) == blocks
    assert pictures.coloured(matrix, blocks=found).dtype == np.uint8


def test_components_of_a_frame_stand_beside_each_other() -> None:
    its, _ = frame.build("cmor1.5-1.0", 1, (0, 1), (8, 8, 1, 4))
    assert its is not None
    kernel = np.random.default_rng(0).normal(size=its.shape).astype(np.float32)
    coefficients = its.decompose(kernel)
    matrix, found = pictures.mosaic(coefficients, its, pictures.strongest(kernel, its, 1)[0])
    assert matrix.shape == (8, 8 * len(coefficients))
    assert len(found) == len(coefficients)
    assert np.isrealobj(matrix)


def test_colours_tell_signs_apart_and_zero_is_white() -> None:
    picture = pictures.coloured(np.array([[-1.0, 0.0, 1.0, 0.25]]), root=True)
    assert [tuple(picture[0, at]) for at in (0, 64, 128)] == [
        pictures.NEGATIVE,
        pictures.ZERO,
        pictures.POSITIVE,
    ]
    # The root of a quarter is a half.
    assert tuple(picture[0, 192]) == (234, 174, 128)
    assert (pictures.coloured(np.zeros((2, 2))) == 255).all()


def test_a_run_without_a_file_that_can_be_read_has_what_it_has(folder: Path, tmp_path) -> None:
    for name in ("settings.json", "metrics.json", "history.csv"):
        (tmp_path / name).write_text((folder / name).read_text())
    (tmp_path / "model.dwtz").write_bytes(b"nonsense")
    found = run_view.read(tmp_path)
    assert found.file is None
    assert [each.name for each in figures.of_run(found)] == ["training"]
    assert json.loads((tmp_path / "metrics.json").read_text()) == found.metrics
