"""The basis that is chosen: the cheapest one by the criterion, and the one a kernel was made in."""

from __future__ import annotations

import itertools
import math

import ml_dtypes
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dwt_keras.wavelet import basis, best_basis, blocks, transform
from dwt_keras.wavelet.basis import Basis

# How much dearer than the cheapest a basis may be that is chosen because it is simpler.
TIE = 1.05


@pytest.fixture
def bare(monkeypatch):
    """The criterion alone: nothing is added for the risk of noise or the length of a filter."""
    monkeypatch.setattr(best_basis, "_MARGIN", 0.0)
    monkeypatch.setattr(best_basis, "_TAP_SHARE", 0.0)
    monkeypatch.setattr(best_basis, "_SPLIT_SHARE", 0.0)


def cost_of(values, threshold, kept):
    """Bytes by the criterion, one coefficient at a time."""
    share = min(max(kept, 1e-4), 0.5)
    entropy = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    bits = entropy / share + 2
    total = 0.0
    for value in np.abs(values.astype(np.float64)).ravel().tolist():
        ratio = value / threshold
        total += bits * ratio**2 if ratio < 1 else bits + math.log2(ratio)
    return total / 8


def all_trees(block, axes):
    """The splits of every tree below a block."""
    yield ()
    if not blocks.can_split(block, axes):
        return
    below = [list(all_trees(child, axes)) for child in blocks.children(block, axes)]
    for parts in itertools.product(*below):
        yield (block.path, *itertools.chain.from_iterable(parts))


def cheapest(kernel, axes, wavelet, threshold, kept):
    """The least cost over all trees, and the splits of the trees that have it."""
    costs = {}
    for splits in all_trees(blocks.root(kernel.shape), axes):
        coefficients = transform.decompose(kernel, wavelet, 1, axes, splits)
        costs[splits] = cost_of(coefficients, threshold, kept)
    least = min(costs.values())
    return least, [set(splits) for splits, cost in costs.items() if cost <= least + 1e-9]


def random(shape, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal(shape).astype(dtype)


def sparse(shape, share=0.04, seed=0, small=0.05):
    """A few large coefficients among small ones."""
    rng = np.random.default_rng(seed)
    found = small * rng.standard_normal(shape)
    large = rng.random(shape) < share
    found[large] += rng.choice([-1, 1], large.sum()) * rng.uniform(2, 4, large.sum())
    return found


def choose(kernel, axes=(0, 1), shape=None, **options):
    options = {"threshold": 0.5, "kept": 0.04, **options}
    return best_basis.choose(kernel, shape or kernel.shape, axes, **options)


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((8,), (0,)),
        ((7,), (0,)),
        ((8, 3), (0,)),
        ((4, 4), (0, 1)),
        ((4, 3, 2), (1, 0)),
        ((2, 8), (0, 1)),
        ((1, 6), (0, 1)),
        ((2, 3, 2), (0, 1, 2)),
    ],
    ids=str,
)
@pytest.mark.parametrize("wavelet", ["haar", "sym2", "bior2.2"])
@pytest.mark.usefixtures("bare")
def test_by_the_criterion_alone_no_tree_of_all_is_cheaper(shape, axes, wavelet):
    axes = tuple(axis for axis in axes if shape[axis] > 1)
    trees = list(all_trees(blocks.root(shape), axes))
    assert len(set(map(frozenset, trees))) == len(trees)
    if shape in [(8,), (4, 4)]:
        assert len(trees) == {(8,): 26, (4, 4): 17}[shape]
    chosen = set()
    for seed in range(6):
        made_in = Basis(wavelet, 1, axes, shape, trees[(7 * seed + 3) % len(trees)])
        kernel = made_in.reconstruct(sparse(shape, 0.2, seed), shape, np.float64)
        found = choose(kernel, axes, wavelets=[wavelet], kept=0.2)
        cost, splits = cheapest(kernel, axes, wavelet, 0.5, 0.2)
        assert found.cost == pytest.approx(cost, rel=1e-9)
        if not found.basis.is_identity:
            assert set(found.basis.split_paths) in splits
        else:
            assert set() in splits
        chosen.add(found.basis)
    assert len(chosen) > 1


