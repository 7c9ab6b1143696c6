"""Training over several devices and by several workers, in processes of their own."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.training import distribution

# Arguments: where the trained weights go, how many devices, and the settings as JSON.
PROGRAM = """
import json, sys
import numpy as np
import tensorflow as tf
from dwt_keras.settings import Settings
from dwt_keras.training import distribution, fitting, run

trained = []
original = fitting.fit


def fit(*arguments):
    found = original(*arguments)
    # Before they are quantised, which the chief does alone.
    trained.extend(weights.copy() for weights in found.model.get_weights())
    return found


fitting.fit = fit
settings = Settings.from_flat(json.loads(sys.argv[3]))
if int(sys.argv[2]) > 1:
    (cpu,) = tf.config.list_physical_devices("CPU")
    devices = [tf.config.LogicalDeviceConfiguration()] * int(sys.argv[2])
    tf.config.set_logical_device_configuration(cpu, devices)
distribution.start(settings)
run.run(settings)
np.savez(sys.argv[1], *trained)
"""
COMMON = {"epochs": 3, "hidden_units": [16], "batch_size": 100, "learning_rate": 0.01}


def start(
    result: Path, settings: dict[str, Any], devices: int = 1, **environment: str
) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(result), str(devices), json.dumps(settings)],
        env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path), **environment},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def finished(process: subprocess.Popen[str]) -> str:
    out, err = process.communicate(timeout=300)
    assert process.returncode == 0, err[-3000:]
    return out


def folder_below(save_dir: Path) -> Path:
    (metrics,) = save_dir.rglob("metrics.json")
    return metrics.parent


def free_ports(count: int) -> list[int]:
    sockets = [socket.create_server(("localhost", 0)) for _ in range(count)]
    ports = [each.getsockname()[1] for each in sockets]
    for each in sockets:
        each.close()
    return ports


def test_two_devices_train_what_one_does(tmp_path: Path) -> None:
    # 12 batches an epoch, all of which divide evenly; 237 samples for validation, which do not.
    settings = {**COMMON, "epochs": 9, "validation_fraction": 0.165}
    # Adam would make much of the rounding of biases that batch normalisation takes away again.
    settings |= {"optimizer": "sgd", "learning_rate": 0.05}
    settings |= {"threshold_rule": "quantile", "threshold": 0.8, "batch_norm": True}
    settings |= {"save_best": True, "figures": "none", "distribute": "mirrored"}
    finished(start(tmp_path / "w.npz", {**settings, "save_dir": str(tmp_path / "two")}, devices=2))
    finished(start(tmp_path / "v.npz", {**settings, "save_dir": str(tmp_path / "one")}))
    two, one = np.load(tmp_path / "w.npz"), np.load(tmp_path / "v.npz")
    # Kernel and bias of both layers, and what normalises the batches of all devices together.
    assert len(two.files) == len(one.files) == 8
    for name in two:
        np.testing.assert_allclose(two[name], one[name], atol=1e-5)
    folders = folder_below(tmp_path / "two"), folder_below(tmp_path / "one")
    metrics = [json.loads((folder / "metrics.json").read_text()) for folder in folders]
    assert metrics[0]["epochs_run"] == 9
    assert metrics[0]["zero_fraction"] == pytest.approx(metrics[1]["zero_fraction"], abs=2e-3)
    assert metrics[0]["test_accuracy"] == pytest.approx(metrics[1]["test_accuracy"], abs=5e-3)
    histories = [(folder / "history.csv").read_text().splitlines() for folder in folders]
    for mine, other in zip(*histories, strict=True):
        if not mine.startswith("epoch"):
            cells = [[float(cell) for cell in row.split(",")] for row in (mine, other)]
            assert cells[0] == pytest.approx(cells[1], abs=1e-3)


def test_two_workers_end_with_equal_weights(tmp_path: Path) -> None:
    workers = [f"localhost:{port}" for port in free_ports(2)]
    settings = {
        **COMMON,
        "threshold_rule": "quantile",
        "threshold": 0.8,
        "distribute": "multiworker",
        "save_dir": str(tmp_path / "runs"),
    }
    processes = []
    for index in range(2):
        task = {"type": "worker", "index": index}
        config = json.dumps({"cluster": {"worker": workers}, "task": task})
        processes.append(start(tmp_path / f"{index}.npz", settings, TF_CONFIG=config))
    for process in processes:
        finished(process)
    weights = [np.load(tmp_path / f"{index}.npz") for index in range(2)]
    assert set(weights[0]) == set(weights[1])
    folder = folder_below(tmp_path / "runs")
    metrics = json.loads((folder / "metrics.json").read_text())
    assert metrics["zero_fraction"] == pytest.approx(0.8, abs=2e-3)
    assert metrics["test_accuracy"] > 0.5
    assert len((folder / "history.csv").read_text().splitlines()) == 4
    assert {entry.name for entry in folder.iterdir()} == {
        "settings.json",
        "figures",
        "history.csv",
        "metrics.json",
        "model.dwtz",
        "model.keras",
        "report.html",
        "serving",
        "tensorboard",
    }
    for name in weights[0]:
        np.testing.assert_array_equal(weights[0][name], weights[1][name])
    # A kernel and a bias of each layer.
    assert len(weights[0].files) == 4


@pytest.mark.parametrize(
    ("samples", "batch_size", "replicas", "expected"),
    [(96, 32, 2, 3), (100, 32, 1, 4), (100, 32, 2, 3), (113, 32, 2, 4), (112, 32, 2, 3)],
)
def test_a_batch_with_nothing_for_a_replica_is_left_out(samples, batch_size, replicas, expected):
    assert distribution.steps(samples, batch_size, replicas) == expected


@pytest.mark.parametrize(
    ("samples", "replicas"), [(144, 2), (360, 4), (2001, 2), (1999, 8), (7, 2)]
)
def test_validation_batches_have_something_for_each_replica(samples: int, replicas: int) -> None:
    size = distribution.even_batch(samples, 1000, replicas)
    last = samples % size or size
    assert size <= 1000
    assert size % replicas == 0
    assert last > size // replicas * (replicas - 1)


def test_too_few_samples_for_the_devices_are_refused() -> None:
    with pytest.raises(checks.UserError, match="1 validation samples are too few for 2 devices"):
        distribution.even_batch(1, 1000, 2)
    with pytest.raises(checks.ArgumentError, match="must divide 3 training samples among 4"):
        distribution.steps(3, 32, 4)


@pytest.mark.parametrize("text", ["", "{", "{}", '{"cluster": {"worker": ["a:1"]}, "task": 3}'])
def test_a_tf_config_that_says_nothing_is_refused(
    monkeypatch: pytest.MonkeyPatch, text: str
) -> None:
    monkeypatch.setenv("TF_CONFIG", text)
    assert distribution.worker(Settings()).is_chief
    settings = Settings.from_flat({"distribute": "multiworker"})
    with pytest.raises(checks.UserError, match="distribute=multiworker needs TF_CONFIG, such as"):
        distribution.worker(settings)


def test_a_search_over_trainings_is_not_for_several_workers() -> None:
    settings = Settings.from_flat({"distribute": "multiworker", "max_accuracy_drop": 0.1})
    with pytest.raises(checks.ArgumentError, match="multiworker does not: give target_bytes"):
        distribution.worker(settings)


def test_batch_normalisation_is_synchronised() -> None:
    import keras

    norm = keras.layers.BatchNormalization()
    distribution.synchronise(keras.Sequential([keras.Input((4,)), keras.Sequential([norm])]))
    assert norm.synchronized
