"""A training does what the settings of regularisation and augmentation say, and leaves no trace."""

from __future__ import annotations

import dataclasses
import tempfile
from pathlib import Path

import keras
import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.settings import DataSettings, Settings
from dwt_keras.settings.regularization import RegularizationSettings
from dwt_keras.training import control, data, epochs, fitting, parts, penalties, scoring


@pytest.fixture(scope="module")
def digits():
    found = data.load(DataSettings())
    return dataclasses.replace(
        found,
        train=parts.ArrayPart(found.train.samples(256), found.train.labels[:256]),
        validation=parts.ArrayPart(found.validation.samples(64), found.validation.labels[:64]),
    )


def trained(digits, **values):
    settings = Settings.from_flat({"hidden_units": "16", "epochs": 2, **values})
    model = fitting.build(settings, digits)
    recorder = keras.callbacks.History()
    with tempfile.TemporaryDirectory() as folder:
        epochs.fit_plainly(model, settings, digits, [recorder], Path(folder))
    return model, recorder.history


@pytest.fixture(scope="module")
def plain(digits):
    return trained(digits)


CHANGES = [
    {"l1": 0.01},
    {"l2": 0.01},
    {"dropout": 0.3},
    {"batch_norm": True},
    {"label_smoothing": 0.2},
    {"augment": "noise=0.3"},
    {"augment": "mixup=1"},
]


@pytest.mark.parametrize("values", CHANGES, ids=str)
def test_each_changes_what_is_learnt_and_the_loss_is_plain_in_the_end(digits, plain, values):
    model, history = trained(digits, **values)
    before = plain[0].get_layer("dense_1").kernel.numpy()
    assert not np.allclose(model.get_layer("dense_1").kernel.numpy(), before)
    # What ships is judged by its predictions alone, on whole-number labels.
    assert model.loss == "sparse_categorical_crossentropy"
    predicted = model.predict(digits.test.samples(), verbose=0, batch_size=1000)
    own = predicted[np.arange(len(predicted)), digits.test.labels]
    scores = scoring.test_scores(model, digits)
    assert scores["loss"] == pytest.approx(-np.log(own).mean(), rel=1e-4)
    assert scores["accuracy"] == pytest.approx((predicted.argmax(1) == digits.test.labels).mean())
    assert sorted(history) == ["accuracy", "loss", "val_accuracy", "val_loss"]


def test_a_training_repeats(digits):
    values = {"augment": "rotate=10,shift=0.1,noise=0.1,mixup=0.2", "dropout": 0.2, "seed": 5}
    (one, _), (other, _) = trained(digits, **values), trained(digits, **values)
    for pair in zip(one.get_weights(), other.get_weights(), strict=True):
        np.testing.assert_array_equal(*pair)


@pytest.mark.parametrize(("l1", "l2"), [(0.1, 0.0), (0.0, 0.2), (0.1, 0.2)])
def test_penalties_are_those_of_the_kernels_and_go_again(digits, l1, l2):
    model = fitting.build(Settings.from_flat({"hidden_units": "4"}), digits)
    kernels = [model.get_layer(name).kernel for name in ("dense_1", "classes")]
    kernels[0].regularizer = keras.regularizers.L2(0.5)  # Of a network brought along.
    own = 0.5 * np.square(kernels[0].numpy()).sum()
    with penalties.added(model, RegularizationSettings(l1=l1, l2=l2)):
        found = sum(float(loss) for loss in model.losses)
    values = np.concatenate([kernel.numpy().ravel() for kernel in kernels])
    expected = own + l1 * np.abs(values).sum() + l2 * np.square(values).sum()
    assert found == pytest.approx(expected, rel=1e-5)
    assert [float(loss) for loss in model.losses] == pytest.approx([own])
    assert "L1L2" not in model.to_json()


def test_penalties_reach_history(digits, plain):
    _, history = trained(digits, l2=0.1)
    assert history["loss"][0] > plain[1]["loss"][0] + 1
    assert history["val_loss"][0] > plain[1]["val_loss"][0] + 0.5


def test_what_the_data_do_not_allow_is_refused_before_training(digits):
    train = parts.ArrayPart(digits.train.samples().reshape(256, 64, 1), digits.train.labels)
    signals = dataclasses.replace(digits, train=train)
    with pytest.raises(checks.ArgumentError, match=r"^augment must be of .* for signals"):
        fitting.prepare(Settings.from_flat({"augment": "rotate=10"}), signals)


def test_the_control_is_trained_alike(digits, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(epochs, "fit_plainly", lambda model, settings, *_: seen.append(settings))

    def folder(**values):
        settings = Settings.from_flat({"hidden_units": "4", "save_dir": str(tmp_path), **values})
        return control.dense(settings, digits).folder

    first = folder()
    assert folder(l1_wavelet=0.5) == first
    others = [folder(**values) for values in CHANGES]
    assert len({first, *others}) == len(CHANGES) + 1
    assert seen[1].regularization.l1 == 0.01
    assert seen[-1].augmentation.variations == {"mixup": 1.0}
