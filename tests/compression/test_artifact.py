"""The compact file of a model: its weights back to the bit, and files that are none."""

from __future__ import annotations

import dataclasses
import functools
import hashlib
import itertools
import zlib
from pathlib import Path

import keras
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from keras import layers

from dwt_keras import checks
from dwt_keras.coding import container, fields, quantizer
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import architecture, artifact, layout, packing, sections, targets
from dwt_keras.settings import CompressionSettings

STEP = 0.125
TOLERANCE = 2.0**-9


def network(dtype="float32", units=5, prefix=""):
    """A convolution and a Dense layer over an image, an Embedding and an LSTM over words."""
    image = keras.Input((5, 5, 1))
    words = keras.Input((3,), dtype="int32")
    options = {"dtype": dtype}
    x = layers.Normalization(name=f"{prefix}scaled", **options)(image)
    x = layers.Conv2D(3, 3, padding="same", name=f"{prefix}conv", **options)(x)
    x = layers.BatchNormalization(name=f"{prefix}norm", **options)(x)
    x = layers.Flatten(**options)(x)
    x = layers.Dense(units, activation="relu", name=f"{prefix}hidden", **options)(x)
    y = layers.Embedding(6, 3, name=f"{prefix}words", **options)(words)
    # The orthogonal start of an LSTM is not computed in bfloat16.
    lstm = layers.LSTM(2, recurrent_initializer="zeros", name=f"{prefix}lstm", **options)
    y = lstm(y)
    x = layers.Concatenate(**options)([x, y])
    model = keras.Model([image, words], layers.Dense(3, name=f"{prefix}classes", **options)(x))
    randomise(model)
    return model


def randomise(model, seed=0):
    """Sparse kernels, and anything else everywhere."""
    rng = np.random.default_rng(seed)
    for variable in model.weights:
        shape, dtype = tuple(variable.shape), np.dtype(variable.dtype)
        if np.issubdtype(dtype, np.integer):
            variable.assign(np.full(shape, (1 << 40) + 1 + seed, dtype))
            continue
        values = rng.laplace(size=shape) + (0.1 if len(shape) < 2 else 0)
        if len(shape) > 1:
            values = values * (rng.random(shape) < 0.6)
        if "variance" in variable.name:
            values = np.abs(values) + 0.5
        variable.assign(values.astype(dtype))


def kernels_of(model, wavelet="haar", level=2):
    return targets.find(model, CompressionSettings(wavelet=wavelet, level=level)).items


def assert_same(found, expected):
    assert len(found) == len(expected)
    for one, other in zip(found, expected, strict=True):
        assert (one.dtype, one.shape) == (other.dtype, other.shape)
        assert one.tobytes() == other.tobytes()


def decoded(model, kernels, step=STEP):
    return [layout.restored(tensor) for tensor in packing.pack(model, kernels, step)]


def outputs(model):
    rng = np.random.default_rng(1)
    image = rng.normal(size=(4, 5, 5, 1)).astype("float32")
    return np.asarray(model([image, rng.integers(0, 6, (4, 3))], training=False))


cached_network = functools.cache(network)


@functools.cache
def small_file():
    """The bytes of a small model's file."""
    model = small_model()
    randomise(model)
    return artifact.encode(model, kernels_of(model), STEP)


