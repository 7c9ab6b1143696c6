"""Argument checks: what passes, and the one line that is said where something does not."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from dwt_keras import checks


def test_argument_error_carries_its_parts():
    error = checks.ArgumentError("level", "must be 1; given 2")
    assert (error.argument, error.problem) == ("level", "must be 1; given 2")
    assert str(error) == "level must be 1; given 2"
    assert isinstance(error, checks.UserError)
    assert isinstance(error, ValueError)


@pytest.mark.parametrize(("value", "least"), [(0, 0), (1, 1), (7, 1), (2**62, 0), (-2, -2)])
def test_integer_returns_whole_numbers(value, least):
    assert checks.integer("n", value, least=least) == value


@pytest.mark.parametrize("value", [0, -1, 1.0, 1.5, "1", "max", None, True, math.nan, [1]])
def test_integer_refuses_the_rest(value):
    with pytest.raises(checks.ArgumentError) as caught:
        checks.integer("n", value, least=1)
    assert str(caught.value) == f"n must be a whole number, 1 or more; given {value!r}"


def test_integer_refuses_what_64_bits_cannot_hold():
    assert checks.integer("n", 2**63 - 1, least=1) == 2**63 - 1
    with pytest.raises(
        checks.ArgumentError, match=r"^n must be at most 9223372036854775807; given"
    ):
        checks.integer("n", 2**63, least=1)


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_real_returns_finite_numbers(value):
    assert checks.real("x", value) == value


def test_real_returns_a_float_for_a_whole_number():
    number = checks.real("x", 1, least=1)
    assert type(number) is float
    assert number == 1.0


@pytest.mark.parametrize(
    "value",
    [
        *(math.nan, math.inf, -math.inf, "1", None, True, False, 1j),
        pytest.param(10**400, id="10**400"),
        pytest.param(-(10**400), id="-10**400"),
    ],
)
def test_real_refuses_what_is_no_finite_number(value):
    with pytest.raises(checks.ArgumentError) as caught:
        checks.real("x", value)
    assert str(caught.value) == f"x must be a finite number; given {value!r}"


@pytest.mark.parametrize(
    ("bounds", "inside", "outside", "words"),
    [
        ({"least": 0.0}, [0, 0.0, 5e-324, 1e300], [-5e-324, -1], "0 or more"),
        ({"above": 0.0}, [5e-324, 1], [0, -0.0, -1.0], "above 0"),
        ({"below": 1.0}, [-5, math.nextafter(1.0, 0.0)], [1, 1.0, 2], "below 1"),
        ({"above": 0.0, "below": 1.0}, [0.5], [0.0, 1.0], "above 0, below 1"),
        ({"least": 0.0, "below": 1.0}, [0.0, 0.5], [-0.1, 1.0], "0 or more, below 1"),
    ],
    ids=str,
)
def test_real_keeps_the_bounds(bounds, inside, outside, words):
    assert [checks.real("x", value, **bounds) for value in inside] == inside
    for value in outside:
        with pytest.raises(checks.ArgumentError) as caught:
            checks.real("x", value, **bounds)
        assert str(caught.value) == f"x must be a finite number, {words}; given {value!r}"


def test_choice_returns_an_allowed_name():
    assert checks.choice("mode", "soft", ("hard", "soft")) == "soft"
    assert checks.choice("mode", "soft", {"hard": 1, "soft": 2}) == "soft"
    assert checks.choice("mode", "soft", iter(["hard", "soft"])) == "soft"


@pytest.mark.parametrize(
    ("value", "hint"),
    [
        ("softt", " (did you mean soft?)"),
        ("Hard", " (did you mean hard?)"),
        ("nope", ""),
        ("", ""),
        (None, ""),
        (3, ""),
        (["soft"], ""),
        ("so\nft", " (did you mean soft?)"),
    ],
)
def test_choice_refuses_the_rest_in_one_line(value, hint):
    with pytest.raises(checks.ArgumentError) as caught:
        checks.choice("mode", value, ["hard", "soft"])
    message = str(caught.value)
    assert message.startswith(f"mode must be one of hard, soft; given {value!r}")
    assert hint in message
    assert "\n" not in message


@pytest.mark.parametrize("value", [True, False])
def test_boolean_returns_truth_values(value):
    assert checks.boolean("flag", value) is value


@pytest.mark.parametrize("value", [0, 1, "true", "no", None, 1.0])
def test_boolean_refuses_the_rest(value):
    with pytest.raises(checks.ArgumentError) as caught:
        checks.boolean("flag", value)
    assert str(caught.value) == f"flag must be true or false; given {value!r}"


@pytest.mark.parametrize("value", ["", "a", "a b\n"])
def test_text_returns_strings(value):
    assert checks.text("name", value) == value


@pytest.mark.parametrize("value", [None, 5, ["a"], b"a"])
def test_text_refuses_the_rest(value):
    with pytest.raises(checks.ArgumentError) as caught:
        checks.text("name", value)
    assert str(caught.value) == f"name must be text; given {value!r}"
