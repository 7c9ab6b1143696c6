"""Settings: what is filled in, what is refused and in which words, and the way to JSON and back."""

from __future__ import annotations

import dataclasses
import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwt_keras import settings
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
from dwt_keras.settings.coding import CodingSettings
from dwt_keras.settings.distribution import DistributionSettings
from dwt_keras.settings.export import ExportSettings
from dwt_keras.settings.numerics import NumericsSettings
from dwt_keras.settings.optimization import OptimizationSettings
from dwt_keras.settings.regularization import RegularizationSettings
from dwt_keras.settings.resuming import ResumingSettings
from dwt_keras.settings.transfer import TransferSettings
from dwt_keras.settings.views import ViewSettings

GROUPS = [
    CompressionSettings,
    DataSettings,
    TrainingSettings,
    OptimizationSettings,
    NumericsSettings,
    CodingSettings,
    ExportSettings,
    RegularizationSettings,
    AugmentationSettings,
    TransferSettings,
    ViewSettings,
    DistributionSettings,
    ResumingSettings,
]

# Field, what is given, and the words that say what is allowed.
REFUSED = [
    *[
        ("distribute", value, "must be one of none, mirrored, multiworker")
        for value in ("nope", "", None, 2)
    ],
    ("resume", "", "must be a run's folder, or auto"),
    ("resume", 3, "must be text"),
    *[("save_best", value, "must be true or false") for value in ("no", 1, None)],
    ("wavelet", "nope", "must be a wavelet of PyWavelets, auto or none"),
    ("wavelet", "cmor1.5-x", "must be cmor"),
    ("wavelet", "", "must be a wavelet of PyWavelets, auto or none"),
    ("wavelet", 2, "must be a wavelet of PyWavelets, auto or none"),
    *[
        ("level", value, "must be a whole number, 1 or more, max or auto")
        for value in (0, -1, "0", "-3", "1.5", 1.5, "MAX", "", " 2", "two", True, [1])
    ],
    *[
        ("threshold", value, "must be a finite number, 0 or more")
        for value in (-1, -1e-9, math.nan, math.inf, -math.inf, "0.1", True, 10**400)
    ],
    *[
        ("threshold_mode", value, "must be one of hard, soft, garrote, firm")
        for value in ("nope", "Hard", "", None, 1)
    ],
    *[
        (
            "threshold_rule",
            value,
            "must be one of absolute, relative, quantile, universal, bayes, sure",
        )
        for value in ("nope", "", 1)
    ],
    *[("keep_approximation", value, "must be true or false") for value in ("no", "true", 0, None)],
    *[("axes", value, "must be one of auto, matrix") for value in ("nope", None, 0, (0, 1))],
    *[("layers", value, "must be regular expressions") for value in ("(", "conv,*", "a,[")],
    *[("layers", value, "must be text") for value in (["conv"], 3, True)],
    *[("hold_support", value, "must be true or false") for value in ("no", 0, 1)],
    *[
        ("structure", value, "must be one of coefficients, rows, columns")
        for value in ("row", "", 1)
    ],
    *[
        (name, value, "must be a whole number, 1 or more, or a share above 0, 1.0 at most")
        for name in ("keep_rows", "keep_columns")
        for value in ("", "a", "0", "-3", "0.0", "1.5", 0, 1.5, True, "(:3", "conv:", "dense:2,x")
    ],
    *[("figures", value, "must be one of svg, png, none") for value in ("jpg", "", None)],
    *[("export", value, "must be one of savedmodel, litert") for value in ("tflite", "", None)],
    *[("scale_dropout", value, "must be true or false") for value in ("no", 0, 1)],
    *[("ramp", value, "must be one of constant, linear, cubic") for value in ("nope", "", 1)],
    *[
        ("ramp_begin_epoch", value, "must be a whole number, 0 or more")
        for value in (-1, 0.5, "1", None, True)
    ],
    *[
        ("choose_basis_epochs", value, "must be whole numbers, 1 or more, comma-separated")
        for value in ("", "a", "0", "1,-2", (), [0], 1)
    ],
    *[
        ("apply_every_batches", value, "must be a whole number, 1 or more")
        for value in (0, -1, 2.0, "3", True)
    ],
    *[
        ("dataset", value, "must be one of digits, mnist, fashion_mnist, cifar10, cifar100")
        for value in ("nope", "MNIST", None)
    ],
    *[("data_dir", value, "must be text") for value in (3, ["a"], True)],
    *[
        ("validation_fraction", value, "must be a finite number, above 0, below 1")
        for value in (0, 0.0, 1, 1.0, -0.1, math.nan, math.inf, "0.1", None)
    ],
    *[("model", value, "must be one of mlp, cnn") for value in ("nope", "CNN", None)],
    *[
        ("hidden_units", value, "must be whole numbers, 1 or more, comma-separated")
        for value in ("", "a", "1,", "0", "8,-1", "1.5", (), [0], (2.5,), (True,), 128, None)
    ],
    *[
        (name, value, "must be a whole number, 1 or more")
        for name in ("batch_size", "epochs")
        for value in (0, -1, 1.0, "2", None, True)
    ],
    *[
        ("learning_rate", value, "must be a finite number, above 0")
        for value in (0, 0.0, -1e-3, math.nan, math.inf, "1")
    ],
    *[("seed", value, "must be a whole number, 0 or more") for value in (-1, 1.5, "0", None)],
    ("seed", 2**32, "must be below 2**32"),
    ("save_dir", 3, "must be text"),
    *[
        ("coding_accuracy_drop", value, "must be a finite number, 0 or more, below 1")
        for value in (-0.1, 1, math.nan, "0.1", None)
    ],
    *(
        ("target_bytes", value, "must be a whole number, 1 or more")
        for value in (0, -5, 1.5, "4500", True)
    ),
    *(
        ("max_accuracy_drop", value, "must be a finite number, 0 or more, below 1")
        for value in (-0.1, 1, math.nan, "0.1")
    ),
    (
        "learning_rate_schedule",
        "linear",
        "must be one of constant, step, exponential, cosine, cyclical, one_cycle, plateau",
    ),
    *[("optimizer", value, "must be one of adam, adamw, sgd") for value in ("nope", "Adam", None)],
    *[
        ("momentum", value, "must be a finite number, 0 or more, below 1")
        for value in (-0.1, 1.0, math.nan, "0.9")
    ],
    *[
        (name, value, "must be a finite number, 0 or more")
        for name in ("weight_decay", "warmup_epochs", "lowest_learning_rate")
        for value in (-1e-3, math.inf, "0.1", True)
    ],
    *[
        (name, value, "must be a finite number, above 0")
        for name in ("clip_norm", "cycle_epochs")
        for value in (0.0, -1, math.nan, "1")
    ],
    *[
        ("decay_factor", value, "must be a finite number, above 0, below 1")
        for value in (0.0, 1, -0.5, math.nan, "0.5")
    ],
    *[
        (name, value, "must be a whole number, 1 or more")
        for name in (
            "step_epochs",
            "plateau_patience_epochs",
            "early_stopping_patience_epochs",
            "steps_per_execution",
        )
        for value in (0, -1, 1.5, "3", True)
    ],
    *[
        ("early_stopping_metric", value, "must be one of val_loss, val_accuracy")
        for value in ("loss", "", None)
    ],
    *[
        ("mixed_precision", value, "must be one of none, mixed_float16, mixed_bfloat16")
        for value in ("float16", None, True)
    ],
    *[("jit_compile", value, "must be one of auto, on, off") for value in ("yes", True, None)],
    *[("deterministic", value, "must be true or false") for value in ("no", 0, None)],
    *(
        (name, value, "must be a finite number, 0 or more")
        for name in ("l1", "l2", "l1_wavelet")
        for value in (-1e-6, math.nan, math.inf, "0.1", None, True)
    ),
    *(
        (name, value, "must be a finite number, 0 or more, below 1")
        for name in ("dropout", "label_smoothing")
        for value in (-0.1, 1, math.nan, "0.1", True)
    ),
    *(("batch_norm", value, "must be true or false") for value in ("no", 0, None)),
    *(
        ("augment", value, "must be of flip, rotate=DEGREES, shift=SHARE")
        for value in ("", "flop", "Flip", "flip,", "noise:0.1")
    ),
    *(
        ("augment", value, "must have")
        for value in ("flip=", "flip=1", "rotate", "rotate=", "rotate=181", "shift=1", "zoom=-1")
    ),
    *(("augment", value, "must have") for value in ("noise=nan", "mixup=inf", "cutout=0")),
    ("augment", "flip,noise=0.1,flip", "must name flip once"),
    ("augment", 3, "must be text"),
    *[
        (name, value, "must be a finite number, above 0, below 1")
        for name, value in (("test_fraction", 0), ("test_fraction", 1.5), ("test_fraction", None))
    ],
    *[
        ("input_kind", value, "must be one of auto, images, signals, tabular")
        for value in ("image", "", None)
    ],
    *[
        ("image_size", value, "must be HEIGHTxWIDTH or one number, in pixels, 1 or more")
        for value in ("", "0", "8x", "8x0", "8x8x3", "a", True, 0, (1, 2, 3), (0, 1))
    ],
    *[("color_mode", value, "must be one of auto, grayscale, rgb") for value in ("gray", None)],
    *[("normalize", value, "must be one of none, standard") for value in ("minmax", None, True)],
    *[
        ("init", value, "must be one of FILE.keras, FILE.dwtz, FILE.weights.h5")
        for value in ("", "a.h5", "a")
    ],
    ("init", 3, "must be text"),
    *[("weights", value, "must be one of imagenet, none, FILE.h5") for value in ("", "a.keras")],
    ("freeze_until", "", "must name a layer"),
    ("freeze_until", 3, "must be text"),
    *[("head_epochs", value, "must be a whole number, 0 or more") for value in (-1, 1.5, "2")],
    *[
        ("head_learning_rate", value, "must be a finite number, above 0")
        for value in (0, math.nan, "1")
    ],
    *[("shrink_frozen", value, "must be true or false") for value in ("no", 1, None)],
    ("save_dir", None, "must be text"),
    ("run_name", 3, "must be text"),
]

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
    "shrink_frozen": True,
    "figures": "png",
    "distribute": "mirrored",
    "resume": "auto",
    "save_best": True,
}