def small_model():
    model = keras.Sequential(
        [
            keras.Input((4, 4)),
            layers.Flatten(),
            layers.Dense(3, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(2, name="classes"),
        ]
    )
    randomise(model, seed=7)
    return model


BASES = [("haar", 2), ("db2", 1), ("bior4.4", 1), ("none", None)]


@pytest.mark.parametrize(("wavelet", "level"), BASES)
def test_a_loaded_model_has_the_quantised_weights_to_the_bit(tmp_path, wavelet, level):
    model, path = network(), tmp_path / "a.dwtz"
    kernels = kernels_of(model, wavelet, level)
    before = model.get_weights()
    size = artifact.save_compressed(model, path, kernels=kernels, step=STEP)
    assert size == path.stat().st_size
    assert_same(model.get_weights(), before)
    expected = decoded(model, kernels)

    loaded = artifact.load_compressed(path)
    assert_same(loaded.get_weights(), expected)
    second = network(prefix="other_")
    randomise(second, seed=3)
    artifact.load_compressed_weights(path, second)
    assert_same(second.get_weights(), expected)

    packing.set_all(model, expected)
    np.testing.assert_array_equal(outputs(loaded), outputs(model))
    np.testing.assert_array_equal(outputs(second), outputs(model))


@pytest.mark.parametrize(("wavelet", "level"), BASES)
@pytest.mark.parametrize("step", [STEP, 0.9])
def test_kernels_are_what_their_quantised_coefficients_make(tmp_path, wavelet, level, step):
    model, path = network(), tmp_path / "a.dwtz"
    kernels = kernels_of(model, wavelet, level)
    artifact.save_compressed(model, path, kernels=kernels, step=step)
    artifact.load_compressed_weights(path, second := network())
    found = dict(zip(packing.variables(model), second.get_weights(), strict=True))
    paths = {id(variable): name for name, variable in packing.variables(model).items()}
    assert len(kernels) == 6
    for one in kernels:
        coefficients = one.basis.decompose(one.read())
        levels = quantizer.quantise(coefficients, step)
        values = one.basis.reconstruct(quantizer.dequantise(levels, step), one.read().shape, "f4")
        kernel = found[paths[id(one.variable)]]
        np.testing.assert_array_equal(kernel, values)
        # Whatever rounding weighs, no level is farther from zero than the nearest.
        back = one.basis.decompose(kernel)
        assert (np.abs(back) <= np.abs(coefficients) + 0.5001 * step).all()
        # All that is not rounded towards zero is within half a step.
        away = np.abs(back) > np.abs(coefficients)
        assert (np.abs(back - coefficients)[away] <= 0.5001 * step).all()
        assert (np.abs(back - coefficients) <= 2 * step).all()


def test_a_fine_step_moves_weights_by_half_a_step_or_little_more(tmp_path):
    model, path = network(), tmp_path / "a.dwtz"
    kernels = kernels_of(model, "none")
    artifact.save_compressed(model, path, kernels=kernels, step=0.001)
    loaded = artifact.load_compressed(path)
    for now, then in zip(loaded.get_weights(), model.get_weights(), strict=True):
        if now.ndim > 1:
            assert np.abs(now - then).max() <= 0.0011
            assert np.mean(np.abs(now - then) <= 0.000501) > 0.9


@pytest.mark.parametrize("scale", [1.0, 1e-7, 1e6])
def test_other_variables_stay_within_the_tolerance_and_integers_exact(tmp_path, scale):
    model, path = network(), tmp_path / "a.dwtz"
    for variable in model.weights:
        if len(variable.shape) == 1:
            variable.assign(variable.numpy() * scale)
    artifact.save_compressed(model, path, kernels=kernels_of(model), step=STEP)
    loaded = artifact.load_compressed(path)
    seen = set()
    for name in packing.variables(model):
        now, then = (packing.variables(one)[name].numpy() for one in (loaded, model))
        last = name.rpartition("/")[2]
        if then.ndim > 1:
            continue
        seen.add(last)
        if last == "count":
            assert now == then == (1 << 40) + 1
        elif last in ("bias", "beta"):
            assert (np.abs(now - then) <= 1.0001 * TOLERANCE * np.abs(then).max()).all()
        else:
            assert (np.abs(now - then) <= TOLERANCE * np.abs(then)).all()
        # Half precision holds neither 1e6 nor much of 1e-7.
        if scale != 1.0 and last in ("gamma", "moving_mean", "moving_variance"):
            np.testing.assert_array_equal(now, then)
    assert seen == set("bias beta gamma moving_mean moving_variance mean variance count".split())


def test_the_same_model_gives_the_same_bytes(tmp_path):
    contents = set()
    for name in "ab":
        # Else the second is named functional_1.
        keras.backend.clear_session()
        model = network()
        for _ in range(2):
            artifact.save_compressed(model, tmp_path / name, kernels=kernels_of(model), step=STEP)
            contents.add((tmp_path / name).read_bytes())
    assert len(contents) == 1


def test_what_was_loaded_is_saved_to_the_same_weights_without_transforms(tmp_path):
    model, path = network(), tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, kernels=kernels_of(model, "none"), step=STEP)
    first = artifact.load_compressed(path)
    kernels = [one for one in first.get_weights() if one.ndim > 1]
    for one in kernels:
        np.testing.assert_array_equal(one / STEP, np.rint(one / STEP))