@settings(deadline=None, max_examples=40)
@given(
    shape=st.lists(st.integers(1, 9), min_size=1, max_size=3),
    scale=st.sampled_from([1e-3, 0.3, 1.0, 30.0]),
    kept=st.floats(0, 1),
    level=st.sampled_from(["auto", "max", 1, 2]),
    seed=st.integers(0, 10**6),
    data=st.data(),
)
def test_never_dearer_than_the_identity_and_costs_what_is_said(
    shape, scale, kept, level, seed, data
):
    axes = tuple(data.draw(st.lists(st.integers(0, len(shape) - 1), unique=True)))
    kernel = scale * random(shape, seed).cumsum(axis=0)
    found = choose(
        kernel, axes, threshold=0.7, kept=kept, level=level, wavelets=["haar", "sym4", "bior2.2"]
    )
    plain = cost_of(kernel, 0.7, kept)
    assert found.cost <= plain * (1 + 1e-12)
    for one, cost in [(found.basis, found.cost), (found.runner_up, found.runner_up_cost)]:
        assert one.shape == tuple(shape)
        by_hand = cost_of(one.decompose(kernel), 0.7, kept)
        assert by_hand * (1 - 1e-9) <= cost <= TIE * by_hand
        assert not one.is_identity or cost == pytest.approx(by_hand, rel=1e-9)
    assert found.runner_up.wavelet != found.basis.wavelet or not found.basis.axes


MADE_IN = {
    "sym4 2": Basis("sym4", 2, (0, 1), (32, 32, 6)),
    "haar 3": Basis("haar", 3, (0, 1), (32, 32, 6)),
    "bior4.4 1": Basis("bior4.4", 1, (0, 1), (32, 32, 6)),
    "sym4 one axis": Basis("sym4", 3, (1,), (6, 512)),
    "sym4 packets": Basis("sym4", 2, (0, 1), (32, 32, 6), ("", "aa", "ad", "da", "dd")),
    "haar packets": Basis("haar", 3, (1,), (6, 512), ("", "d", "dd", "da")),
}


@pytest.mark.parametrize("name", MADE_IN)
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.usefixtures("bare")
def test_a_kernel_gets_the_basis_in_which_it_is_sparse_or_a_cheaper_one(name, dtype):
    made_in = MADE_IN[name]
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, dtype)
    found = choose(kernel, made_in.axes)
    cost = cost_of(made_in.decompose(kernel), 0.5, 0.04)
    assert found.cost <= cost * (1 + 1e-6)
    assert found.cost < 0.7 * cost_of(kernel, 0.5, 0.04)
    if found.runner_up_cost > TIE * cost:
        assert found.basis.wavelet == made_in.wavelet
        assert set(found.basis.split_paths) & set(made_in.split_paths)
    else:
        assert made_in.wavelet in (found.basis.wavelet, found.runner_up.wavelet)


@pytest.mark.parametrize("name", MADE_IN)
def test_a_large_kernel_gets_a_basis_about_as_cheap_as_the_one_in_which_it_is_sparse(name):
    made_in = MADE_IN[name]
    batch = made_in.axes == (1,)
    shape = (120, 512) if batch else (32, 32, 60)
    made_in = Basis(made_in.wavelet, made_in.level, made_in.axes, shape, made_in.splits)
    kernel = made_in.reconstruct(sparse(shape), shape, np.float32)
    found = choose(kernel, made_in.axes)
    cost = cost_of(made_in.decompose(kernel), 0.5, 0.04)
    assert found.cost <= TIE**2 * cost
    assert found.cost < 0.7 * cost_of(kernel, 0.5, 0.04)


@pytest.mark.parametrize("name", ["sym4 2", "haar 3", "haar packets"])
@pytest.mark.usefixtures("bare")
def test_the_only_wavelet_to_try_gets_a_tree_that_goes_as_deep(name):
    made_in = MADE_IN[name]
    kernel = made_in.reconstruct(sparse(made_in.shape, small=0.0), made_in.shape, np.float64)
    found = choose(kernel, made_in.axes, wavelets=[made_in.wavelet])
    assert set(found.basis.split_paths) >= set(made_in.split_paths)
    assert found.runner_up == basis.identity(made_in.shape)
    assert found.runner_up_cost == pytest.approx(cost_of(kernel, 0.5, 0.04))
    pyramid = blocks.pyramid(made_in.shape, found.basis.level, made_in.axes)
    assert (found.basis.splits is None) == (found.basis.split_paths == pyramid)


@pytest.mark.parametrize("wavelet", ["haar", "sym4", "bior2.2"])
@pytest.mark.usefixtures("bare")
def test_what_is_sparse_in_a_pyramid_gets_one_and_its_level(wavelet):
    # Far apart within each block, and at another place in each: other trees spread them.
    made_in = Basis(wavelet, 2, (0, 1), (64, 64, 4))
    coefficients = np.zeros(made_in.shape)
    for place, band in enumerate(made_in.subbands):
        coefficients[band.slices][place::8, 2::8] = 3.0 * (-1) ** np.arange(4)
    kernel = made_in.reconstruct(coefficients, made_in.shape, np.float64)
    found = choose(kernel, wavelets=[wavelet])
    assert found.basis == made_in
    assert found.basis.splits is None