@pytest.mark.parametrize(
    ("name", "value", "allowed"),
    REFUSED,
    ids=[f"{name}={value!r:.20}" for name, value, _ in REFUSED],
)
def test_a_field_out_of_range_is_refused_in_one_line(name, value, allowed):
    with pytest.raises(ArgumentError) as caught:
        Settings.from_flat({name: value})
    message = str(caught.value)
    assert caught.value.argument == name
    assert message.startswith(f"{name} {allowed}")
    assert "given " in message
    # A bad pattern or variation is shown by itself, and a number as text without its quotes.
    assert name in ("layers", "augment") or str(value) in message
    assert "\n" not in message


def test_every_field_is_refused_something():
    special = {"ramp_end_epoch"}  # Its rules involve other fields: below.
    assert {name for name, _, _ in REFUSED} | special == set(settings.flat_fields())


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


def test_an_empty_save_dir_is_refused():
    with pytest.raises(ArgumentError, match=r"^save_dir must name a folder; given an empty one$"):
        TrainingSettings(save_dir="")


def test_a_bad_pattern_is_named():
    with pytest.raises(ArgumentError, match=r"^layers must be .*; given '\(b': "):
        CompressionSettings(layers="a,(b")


@pytest.mark.parametrize("group", GROUPS)
def test_a_group_refuses_by_itself(group):
    bad = next(
        (name, value)
        for name, value, _ in REFUSED
        if name in {field.name for field in dataclasses.fields(group)}
    )
    with pytest.raises(ArgumentError, match=f"^{bad[0]} "):
        group(**{bad[0]: bad[1]})


