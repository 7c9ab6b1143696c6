"""The compact file of a run: as coarse as the accuracy allows, and the model becomes it."""

from __future__ import annotations

import os

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

import keras
import numpy as np
import pytest
from keras import layers

from dwt_keras import checks
from dwt_keras.compression import artifact, layout, packing, targets
from dwt_keras.settings import CompressionSettings
from dwt_keras.training import coding


@pytest.fixture
def model():
    """Flatten, Dense(5), Dense(3) over 6 x 6 images, with sparse weights."""
    keras.utils.set_random_seed(0)
    model = keras.Sequential(
        [
            keras.Input((6, 6)),
            layers.Flatten(),
            layers.Dense(5, name="hidden"),
            layers.BatchNormalization(name="norm"),
            layers.Dense(3, name="classes"),
        ]
    )
    rng = np.random.default_rng(0)
    model.set_weights(
        [
            (rng.laplace(size=w.shape) * (rng.random(w.shape) < 0.5)).astype(w.dtype)
            for w in model.get_weights()
        ]
    )
    return model


def kernels_of(model, wavelet="haar", level=2):
    return targets.find(model, CompressionSettings(wavelet=wavelet, level=level)).items


def distance(model, weights):
    """Mean distance of the kernels from what they were."""
    return float(
        np.mean(
            [
                np.abs(now - then).mean()
                for now, then in zip(model.get_weights(), weights, strict=True)
                if now.ndim == 2
            ]
        )
    )


def falling(model):
    """An accuracy that falls as the kernels move away."""
    weights = model.get_weights()
    return lambda: 1.0 - distance(model, weights)


def wobbling(model):
    """An accuracy that falls with ups and downs."""
    weights = model.get_weights()

    def accuracy():
        moved = distance(model, weights)
        return 0.9 - 0.5 * moved + 0.2 * np.sin(40 * moved)

    return accuracy


def assert_same(found, expected):
    for one, other in zip(found, expected, strict=True):
        assert one.dtype == other.dtype
        np.testing.assert_array_equal(one, other)


def weights_at(model, kernels, step):
    return [layout.restored(tensor) for tensor in packing.pack(model, kernels, step)]


@pytest.mark.parametrize("drop", [0.01, 0.05, 0.2])
@pytest.mark.parametrize("measure", [falling, wobbling])
@pytest.mark.parametrize("wavelet", ["haar", "none"])
def test_the_model_of_the_file_is_within_the_drop(model, tmp_path, measure, drop, wavelet):
    accuracy = measure(model)
    before = accuracy()
    coding.save_within(model, tmp_path / "a.dwtz", kernels_of(model, wavelet), accuracy, drop)
    assert before - accuracy() <= drop


@pytest.mark.parametrize("drop", [0.0005, 0.01, 0.05, 0.2])
def test_a_step_that_is_a_tenth_larger_would_lose_too_much(model, tmp_path, monkeypatch, drop):
    steps, pack = [0.0], packing.pack

    def watched(model, kernels, step):
        steps.append(step)
        return pack(model, kernels, step)

    monkeypatch.setattr(packing, "pack", watched)
    step = coding.save_within(
        model, tmp_path / "a.dwtz", kernels_of(model), lambda: 1.0 - 0.1 * steps[-1], drop
    )
    assert step == np.float32(step)
    assert 0.1 * step <= drop < 0.1 * 1.1001 * step


@pytest.mark.parametrize("measure", [falling, wobbling])
def test_the_model_has_the_very_weights_of_the_file_at_the_step_returned(model, tmp_path, measure):
    kernels, weights, path = kernels_of(model), model.get_weights(), tmp_path / "a.dwtz"
    step = coding.save_within(model, path, kernels, measure(model), 0.05)
    found = model.get_weights()
    assert not all(np.array_equal(*pair) for pair in zip(found, weights, strict=True))
    assert_same(artifact.load_compressed(path).get_weights(), found)
    model.set_weights(weights)
    assert_same(weights_at(model, kernels, step), found)
    assert artifact.encode(model, kernels, step) == path.read_bytes()


