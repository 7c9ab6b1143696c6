"""When the callback shrinks during a training, and what it tells and leaves alone."""

from __future__ import annotations

import keras
import numpy as np
import pytest
import tensorflow as tf
from keras import layers
from watched import BATCHES, Batches, Callback, On, fit, zero_fraction

from dwt_keras import DWTCompression, checks
from dwt_keras.compression import shrink

RAN_OUT = "ignore:Your input ran out of data:UserWarning"


@pytest.fixture
def shrinkings(monkeypatch):
    """Watches a model: the optimizer steps (or what a clock says) done at each shrinking."""

    def watch(model, clock=None):
        moments = []
        original = shrink.shrink

        def counted(*args, **kwargs):
            moments.append(clock() if clock else int(model.optimizer.iterations))
            return original(*args, **kwargs)

        monkeypatch.setattr(shrink, "shrink", counted)
        return moments

    return watch


def unknown(data, batches=BATCHES):
    """A data set that does not know its number of batches."""
    x, y = data

    def generate():
        for i in range(batches):
            yield x[8 * i : 8 * i + 8], y[8 * i : 8 * i + 8]

    signature = (tf.TensorSpec((None, 8, 8), "float32"), tf.TensorSpec((None,), "int64"))
    return tf.data.Dataset.from_generator(generate, output_signature=signature)


def fit_unknown(model, data, *callbacks, batches=BATCHES, **options):
    options = {"verbose": 0, "shuffle": False, **options}
    return model.fit(unknown(data, batches), callbacks=list(callbacks), **options)


def test_the_example_of_the_documentation(mlp, data):
    model = mlp(jit_compile="auto")
    x, y = data
    callback = DWTCompression("sym2", level=2, threshold=0.05)
    history = model.fit(x, y, callbacks=[callback], verbose=0)
    assert 0.05 < history.history["zero_fraction"][0] < 1
    assert zero_fraction(callback) == history.history["zero_fraction"][0]


@pytest.mark.parametrize("options", [{}, {"validation_split": 0.5}, {"validation_freq": 2}])
def test_shrinks_once_an_epoch_after_the_last_batch(mlp, data, shrinkings, options):
    model = mlp()
    moments = shrinkings(model)
    if "validation_freq" in options:
        options = {**options, "validation_data": data}
    steps = 3 if "validation_split" in options else BATCHES
    fit(model, data, DWTCompression(threshold=0.1), epochs=3, **options)
    assert moments == [steps, 2 * steps, 3 * steps]


@pytest.mark.filterwarnings(RAN_OUT)
@pytest.mark.parametrize("validated", [False, True])
def test_shrinks_once_an_epoch_where_the_number_of_batches_is_unknown(
    mlp, data, shrinkings, validated
):
    model, batches = mlp(), Batches()
    moments = shrinkings(model, lambda: batches.count)
    fit_unknown(
        model,
        data,
        batches,
        DWTCompression(threshold=0.1),
        epochs=3,
        validation_data=data if validated else None,
    )
    assert moments == [BATCHES, 2 * BATCHES, 3 * BATCHES]


@pytest.mark.filterwarnings(RAN_OUT)
@pytest.mark.parametrize("validated", [False, True])
def test_shrinks_once_where_data_end_early(mlp, data, shrinkings, validated):
    model = mlp()
    moments = shrinkings(model)
    callback = DWTCompression(threshold=0.1)
    fit(
        model,
        data,
        callback,
        epochs=2,
        steps_per_epoch=BATCHES + 4,
        validation_data=data if validated else None,
    )
    assert moments[0] == BATCHES
    assert len(moments) == 2
    assert zero_fraction(callback) > 0.1


@pytest.mark.parametrize("validated", [False, True])
def test_shrinks_once_where_training_is_stopped_in_mid_epoch(mlp, data, shrinkings, validated):
    model = mlp()
    moments = shrinkings(model)
    callback = DWTCompression(threshold=0.1)

    def stop(batch, logs):
        model.stop_training = batch == 2

    history = fit(
        model,
        data,
        callback,
        On(train_batch_end=stop),
        epochs=4,
        validation_data=data if validated else None,
    )
    assert moments == [3]
    assert history.history["zero_fraction"] == [zero_fraction(callback)]
    if validated:
        assert history.history["val_loss"][0] == pytest.approx(
            model.evaluate(*data, batch_size=8, verbose=0)[0], rel=1e-5
        )


