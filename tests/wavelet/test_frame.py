"""The frame of a continuous wavelet: exact, energy-keeping, covariant, and how it is laid out."""

from __future__ import annotations

import dataclasses
import itertools

import ml_dtypes
import numpy as np
import pytest

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import basis, continuous
from dwt_keras.wavelet.frame import Frame, build

NAMES = [
    *("mexh", "morl"),
    *(f"gaus{order}" for order in range(1, 9)),
    *(f"cgau{order}" for order in range(1, 9)),
    *("shan1.5-1.0", "shan0.5-1.0", "fbsp2-1.0-1.5", "fbsp1-1.5-1.0"),
    *("cmor1.5-1.0", "cmor0.5-2.0"),
]
# A real one, an imaginary one, one with two sides, one with gaps, one with one side.
FEW = ["morl", "gaus3", "cgau2", "shan0.5-1.0", "cmor1.5-1.0"]
GRIDS = [
    ((28, 28), (0, 1)),
    ((7, 5), (0, 1)),
    ((12, 9), (1, 0)),
    ((2, 3), (0, 1)),
    ((1, 6), (0, 1)),
    ((28, 28, 1, 3), (0, 1)),
    ((7, 3, 5), (0, 2)),
    ((2, 12, 9), (1, 2)),
    ((4, 7), (0,)),
    ((5, 6, 4), (0, 1, 2)),
    ((3, 4, 2, 5, 2), (0, 1, 3)),
]


def random(shape, dtype=np.float64):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def energy(values):
    return float(np.sum(np.abs(values.astype(np.complex128)) ** 2))


def there_and_back(frame, kernel):
    coefficients = frame.decompose(kernel)
    return coefficients, frame.reconstruct(coefficients, kernel.shape, kernel.dtype)


@pytest.mark.parametrize("name", NAMES)
def test_exact_at_every_length(name):
    for length, level in itertools.product(range(1, 65), (1, 2, 7)):
        frame = Frame(name, level, (0,), (length,))
        kernel = random(length)
        coefficients, back = there_and_back(frame, kernel)
        assert np.abs(back - kernel).max() <= 1e-12
        assert energy(coefficients) == pytest.approx(energy(kernel), rel=1e-12)
        assert 1 <= len(frame.subbands) <= level + 1


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), GRIDS, ids=str)
def test_exact_over_several_axes(name, shape, axes):
    for level in (1, 3):
        frame = Frame(name, level, axes, shape)
        kernel = random(shape)
        coefficients, back = there_and_back(frame, kernel)
        assert coefficients.shape[1:] == shape
        assert np.abs(back - kernel).max() <= 1e-12
        assert energy(coefficients) == pytest.approx(energy(kernel), rel=1e-12)
        assert len(frame.subbands) <= (2 ** len(axes) - 1) * level + 1


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize(
    ("dtype", "working"),
    [
        (np.float16, np.float32),
        (ml_dtypes.bfloat16, np.float32),
        (np.float32, np.float32),
        (np.float64, np.float64),
    ],
    ids=str,
)
def test_dtypes(name, dtype, working):
    kernel = random((784, 5), dtype)
    before = kernel.copy()
    frame, _ = build(name, 2, (0, 1), (28, 28, 5))
    coefficients = frame.decompose(kernel)
    wide = np.result_type(working, np.complex64) if continuous.is_complex(name) else working
    assert coefficients.dtype == wide
    assert np.array_equal(coefficients, frame.decompose(kernel.astype(working)))
    back = frame.reconstruct(coefficients, kernel.shape, kernel.dtype)
    assert (back.dtype, back.shape) == (kernel.dtype, kernel.shape)
    error = np.linalg.norm(back.astype(np.float64) - kernel.astype(np.float64))
    rounding = max(1e-6 if working is np.float32 else 1e-14, float(ml_dtypes.finfo(dtype).eps))
    assert error <= rounding * np.linalg.norm(kernel.astype(np.float64))
    assert energy(coefficients) == pytest.approx(energy(kernel), rel=1e-6)
    assert np.array_equal(kernel, before)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), [((8,), (0,)), ((6, 5, 2), (0, 1))], ids=str)
def test_coefficients_are_products_of_the_filters(name, shape, axes):
    frame = Frame(name, 2, axes, shape)
    kernel = random(shape)
    coefficients = frame.decompose(kernel)
    spectrum = np.fft.fftn(kernel, axes=axes)
    for band in frame.subbands:
        letters = band.name[:-1]
        lines = [continuous.filters(name, 2, shape[axis]) for axis in axes]
        signs = "+-" if continuous.is_complex(name) else "+"
        expected = []
        for choice in itertools.product(*("a" if letter == "a" else signs for letter in letters)):
            if "-" in choice and "+" not in choice[: choice.index("-")]:
                continue
            product = spectrum
            for axis, line, letter in zip(axes, lines, choice, strict=True):
                extent = [1] * len(shape)
                extent[axis] = -1
                product = product * line[letter][band.level - 1].reshape(extent)
            scale = np.sqrt(2) if len(signs) == 2 and "d" in letters else 1
            expected.append(scale * np.fft.ifftn(product, axes=axes))
        np.testing.assert_allclose(coefficients[band.slices], expected, rtol=0, atol=1e-12)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), [((12, 9), (0, 1)), ((2, 8, 3), (1,))], ids=str)
