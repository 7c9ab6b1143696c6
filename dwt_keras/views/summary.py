"""The last words of a run on the terminal."""

from __future__ import annotations

import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from dwt_keras.compression.shrink import Report
from dwt_keras.compression.targets import Target
from dwt_keras.views.tables import percent, table


def layer_table(report: Report) -> str:
    """One row a kernel: shape, basis, coefficients, zero fraction, energy kept; then the sum."""
    rows = [("kernel", "shape", "basis", "coefficients", "zeros", "energy kept")]
    for target in report.targets:
        rows.append(
            (
                target.path,
                "x".join(map(str, target.shape)),
                target.basis,
                f"{target.coefficients:,}",
                percent(target.zero_fraction),
                percent(target.energy_kept),
            )
        )
    total = sum(target.coefficients for target in report.targets)
    rows.append(
        (
            "all",
            "",
            "",
            f"{total:,}",
            percent(report.zero_fraction),
            percent(report.energy_kept),
        )
    )
    return table(rows, right_from=3)


def choice_table(targets: Sequence[Target]) -> str:
    """One row a kernel whose basis was chosen: the basis and its runner-up, with their costs.

    Returns:
        The table, "" where nothing was chosen.
    """
    rows = [("kernel", "basis chosen", "runner-up", "bytes, estimated", "runner-up's")]
    for target in targets:
        if target.choice is not None:
            rows.append(
                (
                    target.path,
                    str(target.choice.basis),
                    str(target.choice.runner_up),
                    f"{target.choice.cost:,.0f}",
                    f"{target.choice.runner_up_cost:,.0f}",
                )
            )
    return table(rows, right_from=3) if len(rows) > 1 else ""


def closing_lines(folder: Path, metrics: dict[str, Any], save_dir: str) -> str:
    """Test accuracy, where the run lies, and how to look at it, load it and serve it."""
    return "\n".join(
        (
            f"test accuracy: {metrics['test_accuracy']:.4f}",
            *_accuracy_drop(metrics),
            f"compact file:  {folder / 'model.dwtz'}, {_size(metrics)}",
            f"run folder:    {folder}",
            f"TensorBoard:   tensorboard --logdir {shlex.quote(save_dir)}",
            f'SavedModel:    tf.saved_model.load("{folder / "serving" / "1"}")'
            '.signatures["serving_default"]',
            *_fast(folder, metrics),
            f"service:       python -m dwt_keras serve {shlex.quote(str(folder))}",
        )
    )


def _fast(folder: Path, metrics: dict[str, Any]) -> list[str]:
    if "serving_fast" not in metrics["bytes"]:
        return []
    return [f"faster one:    {folder / 'serving_fast' / '1'}, the same on the rows that remain"]


def _accuracy_drop(metrics: dict[str, Any]) -> list[str]:
    found = metrics.get("accuracy_drop")
    if found is None:
        return []
    control = found["control_validation_accuracy"]
    said = "within" if found["within"] else "NOT WITHIN"
    return [
        f"accuracy drop: {control - found['validation_accuracy']:.4f} of the dense control's "
        f"validation accuracy, {control:.4f}: {said} what is allowed; test accuracy of the control "
        f"{found['control_test_accuracy']:.4f}"
    ]


def _size(metrics: dict[str, Any]) -> str:
    size, whole = metrics["bytes"]["dwtz"], metrics["bytes"]["float32"]
    return f"{size:,} bytes, {percent(size / whole)} of the weights as float32"
