"""Training for a file of a given size, through the callback."""

from __future__ import annotations

import dataclasses

import keras
import numpy as np
import pytest
import tensorflow as tf

from dwt_keras import (
    DWTCompression,
    load_compressed,
    load_compressed_weights,
    save_compressed,
)
from dwt_keras.checks import ArgumentError, UserError
from dwt_keras.compression import choice, shrink
from dwt_keras.wavelet import basis

TARGET = 330  # Of the mlp, whose 402 weights in two kernels cost some 550 at full accuracy.


def fit(model, data, compression, *callbacks, epochs=5, before=(), **options):
    return model.fit(
        *data,
        callbacks=[*before, compression, *callbacks],
        **{"batch_size": 8, "verbose": 0, "epochs": epochs, **options},
    )


@pytest.mark.parametrize("wavelet", ["haar", "none", "auto"])
@pytest.mark.parametrize("epochs", [1, 2, 6])
def test_the_file_has_the_size_and_the_kernels(mlp, data, wavelet, epochs, tmp_path):
    model = mlp()
    compression = DWTCompression(wavelet, target_bytes=TARGET)
    fit(model, data, compression, epochs=epochs)
    size = save_compressed(model, tmp_path / "model.dwtz", kernels=compression.targets)
    assert 0.9 * TARGET < size <= TARGET
    loaded = load_compressed(tmp_path / "model.dwtz")
    kernels = [variable for variable in model.weights if "kernel" in variable.path]
    again = [variable for variable in loaded.weights if "kernel" in variable.path]
    for kernel, other in zip(kernels, again, strict=True):
        # What was trained is what ships.
        np.testing.assert_allclose(kernel.numpy(), other.numpy(), atol=2e-6)


def test_every_epoch_shows_what_it_trained(mlp, data):
    """Nothing changes between the last step of an epoch and what looks at the network then."""

    class Watch(keras.callbacks.Callback):
        changes = ()

        def on_train_batch_end(self, batch, logs=None):
            self.before = self.model.get_weights()

        def on_epoch_end(self, epoch, logs=None):
            now = self.model.get_weights()
            same = all(np.array_equal(a, b) for a, b in zip(self.before, now, strict=True))
            self.changes += (not same,)

    compression, watch = DWTCompression("haar", target_bytes=TARGET), Watch()
    # Listed first, it sees the last batch before the compression does.
    model = mlp()
    model.fit(*data, callbacks=[watch, compression], epochs=8, batch_size=8, verbose=0)
    assert watch.changes[:-1] == (False,) * 7


@pytest.mark.filterwarnings("ignore:Your input ran out of data:UserWarning")
@pytest.mark.parametrize("how", ["generator", "unbuilt", "several", "compiled", "eager"])
def test_however_it_is_trained_epochs_end_with_what_a_file_holds(mlp, data, how):
    model = (
        mlp() if how != "unbuilt" else keras.Sequential([keras.layers.Flatten(), *mlp().layers[1:]])
    )
    model.compile(
        keras.optimizers.SGD(0.1),
        "sparse_categorical_crossentropy",
        steps_per_execution=3 if how == "several" else 1,
        jit_compile=how == "compiled",
        run_eagerly=how == "eager",
    )
    compression, off = DWTCompression("haar", target_bytes=TARGET), []

    class Look(keras.callbacks.Callback):
        def on_test_begin(self, logs=None):
            for target in compression.targets:
                levels = target.basis.decompose(target.read()) / (target.step or np.nan)
                off.append(float(np.abs(levels - np.rint(levels)).max()))

    x, y = data

    def batches():
        for begin in range(0, len(x), 8):
            yield x[begin : begin + 8], y[begin : begin + 8]

    def train(given, **options):
        model.fit(
            *given,
            validation_data=data,
            callbacks=[compression, Look()],
            epochs=5,
            verbose=0,
            **options,
        )

    if how == "generator":
        signature = (
            tf.TensorSpec((None, *x.shape[1:]), x.dtype),
            tf.TensorSpec((None,), y.dtype),
        )
        train([tf.data.Dataset.from_generator(batches, output_signature=signature)], shuffle=False)
    else:
        train(data, batch_size=8)
    # The last two epochs, two kernels each.
    assert all(each < 1e-2 for each in off[-4:])


def test_zeros_grow_along_the_ramp(mlp, data):
    zeros = []
    logger = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: zeros.append(logs["zero_fraction"])
    )
    fit(mlp(), data, DWTCompression("haar", target_bytes=TARGET), logger, epochs=20)
    assert zeros[0] < 0.1
    assert zeros[0] < zeros[3] < zeros[10]
    assert min(zeros[18:]) > 0.25


