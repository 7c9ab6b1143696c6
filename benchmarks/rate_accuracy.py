"""Bytes against accuracy: this project, plain pruning, NNCodec and tfmot, on the same networks.

    python benchmarks/rate_accuracy.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES \\
        --results=FOLDER [--network=mlp] [--nncodec_python=PYTHON] [--tfmot_python=PYTHON]

Trains what is missing in the folder of results, one network at a time and the first seeds first, so
that it can be stopped (or given `--minutes`) and called again; `--only=PATTERN` trains some of it,
so that two processes can share the work. Prints the table and, with
`--plot=FILE.png`, draws it (by matplotlib). All networks have the same number of epochs; the test
part reports, and nothing was chosen by it. Bytes are whole files of weights alone; what the
architecture adds is stated. `--nncodec_python` and `--tfmot_python` name Pythons that have nncodec
2.1.3 and tensorflow-model-optimization 0.8.1 with tf-keras; without them their rows are left out.
"""

from __future__ import annotations

import argparse
import fnmatch
import itertools
import json
import math
import os
import statistics
import subprocess
import tempfile
import time
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import coder_bytes
import runs

from dwt_keras.coding import container
from dwt_keras.compression import layout, sections
from dwt_keras.views.tables import table

EPOCHS = {"mlp": 30, "cnn": 13}
# Sizes of whole files, the architecture's bytes included.
TARGETS = {
    "mlp": (1250, 1740, 2940, 4740, 7500, 11040),
    "cnn": (8600, 18100, 60100),
}
BARS = {
    "mlp": ((0.890, 11000), (0.880, 4700), (0.873, 2900), (0.858, 1700)),
    "cnn": ((0.928, 60000), (0.922, 18000), (0.914, 8500)),
}
# Curve -> --wavelet.
CURVES = {"wavelet": "auto", "none": "none"}
TFMOT_ZEROS = {"mlp": (0.8, 0.9, 0.95), "cnn": (0.9, 0.95, 0.98)}
TITLES = {
    "wavelet": "wavelets, --wavelet=auto",
    "none": "pruning, --wavelet=none",
    "nncodec": "pruning, coded by NNCodec",
    "tfmot": "tfmot, gzip",
    "dense": "dense control, float32",
}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--network", choices=EPOCHS, default="mlp")
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--only", default="*", help="names of what to train, as wavelet-*-0")
    parser.add_argument("--minutes", type=float, default=math.inf, help="begin nothing after that")
    parser.add_argument("--nncodec_python")
    parser.add_argument("--tfmot_python")
    parser.add_argument("--plot", type=Path)
    options = parser.parse_args()
    folder = options.results / options.network
    folder.mkdir(parents=True, exist_ok=True)
    ends = time.monotonic() + 60 * options.minutes
    for name, point in points(options):
        if (folder / f"{name}.json").exists() or not fnmatch.fnmatch(name, options.only):
            continue
        if time.monotonic() > ends:
            print("more is to be trained: call it again")
            break
        started = time.monotonic()
        record = point(folder / name)
        write(folder / f"{name}.json", record)
        print(f"{name}: {summary(record)}, {time.monotonic() - started:.0f} s", flush=True)
    found = read(folder)
    if options.nncodec_python:
        add_nncodec(folder, found, options.nncodec_python)
    print(table(rows(found), right_from=1))
    print()
    print(table(bars(options.network, found), right_from=1))
    if options.plot:
        draw(options.network, found, options.plot)


