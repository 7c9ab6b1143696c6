"""The compact file of a model: its weights back to the bit."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
from artifacts import (
    STEP,
    TOLERANCE,
    assert_same,
    decoded,
    kernels_of,
    network,
    outputs,
    randomise,
    small_model,
)
from keras import layers

from dwt_keras.coding import quantizer
from dwt_keras.coding.errors import CodecError
from dwt_keras.compression import artifact, packing

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


def test_kernels_that_are_not_trained_are_quantised_too(tmp_path):
    model, path = images(), tmp_path / "a.dwtz"
    size = artifact.save_compressed(model, path, step=0.01)
    model.trainable = False
    assert artifact.save_compressed(model, path, step=0.01) <= size + 20


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
