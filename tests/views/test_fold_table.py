"""What is said of a comparison of two settings."""

from __future__ import annotations

from typing import Any

import pytest

from dwt_keras.views import fold_table


def compared(difference: float, significant: bool, **more: Any) -> dict[str, Any]:
    return {
        "difference": difference,
        "low": difference - 1,
        "high": difference + 1,
        "p": 0.0123,
        "pairs": 5,
        "test": "corrected_t",
        "note": "",
        "significant": significant,
        **more,
    }


@pytest.mark.parametrize(
    ("figure", "difference", "said"),
    [
        ("accuracy", 0.1, "a can be said to be more accurate than b (a minus b: 0.1000, "),
        ("accuracy", -0.1, "b can be said to be more accurate than a (a minus b: -0.1000, "),
        ("zero_fraction", 0.1, "a can be said to be sparser than b (a minus b: 10.00 %, "),
        ("bytes", 100, "b can be said to be smaller than a (a minus b: 100, "),
        ("bytes", -2100, "a can be said to be smaller than b (a minus b: -2,100, "),
    ],
)
def test_the_better_one_is_named(figure: str, difference: float, said: str) -> None:
    sentence = fold_table.verdict(figure, compared(difference, True), "a", "b")
    assert sentence.startswith(said)
    assert sentence.endswith("; p = 0.0123 by corrected_t, 5 pairs)")


def test_what_cannot_be_said_is_not() -> None:
    sentence = fold_table.verdict("bytes", compared(5, False, p=None, note="why"), "a", "b")
    assert sentence == (
        "neither can be said to be smaller (a minus b: 5, 95 % interval by the corrected t 4 to 6; "
        "p not to be had by corrected_t, 5 pairs; why)"
    )
