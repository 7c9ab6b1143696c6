"""Wavelet packets: PyWavelets' where that has them, and inverted for every tree."""

from __future__ import annotations

import math

import ml_dtypes
import numpy as np
import pytest
import pywt
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.checks import ArgumentError
from dwt_keras.wavelet import basis, blocks, families, transform

SOME = ["haar", "db2", "db7", "coif3", "bior2.2", "rbio3.9", "dmey"]
# PyWavelets prints the taps of these to full precision, or nearly so.
ORTHOGONAL = ["haar", "db2", "sym3", "db7", "coif3"]
DTYPES = [np.float16, ml_dtypes.bfloat16, np.float32, np.float64]
EVEN = [
    ((16,), (0,)),
    ((32, 3), (0,)),
    ((16, 8), (0, 1)),
    ((8, 16), (1, 0)),
    ((8, 3, 16), (0, 2)),
    ((4, 8, 4, 2), (0, 1, 2)),
]


def random(shape, dtype=np.float64, seed=0):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def tree(shape, axes, seed, share=0.7, most=40):
    """A random set of splits, in random order."""
    rng = np.random.default_rng(seed)
    found, waiting = [], [blocks.root(shape)]
    while waiting and len(found) < most:
        block = waiting.pop(rng.integers(len(waiting)))
        if blocks.can_split(block, axes) and (block.path == "" or rng.random() < share):
            found.append(block.path)
            waiting += blocks.children(block, axes)
    return tuple(rng.permutation(found).tolist())


def full_tree(shape, axes, level):
    found, now = [], [blocks.root(shape)]
    for _ in range(level):
        found += [block.path for block in now]
        now = [child for block in now for child in blocks.children(block, axes)]
    return tuple(found)


def leaves_of(shape, splits, axes):
    return blocks.in_order(shape, splits, axes)[1]


def slow_decompose(x, name, axes, splits, path=""):
    """Block by block, each by one level of the transform."""
    if path not in splits:
        return x
    out = transform.decompose(x, name, 1, axes)
    for child in blocks.children(blocks.root(x.shape), axes):
        part = np.ascontiguousarray(out[child.slices])
        out[child.slices] = slow_decompose(part, name, axes, splits, path + child.path)
    return out


@pytest.mark.filterwarnings("ignore:Level value of")
@pytest.mark.parametrize("name", SOME)
@pytest.mark.parametrize(("shape", "axes"), EVEN, ids=str)
def test_even_lengths_are_the_packets_of_pywavelets(name, shape, axes):
    x = random(shape)
    packets = pywt.WaveletPacketND(x, name, "periodization", maxlevel=3, axes=axes)
    deepest = 3 if len(axes) < 3 else 2
    trees = [full_tree(shape, axes, min(2, deepest))]
    trees += [
        tuple(path for path in tree(shape, axes, seed) if len(path) < deepest * len(axes))
        for seed in range(3)
    ]
    for splits in trees:
        # PyWavelets goes on splitting an axis of one sample.
        splits = tuple(
            block.path
            for block in blocks.in_order(shape, splits, axes)[0]
            if all(block.sizes[axis] > 1 for axis in axes)
        )
        found = transform.decompose(x, name, 1, axes, splits)
        for leaf in leaves_of(shape, splits, axes):
            expected = packets[leaf.path].data if leaf.path else x
            np.testing.assert_allclose(
                found[leaf.slices], expected, rtol=0, atol=1e-9, err_msg=leaf.path
            )


@pytest.mark.filterwarnings("ignore:Level value of")
@pytest.mark.parametrize("name", ["haar", "sym5", "bior3.3"])
def test_two_axes_are_wavelet_packet_2d(name):
    x = random((16, 32))
    letters = {"aa": "a", "da": "h", "ad": "v", "dd": "d"}
    packets = pywt.WaveletPacket2D(x, name, "periodization", maxlevel=3)
    splits = full_tree(x.shape, (0, 1), 3)
    found = transform.decompose(x, name, 1, (0, 1), splits)
    leaves = leaves_of(x.shape, splits, (0, 1))
    assert len(leaves) == len(packets.get_level(3)) == 64
    for leaf in leaves:
        path = "".join(letters[leaf.path[place : place + 2]] for place in (0, 2, 4))
        np.testing.assert_allclose(found[leaf.slices], packets[path].data, rtol=0, atol=1e-10)