def test_kernels_that_are_not_given_stay_within_the_tolerance(tmp_path):
    model, path = network(), tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, kernels=kernels_of(model)[:1], step=10.0)
    loaded = artifact.load_compressed(path)
    for now, then in zip(loaded.weights, model.weights, strict=True):
        if now.name == "kernel" and len(now.shape) == 4:
            assert not now.numpy().any()
        elif len(now.shape) > 1:
            error = np.abs(now.numpy() - then.numpy())
            assert (error <= TOLERANCE * np.abs(then.numpy())).all()


def test_a_coarser_step_gives_a_smaller_file(tmp_path):
    model = network()
    sizes = [len(artifact.encode(model, kernels_of(model), step)) for step in (0.01, 0.1, 1.0)]
    assert sizes == sorted(sizes, reverse=True)
    assert sizes[2] < 0.8 * sizes[0]


@pytest.mark.parametrize(("wavelet", "level"), BASES)
def test_without_kernels_all_are_stored_in_the_wavelet(tmp_path, wavelet, level):
    model = network()
    artifact.save_compressed(model, tmp_path / "a", step=STEP, wavelet=wavelet, level=level)
    expected = artifact.encode(model, kernels_of(model, wavelet, level), STEP)
    assert (tmp_path / "a").read_bytes() == expected


@pytest.mark.parametrize("share", [1e-4, 0.01, 0.2])
def test_kernels_move_by_a_given_distortion(tmp_path, share):
    model, path = network(), tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, kernels=kernels_of(model), distortion=share)
    loaded = artifact.load_compressed(path)
    assert 0.7 * share <= moved(loaded, model) <= 1.0001 * share


def moved(loaded, model):
    error = energy = 0.0
    for now, then in zip(loaded.get_weights(), model.get_weights(), strict=True):
        if now.ndim > 1:
            error += float(np.sum((now - then).astype("f8") ** 2))
            energy += float(np.sum(then.astype("f8") ** 2))
    return error / energy


def test_the_distortion_is_that_of_the_weights_also_where_the_transform_stretches(tmp_path):
    """bior3.1 is far from orthogonal: errors of its coefficients are not those of the weights."""
    model, path = images(), tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, wavelet="bior3.1", level=2, distortion=0.01)
    assert 0.007 <= moved(artifact.load_compressed(path), model) <= 0.010001


@pytest.mark.parametrize("share", [0.2, 0.4, 0.9])
def test_a_file_has_a_given_number_of_bytes_at_most(tmp_path, share):
    model, path = images(), tmp_path / "a.dwtz"
    fine = artifact.save_compressed(model, path, step=1e-3)
    most = int(share * fine)
    assert artifact.save_compressed(model, path, max_bytes=most) == path.stat().st_size <= most
    assert path.stat().st_size >= 0.97 * most - 8


def test_the_cheapest_basis_is_chosen_where_none_is_given(tmp_path):
    """A smooth kernel is cheaper in a wavelet, noise in none."""
    rng = np.random.default_rng(0)
    model, path = images(), tmp_path / "a.dwtz"
    smooth = np.cumsum(np.cumsum(rng.standard_normal((16, 16, 8)), 0), 1).reshape(256, 8)
    model.layers[1].kernel.assign(smooth / np.abs(smooth).max())
    chosen = artifact.find_kernels(model, "auto", None, "auto")
    assert not chosen[0].basis.is_identity
    assert chosen[1].basis.is_identity
    plain = artifact.save_compressed(model, path, distortion=1e-3)
    assert artifact.save_compressed(model, path, wavelet="auto", distortion=1e-3) < 0.92 * plain
    assert moved(artifact.load_compressed(path), model) <= 0.001001


def images():
    keras.utils.set_random_seed(3)
    return keras.Sequential(
        [keras.Input((16, 16, 1)), layers.Flatten(), layers.Dense(8), layers.Dense(4)]
    )


