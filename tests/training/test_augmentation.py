"""Variations of training samples: what each does, that seeds repeat, and that labels follow."""

from __future__ import annotations

import numpy as np
import pytest
import tensorflow as tf
from scipy import stats

from dwt_keras.settings import Settings
from dwt_keras.settings.augmentation import AugmentationSettings
from dwt_keras.training import augmentation, soft_labels

COUNT, SIDE = 64, 12


def images(count=COUNT):
    return np.random.default_rng(0).random((count, SIDE, SIDE, 2), np.float32)


def varied(augment, samples, labels=None, seed=0, passes=1, batch=16):
    labels = np.arange(len(samples)) if labels is None else labels
    batches = tf.data.Dataset.from_tensor_slices((samples, labels)).batch(batch)
    stream = augmentation.varied(batches, AugmentationSettings(augment=augment), seed)
    found = []
    for _ in range(passes):
        parts = list(stream.as_numpy_iterator())
        found.append(tuple(np.concatenate(part) for part in zip(*parts, strict=True)))
    assert stream.element_spec[0].shape[1:] == samples.shape[1:]
    return found[0] if passes == 1 else found


EVERY = "flip,rotate=10,shift=0.1,zoom=0.1,noise=0.05,cutout=0.25,mixup=0.2"


@pytest.mark.parametrize("augment", EVERY.split(","))
def test_the_same_seed_gives_the_same_stream_and_each_pass_another(augment):
    labels = np.eye(COUNT, dtype=np.float32)
    first, second = varied(augment, images(), labels, seed=3, passes=2)
    again = varied(augment, images(), labels, seed=3, passes=2)
    np.testing.assert_array_equal(first[0], again[0][0])
    np.testing.assert_array_equal(second[0], again[1][0])
    assert not np.array_equal(first[0], second[0])
    assert not np.array_equal(first[0], varied(augment, images(), labels, seed=4)[0])
    assert not np.array_equal(first[0], images())


def test_nothing_asked_for_changes_nothing():
    found, labels = varied(None, images())
    np.testing.assert_array_equal(found, images())
    np.testing.assert_array_equal(labels, np.arange(COUNT))


def test_flip_mirrors_about_every_second_image():
    given = images(400)
    found, labels = varied("flip", given)
    mirrored = [
        np.allclose(one, other[:, ::-1], atol=1e-6) for one, other in zip(found, given, strict=True)
    ]
    kept = [np.allclose(one, other, atol=1e-6) for one, other in zip(found, given, strict=True)]
    assert all(one != other for one, other in zip(mirrored, kept, strict=True))
    assert 150 < sum(mirrored) < 250
    np.testing.assert_array_equal(labels, np.arange(400))


def test_shift_moves_by_whole_pixels_and_fills_with_zeros():
    given = images(200) + 1  # No pixel is zero.
    found, _ = varied("shift=0.25", given)
    moves = set()
    for one, other in zip(found, given, strict=True):
        rows, columns = one.any(axis=(1, 2)), one.any(axis=(0, 2))
        down = SIDE - rows.sum() if not rows[0] else rows.sum() - SIDE
        across = SIDE - columns.sum() if not columns[0] else columns.sum() - SIDE
        expected = np.zeros_like(other)
        to = np.ix_(rows, columns)
        source = np.ix_(np.flatnonzero(rows) - down, np.flatnonzero(columns) - across)
        expected[to] = other[source]
        np.testing.assert_allclose(one, expected, atol=1e-6)
        moves.add((int(down), int(across)))
    assert {abs(move) for pair in moves for move in pair} == {0, 1, 2, 3}
    assert len(moves) > 30


def test_a_signal_is_shifted_in_time():
    given = np.random.default_rng(0).random((100, 20, 3), np.float32) + 1
    found, _ = varied("shift=0.2", given)
    moves = set()
    for one, other in zip(found, given, strict=True):
        (move,) = [
            move
            for move in range(-4, 5)
            if np.allclose(
                one[max(move, 0) : 20 + min(move, 0)],
                other[max(-move, 0) : 20 + min(-move, 0)],
                atol=1e-6,
            )
        ]
        assert (one == 0).all(axis=1).sum() == abs(move)
        moves.add(move)
    assert moves == set(range(-4, 5))


