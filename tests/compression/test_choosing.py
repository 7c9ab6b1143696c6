"""Bases that are chosen while a network trains: when, and what is thresholded before and after."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from keras import layers
from sparse_kernels import EVERY_RULE, HAAR, PACKETS, SHAPE, UNITS, noise, sparse_in

from dwt_keras import DWTCompression, checks
from dwt_keras.compression import choice, constraints, shrink
from dwt_keras.settings import CompressionSettings
from dwt_keras.wavelet.basis import identity

BATCHES = 6


@pytest.fixture(autouse=True)
def _without_xla(monkeypatch):
    """Saves seconds; XLA's part is tested with the projection and the support."""
    monkeypatch.setattr(constraints, "_can_compile", lambda model: False)


@pytest.fixture
def model():
    """Builds a network whose first kernel, `hidden`, is sparse in a basis, or given."""

    def build(kernel=None, *, constraint=None, rate=0.02):
        keras.utils.set_random_seed(0)
        built = keras.Sequential(
            [
                keras.Input((8, 8)),
                layers.Flatten(),
                layers.Dense(UNITS, activation="relu", kernel_constraint=constraint, name="hidden"),
                layers.Dense(3, activation="softmax", name="classes"),
            ]
        )
        built.compile(
            keras.optimizers.SGD(rate), "sparse_categorical_crossentropy", jit_compile=False
        )
        built.get_layer("hidden").kernel.assign(sparse_in(HAAR) if kernel is None else kernel)
        return built

    return build


class Watch(keras.callbacks.Callback):
    """Notes at each epoch's end the targets, the weights and the logs; after each batch zeros."""

    def __init__(self, compression):
        super().__init__()
        self.compression = compression
        self.targets, self.weights, self.logs, self.zeros = [], [], [], []

    def on_epoch_begin(self, epoch, logs=None):
        self.zeros.append([])

    def on_train_batch_end(self, batch, logs=None):
        measured = shrink.measure(self.compression.targets)
        self.zeros[-1].append(measured.targets[0].zero_fraction)

    def on_epoch_end(self, epoch, logs=None):
        self.targets.append(self.compression.targets)
        self.weights.append(self.model.get_weights())
        self.logs.append(dict(logs))

    @property
    def bases(self):
        """Of the hidden layer's kernel, by epoch."""
        return [found[0].basis for found in self.targets]


class Overwrite(keras.callbacks.Callback):
    """Sets the kernel after the last batch of an epoch; to be listed before the compression."""

    def __init__(self, epoch, kernel):
        super().__init__()
        self.epoch = epoch
        self.kernel = kernel
        self.now = 0

    def on_epoch_begin(self, epoch, logs=None):
        self.now = epoch

    def on_train_batch_end(self, batch, logs=None):
        if (self.now, batch) == (self.epoch, BATCHES - 1):
            self.model.get_layer("hidden").kernel.assign(self.kernel)


def fit(model, data, *callbacks, **options):
    x, y = data
    options = {"batch_size": 8, "verbose": 0, **options}
    return model.fit(x, y, callbacks=list(callbacks), **options)


@pytest.fixture
def chosen_at(monkeypatch):
    """The optimizer steps done at each choice of bases."""

    def watch(model):
        moments = []
        original = choice.choose_bases

        def counted(*args, **kwargs):
            moments.append(int(model.optimizer.iterations))
            return original(*args, **kwargs)

        monkeypatch.setattr(choice, "choose_bases", counted)
        return moments

    return watch


@pytest.mark.parametrize("rule", EVERY_RULE[::2], ids=str)
def test_nothing_changes_before_the_first_choice_and_the_basis_stays_after_it(model, data, rule):
    trained = model()
    callback = DWTCompression("auto", **{"ramp": "constant", **rule}, choose_basis_epochs=(2,))
    watch = Watch(callback)
    history = fit(trained, data, callback, watch, epochs=3).history
    free = model()
    fit(free, data, epochs=1)
    for with_it, without in zip(watch.weights[0], free.get_weights(), strict=True):
        np.testing.assert_array_equal(with_it, without)
    assert all(one.basis.is_identity and one.choice is None for one in watch.targets[0])
    assert not watch.bases[1].is_identity
    assert watch.targets[1] is watch.targets[2] is callback.targets
    assert watch.targets[2][0].choice.basis == watch.bases[2]
    assert {name: history[name][0] for name in ("zero_fraction", "energy_kept", "threshold")} == {
        "zero_fraction": 0.0,
        "energy_kept": 1.0,
        "threshold": 0.0,
    }
    assert history["threshold"][1] > 0
    assert history["zero_fraction"][1] > 0.02
    assert callback.report.targets[0].basis == str(watch.bases[2])
    assert [len(history[name]) for name in ("zero_fraction", "energy_kept", "threshold")] == [3] * 3


