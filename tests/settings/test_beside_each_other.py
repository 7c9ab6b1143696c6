"""Settings of several groups beside each other, and names of data and networks."""

from __future__ import annotations

import pytest

from dwt_keras.checks import ArgumentError
from dwt_keras.settings import (
    CompressionSettings,
    DataSettings,
    Settings,
    TrainingSettings,
    regularization,
    sources,
)
from dwt_keras.settings.augmentation import AugmentationSettings
from dwt_keras.settings.regularization import RegularizationSettings


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"model": "mixer", "batch_norm": True}, "batch_norm must not .*model=mixer.*given True"),
        ({"model": "vit_tiny", "batch_norm": True}, "batch_norm must not .*given True"),
        ({"wavelet": "mexh", "l1_wavelet": 0.1}, "l1_wavelet needs .* given 0.1 with .* mexh"),
    ],
)
def test_regularisation_that_does_not_fit_is_refused(values, message):
    with pytest.raises(ArgumentError, match=f"^{message}$"):
        Settings.from_flat(values)


def test_a_network_that_is_built_already_takes_no_layers():
    allowed = RegularizationSettings(l1=0.1, l2=0.1, l1_wavelet=0.1, label_smoothing=0.1)
    regularization.check_built(allowed, "net.keras")
    for name, value in (("dropout", 0.0), ("dropout", 0.2), ("batch_norm", True)):
        group = RegularizationSettings(**{name: value})
        with pytest.raises(ArgumentError, match=f"^{name} .*model=net.keras.*given {value}$"):
            regularization.check_beside(group, "net.keras", CompressionSettings())


def test_variations_are_read():
    assert AugmentationSettings().variations == {}
    found = AugmentationSettings(augment=" flip, rotate=1e1,mixup = 0.2").variations
    assert found == {"flip": 1.0, "rotate": 10.0, "mixup": 0.2}


@pytest.mark.parametrize(
    ("shape", "able"),
    [
        ((8, 8, 1), {"flip", "rotate", "shift", "zoom", "noise", "cutout", "mixup"}),
        ((96, 2), {"shift", "noise", "mixup"}),
        ((13,), {"noise", "mixup"}),
        ((4, 8, 8, 1), set()),
    ],
)
def test_variations_are_for_samples_of_some_rank(shape, able):
    every = "flip,rotate=10,shift=0.1,zoom=0.1,noise=0.05,cutout=0.25,mixup=0.2"
    for part in every.split(","):
        given = AugmentationSettings(augment=part)
        if part.partition("=")[0] in able:
            given.check_for(shape)
        else:
            with pytest.raises(ArgumentError, match=r"^augment must .* for .*; given \w+$"):
                given.check_for(shape)


@pytest.mark.parametrize(
    ("layers", "patterns"),
    [(None, ()), ("conv", ("conv",)), ("conv, dense_[12]$,", ("conv", "dense_[12]$"))],
)
def test_layer_patterns(layers, patterns):
    assert CompressionSettings(layers=layers).layer_patterns == patterns


@pytest.mark.parametrize(
    ("given_units", "units"),
    [("128", (128,)), ("64,32", (64, 32)), ("64, 32", (64, 32)), ([8, 4], (8, 4)), ((5,), (5,))],
)
def test_hidden_units(given_units, units):
    assert TrainingSettings(hidden_units=given_units).hidden_units == units


def test_the_largest_seed():
    assert TrainingSettings(seed=2**32 - 1).seed == 2**32 - 1


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a/b.npz", "b"),
        ("./cats and dogs/", "cats and dogs"),
        ("tfds:mnist", "tfds-mnist"),
        ("my.data:load", "data-load"),
        ("digits", "digits"),
        ("~/x.npz", "x"),
    ],
)
def test_a_dataset_by_its_name(given, name):
    assert sources.short_name(DataSettings(dataset=given).dataset) == name


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ("a/net.keras", "net"),
        ("applications:MobileNetV2", "MobileNetV2"),
        ("my.nets:small", "nets-small"),
        ("cnn", "cnn"),
    ],
)
def test_a_network_by_its_name(given, name):
    assert sources.short_name(TrainingSettings(model=given).model) == name


def test_a_folder_needs_no_separator_where_it_is_there(tmp_path, monkeypatch):
    (tmp_path / "photos").mkdir()
    monkeypatch.chdir(tmp_path)
    assert DataSettings(dataset="photos").dataset == "photos/"
    with pytest.raises(ArgumentError, match=r"^dataset must be one of digits, .*given 'photo'$"):
        DataSettings(dataset="photo")