def angles_and_sizes(augment):
    """Of a bar through the middle, long and thin, after variation."""
    bar = np.zeros((200, 41, 41, 1), np.float32)
    bar[:, 20, 10:31] = 1
    found, _ = varied(augment, bar)
    y, x = np.mgrid[-20:21, -20:21]
    weights = found[..., 0] / found[..., 0].sum(axis=(1, 2), keepdims=True)
    xx, yy, xy = ((weights * part).sum(axis=(1, 2)) for part in (x * x, y * y, x * y))
    return np.degrees(np.arctan2(2 * xy, xx - yy) / 2), np.sqrt(xx + yy) / np.sqrt(36.7)


def test_rotate_turns_either_way_up_to_so_many_degrees():
    angles, sizes = angles_and_sizes("rotate=20")
    assert 17 < angles.max() < 20.5 and -20.5 < angles.min() < -17
    assert np.abs(angles.mean()) < 3
    np.testing.assert_allclose(sizes, 1, atol=0.03)


def test_zoom_scales_in_and_out():
    angles, sizes = angles_and_sizes("zoom=0.3")
    assert np.abs(angles).max() < 1
    assert 1.2 < sizes.max() < 1.35 and 0.65 < sizes.min() < 0.8


def test_noise_has_the_deviation_and_is_not_cut_off():
    given = np.zeros((50, SIDE, SIDE, 2), np.float32)
    found, _ = varied("noise=0.05", given)
    assert found.std() == pytest.approx(0.05, rel=0.05)
    assert abs(found.mean()) < 0.002
    assert found.min() < -0.1


def test_cutout_sets_a_square_to_zero():
    given = images(100) + 1
    found, _ = varied("cutout=0.25", given)
    areas = []
    for one, other in zip(found, given, strict=True):
        gone = (one == 0).all(axis=2)
        rows, columns = np.flatnonzero(gone.any(axis=1)), np.flatnonzero(gone.any(axis=0))
        assert gone[np.ix_(rows, columns)].all()
        assert gone.sum() == len(rows) * len(columns)
        np.testing.assert_array_equal(one[~gone], other[~gone])
        assert max(len(rows), len(columns)) <= 3
        areas.append(int(gone.sum()))
    assert max(areas) == 9 and min(areas) < 9


def test_mixup_mixes_labels_as_samples():
    # Samples that tell their label: one-hot.
    eye = np.eye(COUNT, dtype=np.float32)
    found, labels = varied("mixup=0.4", eye, eye)
    np.testing.assert_allclose(found, labels, atol=1e-6)
    np.testing.assert_allclose(labels.sum(axis=1), 1, atol=1e-5)
    assert ((labels > 0).sum(axis=1) <= 2).all()
    shares = np.diag(labels)
    assert shares.std() > 0.2 and 0.3 < shares.mean() < 0.7


@pytest.mark.parametrize("alpha", [0.2, 1.0, 4.0])
def test_mixup_draws_from_beta(alpha):
    eye = np.eye(2000, dtype=np.float32)
    _, labels = varied(f"mixup={alpha}", np.zeros((2000, 1), np.float32), eye, batch=1000)
    assert stats.kstest(np.diag(labels), stats.beta(alpha, alpha).cdf).pvalue > 0.01


def test_mixup_of_a_tiny_alpha_leaves_samples_whole():
    found, labels = varied("mixup=1e-6", images(), np.eye(COUNT, dtype=np.float32))
    assert np.isfinite(found).all() and np.isfinite(labels).all()
    np.testing.assert_allclose(labels.max(axis=1), 1, atol=1e-4)


def test_features_take_noise_and_mixup():
    found, _ = varied(
        "noise=0.1,mixup=0.5", np.ones((32, 5), np.float32), np.eye(32, dtype=np.float32)
    )
    assert found.shape == (32, 5)


def test_labels_become_shares():
    batches = tf.data.Dataset.from_tensor_slices((np.zeros((4, 1)), [0, 2, 1, 1])).batch(4)
    for smoothing in (0.0, 0.3):
        ((_, shares),) = soft_labels.smoothed(batches, 3, smoothing)
        expected = np.eye(3)[[0, 2, 1, 1]] * (1 - smoothing) + smoothing / 3
        np.testing.assert_allclose(shares, expected, atol=1e-6)


@pytest.mark.parametrize(
    ("values", "needed"),
    [
        ({}, False),
        ({"augment": "flip"}, False),
        ({"augment": "flip,mixup=1"}, True),
        ({"label_smoothing": 0.1}, True),
    ],
)
def test_when_labels_must_be_shares(values, needed):
    assert soft_labels.are_needed(Settings.from_flat(values)) is needed