@pytest.mark.parametrize(
    ("given_level", "level"),
    [
        (1, 1),
        (3, 3),
        ("3", 3),
        ("+2", 2),
        ("007", 7),
        ("max", "max"),
        (1000, 1000),
        ("auto", "auto"),
        (None, 1),
    ],
)
def test_levels(given_level, level):
    assert CompressionSettings(level=given_level).level == level


@pytest.mark.parametrize(
    ("wavelet", "name", "note"),
    [
        ("haar", "haar", None),
        ("HAAR", "haar", None),
        ("Bior4.4", "bior4.4", None),
        ("none", "none", None),
        ("identity", "none", None),
        ("harr", "haar", "haar"),
        ("db", "db1", "db1"),
        ("cgau", "cgau1", "cgau1"),
        ("CMOR1.5-1", "cmor1.5-1.0", None),
        ("Auto", "auto", None),
    ],
)
def test_the_wavelet_becomes_its_canonical_name(wavelet, name, note):
    found = CompressionSettings(wavelet=wavelet)
    assert found.wavelet == name
    assert len(found.notes) == (note is not None)
    assert all(note in line for line in found.notes)


@pytest.mark.parametrize("rule", ["absolute", "relative", "quantile"])
def test_the_default_threshold_is_filled_in(rule):
    assert CompressionSettings(threshold_rule=rule).threshold == 0.05
    assert CompressionSettings(threshold_rule=rule, threshold=0).threshold == 0.0
    assert CompressionSettings(threshold_rule=rule, threshold=0.5).threshold == 0.5


