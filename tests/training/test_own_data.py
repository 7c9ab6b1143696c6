"""Arrays of one's own: from an .npz file or a function; images, signals and tables."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import DataSettings
from dwt_keras.training import data, sampling


def arrays(shape: tuple[int, ...] = (5,), classes: int = 3, **replaced: Any) -> dict[str, Any]:
    random = np.random.default_rng(0)
    made = {
        "x_train": random.normal(50, 900, (40, *shape)),
        "y_train": np.sort(np.arange(40) % classes),
        "x_test": random.normal(50, 900, (9, *shape)),
        "y_test": np.arange(9) % classes,
    }
    return {**made, **replaced}


def load(folder: Path, made: dict[str, Any], **given: Any) -> data.Dataset:
    np.savez(folder / "mine.npz", **made)
    return data.load(DataSettings(dataset=str(folder / "mine.npz"), **given))


@pytest.mark.parametrize(
    ("shape", "kind", "expected"),
    [
        ((5,), "auto", (5,)),
        ((12, 3), "auto", (12, 3)),
        ((12,), "signals", (12, 1)),
        ((12, 9), "signals", (12, 9)),
    ],
)
def test_signals_and_tables_are_taken_as_they_are(
    tmp_path: Path, shape: tuple[int, ...], kind: str, expected: tuple[int, ...]
) -> None:
    made = arrays(shape)
    loaded = load(tmp_path, made, input_kind=kind)
    assert (loaded.input_shape, loaded.classes) == (expected, 3)
    np.testing.assert_array_equal(
        loaded.test.samples(), made["x_test"].astype(np.float32).reshape(9, *expected)
    )


@pytest.mark.parametrize("shape", [(5, 6), (5, 6, 3)])
def test_pixels_are_recognised(tmp_path: Path, shape: tuple[int, ...]) -> None:
    images = np.full((40, *shape), 255, np.uint8)
    loaded = load(tmp_path, arrays(x_train=images, x_test=images[:9]))
    assert len(loaded.input_shape) == 3
    assert loaded.train.samples().max() == 1


def test_whole_numbers_of_a_table_are_not_scaled(tmp_path: Path) -> None:
    values = np.arange(200, dtype=np.uint8).reshape(40, 5)
    loaded = load(tmp_path, arrays(x_train=values))
    assert max(loaded.train.samples().max(), loaded.validation.samples().max()) == 199


def test_validation_is_drawn_evenly_and_always_the_same(tmp_path: Path) -> None:
    made = arrays()  # Sorted by class: the last samples would all be of one.
    first, second = (load(tmp_path, made, validation_fraction=0.3) for _ in range(2))
    assert np.bincount(first.validation.labels).tolist() == [4, 4, 4]
    np.testing.assert_array_equal(first.validation.samples(), second.validation.samples())
    both = np.concatenate([first.train.samples(), first.validation.samples()])
    np.testing.assert_array_equal(
        np.sort(both, axis=0), np.sort(made["x_train"].astype(np.float32), axis=0)
    )


def test_a_validation_part_of_ones_own_is_taken(tmp_path: Path) -> None:
    extra = {"x_val": np.ones((4, 5)), "y_val": np.array([0, 1, 2, 0])}
    loaded = load(tmp_path, arrays(**extra))
    np.testing.assert_array_equal(loaded.validation.labels, extra["y_val"])
    assert len(loaded.train) == 40


@pytest.mark.parametrize(
    ("replaced", "message"),
    [
        ({"x_train": np.full((40, 5), np.nan)}, "x_train must be finite, .*; has nan at [0, 0]"),
        ({"x_test": np.full((9, 5), 1e39)}, "x_test must be finite, and within float32; has 1e+39"),
        ({"x_train": np.full((40, 5), "a")}, "x_train must be numbers; is <U1"),
        ({"x_test": np.zeros((9, 4))}, "x_test must have the shape of the training inputs, (5,)"),
        ({"y_train": np.arange(40) % 3 + 1}, "y_train must be the numbers of two classes or more"),
        ({"y_train": np.arange(40) % 2 * 2}, "y_train must .* lie within 0 and 2, without 1"),
        ({"y_train": np.zeros(40, int)}, "y_train must be the numbers of two classes or more"),
        ({"y_test": np.full(9, 3)}, "y_test must lie within 0 and 2; lies within 3 and 3"),
        ({"y_test": np.zeros(8, int)}, "y_test must be as many as the 9 inputs of x_test; are 8"),
        ({"x_val": np.zeros((4, 5))}, "lacks y_val; holds x_train"),
    ],
)
def test_unfit_arrays_are_named(tmp_path: Path, replaced: dict[str, Any], message: str) -> None:
    pattern = re.escape(f"{tmp_path}/mine.npz: {message}").replace(r"\.\*", ".*")
    with pytest.raises(data.DataError, match=f"^{pattern}"):
        load(tmp_path, arrays(**replaced))


def test_a_kind_that_the_shape_is_not(tmp_path: Path) -> None:
    message = r"x_train must have the shape \(samples, features\) to be tabular; has \(40, 5, 2\)"
    with pytest.raises(data.DataError, match=message):
        load(tmp_path, arrays((5, 2)), input_kind="tabular")


def test_a_file_that_is_not_there(tmp_path: Path) -> None:
    with pytest.raises(data.DataError, match=r"none\.npz: cannot be read \(No such file"):
        data.load(DataSettings(dataset=str(tmp_path / "none.npz")))


class TestFunction:
    @pytest.fixture
    def write(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
        monkeypatch.chdir(tmp_path)
        monkeypatch.syspath_prepend(str(tmp_path))

        def write(name: str, body: str) -> str:
            text = f"import numpy as np\ndef load():\n    {body}\n"
            (tmp_path / f"{name}.py").write_text(text)
            return f"{name}:load"

        return write

    X = "x = np.ones((6, 4)); y = np.arange(6) % 2"

    @pytest.mark.parametrize(
        ("name", "returned"),
        [
            ("returns_pairs", "(x, y), (x[:2], y[:2])"),
            ("returns_dict", "dict(x_train=x, y_train=y, x_test=x[:2], y_test=y[:2])"),
            ("returns_lists", "(x.tolist(), y.tolist()), (x[:2].tolist(), [0, 1])"),
        ],
    )
    def test_what_it_returns_is_taken(self, write: Any, name: str, returned: str) -> None:
        loaded = data.load(
            DataSettings(
                dataset=write(name, f"{self.X}; return {returned}"), validation_fraction=0.34
            )
        )
        assert (loaded.classes, loaded.input_shape) == (2, (4,))
        assert [len(part) for part in (loaded.train, loaded.validation, loaded.test)] == [4, 2, 2]

    @pytest.mark.parametrize(
        ("name", "body", "message"),
        [
            ("returns_none", "return None", "must return a dict .*; returned NoneType$"),
            ("returns_ragged", "return ([[1], [1, 2]], [0, 1]), ([[1]], [0])", "must be an array"),
            ("raises", "return 1 / 0", r"^dataset raises:load raised ZeroDivisionError: .*line 3"),
            ("lacks", "return dict(x_train=np.ones(3))", "lacks y_train, x_test, y_test; holds x"),
        ],
    )
    def test_what_goes_wrong_is_one_line(
        self, write: Any, name: str, body: str, message: str
    ) -> None:
        with pytest.raises(checks.UserError, match=message) as caught:
            data.load(DataSettings(dataset=write(name, body)))
        assert "\n" not in str(caught.value)

    @pytest.mark.parametrize(
        ("given", "message"),
        [
            ("no_such_module:load", "no_such_module cannot be imported: ModuleNotFoundError"),
            ("has_load:other", "has_load has no function other"),
            ("syntax_error:load", "syntax_error cannot be imported: SyntaxError"),
        ],
    )
    def test_a_function_that_is_not_there(self, write: Any, given: str, message: str) -> None:
        write("has_load", "return None")
        write("syntax_error", "return (")
        with pytest.raises(checks.ArgumentError, match=message) as caught:
            data.load(DataSettings(dataset=given))
        assert caught.value.argument == "dataset"


@pytest.mark.parametrize("count", [1, 7, 30, 59])
def test_systematic_draws_from_all_classes_by_their_share(count: int) -> None:
    labels = np.repeat([0, 1, 2], [30, 20, 10])
    kept, drawn = sampling.systematic(labels, count, 3)
    assert sorted([*kept, *drawn]) == list(range(60))
    assert len(drawn) == count
    shares = np.array([30, 20, 10]) * count / 60
    assert np.abs(np.bincount(labels[drawn], minlength=3) - shares).max() <= 1
    again = sampling.systematic(labels, count, 3)
    np.testing.assert_array_equal(drawn, again[1])
    assert drawn.tolist() != sampling.systematic(labels, count, 4)[1].tolist() or count == 1
