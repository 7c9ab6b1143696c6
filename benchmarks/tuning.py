"""What a Bayesian search finds, against a grid of the same cost: the Fashion-MNIST MLP.

    python benchmarks/tuning.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES --results=FOLDER

Searches wavelet, level, threshold and batch size for accuracy and bytes in 20 trials of 3 epochs,
once by --search=bayesian over the whole space and once by a grid of 20 points in it, for each of
three seeds. Prints the hypervolumes of both fronts and their ratio: the area of accuracy and bytes
that a front dominates, down to a reference point. One reference is the worst accuracy and the worst
size of all 40 trials of a seed, the other one stays the same: accuracy 0.8 and 100,000 bytes.

Trains what is missing in the folder of results (about two hours on one core), so that it can be
stopped and called again; `--only=PATTERN` makes some of it, as grid-*.
"""

from __future__ import annotations

import argparse
import csv
import fnmatch
import statistics
import subprocess
from pathlib import Path

import runs

from dwt_keras.views.tables import table

TRIALS = 20
SPACES = {
    "grid": "wavelet=haar,sym2 level=1,3 threshold=1e-3..1e-1:log:5 batch_size=64",
    "bayesian": (
        "wavelet=haar,sym2,bior4.4 level=1..4 threshold=1e-3..1e-1:log batch_size=32,64,128"
    ),
}
FIXED = (0.8, 100_000.0)

# Validation accuracy and bytes of a trial.
Point = tuple[float, float]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="*", help="names of what to train, as bayesian-0")
    options = parser.parse_args()
    for seed in range(options.seeds):
        for search in SPACES:
            if fnmatch.fnmatch(f"{search}-{seed}", options.only):
                make(search, seed, options)
    rows: list[tuple[str, ...]] = [("seed", "reference", *SPACES, "ratio")]
    ratios: dict[str, list[float]] = {}
    for seed in range(options.seeds):
        found = {search: points(search, seed, options.results) for search in SPACES}
        if not all(found.values()):
            continue
        both = [point for each in found.values() for point in each]
        worst = (min(each[0] for each in both), max(each[1] for each in both))
        for name, reference in (("worst of both", worst), ("0.8, 100,000 bytes", FIXED)):
            volumes = {search: hypervolume(each, reference) for search, each in found.items()}
            ratio = volumes["bayesian"] / volumes["grid"]
            ratios.setdefault(name, []).append(ratio)
            shown = (f"{volumes[search]:,.1f}" for search in SPACES)
            rows.append((str(seed), name, *shown, f"{ratio:.3f}"))
    for name, several in ratios.items():
        rows.append(("mean", name, "", "", f"{statistics.mean(several):.3f}"))
    print(table(rows, right_from=2))


def make(search: str, seed: int, options: argparse.Namespace) -> None:
    """Makes a study, or goes on with it, unless it is complete."""
    folder = options.results / f"{search}-{seed}"
    if list(folder.glob("*/studies/*/study.json")):
        return
    flags = {
        "dataset": "fashion_mnist",
        "data_dir": options.data_dir,
        "epochs": 3,
        "seed": seed,
        "trials": TRIALS,
        "search": search,
        "space": SPACES[search],
        "objectives": "accuracy,bytes",
        "save_dir": folder,
        "resume": "auto",
    }
    subprocess.run(runs.command(flags), check=True)


def points(search: str, seed: int, results: Path) -> list[Point]:
    """What the complete trials of a study came to; none where it is not complete."""
    found: list[Point] = []
    for path in (results / f"{search}-{seed}").glob("*/studies/*/trials.csv"):
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                if row["state"] == "complete":
                    found.append((float(row["validation_accuracy"]), float(row["bytes"])))
    return found


def hypervolume(found: list[Point], reference: Point) -> float:
    """The area of accuracy times bytes that points dominate, down to a reference point."""
    area, reached = 0.0, reference[0]
    # From the smallest: each adds what it is more accurate than all that are smaller.
    for accuracy, size in sorted(found, key=lambda point: (point[1], -point[0])):
        if accuracy > reached and size < reference[1]:
            area += (accuracy - reached) * (reference[1] - size)
            reached = accuracy
    return area


if __name__ == "__main__":
    main()