def test_by_default_bases_are_chosen_after_the_first_epoch(model, data, chosen_at):
    trained = model()
    moments = chosen_at(trained)
    callback = DWTCompression("auto", threshold=0.3)
    watch = Watch(callback)
    history = fit(trained, data, callback, watch, epochs=3).history
    assert moments == [BATCHES]
    assert not watch.bases[0].is_identity
    assert history["threshold"] == [0.3] * 3
    assert shrink.measure(callback.targets).zero_fraction == history["zero_fraction"][-1] > 0.5


@pytest.mark.parametrize("hold", [False, True])
def test_bases_are_chosen_anew_at_each_epoch_for_it(model, data, chosen_at, hold):
    trained = model()
    moments = chosen_at(trained)
    callback = DWTCompression("auto", threshold=0.3, choose_basis_epochs=(1, 3), hold_support=hold)
    watch = Watch(callback)
    # Before the second choice the kernel becomes one that is sparse in another basis.
    fit(trained, data, Overwrite(2, sparse_in(PACKETS)), callback, watch, epochs=4)
    assert moments == [BATCHES, 3 * BATCHES]
    first, second, third, fourth = watch.bases
    assert first == second != third == fourth
    assert not first.is_identity
    assert third.splits is not None
    assert callback.report.zero_fraction == shrink.measure(callback.targets).zero_fraction > 0.5


@pytest.mark.parametrize("hold", [False, True])
@pytest.mark.parametrize("wavelet", ["auto", "haar"])
def test_the_support_is_held_in_the_basis_chosen_last(model, data, hold, wavelet):
    trained = model(constraint="max_norm", rate=0.5)
    constraint = trained.get_layer("hidden").kernel.constraint
    assert constraint is not None
    callback = DWTCompression(wavelet, "auto", 0.3, choose_basis_epochs=(1, 3), hold_support=hold)
    watch = Watch(callback)
    fit(trained, data, Overwrite(2, sparse_in(PACKETS)), callback, watch, epochs=4)
    assert watch.bases[1] != watch.bases[2]
    # Before the first choice nothing is held.
    assert max(watch.zeros[0][:-1]) < 0.01
    for epoch in (1, 3):
        within = min(watch.zeros[epoch])
        reached = watch.zeros[epoch - 1][-1]
        assert reached > 0.5
        assert (within >= reached) == hold, (epoch, within, reached)
    assert watch.zeros[3][-1] == callback.report.targets[0].zero_fraction
    assert trained.get_layer("hidden").kernel.constraint is constraint


@pytest.mark.parametrize(
    ("hold", "rule"),
    [
        (False, {"threshold": 0.3}),
        (True, {"threshold": 0.3}),
        (True, {"threshold_rule": "quantile", "threshold": 0.9, "ramp": "constant"}),
        (True, {"threshold_rule": "universal"}),
    ],
    ids=str,
)
def test_a_basis_that_is_chosen_again_changes_nothing(model, data, hold, rule):
    def trained(epochs):
        built = model()
        callback = DWTCompression("auto", **rule, choose_basis_epochs=epochs, hold_support=hold)
        watch = Watch(callback)
        history = fit(built, data, callback, watch, epochs=3).history
        return built.get_weights(), watch.bases, history["zero_fraction"]

    once, once_bases, once_zeros = trained((1,))
    twice, twice_bases, twice_zeros = trained((1, 2))
    assert once_bases == twice_bases
    assert not once_bases[0].is_identity
    assert once_zeros == twice_zeros
    for one, other in zip(once, twice, strict=True):
        np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