@pytest.mark.parametrize(("share", "level"), [(0.1, 1), (0.3, 2)])
def test_where_coefficients_are_trained_a_second_level_must_gain_more(share, level):
    made_in = Basis("haar", 2, (0, 1), (64, 64, 8))
    rng = np.random.default_rng(0)
    shares = np.zeros(made_in.shape)
    shares[32:], shares[:32, 32:], shares[:16, :16] = 0.2, 0.2, share
    coefficients = 3 * rng.normal(size=made_in.shape) * (rng.random(made_in.shape) < shares)
    kernel = made_in.reconstruct(coefficients, made_in.shape, np.float64)
    as_it_is = choose(kernel, wavelets=["haar"])
    assert as_it_is.basis == made_in
    trained = choose(kernel, wavelets=["haar"], trained=True)
    assert trained.basis == Basis("haar", level, (0, 1), made_in.shape)
    assert trained.cost <= 1.1 * as_it_is.cost


@pytest.mark.parametrize(("lines", "chosen"), [(12, "none"), (14, "haar")])
def test_where_coefficients_are_trained_the_first_level_must_gain_more_too(lines, chosen):
    """Pixels without neighbours, which haar spreads, and lines of pairs, which it gathers."""
    rng = np.random.default_rng(0)
    kernel = 3 * rng.normal(size=(64, 64, 64)) * (rng.random((64, 64, 64)) < 0.1)
    kernel[:lines] += np.repeat(3 * rng.normal(size=(lines, 32, 64)), 2, axis=1)
    plain = choose(kernel, axes=(1,), wavelets=[]).cost
    as_it_is = choose(kernel, axes=(1,), wavelets=["haar"], level=1)
    gain = 1 - as_it_is.cost / plain
    assert as_it_is.basis.wavelet == "haar"
    assert gain > 0.015
    assert (gain > 0.04) == (chosen == "haar")
    assert choose(kernel, axes=(1,), wavelets=["haar"], trained=True).basis.wavelet == chosen


@pytest.mark.parametrize("seed", range(5))
@pytest.mark.parametrize("shape", [(28, 28, 1, 32), (3, 3, 16, 32), (5, 5, 1, 6), (64, 64)])
def test_white_noise_stays_as_it_is(shape, seed):
    kernel = random(shape, seed, np.float32)
    for threshold in (1.0, 1.64, 2.3):
        kept = float(np.mean(np.abs(kernel) >= threshold))
        found = choose(kernel, threshold=threshold, kept=kept)
        assert found.basis == basis.identity(shape)
        assert found.cost == pytest.approx(cost_of(kernel, threshold, kept), rel=1e-6)
        assert found.runner_up.wavelet != "none" or found.runner_up_cost >= found.cost


@pytest.mark.parametrize("level", [1, 2, "max"])
def test_white_noise_stays_as_it_is_at_a_fixed_level(level):
    for seed in range(8):
        kernel = random((16, 16, 4), seed, np.float32)
        found = choose(kernel, threshold=1.64, kept=0.1, level=level)
        assert found.basis.is_identity
        assert found.runner_up.wavelet in best_basis.CANDIDATES


def test_weights_that_are_sparse_already_stay_as_they_are():
    kernel = sparse((28, 28, 8))
    found = choose(kernel)
    assert found.basis == basis.identity(kernel.shape)
    assert found.cost <= found.runner_up_cost
    assert choose(kernel, level=2).runner_up_cost > found.cost


@pytest.mark.parametrize(("level", "built"), [(1, 1), (2, 2), (9, 5), ("max", 5)])
def test_a_fixed_level_is_taken_with_the_cheapest_wavelet(level, built):
    made_in = Basis("sym4", 5, (0, 1), (32, 32, 6))
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, np.float64)
    found = choose(kernel, level=level)
    assert not found.basis.is_identity
    assert (found.basis.level, found.basis.splits) == (built, None)
    costs = {
        wavelet: cost_of(Basis(wavelet, built, (0, 1), kernel.shape).decompose(kernel), 0.5, 0.04)
        for wavelet in best_basis.CANDIDATES
    }
    assert costs[found.basis.wavelet] <= TIE * min(costs.values())
    assert costs[found.basis.wavelet] <= found.cost <= TIE * min(costs.values())


@pytest.mark.usefixtures("bare")
def test_all_levels_together_are_no_dearer_than_any_of_them():
    made_in = Basis("sym4", 2, (0, 1), (32, 32, 6))
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, np.float64)
    costs = [choose(kernel, level=level).cost for level in (1, 2, 3, "max")]
    assert choose(kernel).cost <= min(costs) * (1 + 1e-12)


