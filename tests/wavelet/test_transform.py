"""The transform: exact and of constant size at every length, and PyWavelets' where that has one."""

from __future__ import annotations

import itertools
import math

import ml_dtypes
import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras import compiled
from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import blocks, families, filtering, passes, transform

NAMES = pywt.wavelist(kind="discrete")
# Short and long filters, orthogonal and not, and the one that PyWavelets does not invert.
SOME = ["haar", "db2", "db7", "sym20", "coif3", "bior2.2", "bior3.1", "rbio3.9", "dmey"]
ORTHOGONAL = [name for name in NAMES if families.filter_bank(name).orthogonal]
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
WEIGHT_SHAPES = [
    ((28, 28, 128), (0, 1)),
    ((3, 3, 32, 64), (0, 1)),
    ((7, 7, 64, 10), (0, 1)),
    ((1, 1, 8, 8), (2, 3)),
    ((5,), (0,)),
    ((129, 10), (0, 1)),
]
SHORT_AXES = st.integers(1, 9)


def random(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def deepest(shape, axes):
    return max(1, *(blocks.depth(shape[axis]) for axis in axes))


def slow_level(line, wavelet):
    """One level of one line by the definition, from PyWavelets' taps."""
    low, high = pywt.Wavelet(wavelet).dec_lo, pywt.Wavelet(wavelet).dec_hi
    even = len(line) // 2 * 2
    parts = []
    for taps in (low, high):
        part = []
        for k in range(even // 2):
            total = 0.0
            for j, tap in enumerate(taps):
                total += tap * line[(2 * k + len(taps) // 2 - j) % even]
            part.append(total)
        parts.append(part)
    approximation, detail = parts
    return approximation + list(line[even:]) + detail


def slow_decompose(array, wavelet, level, axes):
    out = array.copy()
    lengths = {axis: array.shape[axis] for axis in axes}
    for _ in range(level):
        corner = tuple(slice(0, lengths.get(axis, n)) for axis, n in enumerate(array.shape))
        for axis, length in lengths.items():
            if length > 1:
                out[corner] = np.apply_along_axis(slow_level, axis, out[corner], wavelet)
        lengths = {axis: math.ceil(length / 2) for axis, length in lengths.items()}
    return out


@pytest.mark.parametrize("name", NAMES)
def test_every_wavelet_gives_weights_back(name):
    for shape, axes in WEIGHT_SHAPES:
        x = random(shape, np.float32)
        level = deepest(shape, axes)
        coefficients = transform.decompose(x, name, level, axes)
        back = transform.reconstruct(coefficients, name, level, axes)
        assert coefficients.shape == back.shape == shape
        assert coefficients.dtype == back.dtype == np.float32
        error = np.abs(back - x).max() / np.abs(x).max()
        assert error <= 1e-5, (shape, error)
        assert not np.allclose(coefficients, x)


@pytest.mark.parametrize("name", NAMES)
def test_every_wavelet_is_inverted_to_double_precision(name):
    for length in (*range(1, 10), 17, 64, 255, 300):
        x = random((length, 2))
        level = deepest(x.shape, (0,))
        back = transform.reconstruct(transform.decompose(x, name, level, (0,)), name, level, (0,))
        np.testing.assert_allclose(back, x, rtol=0, atol=1e-8, err_msg=str(length))


@pytest.mark.parametrize("name", ORTHOGONAL)
def test_an_orthogonal_wavelet_gives_an_orthonormal_transform(name):
    for length in (*range(1, 12), 28, 33, 100):
        level = deepest((length,), (0,))
        matrix = transform.decompose(np.eye(length), name, level, (1,)).T
        np.testing.assert_allclose(matrix @ matrix.T, np.eye(length), rtol=0, atol=1e-9)
        x = random(length)
        coefficients = transform.decompose(x, name, level, (0,))
        np.testing.assert_allclose(coefficients, matrix @ x, rtol=0, atol=1e-9)
        assert np.sum(coefficients**2) == pytest.approx(np.sum(x**2), rel=1e-9)
        np.testing.assert_allclose(
            transform.reconstruct(x, name, level, (0,)), matrix.T @ x, rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("name", ["haar", "db4", "sym8", "coif5"])
@pytest.mark.parametrize(("shape", "axes"), [*WEIGHT_SHAPES, ((300, 6), (0, 1)), ((513,), (0,))])
def test_an_orthogonal_wavelet_keeps_the_energy_over_several_axes(name, shape, axes):
    x = random(shape)
    coefficients = transform.decompose(x, name, deepest(shape, axes), axes)
    assert np.linalg.norm(coefficients) == pytest.approx(np.linalg.norm(x), rel=1e-9)


@pytest.mark.filterwarnings("ignore:Level value of")
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize(
    ("shape", "axes", "level"),
    [
        ((2,), (0,), 1),
        ((16,), (0,), 4),
        ((48, 3), (0,), 4),
        ((3, 40), (1,), 3),
        ((256,), (0,), 8),
        ((512, 2), (0,), 9),
        ((2, 600), (-1,), 3),
        ((8, 8), (0, 1), 3),
        ((28, 28, 3), (0, 1), 2),
        ((5, 12, 20), (1, 2), 2),
        ((20, 3, 12), (0, 2), 2),
        ((320, 24), (0, 1), 3),
        ((4, 8, 16), (0, 1, 2), 2),
    ],
    ids=str,
)
def test_even_lengths_are_those_of_pywavelets(name, shape, axes, level):
    x = random(shape)
    expected = pywt.wavedecn(x, name, mode="periodization", level=level, axes=axes)
    found = transform.decompose(x, name, level, axes)
    bands = blocks.subbands(shape, level, axes)
    assert len(bands) == 1 + sum(len(details) for details in expected[1:])
    for band in bands:
        letters = band.name.rstrip("0123456789")
        block = expected[0] if band.is_approximation else expected[-band.level][letters]
        np.testing.assert_allclose(found[band.slices], block, rtol=0, atol=1e-9, err_msg=band.name)


@pytest.mark.filterwarnings("ignore:Level value of")
@pytest.mark.parametrize("name", ["haar", "sym5", "rbio2.4"])
@pytest.mark.parametrize("length", [32, 512])
def test_one_axis_is_wavedec(name, length):
    x = random((length, 3))
    expected = pywt.wavedec(x, name, mode="periodization", level=3, axis=0)
    found = transform.decompose(x, name, 3, (0,))
    np.testing.assert_allclose(found, np.concatenate(expected), rtol=0, atol=1e-11)


@pytest.mark.filterwarnings("ignore:Level value of")
@pytest.mark.parametrize("name", ["haar", "sym5", "rbio2.4"])
def test_two_axes_are_wavedec2(name):
    x = random((16, 24))
    expected = pywt.wavedec2(x, name, mode="periodization", level=2)
    array, slices = pywt.coeffs_to_array(expected)
    np.testing.assert_allclose(transform.decompose(x, name, 2, (0, 1)), array, rtol=0, atol=1e-11)
    bands = {band.name: band.slices for band in blocks.subbands(x.shape, 2, (0, 1))}
    assert bands.pop("aa2") == tuple(slice(0, part.stop) for part in slices[0])
    for level in (1, 2):
        for letters in ("ad", "da", "dd"):
            found = x[bands.pop(f"{letters}{level}")]
            assert np.array_equal(found, x[slices[-level][letters]])
    assert not bands


@pytest.mark.parametrize("name", ["haar", "db2", "sym6", "bior3.3", "rbio1.5"])
@pytest.mark.parametrize("length", [*range(1, 12), 17, 27, 33])
def test_odd_lengths_follow_the_plain_loop(name, length):
    x = random(length)
    level = deepest(x.shape, (0,))
    expected = slow_decompose(x, name, level, (0,))
    np.testing.assert_allclose(
        transform.decompose(x, name, level, (0,)), expected, rtol=0, atol=1e-10
    )


@pytest.mark.parametrize("name", ["haar", "sym3", "bior2.2"])
@pytest.mark.parametrize(
    ("shape", "axes", "level"),
    [((3, 3, 2), (0, 1), 2), ((7, 4), (0, 1), 3), ((5, 2, 9), (2, 0), 9), ((1, 6), (0, 1), 2)],
    ids=str,
)
def test_several_odd_axes_follow_the_plain_loop(name, shape, axes, level):
    x = random(shape)
    expected = slow_decompose(x, name, level, axes)
    np.testing.assert_allclose(
        transform.decompose(x, name, level, axes), expected, rtol=0, atol=1e-10
    )


def test_the_odd_sample_is_carried_into_the_approximation():
    found = transform.decompose(np.array([1.0, 1.0, 3.0, 3.0, 7.0]), "haar", 1, (0,))
    np.testing.assert_allclose(found, [2**0.5, 3 * 2**0.5, 7.0, 0.0, 0.0], atol=1e-15)


@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize("length", [2, 3, 20, 257, 258, 301])
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_one_level_is_the_banks_matrix(name, length, transformed):
    bank, even = families.filter_bank(name), length // 2 * 2
    matrix = np.zeros((length, length))
    rows = [*range(even // 2), *range(length - even // 2, length)]
    matrix[rows, :even] = families.analysis_matrix(bank, even)
    if length > even:
        matrix[even // 2, -1] = 1
    if transformed is transform.reconstruct:
        matrix = np.linalg.inv(matrix)
    for run in (1, 3, 70):
        x = random((2, length, run))
        np.testing.assert_allclose(
            transformed(x, name, 1, (1,)), np.matmul(matrix, x), rtol=0, atol=1e-9
        )


@pytest.mark.parametrize("name", ["haar", "sym2", "bior4.4", "dmey"])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("shape", [(40, 70), (3, 40, 70), (2, 3, 5000)])
def test_every_way_through_memory_gives_the_same_bits(name, dtype, shape, monkeypatch):
    """Row by row or through planes, in pieces or whole, on one thread or several."""
    x = random(shape, dtype)
    axis = len(shape) - 2

    def results():
        passes.plan.cache_clear()
        coefficients = transform.decompose(x, name, 2, (axis,))
        return coefficients, transform.reconstruct(coefficients, name, 2, (axis,))

    first = results()
    monkeypatch.setattr(filtering, "_PARALLEL", 0)
    monkeypatch.setattr(compiled, "threads", lambda: 3)
    for long_run, stream, piece in [(1, 16, 1), (10**9, 1, 64), (10**9, 1, 10**6), (64, 7, 1)]:
        monkeypatch.setattr(passes, "_LONG_RUN", long_run)
        monkeypatch.setattr(passes, "_STREAM", stream)
        monkeypatch.setattr(passes, "_PIECE", piece)
        for found, expected in zip(results(), first, strict=True):
            np.testing.assert_array_equal(found, expected)
    passes.plan.cache_clear()


def test_an_array_that_cannot_be_written_is_no_obstacle():
    x = random((8, 8))
    x.flags.writeable = False
    coefficients = transform.decompose(x, "db2", 1, (0, 1))
    coefficients.flags.writeable = False
    for overwrite in (False, True):
        back = transform.reconstruct(coefficients, "db2", 1, (0, 1), overwrite=overwrite)
        np.testing.assert_allclose(back, x, rtol=0, atol=1e-12)


def test_coefficients_are_kept_unless_they_may_be_overwritten():
    coefficients = random((16, 16))
    kept = coefficients.copy()
    back = transform.reconstruct(coefficients, "db2", 2, (0, 1))
    np.testing.assert_array_equal(coefficients, kept)
    again = transform.reconstruct(coefficients, "db2", 2, (0, 1), overwrite=True)
    np.testing.assert_array_equal(again, back)
    assert not np.array_equal(coefficients, kept)


@settings(deadline=None, max_examples=60)
@given(
    name=st.sampled_from(SOME),
    shape=st.lists(SHORT_AXES, min_size=1, max_size=4),
    level=st.integers(1, 6),
    data=st.data(),
)
def test_any_shape_level_and_axes_are_inverted(name, shape, level, data):
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    x = random(shape)
    coefficients = transform.decompose(x, name, level, axes)
    assert coefficients.shape == x.shape
    back = transform.reconstruct(coefficients, name, level, axes)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-9)


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(("shape", "axes"), [((28, 28, 4), (0, 1)), ((301,), (0,)), ((1, 3), (0,))])
def test_dtype_and_shape_come_back(dtype, shape, axes):
    x = random(shape, dtype)
    level = deepest(shape, axes)
    coefficients = transform.decompose(x, "sym4", level, axes)
    back = transform.reconstruct(coefficients, "sym4", level, axes)
    assert coefficients.dtype == back.dtype == x.dtype
    assert coefficients.shape == back.shape == shape
    # The taps of sym4 are printed to 12 digits.
    tolerance = max(20 * float(ml_dtypes.finfo(dtype).eps), 1e-11)
    np.testing.assert_allclose(
        back.astype(np.float64), x.astype(np.float64), rtol=0, atol=tolerance
    )


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_half_precision_is_rounded_once_at_the_end(dtype, transformed):
    x = random((28, 28), dtype)
    expected = transformed(x.astype(np.float32), "db3", 3, (0, 1)).astype(dtype)
    assert transformed(x, "db3", 3, (0, 1)).tobytes() == expected.tobytes()


def arrangements():
    base = random((12, 10, 6), np.float32)
    frozen = base.copy()
    frozen.flags.writeable = False
    return {
        "contiguous": base,
        "fortran": np.asfortranarray(base),
        "read-only": frozen,
        "strided": random((24, 20, 6), np.float32)[::2, ::-2],
        "transposed": random((6, 10, 12), np.float32).T,
        "broadcast": np.broadcast_to(random((10, 6), np.float32), (12, 10, 6)),
        "half": base.astype(np.float16),
        "double": base.astype(np.float64),
    }


@pytest.mark.parametrize("kind", arrangements())
@pytest.mark.parametrize("axes", [(0, 1), (2,), ()])
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_the_input_stays_and_its_memory_order_does_not_matter(kind, axes, transformed):
    x = arrangements()[kind]
    before = x.copy()
    found = transformed(x, "db2", 2, axes)
    assert np.array_equal(x, before)
    assert not np.shares_memory(x, found)
    assert found.flags.writeable
    assert np.array_equal(found, transformed(np.array(x, order="C"), "db2", 2, axes))


@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_negative_axes_count_from_the_end(transformed):
    x = random((4, 6, 8))
    assert np.array_equal(transformed(x, "db2", 2, (-1, -3)), transformed(x, "db2", 2, (2, 0)))
    assert blocks.subbands(x.shape, 2, (-1, -3)) == blocks.subbands(x.shape, 2, (2, 0))


@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_a_bank_stands_for_its_name(transformed):
    x = random((6, 7))
    bank = families.filter_bank("sym3")
    assert np.array_equal(transformed(x, bank, 2, (0, 1)), transformed(x, "sym3", 2, (0, 1)))


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((0,), (0,)),
        ((3, 0), (0,)),
        ((3, 0), (1,)),
        ((0, 4, 4), (1, 2)),
        ((1,), (0,)),
        ((1, 1), (0, 1)),
        ((1, 3), (0,)),
        ((4, 4), ()),
        ((), ()),
    ],
    ids=str,
)
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_nothing_to_transform_gives_a_copy(dtype, shape, axes, transformed):
    x = random(shape, dtype) if shape else np.array(0.5, dtype)
    found = transformed(x, "db2", 3, axes)
    assert found.shape == shape
    assert found.dtype == x.dtype
    assert found.tobytes() == x.tobytes()
    assert not np.shares_memory(found, x)
    [band] = blocks.subbands(shape, 3, axes)
    assert band.is_approximation
    assert x[band.slices].shape == shape


def test_levels_go_on_until_one_sample_is_left():
    assert [blocks.depth(n) for n in (0, 1, 2, 3, 4, 5, 8, 9, 28, 256, 257)] == [
        *(0, 0, 1, 2, 2, 3, 3, 4, 5, 8, 9)
    ]
    for length in range(2, 70):
        level = blocks.depth(length)
        approximation, *details = blocks.subbands((length,), level, (0,))
        assert approximation.slices == (slice(0, 1),)
        assert [band.level for band in details] == list(range(level, 0, -1))


@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_levels_beyond_the_deepest_change_nothing(transformed):
    x = random((5, 12))
    assert np.array_equal(transformed(x, "sym2", 4, (0, 1)), transformed(x, "sym2", 10**9, (0, 1)))
    assert blocks.subbands((5, 12), 10**9, (0, 1)) == blocks.subbands((5, 12), 4, (0, 1))


@given(
    shape=st.lists(st.integers(1, 12), min_size=1, max_size=4),
    level=st.integers(1, 5),
    data=st.data(),
)
def test_subbands_cover_the_array_once(shape, level, data):
    axes = data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True))
    bands = blocks.subbands(shape, level, axes)
    covered = np.zeros(shape, int)
    for band in bands:
        assert covered[band.slices].size > 0
        covered[band.slices] += 1
    assert np.all(covered == 1)
    assert len({band.name for band in bands}) == len(bands)
    assert [band.is_approximation for band in bands] == [True] + [False] * (len(bands) - 1)
    levels = [band.level for band in bands]
    assert levels == sorted(levels, reverse=True)
    assert all(band.name == band.name[: len(axes)] + str(band.level) for band in bands)
    assert set(bands[0].name[: len(axes)]) <= {"a"}
    assert all("d" in band.name for band in bands[1:])


def test_subbands_of_unequal_axes():
    # The axis of two samples is down to one after the first level.
    found = {band.name: band.slices for band in blocks.subbands((2, 3, 5), 9, (0, 2))}
    everything = slice(0, 3)
    assert found == {
        "aa3": (slice(0, 1), everything, slice(0, 1)),
        "ad3": (slice(0, 1), everything, slice(1, 2)),
        "ad2": (slice(0, 1), everything, slice(2, 3)),
        "dd1": (slice(1, 2), everything, slice(3, 5)),
        "da1": (slice(1, 2), everything, slice(0, 3)),
        "ad1": (slice(0, 1), everything, slice(3, 5)),
    }


def test_smooth_and_rough_inputs_land_in_their_bands():
    n = 64
    constant = transform.decompose(np.ones((n, n)), "db3", 2, (0, 1))
    rough = transform.decompose((-1.0) ** np.add.outer(range(n), range(n)), "haar", 1, (0, 1))
    for coefficients, level, name in ((constant, 2, "aa2"), (rough, 1, "dd1")):
        for band in blocks.subbands((n, n), level, (0, 1)):
            energy = np.sum(coefficients[band.slices] ** 2)
            assert energy == pytest.approx(n * n if band.name == name else 0.0, abs=1e-9)


@pytest.mark.parametrize("dtype", [np.int32, np.int8, bool, np.complex64, object, np.uint8])
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_other_dtypes_are_refused(dtype, transformed):
    with pytest.raises(
        ArgumentError,
        match=r"^array must be float16, bfloat16, float32 or float64; given "
        f"{np.dtype(dtype).name}$",
    ):
        transformed(np.zeros((4, 4), dtype), "haar", 1, (0,))


CALLS = {
    "decompose": lambda level, axes: transform.decompose(np.zeros((4, 4)), "haar", level, axes),
    "reconstruct": lambda level, axes: transform.reconstruct(np.zeros((4, 4)), "haar", level, axes),
    "subbands": lambda level, axes: blocks.subbands((4, 4), level, axes),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("level", [0, -1, 1.0, "max", "1", None, True])
def test_levels_that_are_none_are_refused(call, level):
    with pytest.raises(ArgumentError, match=r"^level must be a whole number, 1 or more; given"):
        call(level, (0,))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
@pytest.mark.parametrize("axes", [(2,), (-3,), (0, 0), (1, -1), (0, 1, 2)])
def test_axes_that_are_none_are_refused(call, axes):
    with pytest.raises(
        ArgumentError, match=r"^axes must be different axes of .* 2 dimensions; giv"
    ):
        call(1, axes)


def test_the_order_of_the_axes_only_orders_the_letters():
    x = random((6, 10))
    for first, second in itertools.permutations((0, 1)):
        np.testing.assert_allclose(
            transform.decompose(x, "db2", 2, (first, second)),
            transform.decompose(x, "db2", 2, (0, 1)),
            rtol=0,
            atol=1e-13,
        )
    names = [band.name for band in blocks.subbands((6, 10), 1, (1, 0))]
    slices = {band.name: band.slices for band in blocks.subbands((6, 10), 1, (1, 0))}
    assert sorted(names) == ["aa1", "ad1", "da1", "dd1"]
    assert slices["ad1"] == (slice(3, 6), slice(0, 5))


@pytest.mark.parametrize("name", ["haar", "db4", "bior4.4"])
def test_an_axis_far_longer_than_the_cache(name):
    x = random((40_000,))
    found = transform.decompose(x, name, 2, (0,))
    expected = np.concatenate(pywt.wavedec(x, name, mode="periodization", level=2))
    offset = len(pywt.Wavelet(name).dec_lo)
    # Another place for the filters at the ends; here it is what lies between that counts.
    np.testing.assert_allclose(np.sort(found), np.sort(expected), atol=1e-9)
    np.testing.assert_allclose(transform.reconstruct(found, name, 2, (0,)), x, atol=1e-8 * offset)