def test_kernels_are_sparse_as_soon_as_the_last_batch_is_over(mlp, data):
    model = mlp()
    callback = DWTCompression(threshold=0.1)
    fractions = []
    watch = On(train_batch_end=lambda batch, logs: fractions.append(zero_fraction(callback)))
    fit(model, data, callback, watch)
    assert fractions[-1] > 0.2
    assert max(fractions[:-1]) < 0.05


@pytest.mark.filterwarnings(RAN_OUT)
@pytest.mark.parametrize("fit", [fit, fit_unknown])
@pytest.mark.parametrize("last", [False, True])
def test_validation_sees_the_shrunk_weights_in_either_order(mlp, data, fit, last):
    model = mlp()
    seen = []

    def evaluate(epoch, logs):
        results = model.evaluate(*data, batch_size=8, verbose=0)
        seen.append((*results, logs["val_loss"], logs["val_accuracy"]))

    callbacks = [On(epoch_end=evaluate), DWTCompression(threshold=0.25)]
    fit(model, data, *(callbacks if last else callbacks[::-1]), epochs=3, validation_data=data)
    assert len(seen) == 3
    for loss, accuracy, val_loss, val_accuracy in seen:
        assert (loss, accuracy) == pytest.approx((val_loss, val_accuracy), rel=1e-5)


@pytest.mark.filterwarnings(RAN_OUT)
@pytest.mark.parametrize(("fit", "last"), [(fit, False), (fit, True), (fit_unknown, True)])
def test_checkpoints_hold_the_shrunk_weights_in_either_order(mlp, data, fit, last, tmp_path):
    model = mlp()
    callback = DWTCompression("db2", level=2, threshold=0.15, hold_support=True)
    save = keras.callbacks.ModelCheckpoint(tmp_path / "{epoch}.keras")
    order = [save, callback] if last else [callback, save]
    history = fit(model, data, *order, epochs=2, validation_data=data)
    for epoch, fraction in enumerate(history.history["zero_fraction"], start=1):
        restored = keras.models.load_model(tmp_path / f"{epoch}.keras")
        model.set_weights(restored.get_weights())
        assert zero_fraction(callback) == fraction > 0.1


class Scored(Callback):
    """Puts scores into the logs that make an early epoch the best; keeps each epoch's weights."""

    def __init__(self, scores):
        super().__init__()
        self.scores = scores
        self.weights = []

    def on_epoch_end(self, epoch, logs):
        logs["score"] = self.scores[epoch]
        self.weights.append(self.model.get_weights())


@pytest.mark.parametrize("mode", ["hard", "soft"])
@pytest.mark.parametrize("last", [False, True])
def test_restored_weights_are_not_shrunk_again_and_bring_their_report(mlp, data, mode, last):
    model = mlp()
    callback = DWTCompression("haar", 2, 0.1, threshold_mode=mode, ramp="linear")
    stop = keras.callbacks.EarlyStopping("score", mode="max", patience=9, restore_best_weights=True)
    scored = Scored([1, 3, 2, 0])
    order = [scored, stop, callback] if last else [scored, callback, stop]
    history = fit(model, data, *order, epochs=4)
    for now, best, end in zip(model.get_weights(), *scored.weights[1::2], strict=True):
        np.testing.assert_array_equal(now, best)
        assert not np.array_equal(best, end)
    fractions = history.history["zero_fraction"]
    assert callback.report.zero_fraction == fractions[1] == zero_fraction(callback)
    assert callback.report.zero_fraction != fractions[3]
    assert callback.report.threshold == pytest.approx(history.history["threshold"][1])


@pytest.mark.parametrize("mode", ["hard", "soft"])
def test_kernels_overwritten_by_their_moving_average_are_shrunk_again(mlp, data, shrinkings, mode):
    model = mlp(keras.optimizers.Adam(0.01, use_ema=True, ema_momentum=0.9))
    moments = shrinkings(model)
    callback = DWTCompression("haar", 2, 0.1, threshold_mode=mode)
    fit(model, data, callback, epochs=3)
    assert moments == [6, 12, 18, 18]
    assert zero_fraction(callback) == callback.report.zero_fraction > 0.2


def test_only_the_kernels_that_were_overwritten_are_shrunk_again(mlp, data, shrinkings):
    model = mlp()
    moments = shrinkings(model)
    callback = DWTCompression(threshold=0.1, threshold_mode="soft")
    state = {}

    def overwrite(logs=None):
        state["hidden"] = model.get_layer("hidden").kernel.numpy()
        kernel = model.get_layer("classes").kernel
        kernel.assign(kernel.numpy() + 0.15)
        state["classes"] = kernel.numpy()

    fit(model, data, On(train_end=overwrite), callback, epochs=2)
    assert moments == [6, 12, 12]
    np.testing.assert_array_equal(model.get_layer("hidden").kernel.numpy(), state["hidden"])
    assert not np.array_equal(model.get_layer("classes").kernel.numpy(), state["classes"])
    assert [r.path for r in callback.report.targets] == ["hidden/kernel", "classes/kernel"]
    assert callback.report.zero_fraction == zero_fraction(callback)


