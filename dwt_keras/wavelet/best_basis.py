"""The best basis of one kernel: which wavelet, and which blocks to split.

The criterion approximates what the coded kernel will cost. With p the share of coefficients that
are kept and t the threshold, a kept coefficient c costs its place, sign and magnitude,

    b + log2(|c| / t) bits,   b = H(p) / p + 2,

H being the binary entropy, and one that goes costs distortion, c^2, which the Lagrange multiplier
b / t^2 turns into bits: at |c| = t both are equal, so that t is the threshold that this cost would
choose. The least sum is the fewest bits for the same distortion (Ramchandran and Vetterli 1993,
doi:10.1109/83.217221). As it is additive over coefficients, the best of all trees of wavelet
packets is found bottom-up: a block is split where its parts cost less than it does itself (Coifman
and Wickerhauser 1992, doi:10.1109/18.119732).
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from dwt_keras.compiled import compiled, in_parallel
from dwt_keras.wavelet import blocks, families, transform
from dwt_keras.wavelet.basis import Basis, build, identity

Array = npt.NDArray[Any]

# One or two of each family, short and long, orthogonal and symmetric. More of a kind would not
# choose better, only longer.
CANDIDATES = (
    "haar", "sym2", "db3", "sym4", "coif1", "bior2.2", "bior4.4", "rbio4.4", "dmey",
)  # fmt: skip

# Details are split on to this many levels, and while a level has at most so many blocks; the
# approximation to one sample.
_PACKET_LEVELS = 4
_MOST_BLOCKS = 1 << 10

# What a split must gain, in standard deviations of a cost that is a sum of so many terms: less is
# what the best of many trees gains on noise.
_MARGIN = 4.0

# What share of the whole kernel's cost a split must gain besides: weights that have hardly been
# trained gain by every level.
_SPLIT_SHARE = 0.015
# And where the network will be trained through its coefficients, at the first level and below: it
# gets better with few levels, and with none where little is gained (docs/benchmarks.md).
_TRAINED_FIRST_SHARE, _TRAINED_SPLIT_SHARE = 0.04, 0.06

# What each tap of a filter beyond two adds to the cost: of bases this close the shorter filter is
# cheaper in every step of the training.
_TAP_SHARE = 0.001

# Coefficients whose costs are added up by one thread, and stretches of them worth another thread.
_STRETCH = 1 << 14
_PARALLEL = 8


@dataclass(frozen=True)
class Choice:
    """A basis, and what it was chosen over.

    Attributes:
        basis: The cheapest basis.
        cost: What it costs by the criterion, filter length included, in bytes.
        runner_up: The cheapest with another wavelet (or with none); the basis itself if it was
            the only candidate.
        runner_up_cost: What that costs, in bytes.
    """

    basis: Basis
    cost: float
    runner_up: Basis
    runner_up_cost: float


def choose(
    kernel: Array,
    shape: Sequence[int],
    axes: Sequence[int],
    *,
    threshold: float,
    kept: float,
    wavelets: Iterable[str] | None = None,
    level: int | str = "auto",
    trained: bool = False,
) -> Choice:
    """Chooses the basis in which a kernel costs least.

    Args:
        kernel: The weights; floating, finite.
        shape: The kernel unflattened.
        axes: Its axes with geometry; those of one sample are left out.
        threshold: Magnitude below which coefficients go, above 0.
        kept: Share of coefficients expected to stay, 0 to 1.
        wavelets: Canonical names of discrete wavelets to try beside the identity. None for
            `CANDIDATES`, of which at level "auto" no filter is tried on blocks where it would
            wrap around and meet itself (fewer samples than 2 (taps - 1), the limit of
            PyWavelets' `dwt_max_level`).
        level: Levels of the pyramid to try; "max" for the deepest; "auto" for every level and
            wavelet packets.
        trained: Whether the network will be trained through the coefficients.

    Returns:
        The choice; the identity wins where nothing costs less.
    """
    axes = tuple(axis for axis in axes if shape[axis] > 1)
    values = kernel.astype(transform.working_dtype(kernel.dtype), copy=False).reshape(shape)
    bits = _bits_of_place(kept)
    plain, spread = _cost(values, threshold, bits)
    found = [(plain, identity(shape))]
    if axes and values.size:
        for wavelet in CANDIDATES if wavelets is None else wavelets:
            if level == "auto":
                least = 2 if wavelets is not None else 2 * (_taps(wavelet) - 1)
                bare, candidate = _best_tree(values, wavelet, axes, threshold, bits, least, trained)
            else:
                candidate, _ = build(wavelet, level, axes, shape)
                bare = _cost(candidate.decompose(values), threshold, bits)[0]
            if not candidate.is_identity:
                found.append((bare * _length_factor(wavelet), candidate))
    cost, best = min(found, key=lambda pair: pair[0])
    if plain - cost <= _MARGIN * spread:
        cost, best = found[0]
    others = [pair for pair in found if pair[1].wavelet != best.wavelet]
    runner_up_cost, runner_up = min(others, key=lambda pair: pair[0], default=(cost, best))
    return Choice(best, cost / 8, runner_up, runner_up_cost / 8)


def _best_tree(
    values: Array,
    wavelet: str,
    axes: tuple[int, ...],
    threshold: float,
    bits: float,
    least: int,
    trained: bool,
) -> tuple[float, Basis]:
    """Cost and basis of the cheapest tree of one wavelet.

    `least` is how many samples an axis needs to be split, unless it has one and is left alone.
    """
    costs = {"": _cost(values, threshold, bits)}
    whole = costs[""][0]
    parts: dict[str, list[str]] = {}
    level = [(blocks.root(values.shape), values)]
    while level:
        splits = [
            (block, part)
            for block, part in level
            if blocks.can_split(block, axes)
            and all(block.sizes[axis] == 1 or block.sizes[axis] >= least for axis in axes)
            and _worth_trying(block, len(level), axes)
        ]
        level = []
        for block, part in splits:
            coefficients = transform.decompose(part, wavelet, 1, axes)
            children = blocks.children(block, axes)
            parts[block.path] = [child.path for child in children]
            for child, alone in zip(
                children, blocks.children(blocks.root(part.shape), axes), strict=True
            ):
                piece = np.ascontiguousarray(coefficients[alone.slices])
                costs[child.path] = _cost(piece, threshold, bits)
                level.append((child, piece))
    split: set[str] = set()
    # The longest paths first: whatever a block is split into has been decided before it.
    for path in sorted(parts, key=len, reverse=True):
        together = sum(costs[part][0] for part in parts[path])
        alone_cost, spread = costs[path]
        share = _SPLIT_SHARE
        if trained:
            share = _TRAINED_SPLIT_SHARE if path else _TRAINED_FIRST_SHARE
        if together < alone_cost - max(_MARGIN * spread, share * whole):
            costs[path] = together, spread
            split.add(path)
    return costs[""][0], _as_basis(wavelet, axes, values.shape, _rooted(split, parts))


def _worth_trying(block: blocks.Block, count: int, axes: Sequence[int]) -> bool:
    level = len(block.path) // len(axes)
    within = level < _PACKET_LEVELS and count << len(axes) <= _MOST_BLOCKS
    return "d" not in block.path or within


def _rooted(split: set[str], parts: dict[str, list[str]]) -> tuple[str, ...]:
    """Those of the split blocks whose parents are split too, each behind its parent."""
    found = []
    waiting = [""]
    while waiting:
        path = waiting.pop()
        if path in split:
            found.append(path)
            waiting.extend(reversed(parts[path]))
    return tuple(found)


def _as_basis(
    wavelet: str, axes: tuple[int, ...], shape: tuple[int, ...], splits: tuple[str, ...]
) -> Basis:
    if not splits:
        return identity(shape)
    level = max(len(path) for path in splits) // len(axes) + 1
    if splits == blocks.pyramid(shape, level, axes):
        return Basis(wavelet, level, axes, shape)
    return Basis(wavelet, level, axes, shape, splits)


def _bits_of_place(kept: float) -> float:
    share = min(max(kept, 1e-4), 0.5)
    entropy = -share * math.log2(share) - (1 - share) * math.log2(1 - share)
    return entropy / share + 2


def _length_factor(wavelet: str) -> float:
    return 1.0 + _TAP_SHARE * (_taps(wavelet) - 2)


def _taps(wavelet: str) -> int:
    """The length of a wavelet's longer filter, without padding zeros."""
    bank = families.filter_bank(wavelet)
    return int(max(map(np.count_nonzero, (bank.analysis_low, bank.analysis_high))))


def _cost(values: Array, threshold: float, bits: float) -> tuple[float, float]:
    """What the coefficients cost, in bits, and how far a sum of such terms spreads."""
    flat = values.reshape(-1)
    # Sums of stretches, so that the number of threads does not decide how they are rounded.
    sums = np.zeros((-(-flat.size // _STRETCH), 2))
    in_parallel(lambda a, b: _sum_costs(flat, threshold, bits, sums, a, b), len(sums), _PARALLEL)
    total, squares = sums.sum(axis=0).tolist()
    return total, math.sqrt(squares)


@compiled
def _sum_costs(
    values: Array, threshold: float, bits: float, sums: Array, first: int, last: int
) -> None:
    scale = 1.0 / threshold
    for stretch in range(first, last):
        for value in values[stretch * _STRETCH : (stretch + 1) * _STRETCH]:
            ratio = abs(value) * scale
            cost = bits * ratio * ratio if ratio < 1.0 else bits + math.log2(ratio)
            sums[stretch, 0] += cost
            sums[stretch, 1] += cost * cost
