"""Compare what a run's network looks at with what its dense control looks at.

Gradient, SmoothGrad, Integrated Gradients, Grad-CAM (of networks with convolutions) and
activations, on the same inputs of the test part. The table says how far the maps agree; beside it,
as a floor, how far the control agrees with itself once its weights have been shuffled. Writes
saliency.csv and figures/saliency.svg (or .png) into the run's folder.
"""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras import checks, command_line, files, native
from dwt_keras.commands import networks, trained
from dwt_keras.settings.commands import SaliencySettings
from dwt_keras.settings.views import PNG, SVG
from dwt_keras.views import run_view

Array = np.ndarray[Any, Any]
# Of one network, by name: of shape (samples, ...).
Maps = dict[str, Array]

_ACTIVATIONS = "activations of "


def run(folder: str, settings: SaliencySettings) -> None:
    """Prints a table, one row a kind of map.

    Args:
        folder: Of a run of train.py.
        settings: With what to compare, and on how many samples.

    Raises:
        UserError: If it is no run's folder, if there is nothing to compare with, or if networks or
            data cannot be loaded.
    """
    view = run_view.read(Path(folder))
    told = trained.settings_in(view.folder)
    if settings.against is not None:
        networks.check_archive(settings.against)
    networks.check_archive(str(view.folder / "model.keras"))
    dataset = trained.dataset_of(told, settings.data_dir)
    command_line.load_tensorflow()
    with native.messages_hidden():
        against = (
            trained.dense_control(told, dataset)
            if settings.against is None
            else Path(settings.against)
        )
        if against is None:
            raise checks.ArgumentError(
                "against",
                f"must name a .keras file to compare with: {folder} has no dense control, which "
                "train.py makes with --max_accuracy_drop",
            )
        ours = trained.network(view.folder / "model.keras", dataset)
        dense = trained.network(against, dataset)
    # Loads TensorFlow.
    from dwt_keras.views import agreement, outcomes, saliency, saliency_figure

    print(f"comparing with {against}")
    said = outcomes.of(ours, dataset, dense)
    assert said.dense is not None  # It was given.
    count = settings.compared_samples
    inputs, classes = dataset.test.samples(count), said.dense[:count]
    names = settings.layers or tuple(
        name for name in _with_kernels(dense) if name in _with_kernels(ours)
    )
    floor = saliency.shuffled(dense)
    compared = [_maps(each, inputs, classes, names) for each in (ours, dense, floor)]
    rows = [
        (
            name.replace("_", " ") if name in saliency.METHODS else name,
            agreement.of(compared[0][name], compared[1][name]),
            agreement.of(compared[2][name], compared[1][name]),
        )
        for name in compared[1]
        # Another network may have other layers.
        if name in compared[0] and compared[0][name].shape == compared[1][name].shape
    ]
    print(agreement.table(rows))
    order = [*said.changed, *np.setdiff1d(np.arange(len(said.labels)), said.changed)]
    shown = np.array(order[: settings.shown_samples])
    samples = said.inputs(shown)
    pairs = [_maps(each, samples, said.dense[shown], ()) for each in (dense, ours)]
    drawn = saliency_figure.draw(
        samples,
        [
            f"class {said.labels[n]}\ncontrol {said.dense[n]}, run {said.predicted[n]}"
            for n in shown
        ],
        {name: (pairs[0][name], pairs[1][name]) for name in pairs[0] if name in pairs[1]},
    )
    _write(view, agreement.rows(rows), drawn)


def _maps(model: Any, inputs: Array, classes: Array, names: tuple[str, ...]) -> Maps:
    """The maps of one network; Grad-CAM where it has a convolution."""
    from dwt_keras.views import saliency

    found = {}
    for name, method in saliency.METHODS.items():
        if name != "grad_cam" or (inputs.ndim == 4 and saliency.convolutions(model)):
            found[name] = method(model, inputs, classes)
    if names:
        for name, values in saliency.activations(model, inputs, names).items():
            found[f"{_ACTIVATIONS}{name}"] = values
    return found


def _with_kernels(model: Any) -> tuple[str, ...]:
    """The layers that have kernels, but for the last, whose outputs are the classes."""
    return tuple(layer.name for layer in model.layers[:-1] if hasattr(layer, "kernel"))


def _write(view: run_view.RunView, rows: list[tuple[str, ...]], drawn: Any) -> None:
    from dwt_keras.views import drawing

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_text(view.folder / "saliency.csv", text.getvalue())
    kind = PNG if view.settings.get("figures") == PNG else SVG
    picture = view.folder / "figures" / f"{drawn.name}.{kind}"
    drawing.save(drawn.figure, picture)
    print(f"\nwritten: {view.folder / 'saliency.csv'}, {picture}")
