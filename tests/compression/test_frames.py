"""Kernels that are shrunk in redundant frames."""

from __future__ import annotations

import keras
import numpy as np
import pytest
from watched import BATCHES, On, fit

from dwt_keras import DWTCompression
from dwt_keras.compression import shrink

FRAMES = {"morl": "float32", "cmor1.5-1.0": "complex64"}
FRAME_RULES = {
    "absolute": {"threshold": 0.1},
    "quantile": {"threshold": 0.7, "ramp": "constant"},
    "bayes": {},
}


@pytest.mark.parametrize("rule", FRAME_RULES)
@pytest.mark.parametrize("wavelet", FRAMES)
def test_of_a_frame_the_zeros_before_synthesis_are_counted(mlp, data, wavelet, rule, monkeypatch):
    model = mlp()
    callback = DWTCompression(wavelet, 2, threshold_rule=rule, **FRAME_RULES[rule])
    before, constraints = {}, []
    original = shrink.shrink

    def watched(found, *args, **kwargs):
        before.update((one, one.read().copy()) for one in found)
        return original(found, *args, **kwargs)

    def note(batch, logs):
        constraints.append(model.get_layer("hidden").kernel.constraint)

    monkeypatch.setattr(shrink, "shrink", watched)
    history = fit(model, data, callback, On(train_batch_end=note), epochs=2).history

    hidden, classes = callback.targets
    assert hidden.basis.is_frame
    assert classes.basis.is_identity
    coefficients = [one.basis.decompose(before[one]) for one in callback.targets]
    assert coefficients[0].dtype == FRAMES[wavelet]
    rows = callback.report.targets
    assert [row.coefficients for row in rows] == [part.size for part in coefficients]
    assert rows[0].coefficients == len(coefficients[0]) * 64 * 6 > 64 * 6
    if rule != "bayes":
        for one, part, row in zip(callback.targets, coefficients, rows, strict=True):
            part[np.abs(part) < row.threshold] = 0
            assert row.zeros == np.count_nonzero(part == 0)
            kernel = one.basis.reconstruct(part, one.variable.shape, np.dtype(np.float32))
            np.testing.assert_allclose(one.read(), kernel, rtol=0, atol=1e-6)
    total = sum(row.coefficients for row in rows)
    if rule == "quantile":
        assert sum(row.zeros for row in rows) == round(0.7 * total)
        assert rows[0].threshold == rows[1].threshold
    assert rows[0].zeros > 0
    assert callback.report.zero_fraction == sum(row.zeros for row in rows) / total
    assert callback.report.zero_fraction_by_layer["hidden"] == rows[0].zero_fraction
    assert history["zero_fraction"][-1] == callback.report.zero_fraction
    # The coefficients of what is synthesised are other ones.
    again = hidden.basis.decompose(hidden.read())
    assert np.count_nonzero(np.abs(again) < 1e-6) < 0.5 * rows[0].zeros
    assert callback.settings.hold_support is False
    assert constraints == [None] * 2 * BATCHES


def test_a_frame_spares_its_approximation_where_that_is_wanted(mlp, data):
    model = mlp(keras.optimizers.SGD(0.0))
    kernel = model.get_layer("hidden").kernel
    before = kernel.numpy()
    callback = DWTCompression("morl", 2, 100.0, keep_approximation=True)
    fit(model, data, callback)
    hidden = callback.targets[0]
    coefficients = hidden.basis.decompose(before)
    coefficients[1:] = 0
    expected = hidden.basis.reconstruct(coefficients, (64, 6), np.dtype(np.float32))
    np.testing.assert_allclose(kernel.numpy(), expected, rtol=0, atol=1e-6)
    assert np.abs(expected).max() > 0.01
    row = callback.report.targets[0]
    assert row.coefficients - row.zeros == 64 * 6
