"""The table and lines at the end of a run."""

from __future__ import annotations

from pathlib import Path

from dwt_keras.compression.shrink import Report, TargetReport
from dwt_keras.compression.targets import Target
from dwt_keras.views import summary
from dwt_keras.wavelet.basis import Basis, identity
from dwt_keras.wavelet.best_basis import Choice


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
    metrics = {"test_accuracy": 0.94321, "bytes": {"dwtz": 1234, "float32": 40_000}}
    text = summary.closing_lines(Path("runs/x/001"), metrics, "runs")
    assert "runs/x/001/model.dwtz, 1,234 bytes, 3.08 % of the weights" in text
    assert "0.9432" in text
    assert "tensorboard --logdir runs" in text
    assert 'tf.saved_model.load("runs/x/001/serving/1")' in text
    assert "python -m dwt_keras serve runs/x/001" in text


def test_choice_table_has_a_row_a_kernel_whose_basis_was_chosen() -> None:
    shape = (28, 28, 128)
    plain = identity(shape)
    packets = Basis("sym4", 2, (0, 1), shape, ("", "ad"))
    haar = Basis("haar", 3, (0, 1), shape)
    chosen = [
        Target("a", "kernel", None, (0, 1), packets, "", Choice(packets, 12345.6, haar, 23456.4)),
        Target("b", "kernel", None, (0, 1), plain),
        Target("c", "kernel", None, (0, 1), plain, "", Choice(plain, 7.0, plain, 7.0)),
    ]
    rows = summary.choice_table(chosen).splitlines()
    heading = "kernel basis chosen runner-up bytes, estimated runner-up's"
    assert rows[0].split() == heading.split()
    assert set(rows[1]) == {"-", " "}
    expected = "a/kernel sym4 packets 2 over 28x28 haar 3 over 28x28 12,346 23,456"
    assert rows[2].split() == expected.split()
    assert rows[3].split() == "c/kernel none none 7 7".split()
    assert len(rows) == 4
    assert len({len(row) for row in rows}) == 1


def test_choice_table_is_empty_where_nothing_was_chosen() -> None:
    haar = Basis("haar", 1, (0, 1), (4, 4))
    assert summary.choice_table([Target("a", "kernel", None, (0, 1), haar)]) == ""
    assert summary.choice_table([]) == ""
