"""Measure how fast the networks of a run are: latency, throughput, accuracy and size.

Compares the Keras model, its SavedModel, the faster SavedModel of a run with --keep_rows or
--keep_columns, and LiteRT files where there are some, in one process and by turns. Writes
benchmark.csv and figures/benchmark.png into the run's folder.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path

from dwt_keras import checks, command_line, files, native
from dwt_keras.commands import latencies, networks, trained
from dwt_keras.settings.commands import BenchmarkSettings
from dwt_keras.views import latency_table

# What may be in a run's folder, and what to call it.
FORMS = {
    "Keras, predict": "model.keras",
    "SavedModel": "serving/1",
    "SavedModel, fast": "serving_fast/1",
    "LiteRT float32": "model.tflite",
    "LiteRT int8 weights": "model_int8.tflite",
    "LiteRT int8": "model_full_int8.tflite",
}


def run(folder: str, settings: BenchmarkSettings) -> None:
    """Prints a table, one row a network and batch size.

    Args:
        folder: Of a run of train.py.
        settings: Batch sizes, how long, and where the data are.

    Raises:
        UserError: If it is no run's folder, or its networks or data cannot be loaded.
    """
    place = Path(folder)
    there = {name: place / part for name, part in FORMS.items() if (place / part).exists()}
    told = trained.settings_in(place)
    if not there:
        raise checks.UserError(f"{folder}: has no network of a run of train.py in it")
    dataset = trained.dataset_of(told, settings.data_dir)
    command_line.load_tensorflow()
    from dwt_keras.training import litert

    if not litert.is_installed():
        left_out = [name for name in there if there[name].suffix == networks.LITERT]
        there = {name: path for name, path in there.items() if name not in left_out}
        if left_out:
            print(f"left out: {', '.join(left_out)} (pip install 'dwt_keras[litert]')")
    with native.messages_hidden():
        loaded = {name: networks.load(str(path), True) for name, path in there.items()}
    rows: list[latency_table.Row] = []
    for name, network in loaded.items():
        accuracy, _ = networks.score(network, dataset)
        rows.append(latency_table.Row(name, _bytes(there[name]), accuracy))
    predict = {name: network.predict for name, network in loaded.items()}
    for size in settings.batch_sizes:
        print(f"batches of {size} ...", flush=True)
        found = latencies.measure(predict, dataset.test.samples(size), size, settings.seconds)
        for row in rows:
            row.latencies.append(found[row.name])
    print(latency_table.table(rows))
    files.write_text(place / "benchmark.csv", _comma_separated(rows))
    picture = place / "figures" / "benchmark.png"
    latency_table.draw(rows, picture)
    print(f"\nwritten: {place / 'benchmark.csv'}, {picture}")


def _bytes(path: Path) -> int:
    from dwt_keras.training import export

    return export.folder_bytes(path) if path.is_dir() else path.stat().st_size


def _comma_separated(rows: list[latency_table.Row]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(
        "network bytes test_accuracy batch_size median_ms p95_ms samples_per_s calls".split()
    )
    for row in rows:
        for each in row.latencies:
            figures = (1e3 * each.median, 1e3 * each.p95, each.throughput)
            writer.writerow(
                [
                    row.name,
                    row.bytes,
                    f"{row.test_accuracy:.4f}",
                    each.batch_size,
                    *(f"{figure:.4g}" for figure in figures),
                    each.calls,
                ]
            )
    return text.getvalue()