@pytest.mark.parametrize(
    ("every", "expected"),
    [
        (2, [2, 4, 6, 8, 10, 12]),
        (5, [5, 6, 10, 12]),
        (9, [6, 9, 12]),
    ],
)
def test_every_so_many_batches_and_at_each_end(mlp, data, shrinkings, every, expected):
    model = mlp()
    moments = shrinkings(model)
    fit(model, data, DWTCompression(threshold=0.1, apply_every_batches=every), epochs=2)
    assert moments == expected


# Keras calls back after each execution of 4 batches, or of what is left of an epoch.
@pytest.mark.parametrize(
    ("batches", "every", "expected"),
    [
        (12, None, [12, 24]),
        (12, 2, [4, 8, 12, 16, 20, 24]),
        (12, 6, [8, 12, 20, 24]),
        (10, 5, [8, 10, 18, 20]),
    ],
)
def test_under_steps_per_execution(mlp, data, shrinkings, batches, every, expected):
    model = mlp(steps_per_execution=4)
    moments = shrinkings(model)
    x, y = (np.tile(part, (2, *[1] * (part.ndim - 1)))[: 8 * batches] for part in data)
    callback = DWTCompression(threshold=0.1, apply_every_batches=every)
    fit(model, (x, y), callback, epochs=2)
    assert moments == expected
    assert zero_fraction(callback) > 0.2


@pytest.mark.filterwarnings(RAN_OUT)
def test_every_so_many_batches_where_their_number_is_unknown(mlp, data, shrinkings):
    model, batches = mlp(), Batches()
    moments = shrinkings(model, lambda: batches.count)
    callback = DWTCompression(threshold=0.1, apply_every_batches=4)
    fit_unknown(model, data, batches, callback, epochs=2)
    # That batch 12 is the last is not known before the epoch ends.
    assert moments == [4, 6, 8, 12, 12]


def test_logs_reach_the_history_and_later_callbacks(mlp, data):
    model = mlp()
    callback = DWTCompression("haar", 2, 0.1)
    rows = []
    watch = On(epoch_end=lambda epoch, logs: rows.append(dict(logs)))
    history = fit(model, data, callback, watch, epochs=2).history
    for name in ("zero_fraction", "energy_kept", "threshold"):
        assert history[name] == [row[name] for row in rows]
    assert history["threshold"] == [0.1, 0.1]
    assert history["zero_fraction"][-1] == callback.report.zero_fraction
    assert history["energy_kept"][-1] == callback.report.energy_kept
    assert 0.5 < callback.report.energy_kept < 1.0


@pytest.mark.parametrize("wavelet", ["haar", "db2", "bior4.4", "rbio3.1"])
def test_the_report_is_what_the_weights_measure(mlp, data, wavelet):
    callback = DWTCompression(wavelet, "max", 0.2, keep_approximation=True)
    fit(mlp(), data, callback, epochs=2)
    measured = shrink.measure(callback.targets)
    assert [r.zeros for r in measured.targets] == [r.zeros for r in callback.report.targets]
    assert 0.1 < measured.zero_fraction < 1


@pytest.mark.parametrize("optimizer", ["Adam", "SGD"])
def test_optimizer_slots_are_left_alone(mlp, data, optimizer, monkeypatch):
    options = {"momentum": 0.9} if optimizer == "SGD" else {}
    model = mlp(getattr(keras.optimizers, optimizer)(0.01, **options))
    compared = []
    original = shrink.shrink

    def watched(*args, **kwargs):
        before = [variable.numpy() for variable in model.optimizer.variables]
        kernel = model.get_layer("hidden").kernel.numpy()
        result = original(*args, **kwargs)
        after = [variable.numpy() for variable in model.optimizer.variables]
        assert not np.array_equal(model.get_layer("hidden").kernel.numpy(), kernel)
        compared.extend(zip(before, after, strict=True))
        return result

    monkeypatch.setattr(shrink, "shrink", watched)
    fit(model, data, DWTCompression(threshold=0.1, hold_support=True), epochs=2)
    assert sum(np.size(before) > 1 for before, _ in compared) >= 8
    for before, after in compared:
        np.testing.assert_array_equal(before, after)