def test_statistics_of_a_normalisation_come_back_with_what_is_computed_from_them(tmp_path):
    """Keras' layer computes with tensors that it made from its variables."""
    data = np.random.default_rng(0).normal(5.0, 3.0, (100, 6)).astype("f4")
    normalisation = layers.Normalization()
    normalisation.adapt(data)
    model = keras.Sequential([keras.Input((6,)), normalisation, layers.Dense(3)])
    path = tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, distortion=1e-9)
    loaded = artifact.load_compressed(path).layers[0]
    assert np.abs(loaded(data) - normalisation(data)).max() < 0.02
    fresh = keras.Sequential([keras.Input((6,)), layers.Normalization(), layers.Dense(3)])
    artifact.load_compressed_weights(path, fresh)
    assert np.abs(fresh.layers[0](data) - normalisation(data)).max() < 0.02


def test_a_model_that_is_not_built_is_refused(tmp_path):
    with pytest.raises(checks.UserError, match=r"^model 'raw' is not built: it has no weights yet"):
        artifact.save_compressed(
            keras.Sequential([layers.Dense(3)], name="raw"), tmp_path / "a.dwtz", step=0.1
        )
    assert not list(tmp_path.iterdir())


def test_kernels_that_are_not_trained_are_quantised_too(tmp_path):
    model, path = images(), tmp_path / "a.dwtz"
    size = artifact.save_compressed(model, path, step=0.01)
    model.trainable = False
    assert artifact.save_compressed(model, path, step=0.01) <= size + 20


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


def test_frames_are_stored_as_the_weights(tmp_path):
    model, path = network(), tmp_path / "a.dwtz"
    kernels = kernels_of(model, "morl")
    assert any(one.basis.is_frame for one in kernels)
    artifact.save_compressed(model, path, kernels=kernels, step=STEP)
    assert path.read_bytes() == artifact.encode(model, kernels_of(model, "none"), STEP)
    artifact.load_compressed(path)


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float64", "mixed_float16"])
@pytest.mark.parametrize("wavelet", ["haar", "db2", "none"])
def test_other_precisions_come_back_in_their_own(tmp_path, dtype, wavelet):
    model, path = network(dtype), tmp_path / "a.dwtz"
    kernels = kernels_of(model, wavelet, 1)
    artifact.save_compressed(model, path, kernels=kernels, step=STEP)
    loaded = artifact.load_compressed(path)
    expected = decoded(model, kernels)
    assert_same(loaded.get_weights(), expected)
    for now, then in zip(loaded.get_weights(), model.get_weights(), strict=True):
        assert now.dtype == then.dtype
        error = np.abs(now.astype("f8") - then.astype("f8"))
        # Roundings of the levels, of the transform back and of the dtype.
        allowed = 3 * STEP if now.ndim > 1 else TOLERANCE * np.abs(then.astype("f8")).max()
        assert error.max() <= allowed


def test_a_step_that_is_no_float32_is_rounded_before_it_is_used(tmp_path):
    model, path = network("float64"), tmp_path / "a.dwtz"
    kernels = kernels_of(model)
    artifact.save_compressed(model, path, kernels=kernels, step=0.1)
    assert_same(artifact.load_compressed(path).get_weights(), decoded(model, kernels, 0.1))


@pytest.mark.filterwarnings("ignore:overflow")
def test_biases_that_are_no_float32_are_kept(tmp_path):
    model, path = network("float64"), tmp_path / "a.dwtz"
    model.get_layer("hidden").bias.assign(np.full(5, 1e300))
    artifact.save_compressed(model, path, kernels=kernels_of(model), step=STEP)
    bias = artifact.load_compressed(path).get_layer("hidden").bias.numpy()
    np.testing.assert_allclose(bias, 1e300, rtol=TOLERANCE)


class Twins(keras.Model):
    """Two layers of the same name."""

    def __init__(self, units=(2, 3)):
        super().__init__(name="twins")
        self.first, self.second = (layers.Dense(each, name="same") for each in units)

    def call(self, x):
        return self.second(self.first(x))


def test_biases_of_the_same_name_are_quantised_both():
    model = Twins((40, 50))
    model(np.zeros((1, 4)))
    randomise(model)
    trained = [dataclasses.replace(kernel, step=STEP) for kernel in kernels_of(model)]
    packed = packing.pack(model, trained)
    assert [tensor.levels is not None for tensor in packed] == [True] * 4


