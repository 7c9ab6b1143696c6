"""Entropy coding: what goes in comes out, in few bytes, and always the same ones."""

from __future__ import annotations

import inspect
import time

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from small_grids import CODERS, LARGEST, blocks_of, check, fixed, flat, in_python, tensors

from dwt_keras.checks import ArgumentError
from dwt_keras.coding import dense, entropy
from dwt_keras.coding import levels as coded_levels
from dwt_keras.coding.grid import Grid

GUARD = 4096


def order_0_bytes(levels):
    _, counts = np.unique(levels, return_counts=True)
    return -float(counts @ np.log2(counts / levels.size)) / 8


def laplacian(rng, shape, scale):
    return np.rint(rng.laplace(scale=scale, size=shape)).astype(np.int32)


@pytest.fixture
def guarded(monkeypatch):
    """Puts bytes around the arrays that the compiled loops write to; returns how they do."""
    sizes = []

    def guard(original):
        def code_rows(*arguments):
            bound = inspect.signature(original.py_func).bind(*arguments)
            data = bound.arguments["data"]
            around = np.full(data.size + 2 * GUARD, 0xA5, np.uint8)
            inside = around[GUARD : GUARD + data.size]
            inside[:] = data
            bound.arguments["data"] = inside
            size = original(*bound.args)
            data[:] = inside
            assert (around[:GUARD] == 0xA5).all()
            assert (around[GUARD + data.size :] == 0xA5).all()
            sizes.append((size, data.size))
            return size

        return code_rows

    for module in (coded_levels, dense):
        monkeypatch.setattr(module, "code_rows", guard(module.code_rows))
    return sizes


# Round trips.


@settings(deadline=None, max_examples=300)
@given(tensors())
def test_levels_of_any_shape_and_density_come_back(tensor):
    levels, grid = tensor
    before = levels.copy()
    data = check(levels, grid)
    assert (data == b"") == (not levels.any())
    np.testing.assert_array_equal(levels, before)


@settings(deadline=None, max_examples=100)
@given(tensors(most=2), st.integers(1, 9), st.integers(1, 9), st.integers(1, 4))
def test_pyramids_of_any_size_come_back(tensor, height, width, depth):
    values = tensor[0].ravel() if tensor[0].size else np.array([7, 0], np.int32)
    grid = Grid((height, width, 2, 3), blocks_of(height, width, depth))
    check(np.resize(values, grid.shape), grid)


@pytest.mark.parametrize("shape", [(1, 1, 1, 1), (3, 3, 4, 8), (0, 3, 2, 4), (2, 2, 2, 0)])
def test_zeros_take_no_bytes(shape):
    assert check(np.zeros(shape, np.int32), Grid(shape)) == b""


@pytest.mark.parametrize("size", sorted({1, 2, 13, *range(14, 18), *(2**n for n in range(5, 24))}))
def test_a_single_level_comes_back(size):
    for level in (size, -size, min(size * 2 - 1, LARGEST), -LARGEST):
        assert len(check(np.full((1, 1, 1, 1), level, np.int32), flat(1))) <= 12


@pytest.mark.parametrize("place", [0, 1, 499, 998, 999])
def test_a_single_level_among_zeros_comes_back(place):
    levels = np.zeros((5, 5, 4, 10), np.int32)
    for level in (1, -1, LARGEST, -LARGEST):
        levels.flat[place] = level
        assert len(check(levels, Grid(levels.shape))) <= 12


def hostile(kind, count, rng):
    """Levels that the models do not expect, in a row."""
    zeros = np.zeros(count, np.int32)
    huge = np.full(count, LARGEST, np.int32)
    signs = rng.choice([-1, 1], count).astype(np.int32)
    odd = (2.0 ** rng.uniform(0, 24, count)).astype(np.int32).clip(1, LARGEST) * signs
    return {
        "largest": huge,
        "smallest": -huge,
        "any": odd,
        "zeros then huge": np.concatenate([zeros, huge * signs]),
        "huge then zeros": np.concatenate([huge * signs, zeros]),
        "zeros then one huge row": np.concatenate([zeros, zeros, odd[:64]]),
        "ones then huge": np.concatenate([zeros + 1, huge * signs]),
        "huge then ones": np.concatenate([huge, zeros - 1]),
        "zeros and huge in turn": np.stack([zeros, odd]).T.reshape(-1),
        "one sign then the other": np.concatenate([huge, -huge]),
        "zeros, huge, zeros, huge": np.concatenate([zeros, odd, zeros, huge]),
    }[kind]


