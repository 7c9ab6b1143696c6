"""Continuous wavelets: names as people write them, responses, and the filters made of them."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
import pywt

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import continuous

PLAIN = [
    *("mexh", "morl"),
    *(f"gaus{order}" for order in range(1, 9)),
    *(f"cgau{order}" for order in range(1, 9)),
]
NAMES = [
    *PLAIN,
    *("shan1.5-1.0", "shan0.5-1.0", "fbsp2-1.0-1.5", "fbsp1-1.5-1.0"),
    *("cmor1.5-1.0", "cmor0.5-2.0"),
]


@pytest.mark.parametrize("name", NAMES)
def test_a_canonical_name_in_any_letter_case(name):
    for written in (name, name.upper(), name.title(), f" {name} "):
        assert continuous.canonical(written) == (name, "")
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert pywt.ContinuousWavelet(name).name == name


def test_the_names_are_those_of_pywavelets():
    known = set(pywt.wavelist(kind="continuous"))
    assert known == set(PLAIN) | {"shan", "fbsp", "cmor"}
    assert set(continuous.names()) == set(PLAIN) | {"shan1.5-1.0", "fbsp2-1.0-1.5", "cmor1.5-1.0"}
    assert set(continuous.FAMILIES) == {name[:4] for name in known}


@pytest.mark.parametrize(
    ("written", "name"),
    [
        ("cmor1.5-1", "cmor1.5-1.0"),
        ("cmor2-1", "cmor2.0-1.0"),
        ("CMOR01.50-1.", "cmor1.5-1.0"),
        ("shan.5-1", "shan0.5-1.0"),
        ("shan0.001-1000", "shan0.001-1000.0"),
        ("fbsp2-1-1.5", "fbsp2-1.0-1.5"),
        ("fbsp2.0-1-1.5", "fbsp2-1.0-1.5"),
        ("Fbsp100-1-1.5", "fbsp100-1.0-1.5"),
    ],
)
def test_parameters_are_written_in_one_way(written, name):
    assert continuous.canonical(written) == (name, "")
    assert continuous.canonical(name) == (name, "")
    wavelet = pywt.ContinuousWavelet(name)
    *order, width, centre = (float(text) for text in name[4:].split("-"))
    # PyWavelets keeps them in single precision.
    assert wavelet.bandwidth_frequency == pytest.approx(width, rel=1e-6)
    assert wavelet.center_frequency == pytest.approx(centre, rel=1e-6)
    assert order in ([], [wavelet.fbsp_order])


@pytest.mark.parametrize(
    ("family", "name"),
    [
        ("gaus", "gaus1"),
        ("Cgau", "cgau1"),
        ("shan", "shan1.5-1.0"),
        ("FBSP", "fbsp2-1.0-1.5"),
        ("cmor", "cmor1.5-1.0"),
    ],
)
def test_a_family_alone_gets_a_note(family, name):
    found, note = continuous.canonical(family)
    assert found == name
    assert note.startswith(f"wavelet {family.lower()!r} is a family: ")
    assert note.endswith(f", {name}")
    assert "\n" not in note


@pytest.mark.parametrize("written", ["", "haar", "db2", "morlet", "mexh1", "gaus0", "gaus9", "c"])
def test_other_names_are_not_continuous(written):
    assert continuous.canonical(written) is None


@pytest.mark.parametrize(
    "written",
    [
        *("shan1.5", "shan1.5-0", "shan0-1.0", "shannon", "shan1.5-1.0-1.0", "shan1.5--1.0"),
        *("shan1e1-1.0", "shan1.5-1.0x", "shan-1.5-1.0", "shan0.0001-1", "shan1-1001"),
        *("shan1,5-1.0", "shan٣-1.0", "shan1.5-1.0\n-", "shan" + "9" * 400 + "-1.0", "SHAN1-"),
        *("cmorx", "cmor1.5", "cmor0-1.0", "cmor1.5-0.0", "cmornan-1.0", "cmorinf-1.0"),
        *("fbsp2", "fbsp1.5-1.0", "fbsp0-1.0-1.5", "fbsp1.5-1.0-1.5", "fbsp2-0-1.5"),
        *("fbsp2-1.0-0", "fbsp101-1.0-1.5", "fbsp-1-1.0-1.5"),
    ],
)
def test_wrong_parameters_get_the_pattern(written):
    family = written[:4].lower()
    pattern = {
        "shan": "shanB-C with B and C from 0.001 to 1000, such as shan1.5-1.0",
        "cmor": "cmorB-C with B and C from 0.001 to 1000, such as cmor1.5-1.0",
        "fbsp": "fbspM-B-C with M a whole number from 1 to 100 and B and C from 0.001 to 1000, "
        "such as fbsp2-1.0-1.5",
    }[family]
    with pytest.raises(ArgumentError) as caught:
        continuous.canonical(written)
    assert caught.value.argument == "wavelet"
    assert caught.value.problem == f"must be {pattern}; given {written!r}"
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("name", NAMES)
def test_complex_where_pywavelets_says_so(name):
    assert continuous.is_complex(name) == pywt.ContinuousWavelet(name).complex_cwt


@pytest.mark.parametrize("name", [*NAMES, "fbsp3-1.0-0.5", "shan3.0-1.0", "cmor2.5-0.25"])
def test_the_response_is_the_transform_of_pywavelets_samples(name):
    wavelet = pywt.ContinuousWavelet(name)
    # By default shan and fbsp are cut off where they are far from zero.
    wavelet.lower_bound, wavelet.upper_bound = -200, 200
    psi, t = wavelet.wavefun(length=2**13 + 1)
    # Away from the edges of the boxes, where a cut transform oscillates.
    f = np.linspace(-3, 3, 121) + 0.0123
    expected = np.exp(-2j * np.pi * f[:, None] * t) @ psi
    found = continuous.response(name, f)
    factor = np.vdot(found, expected) / np.vdot(found, found)
    tolerance = {"shan": 0.02, "fbsp1": 0.02, "fbsp2": 1e-4, "fbsp3": 1e-5}
    atol = next((tolerance[start] for start in tolerance if name.startswith(start)), 1e-12)
    np.testing.assert_allclose(found, expected / factor, rtol=0, atol=atol)
    assert np.abs(found).max() > 0.5


@pytest.mark.parametrize("name", NAMES)
def test_the_response_is_largest_at_the_peak(name):
    peak = continuous.peak_frequency(name)
    f = np.linspace(-4 * peak, 4 * peak, 8001)
    magnitude = np.abs(continuous.response(name, f))
    assert magnitude.max() == pytest.approx(1, abs=1e-12)
    at_peak = continuous.response(name, np.array([-peak if "cgau" in name else peak]))[0]
    assert np.abs(at_peak) == pytest.approx(1, abs=1e-12)
    odd = name.startswith("gaus") and int(name[4:]) % 2 == 1
    assert (at_peak.imag if odd else at_peak.real) == pytest.approx(1, abs=1e-12)
    assert np.iscomplexobj(continuous.response(name, f)) == odd


@pytest.mark.parametrize("name", NAMES)
def test_the_scales_are_dyadic_from_the_middle_of_the_top_octave(name):
    for level in range(1, 8):
        a = continuous.scale(name, level)
        assert a * 3 / 8 == pytest.approx(continuous.peak_frequency(name) * 2 ** (level - 1))


@pytest.mark.parametrize("name", NAMES)
def test_nothing_is_left_beyond_the_reach(name):
    edge = continuous.reach(name)
    beyond = np.linspace(edge, 20 * edge, 1000)
    assert np.abs(continuous.response(name, beyond)).max() <= 1e-16
    assert np.abs(continuous.response(name, -beyond)).max() <= 1e-16
    assert np.abs(continuous.response(name, np.linspace(-edge, edge, 9001) / 2)).max() > 1e-16


@pytest.mark.parametrize("order", [1, 2, 3, 7, 30, 100])
def test_a_spline_is_a_box_convolved_with_itself(order):
    fine = max(200 // order, 4) // 2 * 2 + 1  # Samples of a box; odd, so that it has a middle.
    expected = np.ones(fine)
    for _ in range(order - 1):
        expected = np.convolve(expected, np.ones(fine))
    expected /= expected.max()
    offsets = (np.arange(len(expected)) - len(expected) // 2) / (fine * order)
    found = continuous.response(f"fbsp{order}-2.0-3.0", 3 + 2 * offsets)
    np.testing.assert_allclose(found, expected, rtol=0, atol=0.02)
    assert np.all((found >= 0) & (found <= 1 + 1e-12))
    outside = continuous.response(f"fbsp{order}-2.0-3.0", np.array([1.99, 4.01]))
    assert np.array_equal(outside, [0, 0])


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("length", [1, 2, 3, 4, 5, 12, 33, 64])
def test_the_filters_add_up_to_one_at_every_level(name, length):
    levels = 6
    found = continuous.filters(name, levels, length)
    assert set(found) == ({"a", "+", "-"} if continuous.is_complex(name) else {"a", "+"})
    before = np.ones(length)
    for level in range(levels):
        details = sum(np.abs(found[letter][level]) ** 2 for letter in found if letter != "a")
        after = found["a"][level] ** 2
        np.testing.assert_allclose(details + after, before, rtol=0, atol=1e-14)
        before = after
    assert np.all(found["a"][:, 0] == 1)
    assert np.all(found["+"][:, 0] == 0)
    mirrored = -np.arange(length) % length
    # Real filters of real wavelets; a pair of conjugate ones of a complex wavelet.
    assert np.array_equal(found["a"][:, mirrored], found["a"])
    partner = found["-"] if continuous.is_complex(name) else found["+"]
    np.testing.assert_allclose(found["+"][:, mirrored].conj(), partner, rtol=0, atol=1e-14)
    for line in found.values():
        with pytest.raises(ValueError, match="read-only"):
            line[...] = 0


# The last one leaves frequencies between its bands to responses of 1e-9 of the peak.
@pytest.mark.parametrize("name", [*NAMES, "cmor20.0-1.0"])
def test_the_filters_follow_their_formula(name):
    length, levels = 45, 3
    found = continuous.filters(name, levels, length)
    f = np.fft.fftfreq(length)
    responses = [continuous.response(name, continuous.scale(name, j) * f) for j in range(1, 40)]
    squares = np.abs(responses) ** 2
    if continuous.is_complex(name):
        squares += squares[:, -np.arange(length) % length]
    total = squares.sum(axis=0)
    reached = (total > 1e-24) & (f != 0)
    assert reached.sum() > length / 3
    for j in range(levels):
        psi = responses[j][reached] / np.sqrt(total[reached])
        phi = np.sqrt(squares[j + 1 :].sum(axis=0)[reached] / total[reached])
        np.testing.assert_allclose(found["+"][j][reached], psi, rtol=0, atol=1e-12)
        np.testing.assert_allclose(found["a"][j][reached], phi, rtol=0, atol=1e-12)
        assert np.all(found["a"][j][~reached] == 1)
        assert np.all(found["+"][j][~reached] == 0)


def test_filters_are_made_once():
    assert continuous.filters("morl", 2, 28) is continuous.filters("morl", 2, 28)