def test_variables_of_the_same_name_are_told_apart(tmp_path):
    model, other = Twins(), Twins()
    for one in (model, other):
        one(np.zeros((1, 4)))
    randomise(model)
    assert list(packing.variables(model)) == [
        "same/kernel",
        "same/bias",
        "same/kernel#2",
        "same/bias#2",
    ]
    path = tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, step=STEP, with_architecture=False)
    artifact.load_compressed_weights(path, other)
    assert_same(other.get_weights(), decoded(model, kernels_of(model, "none")))


def test_a_layer_called_twice_is_stored_once(tmp_path):
    first, second = keras.Input((4,)), keras.Input((4,))
    shared = layers.Dense(3, name="shared")
    model = keras.Model([first, second], layers.Add()([shared(first), shared(second)]))
    assert list(packing.variables(model)) == ["shared/kernel", "shared/bias"]
    path = tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, step=STEP)
    loaded = artifact.load_compressed(path)
    assert len(loaded.weights) == 2
    assert_same(loaded.get_weights(), decoded(model, kernels_of(model, "none")))


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


@pytest.mark.parametrize(
    "change", [{"units": 6}, {"dtype": "float64"}, {"dtype": "float16"}], ids=str
)
def test_another_architecture_is_refused_and_no_variable_changed(tmp_path, change):
    model, path = network(), tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, kernels=kernels_of(model), step=STEP)
    other = network(**change)
    before = other.get_weights()
    with pytest.raises(CodecError, match="belongs to another architecture than 'functional"):
        artifact.load_compressed_weights(path, other)
    assert_same(other.get_weights(), before)


def test_a_file_of_weights_alone_needs_a_model(tmp_path):
    model, path = network(), tmp_path / "a.dwtz"
    whole = artifact.save_compressed(model, path, step=STEP)
    size = artifact.save_compressed(model, path, step=STEP, with_architecture=False)
    assert size == path.stat().st_size < whole
    with pytest.raises(CodecError, match=r"a\.dwtz: holds weights alone; load them into their mod"):
        artifact.load_compressed(path)
    second = network(prefix="other_")
    randomise(second, seed=5)
    artifact.load_compressed_weights(path, second)
    assert_same(second.get_weights(), decoded(model, kernels_of(model, "none")))


def assert_refused(path, data, model):
    path.write_bytes(data)
    with pytest.raises(CodecError) as caught:
        artifact.load_compressed_weights(path, model)
    assert "\n" not in str(caught.value)


def test_every_flip_of_a_bit_is_refused_and_no_variable_changed(tmp_path):
    model, path = small_model(), tmp_path / "a.dwtz"
    before = model.get_weights()
    whole = small_file()
    bare = forged(without=sections.ARCHITECTURE)
    flips = [(whole, place, place % 8) for place in range(len(whole))]
    flips += [(bare, place, bit) for place in range(len(bare)) for bit in range(8)]
    for data, place, bit in flips:
        changed = bytearray(data)
        changed[place] ^= 1 << bit
        assert_refused(path, changed, model)
    assert_same(model.get_weights(), before)
    for data in (bare, whole):
        path.write_bytes(data)
        artifact.load_compressed_weights(path, model)
        assert not np.array_equal(model.get_weights()[0], before[0])
        model.set_weights(before)


def test_every_truncation_and_an_appended_byte_is_refused_and_no_variable_changed(tmp_path):
    data, model, path = small_file(), small_model(), tmp_path / "a.dwtz"
    before = model.get_weights()
    for size in range(len(data)):
        assert_refused(path, data[:size], model)
    for byte in (b"\0", b"\n", data[-1:]):
        assert_refused(path, data + byte, model)
    with pytest.raises(CodecError):
        artifact.load_compressed(path)
    assert_same(model.get_weights(), before)


def sections_of(data):
    return {one.kind: one for one in container.unpack(data)}


def forged(weights=None, without=None):
    """The small file with other weights, or without a section; its checksums are right."""
    parts = sections_of(small_file())
    if weights is not None:
        parts[sections.WEIGHTS] = container.Section(sections.WEIGHTS, weights)
    return container.pack([one for kind, one in parts.items() if kind != without])


PAYLOAD_CHANGES = st.lists(
    st.tuples(st.sampled_from(["set", "insert", "delete"]), st.integers(0), st.integers(0, 255)),
    min_size=1,
    max_size=3,
)
cached_small_model = functools.cache(small_model)