def test_the_last_epochs_are_quantised(mlp, data):
    """Kernels are multiples of a step after each epoch of the last part, and only then."""
    stepped = []
    compression = DWTCompression("haar", target_bytes=TARGET)
    logger = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: stepped.append([t.step for t in compression.targets])
    )
    fit(mlp(), data, compression, logger, epochs=10)
    assert [all(steps) for steps in stepped] == [False] * 6 + [True] * 4
    for target in compression.targets:
        levels = target.basis.decompose(target.read()) / target.step
        np.testing.assert_allclose(levels, np.rint(levels), atol=1e-4)
        assert np.abs(levels).max() > 0.5


def test_weights_restored_to_an_epoch_on_the_way_are_made_small_enough(mlp, data, tmp_path):
    compression = DWTCompression("haar", target_bytes=TARGET)
    stop = keras.callbacks.EarlyStopping("loss", patience=1, mode="max", restore_best_weights=True)
    model = mlp()
    history = fit(model, data, compression, before=[stop], epochs=10)
    assert len(history.epoch) == 2  # The loss falls, which was called worse.
    assert save_compressed(model, tmp_path / "model.dwtz", kernels=compression.targets) <= TARGET


def test_the_same_seed_gives_the_same_file(mlp, data, tmp_path):
    files = []
    for name in "ab":
        keras.utils.set_random_seed(4)
        model = mlp()
        compression = DWTCompression(target_bytes=TARGET)
        fit(model, data, compression, shuffle=False)
        kernels = compression.targets
        # The architecture has the model's name, which Keras counts up.
        save_compressed(model, tmp_path / name, kernels=kernels, with_architecture=False)
        files.append((tmp_path / name).read_bytes())
    assert files[0] == files[1]


@pytest.mark.parametrize("choose", [(1,), (1, 3)])
def test_bases_are_chosen_on_the_way(mlp, data, choose, tmp_path):
    compression = DWTCompression("auto", target_bytes=TARGET, choose_basis_epochs=choose)
    model = mlp()
    fit(model, data, compression)
    assert all(target.choice is not None for target in compression.targets)
    assert save_compressed(model, tmp_path / "model.dwtz", kernels=compression.targets) <= TARGET


def test_support_may_be_chosen_within_epochs(mlp, data, monkeypatch):
    from dwt_keras.compression import byte_target

    chosen = []
    original = byte_target.ByteTarget.choose

    def choose(self, *arguments, **options):
        chosen.append(arguments)
        return original(self, *arguments, **options)

    monkeypatch.setattr(byte_target.ByteTarget, "choose", choose)
    fit(mlp(), data, DWTCompression("haar", target_bytes=TARGET, apply_every_batches=2), epochs=2)
    # Of 6 batches each: in the first epoch after 2 and 4, in the second at its beginning too.
    assert len(chosen) == 5


def test_a_target_below_all_zeros_is_refused_before_training(mlp, data):
    model = mlp()
    before = model.get_weights()
    with pytest.raises(ArgumentError, match=r"^target_bytes must be \d+ or more, .*; given 100$"):
        fit(model, data, DWTCompression("haar", target_bytes=100))
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_constraints_are_taken_off_again(mlp, data):
    model = mlp()
    compression = DWTCompression("haar", target_bytes=TARGET)
    fit(model, data, compression)
    assert all(variable.constraint is None for variable in model.trainable_variables)
    zeros = shrink.measure(compression.targets).zero_fraction
    model.fit(*data, epochs=1, batch_size=8, verbose=0)
    assert shrink.measure(compression.targets).zero_fraction < zeros


def test_a_diverged_training_is_named(mlp, data):
    with pytest.raises(UserError, match=r"NaN or infinite"):
        fit(mlp(keras.optimizers.SGD(1e30)), data, DWTCompression("haar", target_bytes=TARGET))


def test_a_diverged_kernel_is_named_although_it_shows_zeros(data):
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(3, use_bias=False, activation="softmax", name="only"),
        ]
    )
    model.compile(keras.optimizers.SGD(1e38), "sparse_categorical_crossentropy")
    with pytest.raises(UserError, match=r"^only/kernel: has weights that are NaN or infinite"):
        fit(model, data, DWTCompression("none", target_bytes=10 * TARGET))


def test_one_training_cannot_search(mlp):
    with pytest.raises(ArgumentError, match=r"^max_accuracy_drop takes several trainings"):
        DWTCompression(max_accuracy_drop=0.01)


def test_the_report_counts_what_is_there(mlp, data):
    compression = DWTCompression("haar", target_bytes=TARGET)
    fit(mlp(), data, compression, epochs=10)
    counted = shrink.measure(compression.targets)
    assert compression.report.zero_fraction == counted.zero_fraction
    assert compression.report.threshold > 0


def test_a_training_that_ends_early_keeps_to_the_size(mlp, data, tmp_path):
    for last in (6, 9):
        model = mlp()
        compression = DWTCompression("haar", target_bytes=TARGET)

        class Stop(keras.callbacks.Callback):
            def on_epoch_end(self, epoch, logs=None, last=last):
                self.model.stop_training = epoch == last

        fit(model, data, compression, Stop(), epochs=12)
        assert save_compressed(model, tmp_path / "a", kernels=compression.targets) <= TARGET


