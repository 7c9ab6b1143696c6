"""Bases compared at the same zeros: over which axes, and which wavelet.

    python benchmarks/bases.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES

Runs train.py's run with configs/fashion_mnist_mlp.cfg for each choice and seed, and prints the
test accuracy of what ships, with its standard error over the seeds. Support held and cubic ramp for
all. `--table=axes` compares height and width with the raw matrix, `--table=wavelets` the chosen
basis with given ones.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from runs import FASHION_MNIST

from dwt_keras.settings import Settings
from dwt_keras.training import run, telling
from dwt_keras.views import tables

COMMON = {
    **FASHION_MNIST,
    "threshold_rule": "quantile",
    "epochs": 15,
    # Bases are compared, not coders.
    "coding_accuracy_drop": 0.0,
}
TABLES: dict[str, dict[str, dict[str, object]]] = {
    "axes": {
        "haar 3 over height and width (--axes=auto)": {"wavelet": "haar", "level": 3},
        "haar 3 over the matrix (--axes=matrix)": {"wavelet": "haar", "level": 3, "axes": "matrix"},
        "plain pruning (--wavelet=none)": {"wavelet": "none"},
    },
    "wavelets": {
        "haar 3": {"wavelet": "haar", "level": 3},
        "sym2 2": {"wavelet": "sym2", "level": 2},
        "bior4.4 2": {"wavelet": "bior4.4", "level": 2},
        "none": {"wavelet": "none"},
        "auto": {"wavelet": "auto"},
    },
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--zeros", type=float, nargs="+", default=[0.95, 0.98])
    parser.add_argument("--table", choices=TABLES, default="wavelets")
    options = parser.parse_args()
    rows = [
        ("basis", "zeros", "test accuracy, mean", "s.e.", "lowest", "highest", "s a run", "chosen")
    ]
    for zeros in options.zeros:
        for name, choice in TABLES[options.table].items():
            accuracies, fractions, seconds, chosen = [], [], [], []
            for seed in range(options.seeds):
                with tempfile.TemporaryDirectory() as folder, telling.quietly():
                    settings = Settings.from_flat(
                        {
                            **COMMON,
                            **choice,
                            "threshold": zeros,
                            "seed": seed,
                            "data_dir": options.data_dir,
                            "save_dir": folder,
                        }
                    )
                    result = run.run(settings)
                metrics = result.metrics
                accuracies.append(metrics["test_accuracy"])
                fractions.append(metrics["zero_fraction"])
                seconds.append(metrics["seconds"]["total"])
                chosen += [str(t.basis) for t in result.targets if t.choice and t.axes]
            rows.append(
                (
                    name,
                    f"{min(fractions):.4f}",
                    f"{statistics.mean(accuracies):.4f}",
                    f"{standard_error(accuracies):.4f}",
                    f"{min(accuracies):.4f}",
                    f"{max(accuracies):.4f}",
                    f"{statistics.mean(seconds):.0f}",
                    ", ".join(dict.fromkeys(chosen)),
                )
            )
            print(" | ".join(rows[-1]), flush=True)
    print()
    print(tables.table(rows, right_from=1))


def standard_error(values: list[float]) -> float:
    return statistics.stdev(values) / len(values) ** 0.5 if len(values) > 1 else float("nan")


if __name__ == "__main__":
    main()