def test_linear_and_covariant(name, shape, axes):
    frame = Frame(name, 2, axes, shape)
    one, other = random(shape), random(shape)[::-1]
    coefficients = frame.decompose(one)
    for axis, shift in itertools.product(axes, (1, 5)):
        rolled = frame.decompose(np.roll(one, shift, axis))
        np.testing.assert_allclose(
            rolled, np.roll(coefficients, shift, axis + 1), rtol=0, atol=1e-13
        )
    both = frame.decompose(2 * one - other)
    np.testing.assert_allclose(both, 2 * coefficients - frame.decompose(other), rtol=0, atol=1e-13)


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), GRIDS[:4], ids=str)
def test_real_in_real_out(name, shape, axes):
    frame = Frame(name, 2, axes, shape)
    coefficients = frame.decompose(random(shape))
    approximation = coefficients[frame.approximation]
    if continuous.is_complex(name):
        assert not np.any(approximation.imag)
        # What is no kernel's still gives real weights.
        coefficients = coefficients * np.exp(1j)
    else:
        assert not np.iscomplexobj(coefficients)
    assert not np.iscomplexobj(frame.reconstruct(coefficients, shape, np.float64))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize(("shape", "axes"), [((12, 9), (0, 1)), ((30, 2), (0,))], ids=str)
def test_synthesis_is_the_adjoint_and_adds_no_energy(name, shape, axes):
    frame = Frame(name, 2, axes, shape)
    kernel = random(shape)
    coefficients = frame.decompose(kernel)
    noise = random((2, *coefficients.shape))
    others = noise[0] + 1j * noise[1] if np.iscomplexobj(coefficients) else noise[0]
    back = frame.reconstruct(others, shape, np.float64)
    assert np.vdot(back, kernel) == pytest.approx(np.vdot(others, coefficients).real, rel=1e-10)
    assert energy(back) <= energy(others)
    thresholded = np.where(np.abs(coefficients) > 0.5, coefficients, 0)
    assert 0 < np.count_nonzero(thresholded) < coefficients.size
    assert energy(frame.reconstruct(thresholded, shape, np.float64)) <= energy(thresholded)


@pytest.mark.parametrize("name", FEW)
@pytest.mark.parametrize(("shape", "axes"), [((16, 15, 300), (0, 1)), ((21, 900), (0,))], ids=str)
def test_the_gain_is_that_of_white_noise(name, shape, axes):
    frame = Frame(name, 2, axes, shape)
    coefficients = frame.decompose(random(shape))
    assert len(frame.subbands) > 1
    total = 0.0
    for band in frame.subbands:
        block = coefficients[band.slices]
        assert frame.gain(band) == pytest.approx(np.sqrt(np.mean(np.abs(block) ** 2)), rel=0.05)
        total += frame.gain(band) ** 2 * len(block)
    # The trace of a projection: as many dimensions as there are weights.
    assert total == pytest.approx(1, rel=1e-12)


@pytest.mark.parametrize("name", ["mexh", "gaus1", "cgau1", "cmor1.5-1.0"])
@pytest.mark.parametrize(
    ("shape", "axes", "letters"),
    [
        ((28, 30, 2), (0, 1), ["dd", "da", "ad"]),
        ((9,), (0,), ["d"]),
        ((5, 2, 6, 7), (0, 2, 3), ["ddd", "dda", "dad", "daa", "add", "ada", "aad"]),
    ],
)
def test_the_subbands_lie_as_those_of_a_basis(name, shape, axes, letters):
    frame, _ = build(name, 2, axes, shape)
    bands = frame.subbands
    details = [letter + level for level in "21" for letter in letters]
    assert [band.name for band in bands] == ["a" * len(axes) + "2", *details]
    like, _ = basis.build("haar", 2, axes, shape)
    assert {band.name for band in bands} == {band.name for band in like.subbands}
    assert [band.level for band in bands] == [band.level for band in like.subbands]
    assert [band.level for band in bands] == [int(band.name[-1]) for band in bands]
    assert [band.is_approximation for band in bands] == [True, *([False] * len(details))]
    components = frame.decompose(random(shape)).shape[0]
    cover = np.zeros((components, *shape), int)
    for band in bands:
        assert all(isinstance(cut.start, int) and isinstance(cut.stop, int) for cut in band.slices)
        cover[band.slices] += 1
        count = 2 ** max(band.name.count("d") - 1, 0) if continuous.is_complex(name) else 1
        assert cover[band.slices].shape == (count, *shape)
    assert np.all(cover == 1)
    assert frame.approximation == bands[0].slices
    assert frame.finest_details == bands[1 + len(letters)].slices
    assert frame.redundancy == components * (2 if continuous.is_complex(name) else 1)
    assert frame.is_frame
    assert not frame.is_identity
    assert frame.subbands is frame.subbands


