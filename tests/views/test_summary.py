"""The table and lines at the end of a run."""

from __future__ import annotations

from pathlib import Path

from dwt_keras.compression.shrink import Report, TargetReport
from dwt_keras.views import summary


def test_layer_table_has_a_row_a_kernel_and_their_sum() -> None:
    report = Report(
        (
            TargetReport("a/kernel", "a", (64, 128), "haar 1 over 8x8", 8192, 4096, 4.0, 3.0, 0.1),
            TargetReport("b/kernel", "b", (128, 10), "none", 1280, 0, 1.0, 1.0, 0.1),
        )
    )
    rows = summary.layer_table(report).splitlines()
    assert rows[0].split() == "kernel shape basis coefficients zeros energy kept".split()
    assert rows[2].split() == "a/kernel 64x128 haar 1 over 8x8 8,192 50.00 % 75.00 %".split()
    assert rows[3].split() == "b/kernel 128x10 none 1,280 0.00 % 100.00 %".split()
    assert rows[4].split() == "all 9,472 43.24 % 80.00 %".split()


def test_closing_lines_say_how_to_go_on() -> None:
    text = summary.closing_lines(Path("runs/x/001"), {"test_accuracy": 0.94321}, "runs")
    assert "0.9432" in text
    assert "tensorboard --logdir runs" in text
    assert 'tf.saved_model.load("runs/x/001/serving/1")' in text