@pytest.mark.parametrize("first", [True, False], ids=["before it", "behind it"])
def test_weights_restored_to_an_earlier_epoch_have_the_basis_of_that_time(model, data, first):
    class Restore(keras.callbacks.Callback):
        """As EarlyStopping(restore_best_weights=True) does after the second of three epochs."""

        def on_epoch_end(self, epoch, logs=None):
            if epoch == 1:
                self.kept = self.model.get_weights()

        def on_train_end(self, logs=None):
            self.model.set_weights(self.kept)

    trained = model()
    callback = DWTCompression("auto", threshold=0.3, choose_basis_epochs=(1, 3))
    watch = Watch(callback)
    # Behind the overwriting, which makes the second choice another one.
    order = [Restore(), callback] if first else [callback, Restore()]
    fit(trained, data, Overwrite(2, sparse_in(PACKETS)), *order, watch, epochs=3)
    assert watch.bases[1] != watch.bases[2]
    assert callback.targets[0].basis == watch.bases[1]
    measured = shrink.measure(callback.targets).zero_fraction
    assert callback.report.zero_fraction == pytest.approx(measured, abs=0.01)
    assert callback.report.targets[0].basis == str(watch.bases[1])


def test_shrinkings_within_an_epoch_wait_for_the_choice_and_do_not_repeat_it(
    model, data, chosen_at
):
    trained = model()
    moments = chosen_at(trained)
    callback = DWTCompression(
        "auto", threshold=0.3, choose_basis_epochs=(1, 2), apply_every_batches=2
    )
    watch = Watch(callback)
    fit(trained, data, callback, watch, epochs=3)
    assert moments == [BATCHES, 2 * BATCHES]
    assert max(watch.zeros[0][:-1]) < 0.01
    assert watch.zeros[1][1] > 0.3


def test_a_training_resumed_after_the_epoch_of_the_choice_chooses_at_its_first_shrinking(
    model, data, chosen_at
):
    trained = model()
    moments = chosen_at(trained)
    callback = DWTCompression("auto", threshold=0.3, choose_basis_epochs=(1, 2))
    fit(trained, data, callback, epochs=4, initial_epoch=2)
    assert moments == [BATCHES]


def test_a_second_training_chooses_anew(model, data, chosen_at):
    callback = DWTCompression("auto", threshold=0.3)
    first = model()
    fit(first, data, callback)
    assert not callback.targets[0].basis.is_identity
    second = model(noise())
    moments = chosen_at(second)
    begun = []
    look = keras.callbacks.LambdaCallback(
        on_epoch_begin=lambda epoch, logs: begun.append(callback.targets[0].basis)
    )
    fit(second, data, callback, look)
    assert moments == [BATCHES]
    assert begun == [identity(SHAPE)]
    assert callback.targets[0].basis == identity(SHAPE)
    assert callback.targets[0].choice is not None


@pytest.mark.parametrize(
    ("settings", "epochs", "expected"),
    [
        ({"threshold": 0.3}, 30, (1,)),
        ({"target_bytes": 900}, 30, (3,)),
        ({"target_bytes": 900}, 5, (1,)),
        ({"target_bytes": 900, "ramp_end_epoch": 3}, 90, (2,)),
        ({"target_bytes": 900, "choose_basis_epochs": (2, 5)}, 30, (2, 5)),
        ({"target_bytes": 900, "wavelet": "haar"}, 30, ()),
    ],
    ids=str,
)
def test_when_bases_are_chosen(settings, epochs, expected):
    found = CompressionSettings(**{"wavelet": "auto", **settings})
    assert found.basis_epochs(epochs) == expected


def test_a_choice_beyond_the_last_epoch_is_refused(model, data):
    callback = DWTCompression("auto", choose_basis_epochs=(1, 3))
    with pytest.raises(
        checks.ArgumentError,
        match="choose_basis_epochs must not lie beyond the last epoch, 2; given 3",
    ):
        fit(model(), data, callback, epochs=2)


def test_a_training_stopped_before_the_choice_leaves_the_weights_alone(model, data):
    trained = model()
    callback = DWTCompression("auto", threshold=0.3, choose_basis_epochs=(3,))

    def stop(epoch, logs):
        trained.stop_training = epoch == 1

    look = keras.callbacks.LambdaCallback(on_epoch_end=stop)
    history = fit(trained, data, callback, look, epochs=4).history
    free = model()
    fit(free, data, epochs=2)
    for with_it, without in zip(trained.get_weights(), free.get_weights(), strict=True):
        np.testing.assert_array_equal(with_it, without)
    assert history["zero_fraction"] == [0.0, 0.0]