def test_an_application_is_one_of_keras():
    with pytest.raises(ArgumentError, match=r"^model applications: .*did you mean MobileNetV2"):
        TrainingSettings(model="applications:MobilNetV2")


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"input_kind": "tabular"}, "input_kind goes with an .npz file or a function"),
        ({"image_size": "8x8"}, "image_size goes with a folder or tfds:NAME"),
        ({"test_fraction": 0.3}, "test_fraction goes with a folder or tfds:NAME"),
        ({"hidden_units": "8", "model": "cnn"}, "hidden_units goes with model=mlp"),
        ({"color_mode": "rgb", "dataset": "tfds:x"}, "color_mode goes with a folder"),
        ({"dataset": "a.npz", "data_dir": "b"}, "data_dir must not be given beside dataset=a.npz"),
        ({"weights": "none"}, "weights goes with model=applications:NAME"),
        ({"head_epochs": 1}, "head_epochs needs weights to start from"),
        (
            {"head_epochs": 1, "model": "applications:VGG16", "weights": "none"},
            "head_epochs needs weights to start from",
        ),
        ({"freeze_batch_norm": "on"}, "freeze_batch_norm needs weights to start from"),
        ({"head_learning_rate": 0.1}, "head_learning_rate needs head_epochs"),
        ({"shrink_frozen": True}, "shrink_frozen needs freeze_until"),
    ],
)
def test_what_does_not_go_together_is_refused(given, message):
    with pytest.raises(ArgumentError, match=f"^{message}"):
        Settings.from_flat(given)


@pytest.mark.parametrize(
    ("values", "message"),
    [
        ({"step_epochs": 3}, "step_epochs needs learning_rate_schedule=step; given 3 beside"),
        ({"decay_factor": 0.5}, "decay_factor needs learning_rate_schedule=step, exponential or"),
        ({"cycle_epochs": 3, "learning_rate_schedule": "one_cycle"}, "cycle_epochs needs"),
        ({"lowest_learning_rate": 0.0, "learning_rate_schedule": "step"}, "lowest_learning_rate"),
        ({"plateau_patience_epochs": 2, "target_bytes": 900}, "plateau_patience_epochs needs"),
        (
            {"learning_rate_schedule": "cosine", "lowest_learning_rate": 0.01},
            "lowest_learning_rate must be below learning_rate, 0.001; given 0.01",
        ),
        (
            {"jit_compile": "on", "deterministic": True},
            "jit_compile must be auto or off beside deterministic, which XLA is not; given on",
        ),
        ({"momentum": 0.9}, "momentum needs optimizer=sgd or rmsprop; given 0.9 beside"),
        ({"early_stopping_metric": "val_accuracy"}, "early_stopping_metric needs early_stopping_p"),
        ({"warmup_epochs": 10}, "warmup_epochs must lie before the last epoch, 10; given 10"),
        (
            {"learning_rate_schedule": "step", "step_epochs": 9, "warmup_epochs": 1.5},
            "step_epochs must be below the epochs of the schedule, 8.5; given 9",
        ),
        (
            {"early_stopping_patience_epochs": 1, "epochs": 1, "target_bytes": 900},
            "early_stopping_patience_epochs needs epochs of 1 that are trained quantised, with",
        ),
        (
            {
                "early_stopping_patience_epochs": 1,
                "choose_basis_epochs": "10",
                "max_accuracy_drop": 0.01,
            },
            "early_stopping_patience_epochs needs epochs of 10",
        ),
    ],
    ids=lambda value: "-".join(value) if isinstance(value, dict) else "",
)
def test_what_has_no_meaning_beside_the_rest_is_refused(values, message):
    with pytest.raises(ArgumentError) as caught:
        Settings.from_flat(values)
    assert str(caught.value).startswith(message)
    assert "given " in str(caught.value)


def test_a_schedule_takes_what_belongs_to_it():
    for values in (
        {"learning_rate_schedule": "step", "step_epochs": 9, "decay_factor": 0.5},
        {"learning_rate_schedule": "plateau", "decay_factor": 0.5, "plateau_patience_epochs": 1},
        {"learning_rate_schedule": "cyclical", "cycle_epochs": 3, "lowest_learning_rate": 0.0},
        {"target_bytes": 900, "lowest_learning_rate": 0.0001},  # A cosine by itself.
    ):
        assert Settings.from_flat(values).flat().items() >= values.items()


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ({}, False),
        ({"model": "applications:VGG16"}, True),
        ({"model": "applications:VGG16", "weights": "none"}, False),
        ({"model": "applications:VGG16", "freeze_batch_norm": "off"}, False),
        # Trained on, for bytes say, where statistics have to follow what compression changes.
        ({"model": "a.keras"}, False),
        ({"model": "a.keras", "head_epochs": 1}, True),
        ({"model": "a.keras", "freeze_batch_norm": "on"}, True),
        ({"model": "a.b:net"}, False),
        ({"init": "a.keras"}, False),
        ({"init": "a.keras", "head_epochs": 1}, True),
        ({"init": "a.keras", "head_epochs": 1, "freeze_batch_norm": "off"}, False),
    ],
)
def test_batch_normalisation_stays_as_it_came_where_a_head_is_new(given, expected):
    assert Settings.from_flat(given).freezes_batch_norm is expected