def test_the_rule_universal_takes_no_threshold():
    assert CompressionSettings(threshold_rule="universal").threshold is None
    for threshold in (0.0, 0.05):
        with pytest.raises(
            ArgumentError, match=f"^threshold must not be given .*universal.*; given {threshold}$"
        ):
            CompressionSettings(threshold_rule="universal", threshold=threshold)


# What finds the threshold itself, as two settings may say it.
BUDGETS = [{"target_bytes": 4500}, {"max_accuracy_drop": 0.01}]


@pytest.mark.parametrize("budget", BUDGETS)
def test_a_budget_brings_its_own_defaults(budget):
    found = Settings.from_flat(budget)
    compression = found.compression
    assert (compression.wavelet, compression.level) == ("auto", "auto")
    assert (compression.threshold_rule, compression.threshold) == ("bytes", None)
    assert (compression.hold_support, compression.ramp) == (True, "cubic")
    assert compression.scale_dropout
    assert found.optimization.learning_rate_schedule == "cosine"
    assert Settings.from_flat({**budget, "wavelet": "haar"}).compression.level == 1
    constant = Settings.from_flat({**budget, "learning_rate_schedule": "constant"})
    assert constant.optimization.learning_rate_schedule == "constant"
    assert Settings.from_json(found.to_json()) == found


def test_without_a_budget_learning_rate_and_dropout_are_constant():
    assert Settings().optimization.learning_rate_schedule == "constant"
    assert not Settings().compression.scale_dropout


@pytest.mark.parametrize("budget", BUDGETS)
@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("threshold", 0.05),
        ("threshold", 0.0),
        ("threshold_rule", "absolute"),
        ("threshold_rule", "quantile"),
        ("threshold_mode", "soft"),
        ("keep_approximation", True),
        ("hold_support", False),
    ],
)
def test_what_a_budget_decides_is_not_given_beside_it(budget, name, value):
    (given,) = budget
    pattern = rf"^{name} must not be given beside {given}, which .*; given {value!r}$"
    with pytest.raises(ArgumentError, match=pattern):
        CompressionSettings(**budget, **{name: value})