def points(options: argparse.Namespace) -> list[tuple[str, Any]]:
    """What is to be trained: a name, and a function from a path to a record."""
    network = options.network
    found: list[tuple[str, Any]] = []
    for seed in range(options.seeds):
        common = {**runs.FASHION_MNIST, "model": network, "epochs": EPOCHS[network], "seed": seed}
        common["data_dir"] = options.data_dir

        def dense(path: Path, common: dict[str, Any] = common) -> dict[str, Any]:
            flags = {**common, "threshold": 0, "learning_rate_schedule": "cosine"}
            record = train({**flags, "wavelet": "none"}, path)
            return {**record, "bytes": record["float32"]}

        found.append((f"dense-0-{seed}", dense))
        for target in TARGETS[network]:
            for curve, wavelet in CURVES.items():

                def run(
                    path: Path,
                    common: dict[str, Any] = common,
                    target: int = target,
                    wavelet: str = wavelet,
                ) -> dict[str, Any]:
                    flags = {**common, "target_bytes": target, "wavelet": wavelet}
                    return train(flags, path)

                found.append((f"{curve}-{target}-{seed}", run))
        if options.tfmot_python:
            for zeros in TFMOT_ZEROS[network]:

                def tfmot(path: Path, zeros: float = zeros, seed: int = seed) -> dict[str, Any]:
                    runner = Path(__file__).with_name("tfmot_runner.py")
                    arguments = [options.data_dir, network, zeros, EPOCHS[network], seed]
                    command = [options.tfmot_python, runner, *arguments]
                    done = subprocess.run(
                        list(map(str, command)), check=True, stdout=subprocess.PIPE, text=True
                    )
                    record: dict[str, Any] = json.loads(done.stdout.splitlines()[-1])
                    return record

                found.append((f"tfmot-{zeros}-{seed}", tfmot))
    return found


def train(flags: dict[str, Any], path: Path) -> dict[str, Any]:
    """One run of train.py; keeps its compact file beside the record."""
    with tempfile.TemporaryDirectory() as save_dir:
        runs.train({**flags, "save_dir": save_dir})
        folder = runs.folder_of(Path(save_dir))
        metrics, bases = runs.metrics_of(folder), runs.bases_of(folder)
        data = (folder / "model.dwtz").read_bytes()
    path.with_suffix(".dwtz").write_bytes(data)
    return {
        "bytes": metrics["bytes"]["dwtz_weights"],
        "with_architecture": metrics["bytes"]["dwtz"],
        "float32": metrics["bytes"]["float32"],
        "test_accuracy": metrics["test_accuracy"],
        "zero_fraction": metrics["zero_fraction"],
        "seconds": metrics["seconds"]["train"],
        "bases": [f"{basis['wavelet']} {basis['level']}" for basis in bases.values()],
    }


def add_nncodec(folder: Path, found: dict[str, dict[str, Any]], python: str) -> None:
    """The same integers as those of plain pruning, coded by NNCodec."""
    cache = folder / "nncodec.json"
    sizes: dict[str, int] = json.loads(cache.read_text()) if cache.exists() else {}
    names = [name for name in found if name.startswith("none-") and name not in sizes]
    sets = {}
    for name in names:
        file = sections.opened((folder / f"{name}.dwtz").read_bytes(), container.UNLIMITED)
        sets[name] = [
            tensor
            for tensor in layout.decoded(file)
            if tensor.levels is not None and len(tensor.shape) > 1
        ]
    if sets:
        sizes |= coder_bytes.nncodec_sizes(sets, python)
        write(cache, sizes)
    for name, size in sizes.items():
        # Kernels alone: biases and names are left out to NNCodec's advantage.
        found[name.replace("none-", "nncodec-")] = {**found[name], "bytes": size}


def read(folder: Path) -> dict[str, dict[str, Any]]:
    return {path.stem: json.loads(path.read_text()) for path in sorted(folder.glob("*-*.json"))}


def write(path: Path, record: Any) -> None:
    temporary = path.with_suffix(".new")
    temporary.write_text(json.dumps(record))
    temporary.replace(path)


def summary(record: dict[str, Any]) -> str:
    return f"{record['bytes']:,} bytes, test accuracy {record['test_accuracy']:.4f}"


def grouped(found: dict[str, dict[str, Any]]) -> dict[str, dict[str, list[dict[str, Any]]]]:
    """Records by curve and rate, a list of seeds each."""
    groups: dict[str, dict[str, list[dict[str, Any]]]] = {}
    for name, record in found.items():
        curve, rate, _ = name.split("-")
        groups.setdefault(curve, {}).setdefault(rate, []).append(record)
    return {
        curve: dict(sorted(groups[curve].items(), key=lambda pair: mean(pair[1], "bytes")))
        for curve in TITLES
        if curve in groups
    }


def mean(records: list[dict[str, Any]], key: str) -> float:
    return statistics.mean(record[key] for record in records)


