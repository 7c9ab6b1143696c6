"""Training over two replicas, in a process of its own since devices are set once."""

from __future__ import annotations

import json
import os
import subprocess
import sys

import pytest

PROGRAM = r"""
import json
import sys

import keras
import numpy as np
import tensorflow as tf

(cpu,) = tf.config.list_physical_devices("CPU")
tf.config.set_logical_device_configuration(cpu, [tf.config.LogicalDeviceConfiguration()] * 2)

from dwt_keras import DWTCompression, checks, save_compressed
from dwt_keras.compression import shrink

keras.utils.set_random_seed(0)
strategy = tf.distribute.MirroredStrategy(["CPU:0", "CPU:1"])
rng = np.random.default_rng(0)
x = rng.normal(size=(64, 8, 8)).astype("float32")
y = np.argmax(x[:, :3, 0], axis=1)
batches = tf.data.Dataset.from_tensor_slices((x, y)).batch(16, drop_remainder=True)


def build(**compile_options):
    with strategy.scope():
        model = keras.Sequential([
            keras.Input((8, 8)),
            keras.layers.Flatten(),
            keras.layers.Dense(6, activation="relu", name="hidden"),
            keras.layers.Dense(3, name="classes"),
        ])
        model.compile(
            keras.optimizers.Adam(0.01),
            keras.losses.SparseCategoricalCrossentropy(from_logits=True),
            **compile_options,
        )
    return model


class Outside(keras.callbacks.Callback):
    def __init__(self, compression):
        super().__init__()
        self.compression, self.zeros, self.shares = compression, None, []

    def values(self):
        target = self.compression.targets[0]
        # From the copy of the second replica.
        copy = copies(target.variable)[1]
        return np.abs(target.basis.decompose(copy))

    def on_train_batch_end(self, batch, logs=None):
        if self.zeros is not None:
            values = self.values()
            self.shares.append(float(values[self.zeros].max() / values.max()))

    def on_epoch_end(self, epoch, logs=None):
        values = self.values()
        self.zeros = values <= 2e-6 * values.max()


def copies(variable):
    return [copy.numpy() for copy in strategy.experimental_local_results(variable.value)]


def trained(hold, l1_wavelet=0.0, **compile_options):
    model = build(**compile_options)
    compression = DWTCompression("db2", 2, 0.1, hold_support=hold, l1_wavelet=l1_wavelet)
    outside = Outside(compression)
    history = model.fit(
        batches,
        epochs=3,
        validation_data=batches,
        callbacks=[compression, outside],
        verbose=0,
        shuffle=False,
    ).history
    found = [copies(target.variable) for target in compression.targets]
    return {
        "jit_compile": bool(model.jit_compile),
        "copies": [len(each) for each in found],
        "equal": all(np.array_equal(*each) for each in found),
        "reported": history["zero_fraction"][-1],
        "measured": shrink.measure(compression.targets).zero_fraction,
        "validated": history["val_loss"][-1],
        "evaluated": model.evaluate(batches, verbose=0),
        "outside": max(outside.shares),
        "constraints": [str(target.variable.constraint) for target in compression.targets],
    }


def for_bytes():
    model = build(jit_compile=False)
    compression = DWTCompression("db2", 2, target_bytes=400)
    # Three batches an epoch: one less than kernels are quantised after.
    model.fit(batches.take(3), epochs=6, callbacks=[compression], verbose=0, shuffle=False)
    found = [(target, copies(target.variable)) for target in compression.targets]
    levels = [t.basis.decompose(copy) / t.step for t, both in found for copy in both]
    return {
        "size": save_compressed(model, sys.argv[1] + ".dwtz", kernels=compression.targets),
        "equal": all(np.array_equal(*both) for _, both in found),
        "off": float(max(np.abs(each - np.rint(each)).max() for each in levels)),
        "zeros": shrink.measure(compression.targets).zero_fraction,
    }


def refused(**compile_options):
    model = build(**compile_options)
    before = model.get_layer("hidden").kernel.numpy()
    try:
        model.fit(batches, callbacks=[DWTCompression()], verbose=0, shuffle=False)
    except checks.UserError as error:
        return str(error)
    return "not refused"


json.dump(
    {
        "held": trained(True, jit_compile=False),
        "free": trained(False, jit_compile=False),
        "default": trained(True),
        "for_bytes": for_bytes(),
        "steps_per_execution": refused(steps_per_execution=2, jit_compile=False),
        "jit_compile": refused(jit_compile=True),
        # Last, since all draw from one seed.
        "drawn": trained(False, 1.0, jit_compile=False),
    },
    open(sys.argv[1], "w"),
)
"""


@pytest.fixture(scope="module")
def results(tmp_path_factory):
    """What the program found, under the name of each of its trainings."""
    path = tmp_path_factory.mktemp("mirrored") / "results.json"
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, str(path)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), "TF_CPP_MIN_LOG_LEVEL": "2"},
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-4000:]
    return json.loads(path.read_text())


@pytest.mark.parametrize("name", ["held", "free", "drawn", "default"])
def test_both_replicas_hold_the_same_sparse_kernels(results, name):
    result = results[name]
    assert result["copies"] == [2, 2]
    assert result["equal"]
    assert result["measured"] == result["reported"] > 0.2
    assert result["constraints"] == ["None", "None"]


@pytest.mark.parametrize("name", ["held", "free", "drawn", "default"])
def test_validation_sees_the_shrunk_weights(results, name):
    assert results[name]["validated"] == pytest.approx(results[name]["evaluated"], rel=1e-5)


def test_the_support_is_held_on_every_replica(results):
    assert results["held"]["outside"] < 2e-6
    assert results["default"]["outside"] < 2e-6
    assert results["free"]["outside"] > 1e-2


def test_coefficients_are_drawn_on_every_replica(results):
    assert results["drawn"]["measured"] > results["free"]["measured"] + 0.05


def test_both_replicas_are_trained_for_a_file_of_a_size(results):
    found = results["for_bytes"]
    assert found["equal"]
    assert found["off"] < 1e-2
    assert found["zeros"] > 0.1
    assert 300 < found["size"] <= 400


def test_keras_compiles_nothing_by_default(results):
    assert results["default"]["jit_compile"] is False


@pytest.mark.parametrize(
    ("option", "message"),
    [
        (
            "steps_per_execution",
            "steps_per_execution=2 does not work in Keras with 2 replicas: use 1",
        ),
        (
            "jit_compile",
            "jit_compile does not work in Keras with 2 replicas: compile with jit_compile=False",
        ),
    ],
)
def test_what_keras_cannot_do_is_refused_in_one_line(results, option, message):
    assert results[option] == message