@settings(deadline=None, max_examples=80)
@given(
    name=st.sampled_from(SOME),
    shape=st.lists(st.integers(1, 17), min_size=1, max_size=3),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_any_tree_is_one_level_after_the_other_and_inverted(name, shape, seed, data):
    axes = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True)))
    shape = tuple(shape)
    splits = tree(shape, axes, seed)
    x = random(shape, seed=seed)
    coefficients = transform.decompose(x, name, 1, axes, splits)
    assert coefficients.shape == x.shape
    expected = slow_decompose(x, name, axes, splits)
    scale = max(1.0, np.abs(expected).max())
    np.testing.assert_allclose(coefficients, expected, rtol=0, atol=1e-12 * scale)
    before = coefficients.copy()
    back = transform.reconstruct(coefficients, name, 1, axes, splits)
    np.testing.assert_allclose(back, x, rtol=0, atol=1e-9 * scale)
    np.testing.assert_array_equal(coefficients, before)
    again = transform.reconstruct(coefficients, name, 1, axes, splits, overwrite=True)
    np.testing.assert_array_equal(again, back)


@pytest.mark.parametrize("shape", [(64, 64, 9), (200, 130), (3, 90, 70)])
def test_trees_over_large_arrays_are_inverted(shape):
    axes = (len(shape) - 2, len(shape) - 1) if shape[0] == 3 else (0, 1)
    x = random(shape, np.float32)
    splits = tree(shape, axes, 1)
    coefficients = transform.decompose(x, "sym4", 1, axes, splits)
    np.testing.assert_allclose(
        coefficients, slow_decompose(x, "sym4", axes, splits), rtol=0, atol=2e-5
    )
    back = transform.reconstruct(coefficients, "sym4", 1, axes, splits)
    np.testing.assert_allclose(back, x, rtol=0, atol=2e-5)
    assert not np.allclose(coefficients, x, atol=0.1)


@pytest.mark.parametrize("name", ORTHOGONAL)
@pytest.mark.parametrize(("shape", "axes"), [*EVEN, ((13,), (0,)), ((7, 9, 2), (0, 1))], ids=str)
def test_an_orthogonal_wavelet_keeps_the_energy(name, shape, axes):
    x = random(shape)
    for seed in range(3):
        coefficients = transform.decompose(x, name, 1, axes, tree(shape, axes, seed))
        assert np.linalg.norm(coefficients) == pytest.approx(np.linalg.norm(x), rel=1e-9)
        assert not np.allclose(coefficients, x)


def test_the_packets_of_an_orthogonal_wavelet_are_an_orthonormal_basis():
    splits = tree((11,), (0,), 4)
    assert any("d" in path for path in splits)
    matrix = transform.decompose(np.eye(11), "db3", 1, (1,), splits)
    np.testing.assert_allclose(matrix @ matrix.T, np.eye(11), rtol=0, atol=1e-9)


@pytest.mark.parametrize("name", ["haar", "sym4", "dmey"])
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_the_splits_of_a_pyramid_give_the_same_bits_as_its_level(name, transformed):
    for shape, axes, level in [
        ((28, 28, 3), (0, 1), 3),
        ((5,), (0,), 9),
        ((300, 70), (1, 0), 2),
        ((1, 6), (0, 1), 2),
        ((3, 4), (), 1),
    ]:
        x = random(shape, np.float32)
        splits = blocks.pyramid(shape, level, axes)
        plain = transformed(x, name, level, axes)
        assert transformed(x, name, 1, axes, splits).tobytes() == plain.tobytes()
        assert transformed(x, name, 1, axes, splits[::-1]).tobytes() == plain.tobytes()


@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_without_splits_nothing_changes(transformed):
    x = random((6, 5))
    found = transformed(x, "db2", 3, (0, 1), ())
    assert found.tobytes() == x.tobytes()
    assert not np.shares_memory(found, x)


@pytest.mark.parametrize("dtype", DTYPES[:2], ids=lambda dtype: dtype.__name__)
@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_half_precision_is_rounded_once_at_the_end(dtype, transformed):
    x = random((28, 12), dtype)
    splits = ("", "ad", "dd", "addd")
    expected = transformed(x.astype(np.float32), "db3", 1, (0, 1), splits).astype(dtype)
    found = transformed(x, "db3", 1, (0, 1), splits)
    assert found.dtype == dtype
    assert found.tobytes() == expected.tobytes()


