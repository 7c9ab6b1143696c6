"""Models and arguments that make no compact file: nothing is written, and an old file stays."""

from __future__ import annotations

from pathlib import Path

import keras
import numpy as np
import pytest
from artifacts import (
    STEP,
    assert_same,
    cached_load,
    cached_network,
    cached_small_model,
    kernels_of,
    network,
    small_file,
    small_model,
)
from keras import layers

from dwt_keras import checks
from dwt_keras.coding import container
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import artifact, packing


def test_a_model_that_is_not_built_is_refused(tmp_path):
    with pytest.raises(checks.UserError, match=r"^model 'raw' is not built: it has no weights yet"):
        artifact.save_compressed(
            keras.Sequential([layers.Dense(3)], name="raw"), tmp_path / "a.dwtz", step=0.1
        )
    assert not list(tmp_path.iterdir())


def test_a_file_that_readers_would_refuse_is_not_written_unless_they_are_told(tmp_path):
    """All zeros: a hundred bytes that would take more memory than such a file may ask for."""
    path = tmp_path / "a.dwtz"
    model = keras.Sequential([keras.Input((3000,)), layers.Dense(3000, "relu", use_bias=False)])
    model.layers[0].kernel.assign(np.zeros((3000, 3000), "f4"))
    with pytest.raises(checks.ArgumentError, match=r"^limits would make readers refuse the file"):
        artifact.save_compressed(model, path, step=0.1)
    assert not list(tmp_path.iterdir())
    artifact.save_compressed(model, path, step=0.1, limits=container.UNLIMITED)
    with pytest.raises(CodecError, match="more values than the limit"):
        artifact.load_compressed(path)
    assert artifact.load_compressed(path, container.UNLIMITED).count_params() == 9_000_000


BESIDE = "must not be given beside"


def test_how_small_is_a_distortion_unless_something_else_is_said(tmp_path):
    model = small_model()
    for name, options in (("default", {}), ("given", {"distortion": 1e-3})):
        artifact.save_compressed(model, tmp_path / name, wavelet="sym2", **options)
    assert (tmp_path / "default").read_bytes() == (tmp_path / "given").read_bytes()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"step": 0.1, "distortion": 0.1}, f"^distortion {BESIDE} step: one of them says how sm"),
        ({"max_bytes": 9, "distortion": 0.1}, f"^max_bytes {BESIDE} distortion"),
        ({"max_bytes": 40}, "^max_bytes must be [0-9]+ or more, the size with all kernels"),
        ({"max_bytes": 0}, "^max_bytes must be a whole number, 1 or more; given 0$"),
        ({"step": 0.0}, "^step must be a finite number, above 0"),
        ({"step": -1.0}, "^step must be a finite number, above 0"),
        ({"step": float("nan")}, "^step must be a finite number, above 0"),
        ({"step": 1e-12}, "^step must be at least"),
        ({"distortion": 0.0}, "^distortion must be a finite number, above 0, below 1"),
        ({"distortion": 1.0}, "^distortion must be a finite number, above 0, below 1"),
        ({"step": 0.1, "wavelet": "morl"}, "^wavelet must be a discrete wavelet, auto or none"),
        ({"step": 0.1, "axes": "all"}, "^axes must be one of auto, matrix; given 'all'"),
    ],
)
def test_arguments_that_make_no_file_are_refused(tmp_path, options, message):
    path = tmp_path / "a.dwtz"
    with pytest.raises(checks.ArgumentError, match=message):
        artifact.save_compressed(small_model(), path, **options)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize(
    "name", ["hidden/kernel", "hidden/bias", "norm/moving_variance", "lstm/lstm_cell/kernel"]
)
@pytest.mark.parametrize("options", [{"step": STEP}, {"distortion": 0.1}], ids=str)
@pytest.mark.parametrize("old", [None, b"old"])
def test_weights_that_are_no_numbers_are_refused_and_nothing_is_written(
    tmp_path, bad, name, options, old
):
    model, path = cached_network(), tmp_path / "a.dwtz"
    if old:
        path.write_bytes(old)
    variable = packing.variables(model)[name]
    values = variable.numpy()
    right = values.copy()
    values.flat[1] = bad
    variable.assign(values)
    try:
        with pytest.raises(checks.UserError, match=f"^{name}: has values that are NaN or inf"):
            artifact.save_compressed(model, path, kernels=kernels_of(model, "none"), **options)
    finally:
        variable.assign(right)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == (
        [("a.dwtz", old)] if old else []
    )