@settings(max_examples=400, deadline=None)
@given(PAYLOAD_CHANGES)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_forged_weights_are_refused_or_load_in_full(tmp_path_factory, changes):
    payload = bytearray(sections_of(small_file())[sections.WEIGHTS].payload)
    for what, place, byte in changes:
        place %= len(payload)
        if what == "set":
            payload[place] = byte
        elif what == "insert":
            payload.insert(place, byte)
        else:
            del payload[place]
    path = Path(tmp_path_factory.getbasetemp()) / "forged.dwtz"
    path.write_bytes(forged(bytes(payload)))
    model = cached_small_model()
    before = model.get_weights()
    try:
        artifact.load_compressed_weights(path, model)
    except CodecError as error:
        assert "\n" not in str(error)
        assert_same(model.get_weights(), before)


def test_tensors_that_are_not_those_of_the_model_are_refused(tmp_path):
    path, model = tmp_path / "a.dwtz", small_model()
    packed = packing.pack(model, kernels_of(model), STEP)
    before = model.get_weights()
    for some, message in (
        (packed[:-1], "has 7 tensors, the model 8"),
        (
            [packed[1], packed[0], *packed[2:]],
            r"hidden/bias is float32 \(3,\), the model's .*kernel",
        ),
        ([*packed[:-1], packed[0]], "hidden/kernel is float32"),
    ):
        path.write_bytes(forged(artifact.tensors.encode(some, layout.grid_of)))
        with pytest.raises(CodecError, match=message):
            artifact.load_compressed_weights(path, model)
    assert_same(model.get_weights(), before)


@pytest.mark.parametrize("kind", [sections.FINGERPRINT, sections.WEIGHTS])
def test_a_file_without_one_of_its_sections_is_refused(tmp_path, kind):
    path = tmp_path / "a.dwtz"
    path.write_bytes(forged(without=kind))
    for load in (artifact.load_compressed, cached_load):
        with pytest.raises(CodecError, match=f"lacks the section of kind {kind}$"):
            load(path)


def cached_load(path):
    artifact.load_compressed_weights(path, cached_small_model())


def test_an_architecture_of_another_model_is_refused(tmp_path):
    path = tmp_path / "a.dwtz"
    parts = sections_of(small_file())
    other = container.Section(sections.ARCHITECTURE, architecture.encode(network()), optional=True)
    path.write_bytes(container.pack([*list(parts.values())[:2], other]))
    with pytest.raises(CodecError, match="belongs to another architecture"):
        artifact.load_compressed(path)


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


@pytest.mark.parametrize("kind", ["empty", "text", "keras", "npz", "zeros"])
def test_other_files_are_no_compact_files(tmp_path, kind):
    path = tmp_path / "other.keras"
    model = cached_small_model()
    if kind == "keras":
        model.save(path)
    elif kind == "npz":
        with path.open("wb") as file:
            np.savez(file, a=np.zeros(3))
    else:
        path.write_bytes({"empty": b"", "text": b"Some text.\n", "zeros": bytes(200)}[kind])
    for load in (artifact.load_compressed, cached_load):
        with pytest.raises(CodecError, match=r"other\.keras: this is no \.dwtz file"):
            load(path)


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


def test_a_network_of_zeros_comes_back(tmp_path):
    model, path = network(), tmp_path / "a.dwtz"
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    for options in ({"step": STEP}, {"distortion": 0.1}):
        artifact.save_compressed(model, path, kernels=kernels_of(model), **options)
        assert not any(w.any() for w in artifact.load_compressed(path).get_weights())


def test_a_path_may_be_text(tmp_path):
    model = small_model()
    artifact.save_compressed(model, str(tmp_path / "a.dwtz"), step=STEP)
    loaded = artifact.load_compressed(str(tmp_path / "a.dwtz"))
    assert_same(loaded.get_weights(), decoded(model, kernels_of(model, "none")))


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


def pieces_of(data):
    """The header, each section with its checksum, and the digest of a file."""
    cuts = [0, 6]
    for section in container.unpack(data):
        length = fields.Writer()
        length.unsigned(len(section.payload))
        cuts.append(cuts[-1] + 1 + len(length.to_bytes()) + len(section.payload) + 4)
    return [data[a:b] for a, b in itertools.pairwise([*cuts, len(data)])]


