"""The tables by which the entropy coder reckons."""

from __future__ import annotations

import numpy as np

from dwt_keras.coding import entropy, models
from dwt_keras.coding import levels as coded_levels


def test_squash_rises_and_is_symmetric_within_its_clamps():
    squash = models.SQUASH.astype(np.int64)
    assert squash.shape == (2 * models.LIMIT + 1,)
    assert (np.diff(squash) >= 0).all()
    assert (squash[0], squash[models.LIMIT], squash[-1]) == (3, 32768, 65533)
    # Where its slope is above one for each step no two are alike.
    inside = (squash > 512) & (squash < 65024)
    assert (np.diff(squash[inside]) > 0).all()
    both = squash + squash[::-1]
    assert (np.abs(both - 65536) <= 1).all()
    x = np.arange(-models.LIMIT, models.LIMIT + 1) / 256
    exact = np.clip(65536 / (1 + np.exp(-x)), 3, 65533)
    assert np.abs(squash - exact).max() <= 0.51


def test_stretch_inverts_squash():
    stretch = models.STRETCH.astype(np.int64)
    assert stretch.shape == (1 << 14,)
    assert (np.diff(stretch) >= 0).all()
    assert (np.abs(stretch) <= models.LIMIT).all()
    middles = 4 * np.arange(1 << 14) + 2
    # The first logistic value whose probability reaches the middle of the four.
    reached = models.SQUASH[stretch + models.LIMIT]
    inside = middles <= 65533
    assert (reached[inside] >= middles[inside]).all()
    below = models.SQUASH[np.maximum(stretch + models.LIMIT - 1, 0)]
    assert ((below < middles) | (stretch == -models.LIMIT)).all()
    wide = (middles > 256) & (middles < 65280)
    exact = 256 * np.log(middles[wide] / (65536 - middles[wide]))
    assert np.abs(stretch[wide] - exact).max() <= 1.01


def test_means_are_powers_of_the_sixteenth_root_of_two():
    means = models.MEANS
    assert len(means) == 256
    np.testing.assert_allclose(means, 16 * 2.0 ** (np.arange(256) / 16), atol=1, rtol=0)
    assert (np.diff(means) >= 0).all()
    np.testing.assert_array_equal(means[:65:16], [16, 31, 63, 127, 255])  # Rounded down.


def test_every_slot_finds_its_place_in_stretch():
    shares = (entropy._LEAST_SHARE, entropy._LARGEST_SHARE)
    step = models.steps(3, 250)
    for start in (models.HALF, *(np.int32(share << 14) for share in shares)):
        for goal in (0, (1 << 22) - 1):
            slot = start
            for _ in range(3000):
                slot = models.updated(slot, goal, step)
                assert 0 <= int(slot) >> 16 < len(models.STRETCH)


def test_a_step_shrinks_with_the_bits_seen_and_stays_from_the_limit_on():
    step = models.steps(9, 100)
    n = np.arange(256)
    np.testing.assert_allclose(step, 65536 / (np.minimum(n, 100) + 4.5), atol=1)
    assert (coded_levels.STEPS > 0).all()
    # A whole step at the most, so that no slot leaves its range.
    assert (coded_levels.STEPS <= 65536).all()
