"""report.html: what a run was told, what it came to, and what it looks like, in one file.

The page holds all that it shows; nothing in it is fetched, or run.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dwt_keras import files
from dwt_keras.settings import flat_fields
from dwt_keras.training.runs import Record
from dwt_keras.views import contents, drawing, figures, page, report_outcomes, run_table
from dwt_keras.views.drawing import Shown
from dwt_keras.views.outcomes import Outcomes
from dwt_keras.views.run_view import RunView
from dwt_keras.views.tables import percent

NAME = "report.html"

# Figures that studies and other commands leave in a run's folder: name, heading, caption.
_OTHERS = (
    (
        "ensemble",
        "The ensemble beside single networks",
        "Test accuracy against bytes: of each member, of the first members together, of a single "
        "compressed network and of the dense one.",
    ),
    (
        "saliency",
        "What the networks look at",
        "Saliency maps of the dense control and of the compressed network on the same inputs "
        "(python -m dwt_keras saliency).",
    ),
    (
        "activations",
        "What the layers answer",
        "Activations of the dense control and of the compressed network on the same inputs, in "
        "one scale (python -m dwt_keras saliency).",
    ),
    (
        "benchmark",
        "Latency",
        "Median time of a batch, with whiskers to the 95th percentile (python -m dwt_keras "
        "benchmark).",
    ),
)


def write_run(run: RunView, figures_shown: Sequence[Shown], outcomes: Outcomes | None) -> Path:
    """Writes the report of a run into its folder; returns its path."""
    path = run.folder / NAME
    files.write_text(path, of_run(run, figures_shown, outcomes))
    return path


def of_run(run: RunView, figures_shown: Sequence[Shown], outcomes: Outcomes | None) -> str:
    """The report of a run.

    Args:
        run: The run.
        figures_shown: Its figures.
        outcomes: What its network says of the test part, where that is known.
    """
    shown = [
        page.section(each.title, page.figure(each.data, each.suffix, each.caption))
        for each in figures_shown
    ]
    for name, title, caption in _OTHERS:
        path = figures.existing(run.folder, name)
        if path is not None:
            # The brightness of maps says something.
            is_picture = name in ("saliency", "activations")
            image = page.figure(path.read_bytes(), path.suffix, caption, is_picture=is_picture)
            shown.append(page.section(title, image))
    layers = ""
    if run.file is not None:
        layers = page.table(contents.rows(run.file), contents.RIGHT_FROM)
    return page.page(
        f"Run {run.name}",
        [
            page.element("h1", f"Run {run.name}"),
            page.element("p", _what(run.settings), class_="faint"),
            page.tiles(_tiles(run)),
            _against_control(run, outcomes),
            *shown,
            page.section("Layer by layer", layers),
            *([] if outcomes is None else report_outcomes.sections(outcomes)),
            page.section("Settings", _settings(run)),
            page.section("How to load and serve it", *_loading(run)),
        ],
    )


def write_comparison(folder: Path, records: Sequence[Record]) -> Path:
    """Writes the comparison of runs, and its figure, into the folder above them.

    Args:
        folder: The folder.
        records: The runs, named by their folders below it.

    Returns:
        The path of the page.
    """
    groups: dict[str, list[tuple[str, int, float]]] = {}
    for record in records:
        size = record.metrics.get("bytes", {}).get("dwtz")
        if size:
            group = f"{record.settings.get('dataset')}, {record.settings.get('model')}"
            point = (record.name, int(size), float(record.metrics["test_accuracy"]))
            groups.setdefault(group, []).append(point)
    shown = ""
    if groups:
        drawn = figures.pareto(groups)
        data = drawing.save(drawn.figure, folder / "figures" / f"{drawn.name}.{drawing.SVG}")
        shown = page.section(drawn.title, page.figure(data, ".svg", drawn.caption))
    front = {run[0] for runs in groups.values() for run in figures.pareto_front(runs)}
    ordered = run_table.ordered(records, "accuracy")
    rows = run_table.rows(ordered)
    marks = ["on the front", *("yes" if each.name in front else "" for each in ordered)]
    rows = [(*row, mark) for row, mark in zip(rows, marks, strict=True)]
    links = [
        f"{each.name}/{NAME}" if (folder / each.name / NAME).is_file() else None for each in ordered
    ]
    title = f"Runs in {folder.absolute().name}"
    text = page.page(
        title,
        [
            page.element("h1", title),
            page.element("p", f"{len(records)} finished runs", class_="faint"),
            shown,
            page.section("All runs, the most accurate first", page.table(rows, 7, links)),
        ],
    )
    path = folder / NAME
    files.write_text(path, text)
    return path


def _what(settings: Mapping[str, Any]) -> str:
    names = ("dataset", "model", "wavelet", "level", "threshold_rule", "epochs", "seed")
    return ", ".join(f"{name} {_text(settings[name])}" for name in names if name in settings)


def _tiles(run: RunView) -> list[tuple[str, str, str]]:
    metrics = run.metrics
    sizes, seconds = metrics.get("bytes", {}), metrics.get("seconds", {})
    found = [("test accuracy", f"{metrics['test_accuracy']:.4f}", "of what ships")]
    if "dwtz" in sizes:
        share = (
            f"{percent(sizes['dwtz'] / sizes['float32'])} of float32" if sizes["float32"] else ""
        )
        found.append(("model.dwtz", f"{sizes['dwtz']:,} bytes", share))
    if "zero_fraction" in metrics:
        found.append(("zeros", percent(metrics["zero_fraction"]), "of all coefficients"))
    if "train" in seconds:
        epochs = f"{metrics.get('epochs_run', '')} epochs"
        found.append(("training", f"{seconds['train']:.0f} s", epochs))
    return found


def _against_control(run: RunView, outcomes: Outcomes | None) -> str:
    """The result beside that of the dense control, where there is one."""
    found = run.metrics.get("accuracy_drop", {})
    dense = found.get("control_test_accuracy")
    if dense is None and outcomes is not None:
        dense = outcomes.dense_accuracy
    sizes = run.metrics.get("bytes", {})
    if dense is None:
        return page.section(
            "Beside the dense control",
            page.element(
                "p",
                "There is no dense control of these settings and data. train.py trains one with "
                "--max_accuracy_drop.",
                class_="faint",
            ),
        )
    ours = run.metrics["test_accuracy"]
    rows = [("", "this run", "dense control", "difference")]
    rows.append(("test accuracy", f"{ours:.4f}", f"{dense:.4f}", f"{ours - dense:+.4f}"))
    if found:
        here, there = found["validation_accuracy"], found["control_validation_accuracy"]
        rows.append(("validation accuracy", f"{here:.4f}", f"{there:.4f}", f"{here - there:+.4f}"))
    if "dwtz" in sizes and "float32" in sizes:
        small, whole = sizes["dwtz"], sizes["float32"]
        rows.append(
            ("bytes of the weights", f"{small:,}", f"{whole:,} as float32", f"{small - whole:+,}")
        )
    said = ""
    if "within" in found:
        allowed = run.settings.get("max_accuracy_drop")
        verdict = "within" if found["within"] else "not within"
        said = page.element(
            "p",
            f"The validation accuracy is {verdict} what was allowed to be lost, {allowed}.",
            class_="good" if found["within"] else "bad",
        )
    return page.section("Beside the dense control", page.table(rows, 1), said)


def _settings(run: RunView) -> str:
    defaults = {name: field.default for name, field in flat_fields().items()}
    items = []
    for name, value in [*run.settings.items(), *run.versions.items()]:
        known = name in defaults and name in run.settings
        is_given = known and _text(value) != _text(defaults[name])
        items.append(
            page.wrap(
                "div",
                page.element("dt", name),
                page.element("dd", _text(value)),
                **({"class_": "given"} if is_given else {}),
            )
        )
    said = "What is not the default stands out; behind the settings are the libraries' versions."
    return page.element("p", said, class_="faint") + page.wrap("dl", *items, class_="settings")


def _loading(run: RunView) -> list[str]:
    model = run.settings.get("model", "model")
    parts = [
        (
            "The compact file, in Python (pip install dwt_keras):",
            "from dwt_keras import load_compressed\n\n"
            'model = load_compressed("model.dwtz")\n'
            "model.predict(images)",
        ),
        (
            "The SavedModel:",
            "import tensorflow as tf\n\n"
            'serve = tf.saved_model.load("serving/1").signatures["serving_default"]\n'
            'serve(images=images)["outputs"]',
        ),
        (
            "A service on localhost (pip install 'dwt_keras[serve]'):",
            "python -m dwt_keras serve .",
        ),
        (
            "TensorFlow Serving:",
            f"tensorflow_model_server --rest_api_port=8501 --model_name={model} "
            '--model_base_path="$PWD/serving"',
        ),
    ]
    return [page.element("p", said) + page.element("pre", code) for said, code in parts]


def _text(value: Any) -> str:
    if isinstance(value, (list, tuple)):
        return ",".join(map(str, value))
    if value is None:
        return "-"
    return str(value)
