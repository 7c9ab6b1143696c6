"""Each setting out of its range is refused, in which words."""

from __future__ import annotations

import dataclasses
import math

import pytest

from dwt_keras import settings
from dwt_keras.checks import ArgumentError
from dwt_keras.settings import (
    CompressionSettings,
    Settings,
    TrainingSettings,
)

# The class of each group.
GROUPS = [field.default_factory for field in dataclasses.fields(Settings)]


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
    *[("freeze_batch_norm", value, "must be one of auto, on, off") for value in ("yes", True)],
    *[("shrink_frozen", value, "must be true or false") for value in ("no", 1, None)],
    ("save_dir", None, "must be text"),
    ("run_name", 3, "must be text"),
]


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
