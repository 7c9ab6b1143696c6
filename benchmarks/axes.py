"""Transform over height and width, over the raw matrix, or not at all, at the same zeros.

    python benchmarks/axes.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES

Runs train.py's run with configs/fashion_mnist_mlp.cfg for each choice and seed, and prints the
test accuracy of what ships. Support held and cubic ramp for all three.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import statistics
import tempfile

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

from dwt_keras.settings import Settings
from dwt_keras.training import run
from dwt_keras.views import summary

COMMON = {
    "dataset": "fashion_mnist",
    "level": 3,
    "threshold_rule": "quantile",
    "batch_size": 128,
    "epochs": 15,
    "validation_fraction": 0.08334,
}
CHOICES = {
    "haar over height and width (--axes=auto)": {"wavelet": "haar"},
    "haar over the matrix (--axes=matrix)": {"wavelet": "haar", "axes": "matrix"},
    "plain pruning (--wavelet=none)": {"wavelet": "none"},
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--zeros", type=float, nargs="+", default=[0.95])
    options = parser.parse_args()
    rows = [("basis", "zeros", "test accuracy, mean", "lowest", "highest", "s a run")]
    for zeros in options.zeros:
        for name, choice in CHOICES.items():
            accuracies, fractions, seconds = [], [], []
            for seed in range(options.seeds):
                with (
                    tempfile.TemporaryDirectory() as folder,
                    contextlib.redirect_stdout(io.StringIO()),
                ):
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
                    metrics = run.run(settings).metrics
                accuracies.append(metrics["test_accuracy"])
                fractions.append(metrics["zero_fraction"])
                seconds.append(metrics["seconds"]["total"])
            rows.append(
                (
                    name,
                    f"{min(fractions):.4f}",
                    f"{statistics.mean(accuracies):.4f}",
                    f"{min(accuracies):.4f}",
                    f"{max(accuracies):.4f}",
                    f"{statistics.mean(seconds):.0f}",
                )
            )
            print(" | ".join(rows[-1]), flush=True)
    print()
    print(summary.table(rows, right_from=1))


if __name__ == "__main__":
    main()
