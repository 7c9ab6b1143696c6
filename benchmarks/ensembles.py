"""Ensembles of compressed networks beside single ones: accuracy against bytes.

    python benchmarks/ensembles.py --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES \\
        --results=FOLDER [--epochs=30] [--seeds=3] [--kinds=bagging,boosting,snapshot,wavelets]

Trains what is missing in the folder of results, the first seeds first, so that it can be stopped
and called again; another number of epochs needs another folder. Each study has members, a single
network of the same settings and the dense network; beside them stands a single network trained for
as many bytes as the members have together. Snapshots get the epochs that the members of another
kind have together. Prints two tables: means over the seeds, and what is asked of the best kind. The
test part reports, and nothing was chosen by it.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
from collections.abc import Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import runs

from dwt_keras.views.tables import percent, table

KINDS = ("bagging", "boosting", "snapshot", "wavelets")
MEMBERS, TARGET_BYTES = 5, 10_000
# Of the best kind: how much smaller than the dense network, and how far above its mean member.
SMALLER, ABOVE, CLOSE = 8.0, 0.003, 1e-6


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--results", type=Path, required=True)
    parser.add_argument("--epochs", type=int, default=30)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--kinds", default=",".join(KINDS))
    options = parser.parse_args()
    found: dict[str, list[dict[str, Any]]] = {}
    for seed in range(options.seeds):
        for kind in options.kinds.split(","):
            record = study(options, kind, seed)
            found.setdefault(kind, []).append(record)
            print(f"{kind}, seed {seed}: {record['ensemble']}", flush=True)
        for kind, records in found.items():
            records[seed]["as_many_bytes"] = single(options, MEMBERS * TARGET_BYTES, kind, seed)
    print(table(rows(found), right_from=1))
    print()
    print(table(asked(found), right_from=1))


def flags_of(options: argparse.Namespace, kind: str, seed: int) -> dict[str, Any]:
    """What all networks of a study are told, but for the size."""
    epochs = options.epochs * (MEMBERS if kind == "snapshot" else 1)
    return {
        **runs.FASHION_MNIST,
        "figures": "none",
        "data_dir": options.data_dir,
        "save_dir": options.results,
        "seed": seed,
        "epochs": epochs,
    }


def study(options: argparse.Namespace, kind: str, seed: int) -> dict[str, Any]:
    """The record of a study, which is made or taken up where it is not complete."""
    name = f"{kind}-{seed}"
    ensemble = {"ensemble": kind, "members": MEMBERS, "target_bytes": TARGET_BYTES}
    flags = {**flags_of(options, kind, seed), **ensemble, "run_name": name}
    path = made(options.results, f"studies/*-{name}/study.json", flags)
    record: dict[str, Any] = json.loads(path.read_text())
    record["difference"] = difference(path.parent, record, options.data_dir)
    return record


def single(options: argparse.Namespace, size: int, kind: str, seed: int) -> dict[str, Any]:
    """Accuracy and bytes of one network of a size."""
    name = f"single-{'long-' * (kind == 'snapshot')}{seed}"
    flags = {**flags_of(options, kind, seed), "target_bytes": size, "run_name": name}
    metrics = runs.metrics_of(made(options.results, f"*/*-{name}/metrics.json", flags).parent)
    return {"test_accuracy": metrics["test_accuracy"], "bytes": metrics["bytes"]["dwtz"]}


def made(results: Path, pattern: str, flags: Mapping[str, object]) -> Path:
    """The file that a finished training leaves."""
    while not (there := list(results.glob(f"*/{pattern}"))):
        runs.train({**flags, "resume": "auto"})
    return there[0]


def difference(folder: Path, record: dict[str, Any], data_dir: str) -> float:
    """How far the SavedModel's answers are from what its members' files say, at most."""
    import tensorflow as tf

    from dwt_keras import load_compressed
    from dwt_keras.settings import DataSettings
    from dwt_keras.training import data

    dataset = data.load(DataSettings(dataset="fashion_mnist", data_dir=data_dir))
    images = dataset.test.samples(1000)
    kept = [each for each in record["members"] if each["weight"]]
    weights = np.array([each["weight"] for each in kept])
    said = []
    for each in kept:
        model = load_compressed(folder / each["folder"] / "model.dwtz")
        part = np.asarray(model(images, training=False), np.float64)
        is_vote = record["combine"] == "vote"
        said.append(np.eye(part.shape[1])[part.argmax(axis=1)] if is_vote else part)
    wanted = np.tensordot(weights / weights.sum(), said, axes=1)
    serve = tf.saved_model.load(str(folder / "serving" / "1")).signatures["serving_default"]
    return float(np.abs(serve(images=images)["outputs"].numpy() - wanted).max())


def rows(found: dict[str, list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """A row for each kind and what stands beside it, means over the seeds."""
    lines: list[tuple[str, ...]] = [
        ("", "test accuracy", "lowest", "highest", "bytes", "of dense", "members' files")
    ]
    for kind, records in found.items():
        whole = statistics.fmean(record["dense"]["bytes"] for record in records)
        for key, name in (
            ("ensemble", kind),
            ("mean_member", "  its mean member"),
            ("single", "  a single one of the same settings"),
            ("as_many_bytes", "  a single one of as many bytes"),
            ("dense", "  dense, float32"),
        ):
            accuracies = [record[key]["test_accuracy"] for record in records]
            size = statistics.fmean(record[key]["bytes"] for record in records)
            files = statistics.fmean(
                sum(each["bytes"] for each in record["members"] if each["weight"])
                for record in records
            )
            lines.append(
                (
                    name,
                    f"{statistics.fmean(accuracies):.4f}",
                    f"{min(accuracies):.4f}",
                    f"{max(accuracies):.4f}",
                    f"{size:,.0f}",
                    percent(size / whole),
                    f"{files:,.0f}" if key == "ensemble" else "",
                )
            )
    return lines


def asked(found: dict[str, list[dict[str, Any]]]) -> list[tuple[str, ...]]:
    """What is asked of the best kind, for each."""
    lines: list[tuple[str, ...]] = [
        ("", "times smaller", "above dense", "above its mean member", "served", "all")
    ]
    for kind, records in found.items():

        def mean(key: str, figure: str, records: Any = records) -> float:
            return statistics.fmean(record[key][figure] for record in records)

        accuracy = mean("ensemble", "test_accuracy")
        smaller = mean("dense", "bytes") / mean("ensemble", "bytes")
        over_dense = accuracy - mean("dense", "test_accuracy")
        over_member = accuracy - mean("mean_member", "test_accuracy")
        served = max(record["difference"] for record in records)
        good = smaller >= SMALLER and over_dense >= 0 and over_member >= ABOVE and served <= CLOSE
        lines.append(
            (
                kind,
                f"{smaller:.2f}",
                f"{over_dense:+.4f}",
                f"{over_member:+.4f}",
                f"{served:.1e}",
                "yes" if good else "no",
            )
        )
    return lines


if __name__ == "__main__":
    main()