@pytest.mark.parametrize("units", [1, 8, 64, None])
@pytest.mark.parametrize(
    "kind",
    [
        "largest",
        "smallest",
        "any",
        "zeros then huge",
        "huge then zeros",
        "zeros then one huge row",
        "ones then huge",
        "huge then ones",
        "zeros and huge in turn",
        "one sign then the other",
        "zeros, huge, zeros, huge",
    ],
)
def test_the_costliest_levels_have_room(kind, units, guarded):
    levels = hostile(kind, 4096, np.random.default_rng(1))
    units = units or levels.size
    for places in (1, levels.size // units):
        grid = Grid((places, 1, levels.size // units // places, units))
        data = check(levels.reshape(grid.shape), grid)
        assert len(data) <= 20 * levels.size
    assert max(room for _, room in guarded) >= len(data) - 2


def test_what_does_not_fit_is_coded_again_with_more_room(guarded):
    levels = hostile("any", 65536, np.random.default_rng(2))
    grid = Grid((1, 1, 16384, 4))
    levels = levels.reshape(grid.shape)
    for coder in (entropy.MIXED, entropy.DENSE):
        guarded.clear()
        data = entropy.encode(levels, grid, coder)
        assert guarded[0][0] == -1
        assert len(guarded) > 1
        np.testing.assert_array_equal(entropy.decode(data, grid), levels)


@pytest.mark.parametrize("level", [LARGEST + 1, -LARGEST - 1, 2**31 - 1, -(2**31) + 1, -(2**31)])
def test_a_level_above_the_limit_is_refused_before_anything_is_coded(level, monkeypatch):
    for module in (coded_levels, dense):
        monkeypatch.setattr(module, "code_rows", None)
    levels = np.array([0, 1, level, 5], np.int32).reshape(1, 1, 2, 2)
    with pytest.raises(ArgumentError) as refusal:
        entropy.encode(levels, Grid(levels.shape))
    expected = f"levels must be at most {LARGEST} in magnitude; given {abs(level)}"
    assert str(refusal.value) == expected


def test_levels_in_any_order_of_memory_are_coded_alike_and_left_alone():
    levels = laplacian(np.random.default_rng(3), (4, 6, 3, 5), 1.5)
    grid = Grid(levels.shape, blocks_of(4, 6, 2))
    data = check(levels, grid)
    wide = np.full((4, 12, 3, 10), 99, np.int32)
    wide[:, ::2, :, ::2] = levels
    turned = np.ascontiguousarray(levels.T).T
    for other in (wide[:, ::2, :, ::2], turned, np.asfortranarray(levels), levels[::-1][::-1]):
        before = other.copy()
        other.flags.writeable = False
        assert check(other, grid) == data
        np.testing.assert_array_equal(other, before)
    assert (wide[:, 1::2] == 99).all()


# The same bytes.


@settings(deadline=None, max_examples=50)
@given(tensors())
def test_the_same_levels_give_the_same_bytes(tensor):
    levels, grid = tensor
    data = entropy.encode(levels, grid)
    assert entropy.encode(levels.copy(), grid) == data
    for source in (bytearray(data), memoryview(data)):
        np.testing.assert_array_equal(entropy.decode(source, grid), levels)


# Levels, the depth of their pyramid, and the bytes of the two coders.
GOLDEN = {
    "one level": (
        np.array([[[[-3]]]], np.int32),
        0,
        "021a29",
        "031a10",
    ),
    "rows without places": (
        fixed((1, 1, 6, 7)),
        0,
        "2aff9c53d3fc785fd4ceb70d94aa3b638cb6cf3058f19d7604220b939e0d2d0def2773b5c68d6d17",
        "2bffffffffb8e34719efec956ab937427af07d5bc841d2fb70ae232801ffffffffd52eb6"
        "b4152dcf812f332b07e9e97b0503f66cf4495633acba6d8f3af40996918d0962f8644a04"
        "47314ef6f8193174032105eb8d69",
    ),
    "places": (
        fixed((3, 3, 2, 5)),
        0,
        "5aff9c53d3fc788ca78d07dbe6276c4daca501639fdb25362e098e79317e668060029897"
        "f0a5a45bbdaa8c99f6ba7ed2d240a34983afca5179626badd44d80e3c3062217827972f9"
        "e7d7c1",
        "5bffffffffb8e34719efec95d6b5d92b426dfff41fcf61db1d3f3a5601fffffffffcc75f"
        "c2427d48bf40c6e7327189734d848d73b015ef015784e3782cc23fbc2dd0f28148321ee1"
        "2fa491fd364ebe0472ecc87706f73343d40a065c4327951592317b927cc3d49ccb0903ff"
        "fffffff4247d3549d16cf92e030502f301811e42c77cefd152a75f8abd848063bc233575"
        "a15de63e1b1e268d4c3dafebc485dee6966e8b284bd3f0ac018d4e7c57ed3fb79a0a41a5"
        "cbdb0c724237",
    ),
    "a pyramid": (
        fixed((5, 6, 2, 3)),
        2,
        "ae01ff98958aa09b30df11fbcdcd0e01850d581c597e2a32526b57ce83ab6462792bc95c"
        "59bbbc503e3c20143a82cb8f39517f9abf0354c453753e0639a87efb7d99bcd6fcb22bd0"
        "fa5e10287a7d4042ba26fa69f8bda341a32256f154f9c33a7ae12d88c7bcc08e60f00930"
        "7402c5cdfc7e824ab6ea211b73b1345afce09c31ed7cc5c7b6",
        "af01ffffffffb8e3471962335b4f6a34a1fd474ccab621c110031e00e673f7e6e2a223a9"
        "427e857ae0cf4e29994f66470806061752c0c19268fffffffffffe21133c582efdcc2aee"
        "d5096f07fe73d1dab430b3a6b56faa3596f1b494564ec7883055d118fa052caf0cb313f0"
        "372d8f76383b1271cd6a83037407fffd5af86258c7ac1d80cb8402e7bf75ca5586ab2500"
        "e281cb79a1a2e20d69c0cef9d7420702fffffb02df194a526f8c8204fffd4b21e67a530f"
        "c2a1e2fa323f2fe9eb7d9b28f75d0501ffffefe7e51141ce428b0e03dea1e9407d733124"
        "d483dd4e8600c284bf56ae30b1d5574f48b0bbb210e28701ffff7def4817517687f7a08d"
        "4ce44c6022a59380f4eafffffffffff8942507b2844f9e673bf462555e87309ee22f5ac7"
        "cc9a96785be2070e890a0879ec652cb7c765afb43bd23d73b9e2ef37ba8459e500223022"
        "a9440005d8cc3cc19c8e80727b4b597472a88e7475f3028802ffffd66de2157cc3ecf1cd"
        "0ddb7ab250366b9643140c33e8276f",
    ),
    "a pyramid of one channel": (
        fixed((7, 1, 1, 6)),
        3,
        "2aff9c53d3fc785fd4ceb70d94aa1fa7d58acef07d24666af9ed2f2876b7dedea29307fdcd11a30404",
        "2bffffffffb8e34719efec956ab93732b4090bea493fc5b2dd5f244001fffffffff19722"
        "0b29977be08370769a24514d7b84a16a8a60529894d392890d22bb9c982b04dcde9c05df"
        "2c6dfd63322cb8f5574cc9c1",
    ),
}


LONG = (
    (3167, "a24b1454856a0f8b", "9af393d1eb9bc180"),
    (3436, "a34b1493f78c4467", "e26b048ee9b5df9b"),
)


@pytest.mark.parametrize("name", GOLDEN)
@pytest.mark.parametrize("coder", [entropy.MIXED, entropy.DENSE])
def test_the_bytes_are_those_of_version_1(name, coder):
    levels, depth, *expected = GOLDEN[name]
    grid = Grid(levels.shape, blocks_of(*levels.shape[:2], depth) if depth else ())
    assert entropy.encode(levels, grid, coder).hex() == expected[coder]
    np.testing.assert_array_equal(entropy.decode(bytes.fromhex(expected[coder]), grid), levels)


@pytest.mark.parametrize("coder", [entropy.MIXED, entropy.DENSE])
def test_many_levels_give_the_bytes_of_version_1(coder):
    # Long enough for every slot to have counted to its limit.
    levels = fixed((6, 6, 8, 64))
    levels[np.abs(levels) > 40] = 0
    levels[:, :, 3] = 0
    data = entropy.encode(levels, Grid(levels.shape, blocks_of(6, 6, 2)), coder)
    assert (len(data), data[:8].hex(), data[-8:].hex()) == LONG[coder]


@settings(deadline=None, max_examples=40)
@given(tensors(least=1, most=3, units=4))
def test_plain_python_codes_the_same_bytes(tensor):
    levels, grid = tensor
    for coder in CODERS:
        data = entropy.encode(levels, grid, coder)
        with in_python():
            assert entropy.encode(levels, grid, coder) == data
            np.testing.assert_array_equal(entropy.decode(data, grid), levels)


# Size.


@pytest.mark.parametrize("shape", [(3, 3, 64, 64), (1, 1, 256, 144), (1, 1, 1, 40_000)])
@pytest.mark.parametrize("density", [0.001, 0.02, 0.1, 0.5])
def test_random_levels_cost_hardly_more_than_their_entropy(shape, density):
    rng = np.random.default_rng(5)
    sizes = rng.geometric(0.6, shape) * rng.choice([-1, 1], shape)
    levels = (sizes * (rng.random(shape) < density)).astype(np.int32)
    size = len(entropy.encode(levels, Grid(shape)))
    assert size <= 1.03 * order_0_bytes(levels) + 30


def structured(kind, rng):
    """Levels with something to learn, and how they lie."""
    if kind == "rows of zeros":
        levels = laplacian(rng, (3, 3, 64, 64), 0.7)
        levels[:, :, rng.random(64) < 0.7] = 0
    elif kind == "units of zeros":
        levels = laplacian(rng, (3, 3, 64, 64), 0.7)
        levels[..., rng.random(64) < 0.7] = 0
    elif kind == "levels where the coarser block has some":
        levels = np.zeros((16, 16, 2, 32), np.int32)
        active = np.ones((16, 16, 2, 32), bool)
        active[:8, :8] = rng.random((8, 8, 2, 32)) < 0.1
        for top, left in ((0, 8), (8, 0), (8, 8)):
            parent = active[top // 2 : top // 2 + 4, left // 2 : left // 2 + 4]
            active[top : top + 8, left : left + 8] = parent.repeat(2, 0).repeat(2, 1)
        levels = (1 + rng.integers(0, 2, levels.shape)) * rng.choice([-1, 1], levels.shape) * active
    elif kind == "units that repeat":
        one = laplacian(rng, (1, 1, 1, 64), 0.6)
        levels = np.where(rng.random((5, 5, 16, 64)) < 0.05, 0, one)
    elif kind == "smooth signs":
        signs = rng.choice([-1, 1], (1, 1, 32, 64))
        levels = signs * rng.geometric(0.7, (5, 5, 32, 64))
    elif kind == "magnitudes by row":
        levels = laplacian(rng, (3, 3, 64, 64), np.where(rng.random((64, 1)) < 0.4, 9, 0.4))
    depth = 2 if "coarser" in kind else 0
    return levels.astype(np.int32), Grid(levels.shape, blocks_of(16, 16, 2) if depth else ())


@pytest.mark.parametrize(
    ("kind", "share"),
    [
        ("rows of zeros", 0.8),
        ("units of zeros", 0.8),
        ("levels where the coarser block has some", 0.75),
        ("units that repeat", 0.5),
        ("smooth signs", 0.75),
        ("magnitudes by row", 0.9),
    ],
)
def test_structure_saves_bytes(kind, share):
    levels, grid = structured(kind, np.random.default_rng(6))
    assert len(check(levels, grid)) < share * order_0_bytes(levels)


def test_blocks_save_bytes():
    levels, grid = structured("levels where the coarser block has some", np.random.default_rng(6))
    assert len(entropy.encode(levels, grid)) < 0.9 * len(entropy.encode(levels, Grid(levels.shape)))


# Speed.


def test_a_million_levels_are_decoded_in_two_seconds():
    rng = np.random.default_rng(8)
    shape = (3, 3, 256, 434)
    levels = (laplacian(rng, shape, 3.0) * (rng.random(shape) < 0.055)).astype(np.int32)
    grid = Grid(shape)
    data = entropy.encode(levels, grid)
    start = time.process_time()
    again = entropy.decode(data, grid)
    assert time.process_time() - start < 2
    np.testing.assert_array_equal(again, levels)