@pytest.mark.parametrize(
    ("shape", "axes", "names", "finest"),
    [
        # Bands from 0.28 to 0.47 and from 0.14 to 0.23 cycles a sample: nothing at 1/4 and 1/2.
        ((4,), (0,), ["a2"], "a2"),
        ((2, 4), (0, 1), ["aa2"], "aa2"),
        ((3,), (0,), ["a2", "d1"], "d1"),
        ((6,), (0,), ["a2", "d2", "d1"], "d1"),
        ((3, 4), (0, 1), ["aa2", "da1"], "da1"),
        ((3, 3), (0, 1), ["aa2", "dd1", "da1", "ad1"], "dd1"),
        ((3, 6), (0, 1), ["aa2", "ad2", "dd1", "da1", "ad1"], "dd1"),
    ],
)
def test_bands_without_a_response_are_dropped(shape, axes, names, finest):
    frame = Frame("shan0.5-1.0", 2, axes, shape)
    assert [band.name for band in frame.subbands] == names
    [slices] = [band.slices for band in frame.subbands if band.name == finest]
    assert frame.finest_details == slices
    assert all(frame.gain(band) > 0.01 for band in frame.subbands)


@pytest.mark.parametrize(
    ("level", "axes", "shape"),
    [
        (1, (0, 1), (28, 28, 1, 128)),
        (6, (0, 1), (28, 28, 1, 128)),
        (3, (0, 1), (3, 3, 32, 64)),
        (9, (0, 1), (3, 28, 2)),
        (9, (1, 0), (3, 28, 2)),
        (4, (0, 1, 2), (2, 5, 5)),
        (3, (0, 1), (1, 3, 8, 8)),
        ("max", (0, 1), (28, 28, 1, 128)),
        ("max", (0, 1), (3, 7, 64)),
    ],
)
def test_the_level_is_capped_as_that_of_a_basis(level, axes, shape):
    found, note = build("morl", level, axes, list(shape))
    like, said = basis.build("haar", level, axes, shape)
    assert note == said
    assert (found.level, found.axes, found.shape) == (like.level, like.axes, like.shape)
    assert str(found) == str(like).replace("haar", "morl frame")


@pytest.mark.parametrize(
    ("axes", "shape"), [((0, 1), (1, 1, 8, 8)), ((), (8, 8)), ((0,), (0,)), ((0, 1), (4, 4, 0))]
)
@pytest.mark.parametrize("level", [1, 50, "max"])
def test_no_frame_where_nothing_can_be_transformed(axes, shape, level):
    assert build("morl", level, axes, shape) == (None, "")


def test_in_words():
    assert str(build("morl", 2, (0, 1), (28, 28, 1, 4))[0]) == "morl frame 2 over 28x28"
    assert str(build("cmor1.5-1.0", 9, (0,), (7, 10))[0]) == "cmor1.5-1.0 frame 3 over 7"


def test_a_frame_is_a_value():
    one, _ = build("morl", 2, (0, 1), (8, 8))
    other, _ = build("morl", 2, [0, 1], [8, 8])
    assert one == other
    assert hash(one) == hash(other)
    with pytest.raises(dataclasses.FrozenInstanceError):
        one.level = 3


@pytest.mark.parametrize("name", ["morl", "cmor1.5-1.0"])
def test_kernels_and_coefficients_of_any_memory_order(name):
    kernel = np.asfortranarray(random((16, 6)))
    kernel.flags.writeable = False
    frame, _ = build(name, 2, (0, 1), (4, 4, 6))
    coefficients = frame.decompose(kernel)
    assert np.array_equal(coefficients, frame.decompose(np.array(kernel, order="C")))
    frozen = np.asfortranarray(coefficients)
    frozen.flags.writeable = False
    back = frame.reconstruct(frozen, kernel.shape, kernel.dtype)
    np.testing.assert_allclose(back, kernel, rtol=0, atol=1e-12)
    assert np.array_equal(frozen, coefficients)
    used_up = frame.reconstruct(coefficients, kernel.shape, kernel.dtype, overwrite=True)
    assert np.array_equal(used_up, back)
    if np.iscomplexobj(frozen):
        assert not np.array_equal(coefficients, frozen)


@pytest.mark.parametrize("dtype", [np.int64, np.complex64, np.bool_])
def test_a_kernel_of_other_numbers_is_refused(dtype):
    frame, _ = build("morl", 1, (0,), (4, 4))
    with pytest.raises(
        ArgumentError, match=rf"^array must be float16, .*; given {np.dtype(dtype)}$"
    ):
        frame.decompose(np.ones((4, 4), dtype))


def test_arrays_of_another_size_are_refused():
    frame, _ = build("morl", 1, (0,), (4, 4))
    with pytest.raises(ValueError, match="reshape"):
        frame.decompose(random((4, 5)))
    with pytest.raises(
        ArgumentError, match=r"^coefficients must have shape \(2, 4, 4\); given \(3, 4, 4\)$"
    ):
        frame.reconstruct(random((3, 4, 4)), (4, 4), np.float64)