@pytest.fixture
def haar_then_sym2(monkeypatch):
    """What is chosen, as kernels this small are cheapest as they are."""
    wavelets = iter(["haar", "sym2"])

    def choose(found, *_):
        wavelet = next(wavelets)
        bases = [basis.build(wavelet, 1, each.axes, each.basis.shape)[0] for each in found]
        return tuple(map(lambda each, one: dataclasses.replace(each, basis=one), found, bases))

    monkeypatch.setattr(choice, "choose_bases", choose)


class Stop(keras.callbacks.Callback):
    def __init__(self, epoch):
        super().__init__()
        self.last = epoch

    def on_epoch_end(self, epoch, logs=None):
        self.kept = self.model.get_weights()
        self.model.stop_training = epoch == self.last


@pytest.mark.usefixtures("haar_then_sym2")
def test_a_training_that_ends_before_bases_are_chosen_gets_them(mlp, data, tmp_path):
    model, stop = mlp(), Stop(1)
    # Room enough for all weights, roughly.
    compression = DWTCompression("auto", target_bytes=2 * TARGET)
    fit(model, data, compression, stop, epochs=40)
    assert compression.targets[0].basis.wavelet == "haar"
    path = tmp_path / "a"
    assert save_compressed(model, path, kernels=compression.targets) <= 2 * TARGET
    kernels = [(model.get_weights()[place], stop.kept[place]) for place in (0, 2)]
    for now, then in kernels:
        assert np.corrcoef(now.ravel(), then.ravel())[0, 1] > 0.9


@pytest.mark.usefixtures("haar_then_sym2")
def test_a_training_that_ends_before_another_choice_stays_with_the_first(mlp, data, tmp_path):
    model, stop = mlp(), Stop(7)
    compression = DWTCompression("auto", target_bytes=TARGET, choose_basis_epochs=(1, 9))
    fit(model, data, compression, stop, epochs=10)
    assert compression.targets[0].basis.wavelet == "haar"
    assert save_compressed(model, tmp_path / "a", kernels=compression.targets) <= TARGET
    for now, then in zip(model.get_weights()[::2], stop.kept[::2], strict=True):
        assert np.corrcoef(now.ravel(), then.ravel())[0, 1] > 0.98


def test_averaged_weights_are_quantised_too(mlp, data, tmp_path):
    optimizer = keras.optimizers.SGD(0.2, use_ema=True, ema_momentum=0.9)
    model = mlp(optimizer)
    compression = DWTCompression("haar", target_bytes=TARGET)
    fit(model, data, compression, epochs=6)
    before = [target.read().copy() for target in compression.targets]
    assert save_compressed(model, tmp_path / "a", kernels=compression.targets) <= TARGET
    load_compressed_weights(tmp_path / "a", model)
    for old, target in zip(before, compression.targets, strict=True):
        np.testing.assert_allclose(target.read(), old, atol=2e-6)


def test_restored_levels_are_left_as_they_are(mlp, data):
    """Weights of an earlier quantised epoch, brought back by a callback that stands before."""

    class Restore(keras.callbacks.Callback):
        def on_epoch_end(self, epoch, logs=None):
            if epoch == 7:
                self.kept = self.model.get_weights()

        def on_train_end(self, logs=None):
            self.model.set_weights(self.kept)

    model, restore = mlp(), Restore()
    # Three times what is needed: nothing has to be taken away.
    compression = DWTCompression("haar", target_bytes=3 * TARGET)
    fit(model, data, compression, before=[restore], epochs=10)
    for old, new in zip(restore.kept, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)
    assert all(target.step for target in compression.targets)


def test_a_later_choice_of_bases_forgets_the_steps(mlp, data):
    stepped = []
    compression = DWTCompression("auto", target_bytes=TARGET, choose_basis_epochs=(1, 8))
    logger = keras.callbacks.LambdaCallback(
        on_epoch_end=lambda epoch, logs: stepped.append([t.step for t in compression.targets])
    )
    fit(mlp(), data, compression, logger, epochs=10)
    assert not any(stepped[7])
    assert all(stepped[9])


@pytest.mark.parametrize("dtype", ["float16", "bfloat16"])
def test_kernels_of_16_bits_are_refused(data, dtype):
    model = keras.Sequential(
        [keras.Input((8, 8)), keras.layers.Flatten(), keras.layers.Dense(3, dtype=dtype)]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(UserError, match=f"^target_bytes needs kernels in .*/kernel is {dtype}"):
        fit(model, data, DWTCompression("haar", target_bytes=TARGET))


def test_batch_normalisation_fits_beside(data, tmp_path):
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(16),
            keras.layers.BatchNormalization(),
            keras.layers.Dense(3, activation="softmax"),
        ]
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    compression = DWTCompression(target_bytes=700)
    fit(model, data, compression)
    assert save_compressed(model, tmp_path / "a", kernels=compression.targets) <= 700