@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
def test_memory_order_and_negative_axes_do_not_matter(transformed):
    x = random((12, 10, 3))
    splits = ("", "da", "dadd")
    expected = transformed(x, "db2", 1, (0, 1), splits)
    frozen = np.asfortranarray(x)
    frozen.flags.writeable = False
    assert np.array_equal(transformed(frozen, "db2", 1, (-3, -2), splits), expected)


@pytest.mark.parametrize("transformed", [transform.decompose, transform.reconstruct])
@pytest.mark.parametrize("splits", [("x",), ("ad",), ("", "adaa", "ad", "adaaaa")])
def test_trees_that_are_none_are_refused(transformed, splits):
    with pytest.raises(ArgumentError, match=r"^splits must be paths of blocks of a 4x4 array .*'$"):
        transformed(np.zeros((4, 4)), "haar", 1, (0, 1), splits)


PACKETS = basis.Basis("db2", 3, (0, 1), (8, 6, 3), ("", "ad", "dd", "adda"))


def test_a_basis_of_packets_in_words():
    assert str(PACKETS) == "db2 packets 3 over 8x6"
    assert str(basis.Basis("db2", 3, (0, 1), (8, 6, 3))) == "db2 3 over 8x6"
    assert not PACKETS.is_identity
    assert not PACKETS.is_frame


@pytest.mark.parametrize("dtype", DTYPES, ids=lambda dtype: dtype.__name__)
def test_a_basis_of_packets_transforms_a_flattened_kernel_and_gives_it_back(dtype):
    kernel = random((48, 3), dtype)
    coefficients = PACKETS.decompose(kernel)
    wide = kernel.astype(np.float64).reshape(8, 6, 3)
    tolerance = 4 * float(ml_dtypes.finfo(dtype).eps)
    expected = transform.decompose(wide, "db2", 1, (0, 1), PACKETS.splits)
    np.testing.assert_allclose(coefficients, expected, rtol=0, atol=max(2e-6, tolerance / 100))
    back = PACKETS.reconstruct(coefficients, kernel.shape, kernel.dtype)
    assert (back.shape, back.dtype) == (kernel.shape, kernel.dtype)
    np.testing.assert_allclose(
        back.astype(np.float64), kernel.astype(np.float64), rtol=0, atol=max(1e-12, tolerance)
    )


def test_the_subbands_of_a_basis_of_packets_are_its_leaves():
    names = "aa adaa adad addaaa addaad addada addadd addd da ddaa ddad ddda dddd".split()
    assert sorted(band.name for band in PACKETS.subbands) == names
    assert {band.name: band.slices for band in PACKETS.subbands} == {
        leaf.path: leaf.slices for leaf in PACKETS.leaves
    }
    assert sum(math.prod(leaf.sizes) for leaf in PACKETS.leaves) == 8 * 6 * 3
    assert PACKETS.subbands[0].name == "aa"
    assert PACKETS.approximation == (slice(0, 4), slice(0, 3), slice(0, 3))
    assert PACKETS.split_paths == PACKETS.splits
    assert [PACKETS.gain(band) for band in PACKETS.subbands] == [1.0] * len(names)


def test_the_finest_details_of_packets_are_those_of_level_1_split_on_or_not():
    expected = (slice(4, 8), slice(3, 6), slice(0, 3))
    assert PACKETS.finest_details == expected
    assert expected not in [band.slices for band in PACKETS.subbands]
    pyramid = basis.Basis("db2", 3, (0, 1), (8, 6, 3))
    assert pyramid.finest_details == expected
    assert pyramid.split_paths == ("", "aa", "aaaa")
    narrow = basis.Basis("db2", 2, (0, 1), (1, 6, 3), ("", "ad"))
    assert narrow.finest_details == (slice(0, 1), slice(3, 6), slice(0, 3))


def test_a_basis_of_packets_is_a_value():
    same = basis.Basis("db2", 3, (0, 1), (8, 6, 3), ("", "ad", "dd", "adda"))
    assert same == PACKETS
    assert hash(same) == hash(PACKETS)
    assert basis.Basis("db2", 3, (0, 1), (8, 6, 3)) != PACKETS


def test_all_wavelets_named_orthogonal_here_are():
    assert all(families.filter_bank(name).orthogonal for name in ORTHOGONAL)
