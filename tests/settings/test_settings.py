"""All settings together: names, help, and the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwt_keras import settings
from dwt_keras.checks import ArgumentError
from dwt_keras.settings import (
    CompressionSettings,
    Settings,
    TrainingSettings,
)

# The class of each group.
GROUPS = [field.default_factory for field in dataclasses.fields(Settings)]


# Every field with a value of its own, none of them the default.
OTHER = {
    "wavelet": "sym4",
    "level": "auto",
    "threshold": 0.25,
    "threshold_mode": "soft",
    "threshold_rule": "quantile",
    "keep_approximation": True,
    "axes": "matrix",
    "layers": "conv,dense_[12]$",
    "hold_support": False,
    "scale_dropout": True,
    "ramp": "linear",
    "ramp_begin_epoch": 2,
    "ramp_end_epoch": 5,
    "choose_basis_epochs": (2, 3),
    "apply_every_batches": 7,
    "dataset": "images/",
    "validation_fraction": 0.2,
    "test_fraction": 0.3,
    "image_size": (8, 6),
    "color_mode": "rgb",
    "normalize": "standard",
    "model": "cnn",
    "batch_size": 16,
    "epochs": 20,
    "learning_rate": 0.01,
    "learning_rate_schedule": "cosine",
    "optimizer": "sgd",
    "momentum": 0.9,
    "weight_decay": 0.01,
    "clip_norm": 1.0,
    "warmup_epochs": 0.5,
    "lowest_learning_rate": 0.001,
    "early_stopping_patience_epochs": 3,
    "early_stopping_metric": "val_accuracy",
    "mixed_precision": "mixed_bfloat16",
    "jit_compile": "off",
    "steps_per_execution": 4,
    "deterministic": True,
    "seed": 3,
    "save_dir": "runs",
    "run_name": "first",
    "coding_accuracy_drop": 0.01,
    "export": "litert",
    "l1": 1e-5,
    "l2": 1e-4,
    "l1_wavelet": 0.01,
    "dropout": 0.2,
    "batch_norm": True,
    "label_smoothing": 0.1,
    "augment": "flip,rotate=10",
    "init": "start.keras",
    "freeze_until": "conv_1",
    "head_epochs": 2,
    "head_learning_rate": 0.02,
    "freeze_batch_norm": "off",
    "shrink_frozen": True,
    "figures": "png",
    "distribute": "mirrored",
    "resume": "auto",
    "save_best": True,
}


def test_names_are_unique_over_the_groups():
    names = [field.name for group in GROUPS for field in dataclasses.fields(group) if field.init]
    assert len(set(names)) == len(names)
    assert names == list(settings.flat_fields())


def test_every_field_has_a_help_text():
    for name, field in settings.flat_fields().items():
        text = field.metadata["help"]
        assert text == text.strip() and text.endswith("."), name


@pytest.mark.parametrize("group", [*GROUPS, Settings])
def test_settings_are_frozen_and_comparable(group):
    one = group()
    assert one == group()
    assert hash(one) == hash(group())
    with pytest.raises(dataclasses.FrozenInstanceError):
        setattr(one, dataclasses.fields(group)[0].name, None)


def test_notes_do_not_set_settings_apart():
    assert CompressionSettings(wavelet="harr") == CompressionSettings(wavelet="haar")


def test_flat_gives_every_value_back():
    # Which exclude the threshold, and what belongs to other schedules.
    others = dict.fromkeys(
        (
            *("target_bytes", "max_accuracy_drop", "keep_rows", "keep_columns"),
            *("step_epochs", "decay_factor", "cycle_epochs", "plateau_patience_epochs"),
        )
    )
    others["structure"] = "coefficients"
    # Which go with other datasets and networks.
    others |= {"data_dir": None, "input_kind": "auto", "weights": None}
    others["hidden_units"] = (128,)
    assert Settings.from_flat(OTHER).flat() == {**OTHER, **others}
    assert list(Settings().flat()) == list(settings.flat_fields())


def test_missing_names_take_defaults():
    assert Settings.from_flat({}) == Settings()
    training = TrainingSettings(epochs=3)
    assert Settings.from_flat({"epochs": 3}).training == training


@pytest.mark.parametrize("name", ["nope", "Threshold", "notes", "compression", ""])
def test_an_unknown_name_is_refused(name):
    with pytest.raises(ArgumentError, match=f"^{name} is not a setting$") as caught:
        Settings.from_flat({name: 1, "epochs": 3})
    assert caught.value.argument == name


@pytest.mark.parametrize(
    "values",
    [
        {},
        OTHER,
        {"threshold_rule": "universal"},
        {"threshold_rule": "quantile", "threshold": 0.9},
        {"wavelet": "harr", "level": "3", "hidden_units": "8,4"},
    ],
    ids=lambda values: ",".join(values) if len(values) < 9 else "other",
)
def test_json_round_trip(values):
    before = Settings.from_flat(values)
    text = before.to_json()
    assert Settings.from_json(text) == before
    assert Settings.from_json(text).to_json() == text
    assert list(json.loads(text)) == list(settings.flat_fields())


@given(
    st.fixed_dictionaries(
        {},
        optional={
            "threshold": st.floats(0, 0.99),
            "threshold_rule": st.sampled_from(["absolute", "relative", "quantile"]),
            "learning_rate": st.floats(1e-300, 1e300),
            "run_name": st.text(),
            "hidden_units": st.lists(st.integers(1, 10**6), min_size=1),
            "seed": st.integers(0, 2**32 - 1),
        },
    )
)
def test_json_keeps_every_value_exactly(values):
    before = Settings.from_flat(values)
    assert Settings.from_json(before.to_json()) == before