def digested(body):
    return body + hashlib.blake2b(body, digest_size=8).digest()


def test_sections_repeated_reordered_or_overlapping_are_refused_and_no_variable_changed(tmp_path):
    """As bytes: sections in another order with checksums made for it are another file."""
    model, path = small_model(), tmp_path / "a.dwtz"
    before = model.get_weights()
    head, *parts, digest = pieces_of(small_file())
    assert len(parts) == 3
    forged_files = []
    for count in range(1, 5):
        for some in itertools.product(parts, repeat=count):
            if list(some) not in (parts, parts[:2]):
                body = head + b"".join(some)
                forged_files += [body + digest, digested(body)]
    # A section whose length reaches into the next one, without and with a checksum of its own.
    for number, part in enumerate(parts[:2], start=1):
        size = len(fields_of(part)[1])
        following = b"".join(parts[number:])
        for more in range(1, len(parts[number]) + 1):
            longer = fields.Writer()
            longer.raw(part[:1])
            longer.block(fields_of(part)[1] + (part[-4:] + following)[:more])
            checksum = zlib.crc32(number.to_bytes(4, "little") + longer.to_bytes())
            rest = (part[-4:] + following)[more:]
            start = head + b"".join(parts[: number - 1]) + longer.to_bytes()
            body = start + checksum.to_bytes(4, "little") + rest[4:]
            forged_files += [start + rest + digest, digested(start + rest), digested(body)]
            assert len(fields_of(longer.to_bytes() + bytes(4))[1]) == size + more
    for data in forged_files:
        assert_refused(path, data, model)
    assert_same(model.get_weights(), before)
    path.write_bytes(digested(head + b"".join(parts[:2])))
    artifact.load_compressed_weights(path, model)
    assert not np.array_equal(model.get_weights()[0], before[0])


def fields_of(part):
    """Tag and payload of a section with its checksum."""
    reader = fields.Reader(part)
    return bytes(reader.raw(1)), bytes(reader.block())


@pytest.mark.parametrize("dtype", ["float16", "bfloat16", "float32"])
def test_levels_too_large_for_the_dtype_are_refused_and_no_variable_changed(tmp_path, dtype):
    """The values of levels, and what a transform adds up of them, may be infinite."""
    options = {"use_bias": False, "dtype": dtype}
    model = keras.Sequential([keras.Input((16,)), layers.Dense(16, **options)])
    path = tmp_path / "a.dwtz"
    artifact.save_compressed(model, path, step=0.01, wavelet="haar", axes="matrix", level=4)
    (kernel,) = packing.pack(model, artifact.find_kernels(model, "haar", 4, "matrix"), 0.01)
    before = model.get_weights()
    levels = np.full((16, 16), 1, np.int32)
    step = {"float16": 1e5, "bfloat16": 1.7e38, "float32": 1.7e38}[dtype]
    hostile = dataclasses.replace(kernel, levels=levels, step=float(np.float32(step)))
    parts = sections_of(path.read_bytes())
    parts[sections.WEIGHTS] = container.Section(
        sections.WEIGHTS, artifact.tensors.encode([hostile], layout.grid_of)
    )
    path.write_bytes(container.pack(list(parts.values())))
    for load in (lambda: artifact.load_compressed_weights(path, model), lambda: load_new(path)):
        with pytest.raises(CodecError, match=r"/kernel: has values that are NaN or infinite"):
            load()
    assert_same(model.get_weights(), before)


def load_new(path):
    artifact.load_compressed(path)


def test_a_file_that_asks_for_more_calls_than_its_size_allows_is_not_written(tmp_path):
    path = tmp_path / "a.dwtz"
    few = container.Limits(small_layer_calls=8, bytes_a_call=1 << 20)
    with pytest.raises(checks.ArgumentError, match=r"calls of layers .* limit of 8 \(layer_calls"):
        artifact.save_compressed(small_model(), path, step=STEP, limits=few)
    assert not path.exists()
    artifact.save_compressed(small_model(), path, step=STEP)
    with pytest.raises(CodecError, match=r"a\.dwtz: the architecture takes .* calls"):
        artifact.load_compressed(path, few)