@pytest.mark.parametrize("level", ["auto", "max", 2])
def test_axes_of_one_sample_are_left_out(level):
    made_in = Basis("haar", 2, (1,), (1, 64, 120))
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, np.float64)
    found = choose(kernel, (0, 1), level=level, wavelets=["haar"])
    assert found.basis.axes == (1,)
    assert found == choose(kernel, (1,), level=level, wavelets=["haar"])


@pytest.mark.parametrize(
    ("shape", "axes"),
    [
        ((0,), (0,)),
        ((4, 4, 0), (0, 1)),
        ((0, 4), (1,)),
        ((6, 6), ()),
        ((1, 1, 30), (0, 1)),
        ((), ()),
    ],
)
@pytest.mark.parametrize("level", ["auto", "max", 1])
def test_the_identity_where_nothing_can_be_transformed(shape, axes, level):
    kernel = np.ones(shape, np.float32)
    found = choose(kernel, axes, shape=shape, level=level)
    assert found.basis == found.runner_up == basis.identity(shape)
    assert found.cost == found.runner_up_cost == pytest.approx(cost_of(kernel, 0.5, 0.04))


@pytest.mark.parametrize("level", ["auto", 2])
def test_without_wavelets_to_try_the_identity_is_all_there_is(level):
    found = choose(np.ones((8, 8)), wavelets=[], level=level)
    assert found.basis == found.runner_up == basis.identity((8, 8))


@pytest.mark.parametrize("dtype", [np.float16, ml_dtypes.bfloat16], ids=lambda dtype: str(dtype))
@pytest.mark.parametrize("level", ["auto", 2])
def test_half_precision_is_chosen_for_in_float32(dtype, level):
    made_in = MADE_IN["sym4 2"]
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, np.float32).astype(dtype)
    assert choose(kernel, level=level) == choose(kernel.astype(np.float32), level=level)


@pytest.mark.parametrize("level", ["auto", "max"])
def test_the_same_kernel_gets_the_same_choice_however_it_lies_in_memory(level):
    made_in = MADE_IN["sym4 2"]
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, np.float32)
    before = kernel.copy()
    first = choose(kernel, level=level)
    assert first == choose(kernel, level=level)
    np.testing.assert_array_equal(kernel, before)
    frozen = np.asfortranarray(kernel)
    frozen.flags.writeable = False
    assert choose(frozen, level=level) == first
    flat = kernel.reshape(-1, kernel.shape[-1])
    assert choose(flat, shape=kernel.shape, level=level) == first


@pytest.mark.parametrize("kept", [0.0, 1e-9, 0.5, 1.0])
def test_any_share_of_kept_coefficients_gives_a_finite_cost(kept):
    kernel = random((16, 16))
    found = choose(kernel, kept=kept, threshold=1.5)
    assert found.cost == pytest.approx(cost_of(kernel, 1.5, kept), rel=0.05)
    assert math.isfinite(found.runner_up_cost)


@pytest.mark.usefixtures("bare")
def test_details_are_split_to_four_levels_and_approximations_to_the_end():
    smooth = np.ones((256, 16))
    found = choose(smooth, (0,), wavelets=["haar"], threshold=2.0)
    assert found.basis == Basis("haar", 8, (0,), (256, 16))
    rough = smooth * ((-1.0) ** np.arange(256))[:, None]
    found = choose(rough, (0,), wavelets=["haar"], threshold=2.0)
    assert found.basis == Basis("haar", 4, (0,), (256, 16), ("", "d", "da", "daa"))


@pytest.mark.usefixtures("bare")
def test_details_are_split_only_while_a_level_has_few_blocks(monkeypatch):
    rough = np.ones((256, 16)) * ((-1.0) ** np.arange(256))[:, None]
    monkeypatch.setattr(best_basis, "_MOST_BLOCKS", 4)
    found = choose(rough, (0,), wavelets=["haar"], threshold=1.0)
    assert found.basis.split_paths == ("", "d")


def test_a_margin_keeps_what_gains_less_than_the_cost_spreads(monkeypatch):
    made_in = MADE_IN["haar 3"]
    kernel = made_in.reconstruct(sparse(made_in.shape), made_in.shape, np.float64)
    costs = []
    for margin in (0.0, 2.0, 8.0, 1e9):
        monkeypatch.setattr(best_basis, "_MARGIN", margin)
        costs.append(choose(kernel, wavelets=["haar"]).cost)
    assert costs == sorted(costs)
    assert costs[0] < costs[-1] == pytest.approx(cost_of(kernel, 0.5, 0.04))