@pytest.mark.parametrize("name", ["rows", "columns"])
def test_what_remains_brings_its_own_defaults(name):
    found = Settings.from_flat({f"keep_{name}": "0.125"})
    compression = found.compression
    assert (compression.structure, compression.threshold_rule) == (name, "structure")
    assert (compression.wavelet, compression.level) == ("auto", "auto")
    assert (compression.hold_support, compression.ramp) == (True, "cubic")
    assert compression.scale_dropout
    assert found.optimization.learning_rate_schedule == "cosine"
    assert Settings.from_json(found.to_json()) == found


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("0.125", (("", 0.125),)),
        ("98", (("", 98),)),
        ("1", (("", 1),)),
        ("1.0", (("", 1.0),)),
        (98, (("", 98),)),
        (0.5, (("", 0.5),)),
        ("conv:0.5, dense_1$:3", (("conv", 0.5), ("dense_1$", 3))),
        (None, ()),
    ],
)
def test_how_many_rows_layers_keep(given, expected):
    other = {"max_accuracy_drop": 0.1, "structure": "rows"} if given is None else {}
    found = CompressionSettings(keep_rows=given, **other).kept
    assert found == expected
    assert [type(number) for _, number in found] == [type(number) for _, number in expected]


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"structure": "rows"}, "structure rows needs keep_rows or max_accuracy_drop; none"),
        ({"structure": "columns"}, "structure columns needs keep_columns or"),
        ({"structure": "columns", "keep_rows": 3}, "keep_rows needs structure=rows; given 3"),
        ({"structure": "coefficients", "keep_rows": 3}, "keep_rows needs structure=rows; given 3"),
        ({"keep_rows": 3, "keep_columns": 4}, "keep_columns needs structure=columns; given 4"),
        ({"threshold_rule": "structure"}, "threshold_rule structure needs keep_rows or"),
        ({"keep_rows": 3, "axes": "matrix"}, "axes must not be given beside structure=rows"),
        ({"keep_rows": 3, "threshold": 0.1}, "threshold must not be given beside structure=rows"),
        ({"keep_rows": 3, "threshold_rule": "sure"}, "threshold_rule must not be given beside"),
        ({"keep_rows": 3, "threshold_mode": "soft"}, "threshold_mode must not be given beside"),
        ({"keep_rows": 3, "keep_approximation": True}, "keep_approximation must not be given"),
        ({"keep_rows": 3, "hold_support": False}, "hold_support must not be given beside"),
        (
            {"keep_rows": 3, "target_bytes": 900},
            "target_bytes must not be given beside structure=rows",
        ),
        ({"keep_rows": 3, "max_accuracy_drop": 0.1}, "keep_rows must not be given beside max_acc"),
        ({"structure": "rows", "max_accuracy_drop": 1.5}, "max_accuracy_drop must be a finite"),
        ({"keep_rows": 3, "wavelet": "morl"}, "wavelet must be a discrete one beside keep_rows"),
    ],
)
def test_what_does_not_go_with_rows_and_columns_is_refused(given, message):
    with pytest.raises(ArgumentError, match=f"^{message}"):
        CompressionSettings(**given)


def test_a_budget_leaves_epochs_to_train_quantised():
    for late in ({"ramp_end_epoch": 8}, {"ramp_begin_epoch": 7}):
        (name,) = late
        pattern = rf"^{name} must leave epochs of 8 .*; given {late[name]}$"
        with pytest.raises(ArgumentError, match=pattern):
            Settings.from_flat({"target_bytes": 4500, "epochs": 8, **late})
    assert Settings.from_flat({"target_bytes": 4500, "epochs": 8, "ramp_end_epoch": 7})
    assert Settings.from_flat({"target_bytes": 4500, "epochs": 1})


def test_there_is_one_budget():
    with pytest.raises(ArgumentError, match=r"^max_accuracy_drop .* target_bytes; given 0\.01$"):
        CompressionSettings(target_bytes=4500, max_accuracy_drop=0.01)


def test_a_budget_needs_a_basis():
    with pytest.raises(ArgumentError, match=r"^wavelet must be a discrete one beside target_bytes"):
        CompressionSettings(target_bytes=4500, wavelet="mexh")


