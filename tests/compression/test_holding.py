"""A network that is trained on keeps its zeros."""

from __future__ import annotations

import numpy as np
import pytest

from dwt_keras import DWTCompression, hold_support
from dwt_keras.checks import ArgumentError
from dwt_keras.compression import shrink


@pytest.mark.parametrize("wavelet", ["haar", "bior4.4", "none"])
@pytest.mark.parametrize("settings", [{"target_bytes": 330}, {"threshold": 0.2}])
def test_zeros_stay_through_further_epochs(mlp, data, wavelet, settings):
    model = mlp()
    compression = DWTCompression(wavelet, **settings)
    model.fit(*data, callbacks=[compression], epochs=4, batch_size=8, verbose=0)
    zeros = shrink.measure(compression.targets).zero_fraction
    assert zeros > 0.1
    before = [target.read().copy() for target in compression.targets]
    with hold_support(model, compression.targets):
        model.fit(*data, epochs=10, batch_size=8, verbose=0)
    assert shrink.measure(compression.targets).zero_fraction == zeros
    for old, target in zip(before, compression.targets, strict=True):
        assert np.abs(target.read() - old).max() > 1e-3
    assert all(variable.constraint is None for variable in model.trainable_variables)
    model.fit(*data, epochs=1, batch_size=8, verbose=0)
    assert shrink.measure(compression.targets).zero_fraction < zeros


def test_frames_cannot_be_held(mlp, find):
    model = mlp()
    with (
        pytest.raises(ArgumentError, match=r"^kernels must have bases; hidden/kernel has .* mexh"),
        hold_support(model, find(model, "mexh").items),
    ):
        pass