def test_a_larger_drop_gives_a_smaller_file(model, tmp_path):
    weights, kernels, accuracy = model.get_weights(), kernels_of(model), falling(model)
    sizes, steps = [], []
    for drop in (0.0, 0.02, 0.1, 0.4):
        model.set_weights(weights)
        path = tmp_path / f"{drop}.dwtz"
        steps.append(coding.save_within(model, path, kernels, accuracy, drop))
        sizes.append(path.stat().st_size)
    assert steps == sorted(set(steps))
    assert sizes == sorted(set(sizes), reverse=True)


def test_a_drop_of_0_keeps_an_accuracy_of_steps(model, tmp_path):
    weights, kernels = model.get_weights(), kernels_of(model)
    moved = []

    def accuracy():
        moved.append(distance(model, weights))
        return 0.75 if moved[-1] < 0.03 else 0.7

    step = coding.save_within(model, tmp_path / "a.dwtz", kernels, accuracy, 0.0)
    assert accuracy() == 0.75
    assert 0.0 < moved[-1] < 0.03 < max(moved)
    assert step > 0.01


def test_a_drop_that_nothing_meets_gives_the_finest_step(model, tmp_path):
    weights, kernels, path = model.get_weights(), kernels_of(model), tmp_path / "a.dwtz"
    largest = max(np.abs(one.basis.decompose(one.read())).max() for one in kernels)

    def accuracy():
        return 1.0 if distance(model, weights) == 0.0 else 0.0

    step = coding.save_within(model, path, kernels, accuracy, 0.0)
    assert step == pytest.approx(largest / 4096, rel=1e-6)
    assert_same(artifact.load_compressed(path).get_weights(), model.get_weights())
    assert 0.0 < distance(model, weights) < step


def test_an_accuracy_that_never_falls_gives_the_coarsest_step(model, tmp_path):
    kernels = kernels_of(model)
    largest = max(np.abs(one.basis.decompose(one.read())).max() for one in kernels)
    calls = []
    step = coding.save_within(
        model, tmp_path / "a.dwtz", kernels, lambda: calls.append(1) or 0.5, 0.0
    )
    assert step == pytest.approx(largest, rel=1e-6)
    assert len(calls) == 2


def test_the_accuracy_is_first_that_of_the_weights_as_they_are(model, tmp_path):
    weights, seen = model.get_weights(), []

    def accuracy():
        seen.append(distance(model, weights))
        return 1.0 - seen[-1]

    coding.save_within(model, tmp_path / "a.dwtz", kernels_of(model), accuracy, 0.03)
    assert seen[0] == 0.0
    assert min(seen[1:]) > 0.0
    # 2^12 is halved on a logarithmic scale until 1.1 remains.
    assert len(seen) <= 10


@pytest.mark.parametrize("drop", [0.0, 0.1])
def test_a_network_of_zeros_is_saved(model, tmp_path, drop):
    model.set_weights([np.zeros_like(w) for w in model.get_weights()])
    path = tmp_path / "a.dwtz"
    assert coding.save_within(model, path, kernels_of(model), lambda: 0.1, drop) > 0.0
    for found in (model, artifact.load_compressed(path)):
        assert not any(w.any() for w in found.get_weights())


def test_a_frame_has_its_weights_quantised(model, tmp_path):
    accuracy, kernels = falling(model), kernels_of(model, "morl")
    assert kernels[0].basis.is_frame
    path = tmp_path / "a.dwtz"
    coding.save_within(model, path, kernels, accuracy, 0.02)
    assert 0.98 <= accuracy() < 1.0
    assert_same(artifact.load_compressed(path).get_weights(), model.get_weights())


@pytest.mark.parametrize(
    ("layer", "bad"),
    [
        ("classes", np.nan),
        ("classes", np.inf),
        ("norm", np.nan),
        ("norm", np.inf),
    ],
)
def test_weights_that_are_no_numbers_are_refused_and_nothing_is_written(
    model, tmp_path, layer, bad
):
    variable = model.get_layer(layer).weights[0]
    values = variable.numpy()
    values.flat[0] = bad
    variable.assign(values)
    weights, path = model.get_weights(), tmp_path / "a.dwtz"
    path.write_bytes(b"old")
    with pytest.raises(checks.UserError, match=f"^{layer}/.*NaN or infinite"):
        coding.save_within(model, path, kernels_of(model, "none"), lambda: 0.5, 0.1)
    assert_same(model.get_weights(), weights)
    assert path.read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [path]