def test_a_model_that_cannot_be_stored_leaves_the_old_file(tmp_path):
    model = keras.Sequential([keras.Input((4,)), layers.Dense(3), layers.Lambda(lambda x: x)])
    path = tmp_path / "a.dwtz"
    path.write_bytes(b"old")
    with pytest.raises(checks.UserError, match="Lambda cannot be stored"):
        artifact.save_compressed(model, path, step=STEP)
    assert path.read_bytes() == b"old"
    artifact.save_compressed(model, path, step=STEP, with_architecture=False)
    artifact.load_compressed_weights(path, model)
    assert list(tmp_path.iterdir()) == [path]


def test_a_disk_that_is_full_leaves_the_old_file(tmp_path, monkeypatch):
    path = tmp_path / "a.dwtz"
    path.write_bytes(b"old")
    write = Path.write_bytes

    def half(self, data):
        write(self, data[: len(data) // 2])
        raise OSError("no space left")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="no space left"):
        artifact.save_compressed(cached_small_model(), path, step=STEP)
    assert [(one.name, one.read_bytes()) for one in tmp_path.iterdir()] == [("a.dwtz", b"old")]


@pytest.mark.parametrize("name", ["file_bytes", "value_bytes"])
def test_files_beyond_the_limits_are_refused(tmp_path, name):
    path, model = tmp_path / "a.dwtz", small_model()
    path.write_bytes(small_file())
    size = {"file_bytes": len(small_file()), "value_bytes": 4 * model.count_params()}[name]
    before = model.get_weights()
    limits = container.Limits(**{name: size - 1})
    with pytest.raises(CodecError, match="limit"):
        artifact.load_compressed(path, limits)
    with pytest.raises(CodecError, match="limit"):
        artifact.load_compressed_weights(path, model, limits)
    assert_same(model.get_weights(), before)
    artifact.load_compressed_weights(path, model, container.Limits(**{name: size}))


def test_folders_and_files_that_are_missing_cannot_be_read_or_replaced(tmp_path):
    for load in (artifact.load_compressed, cached_load):
        with pytest.raises(OSError, match="directory"):
            load(tmp_path)
        with pytest.raises(FileNotFoundError):
            load(tmp_path / "none.dwtz")
    (tmp_path / "folder").mkdir()
    for path in (tmp_path / "folder", tmp_path / "missing" / "a.dwtz"):
        with pytest.raises(OSError, match="directory"):
            artifact.save_compressed(small_model(), path, step=STEP)
    assert [one.name for one in tmp_path.iterdir()] == ["folder"]


def test_kernels_of_another_model_are_refused_and_nothing_is_written(tmp_path):
    model, other, path = network(), network(), tmp_path / "a.dwtz"
    with pytest.raises(
        checks.UserError, match=r"^kernels must be of model .*; given .* of another$"
    ):
        artifact.save_compressed(model, path, kernels=kernels_of(other), step=0.1)
    assert not path.exists()


@pytest.mark.parametrize("given", [{"wavelet": "haar"}, {"level": 2}, {"axes": "matrix"}])
def test_a_wavelet_beside_kernels_that_have_their_own_is_refused(tmp_path, given):
    model = network()
    with pytest.raises(checks.UserError, match=r"^wavelet \(or level, or axes\) must not be given"):
        artifact.save_compressed(
            model, tmp_path / "a.dwtz", kernels=kernels_of(model), step=0.1, **given
        )


def test_a_file_that_asks_for_more_calls_than_its_size_allows_is_not_written(tmp_path):
    path = tmp_path / "a.dwtz"
    few = container.Limits(small_layer_calls=8, bytes_a_call=1 << 20)
    with pytest.raises(checks.ArgumentError, match=r"calls of layers .* limit of 8 \(layer_calls"):
        artifact.save_compressed(small_model(), path, step=STEP, limits=few)
    assert not path.exists()
    artifact.save_compressed(small_model(), path, step=STEP)
    with pytest.raises(CodecError, match=r"a\.dwtz: the architecture takes .* calls"):
        artifact.load_compressed(path, few)