def test_bytes_is_no_rule_by_itself():
    with pytest.raises(ArgumentError, match=r"^threshold_rule bytes needs target_bytes or max"):
        CompressionSettings(threshold_rule="bytes")


@pytest.mark.parametrize("rule", ["quantile", "relative"])
@pytest.mark.parametrize("threshold", [1, 1.0, 3.5, -0.1, math.nan])
def test_a_fraction_lies_below_one(rule, threshold):
    with pytest.raises(ArgumentError, match=r"^threshold must be .*0 or more, below 1; given"):
        CompressionSettings(threshold_rule=rule, threshold=threshold)


def test_a_magnitude_may_be_above_one():
    assert CompressionSettings(threshold=3.5).threshold == 3.5
    below = math.nextafter(1.0, 0.0)
    assert CompressionSettings(threshold_rule="quantile", threshold=below).threshold == below


@pytest.mark.parametrize(
    ("rule", "hold_support", "ramp"),
    [
        ("absolute", False, "constant"),
        ("relative", False, "constant"),
        ("universal", False, "constant"),
        ("quantile", True, "cubic"),
    ],
)
def test_holding_and_ramp_follow_the_rule(rule, hold_support, ramp):
    found = CompressionSettings(threshold_rule=rule)
    assert (found.hold_support, found.ramp) == (hold_support, ramp)
    other = CompressionSettings(threshold_rule=rule, hold_support=not hold_support, ramp="linear")
    assert (other.hold_support, other.ramp) == (not hold_support, "linear")


@pytest.mark.parametrize("ramp", ["linear", "cubic"])
@pytest.mark.parametrize("end", [4, 3, 0, 5.5, "6"])
def test_a_ramp_ends_after_it_begins(ramp, end):
    with pytest.raises(ArgumentError, match=r"^ramp_end_epoch must be a whole number, 5 or more"):
        CompressionSettings(ramp=ramp, ramp_begin_epoch=4, ramp_end_epoch=end)
    assert CompressionSettings(ramp=ramp, ramp_begin_epoch=4, ramp_end_epoch=5).ramp_end_epoch == 5


def test_a_constant_ramp_has_no_end():
    with pytest.raises(ArgumentError, match=r"^ramp_end_epoch needs ramp=linear or cubic"):
        CompressionSettings(ramp_end_epoch=4)
    assert CompressionSettings(threshold_rule="quantile", ramp_end_epoch=4).ramp == "cubic"


@pytest.mark.parametrize(
    "make",
    [
        lambda end: Settings.from_flat({"ramp": "cubic", "ramp_end_epoch": end, "epochs": 8}),
        lambda end: Settings(
            compression=CompressionSettings(ramp="cubic", ramp_end_epoch=end),
            training=TrainingSettings(epochs=8),
        ),
    ],
    ids=["flat", "groups"],
)
def test_a_ramp_ends_within_the_training(make):
    assert make(8).compression.ramp_end_epoch == 8
    with pytest.raises(
        ArgumentError, match=r"^ramp_end_epoch must not lie beyond the last epoch, 8; given 9$"
    ):
        make(9)


def test_a_ramp_begins_within_the_training():
    assert Settings.from_flat({"ramp_begin_epoch": 7, "epochs": 8}).training.epochs == 8
    for begin in (8, 9):
        with pytest.raises(
            ArgumentError, match=rf"^ramp_begin_epoch must lie before .*, 8; given {begin}$"
        ):
            Settings.from_flat({"ramp_begin_epoch": begin, "epochs": 8})


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
        ({"head_learning_rate": 0.1}, "head_learning_rate needs head_epochs"),
        ({"shrink_frozen": True}, "shrink_frozen needs freeze_until"),
    ],
)
def test_what_does_not_go_together_is_refused(given, message):
    with pytest.raises(ArgumentError, match=f"^{message}"):
        Settings.from_flat(given)


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