def rows(found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    lines: list[tuple[str, ...]] = [
        ("", "bytes", "test accuracy", "lowest", "highest", "seeds", "zeros", "s", "bases")
    ]
    for curve, rates in grouped(found).items():
        for records in rates.values():
            accuracies = [record["test_accuracy"] for record in records]
            bases = dict.fromkeys(record["bases"][0] for record in records if "bases" in record)
            lines.append(
                (
                    TITLES[curve],
                    f"{mean(records, 'bytes'):,.0f}",
                    f"{statistics.mean(accuracies):.4f}",
                    f"{min(accuracies):.4f}",
                    f"{max(accuracies):.4f}",
                    str(len(records)),
                    f"{100 * mean(records, 'zero_fraction'):.1f} %",
                    f"{mean(records, 'seconds'):.0f}",
                    ", ".join(bases),
                )
            )
    return lines


def curve_points(found: dict[str, dict[str, Any]], curve: str) -> list[tuple[float, float]]:
    """Bytes and accuracy, means over the seeds."""
    rates = grouped(found).get(curve, {})
    return [(mean(each, "bytes"), mean(each, "test_accuracy")) for each in rates.values()]


def bars(network: str, found: dict[str, dict[str, Any]]) -> list[tuple[str, ...]]:
    """At the largest file within each bar: its accuracy, and what pruning needs for the same."""
    lines: list[tuple[str, ...]] = [
        ("aimed at", "bytes", "test accuracy", "reached", "pruning's bytes there", "ratio")
    ]
    pruned = curve_points(found, "none")
    for accuracy, most in BARS[network]:
        within = [point for point in curve_points(found, "wavelet") if point[0] <= most]
        if not within:
            continue
        size, reached = max(within)
        needed = bytes_for(pruned, reached)
        lines.append(
            (
                f"{accuracy} at {most:,}",
                f"{size:,.0f}",
                f"{reached:.4f}",
                "yes" if reached >= accuracy else "no",
                f"{needed:,.0f}"
                if needed
                else f"more than {max(pruned)[0]:,.0f}"
                if pruned
                else "",
                f"{needed / size:.2f}" if needed else "",
            )
        )
    return lines


def bytes_for(curve: list[tuple[float, float]], accuracy: float) -> float | None:
    """The bytes at which a curve first reaches an accuracy, linear in their logarithm."""
    for (size, low), (next_size, high) in itertools.pairwise(curve):
        if low >= accuracy:
            return size
        if high >= accuracy:
            share = (accuracy - low) / (high - low)
            return size * (next_size / size) ** share
    return None


def draw(network: str, found: dict[str, dict[str, Any]], path: Path) -> None:
    import matplotlib

    matplotlib.use("Agg")
    import matplotlib.pyplot as plt
    from matplotlib import ticker

    figure, axes = plt.subplots(figsize=(7.5, 5), layout="constrained")
    for curve, rates in grouped(found).items():
        if curve == "dense":
            (records,) = rates.values()
            axes.axhline(
                100 * mean(records, "test_accuracy"), color="0.5", ls="--", label=TITLES[curve]
            )
            continue
        sizes = [mean(records, "bytes") for records in rates.values()]
        accuracies = [
            [100 * record["test_accuracy"] for record in records] for records in rates.values()
        ]
        middle = [statistics.mean(each) for each in accuracies]
        (line,) = axes.plot(sizes, middle, "o-", label=TITLES[curve])
        low, high = [min(each) for each in accuracies], [max(each) for each in accuracies]
        axes.vlines(sizes, low, high, color=line.get_color(), alpha=0.4)
    aimed, most = zip(*BARS[network], strict=True)
    axes.plot(most, [100 * each for each in aimed], "k+", ms=10, label="aimed at")
    axes.set(xscale="log", xlabel="bytes of the file", ylabel="test accuracy, %")
    axes.xaxis.set_major_locator(ticker.LogLocator(subs=(1, 2, 5)))
    axes.xaxis.set_major_formatter(ticker.StrMethodFormatter("{x:,.0f}"))
    axes.xaxis.set_minor_formatter(ticker.NullFormatter())
    axes.set_title(f"Fashion-MNIST, {network}, {EPOCHS[network]} epochs, mean of the seeds")
    axes.legend()
    axes.grid(alpha=0.3, which="both")
    figure.savefig(path, dpi=110)


if __name__ == "__main__":
    main()