@pytest.mark.parametrize(
    "settings",
    [
        {},
        {"threshold_mode": "soft", "apply_every_batches": 2},
        {"hold_support": True},
        {"threshold_rule": "quantile"},
        {"wavelet": "none", "hold_support": True},
    ],
)
def test_a_threshold_of_0_leaves_every_bit(mlp, data, settings):
    def trained(*callbacks):
        keras.utils.set_random_seed(3)
        model = mlp()
        fit(model, data, *callbacks, epochs=2)
        return model.get_weights()

    callback = DWTCompression(**{"wavelet": "db2", **settings}, threshold=0.0)
    for with_it, without in zip(trained(callback), trained(), strict=True):
        np.testing.assert_array_equal(with_it, without)
    assert callback.report.zero_fraction == 0.0


def test_a_training_of_no_epoch_changes_nothing(mlp, data):
    model = mlp()
    before = model.get_weights()
    fit(model, data, DWTCompression(threshold=0.3), epochs=0)
    for old, new in zip(before, model.get_weights(), strict=True):
        np.testing.assert_array_equal(old, new)


def test_a_second_training_with_the_same_callback(mlp, data, shrinkings):
    model = mlp()
    moments = shrinkings(model)
    callback = DWTCompression(threshold=0.1, apply_every_batches=4)
    fit(model, data, callback)
    fit(model, data, callback)
    assert moments == [4, 6, 10, 12]


def test_a_callback_moves_to_another_model(mlp, data):
    callback = DWTCompression(threshold=0.1)
    first, second = mlp(), mlp()
    fit(first, data, callback)
    before = first.get_weights()
    fit(second, data, callback)
    assert [t.variable for t in callback.targets] == [
        second.get_layer("hidden").kernel,
        second.get_layer("classes").kernel,
    ]
    for now, then in zip(first.get_weights(), before, strict=True):
        np.testing.assert_array_equal(now, then)


def test_notes_are_printed_once_unless_silent(mlp, data, capsys):
    model = mlp()
    note = "hidden/kernel: level 5 capped at 3 for 8 samples"
    fit(model, data, DWTCompression(level=5), epochs=2)
    assert capsys.readouterr().out == ""
    fit(model, data, DWTCompression(level=5), epochs=2, verbose=2)
    assert capsys.readouterr().out.splitlines().count(note) == 1


def test_a_sequential_model_is_built_by_its_first_training(data):
    model = keras.Sequential([layers.Flatten(), layers.Dense(3, name="classes")])
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True), jit_compile=False)
    callback = DWTCompression(threshold=0.1)
    fit(model, data, callback)
    (target,) = callback.targets
    assert target.basis.shape == (8, 8, 3)
    assert zero_fraction(callback) > 0.2


class Subclassed(keras.Model):
    """Two layers in a `call` of its own."""

    def __init__(self):
        super().__init__()
        self.flatten = layers.Flatten()
        self.hidden = layers.Dense(6, activation="relu", name="hidden")
        self.classes = layers.Dense(3, name="classes")

    def call(self, x):
        return self.classes(self.hidden(self.flatten(x)))


def test_a_subclassed_model_trains(data):
    model = Subclassed()
    model.compile("adam", keras.losses.SparseCategoricalCrossentropy(True), jit_compile=False)
    callback = DWTCompression(threshold=0.1, hold_support=True)
    fit(model, data, callback, epochs=2)
    assert [target.basis.shape for target in callback.targets] == [(64, 6), (6, 3)]
    assert zero_fraction(callback) > 0.1


def test_a_model_that_runs_eagerly_trains(mlp, data):
    callback = DWTCompression("db2", threshold=0.1, hold_support=True)
    fit(mlp(run_eagerly=True), data, callback, epochs=2)
    assert zero_fraction(callback) == callback.report.zero_fraction > 0.1


def test_nothing_to_compress_is_told_when_training_starts(data):
    model = keras.Sequential([keras.Input((8, 8)), layers.Flatten(), layers.BatchNormalization()])
    model.compile("adam", "mse", jit_compile=False)
    with pytest.raises(checks.UserError, match="has no trainable kernel to compress"):
        fit(model, (data[0], data[0].reshape(48, 64)), DWTCompression())


def test_seconds_add_up(mlp, data):
    callback = DWTCompression(threshold=0.1)
    assert callback.seconds == 0.0
    assert callback.report is None
    fit(mlp(), data, callback)
    first = callback.seconds
    assert 0 < first < 5
    fit(mlp(), data, callback)
    assert callback.seconds > first
