"""Compare what a run's network looks at with what its dense control looks at.

Gradient, SmoothGrad, Integrated Gradients, Grad-CAM (of networks with convolutions) and
activations, on the same inputs of the test part. The table says how far the maps agree; beside it,
as a floor, how far the control agrees with itself once its weights have been shuffled. Writes
saliency.csv, figures/saliency.svg and, of the layers' activations, figures/activations.svg (or
.png) into the run's folder.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from dwt_keras import checks, command_line, files, native
from dwt_keras.commands import networks, trained
from dwt_keras.settings.saliency import (
    ACTIVATION,
    DRAWN_LAYERS,
    GRAD_CAM,
    METHODS,
    SaliencySettings,
)
from dwt_keras.settings.views import PNG, SVG
from dwt_keras.views import run_view

if TYPE_CHECKING:
    from dwt_keras.views.agreement import Agreement
    from dwt_keras.views.drawing import Drawn
    from dwt_keras.views.outcomes import Outcomes

Array = np.ndarray[Any, Any]
# Of one network, by name: of shape (samples, ...).
Maps = dict[str, Array]
# By name of a map: how far the networks agree, and how far the control with shuffled weights does.
Agreements = dict[str, tuple["Agreement", "Agreement"]]

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
    from dwt_keras.views import agreement, outcomes, saliency

    methods, names = _methods(ours, dense, settings), _layers(ours, dense, settings)
    print(f"comparing with {against}")
    said = outcomes.of(ours, dataset, dense)
    assert said.dense is not None  # It was given.
    count = settings.compared_samples
    inputs, classes = dataset.test.samples(count), said.dense[:count]
    compared, control, floor = (
        _maps(each, inputs, classes, methods, names)
        for each in (ours, dense, saliency.shuffled(dense))
    )
    agreements = {
        name: (agreement.of(compared[name], theirs), agreement.of(floor[name], theirs))
        for name, theirs in control.items()
    }
    rows = [(name, *pair) for name, pair in agreements.items()]
    print(agreement.table(rows))
    drawn = _figures((dense, ours), said, methods, names, settings, agreements)
    _write(view, agreement.rows(rows), drawn)


def _methods(ours: Any, dense: Any, settings: SaliencySettings) -> tuple[str, ...]:
    """The maps to compare.

    Raises:
        ArgumentError: If one is asked for that a network has not.
    """
    from dwt_keras.views import saliency

    possible = [
        name
        for name in METHODS
        if name != GRAD_CAM
        or (len(dense.inputs[0].shape) == 4 and all(map(saliency.convolutions, (ours, dense))))
    ]
    for name in settings.method:
        if name not in possible:
            raise checks.ArgumentError(
                "method", f"{name} needs a two-dimensional convolution in both networks"
            )
    return settings.method or tuple(possible)


def _layers(ours: Any, dense: Any, settings: SaliencySettings) -> tuple[str, ...]:
    """The layers whose activations are compared.

    Raises:
        ArgumentError: If one is asked for that the networks do not share.
    """
    from dwt_keras.views import saliency

    outputs, theirs = saliency.layer_outputs(ours), saliency.layer_outputs(dense)
    shared = [
        name for name in theirs if name in outputs and outputs[name].shape == theirs[name].shape
    ]
    for name in settings.layers:
        checks.choice("layers", name, shared)
    # The outputs of the last layer are the classes.
    kernels = {layer.name for layer in dense.layers[:-1] if hasattr(layer, "kernel")}
    names = settings.layers or tuple(name for name in shared if name in kernels)
    if not names and settings.method == (ACTIVATION,):
        raise checks.ArgumentError(
            "layers", f"must be given, for no layer with a kernel is shared: {', '.join(shared)}"
        )
    return names


def _maps(
    model: Any, inputs: Array, classes: Array, methods: Sequence[str], names: Sequence[str]
) -> Maps:
    """The maps of one network, and the activations of the layers named."""
    from dwt_keras.views import saliency

    found = {
        name.replace("_", " "): saliency.METHODS[name](model, inputs, classes)
        for name in methods
        if name != ACTIVATION
    }
    if ACTIVATION in methods and names:
        for name, values in saliency.activations(model, inputs, names).items():
            found[f"{_ACTIVATIONS}{name}"] = values
    return found


def _figures(
    networks: tuple[Any, Any],
    said: Outcomes,
    methods: Sequence[str],
    names: Sequence[str],
    settings: SaliencySettings,
    agreements: Agreements,
) -> list[Drawn]:
    """Draws the maps, and the activations, of some samples.

    Args:
        networks: The control and the run's.
        said: What both say of the test part.
        methods: The maps.
        names: The layers that were compared.
        settings: How much is drawn.
        agreements: What the headings of layers say.
    """
    from dwt_keras.views import saliency_figure

    assert said.dense is not None
    order = [*said.changed, *np.setdiff1d(np.arange(len(said.labels)), said.changed)]
    shown = np.array(order[: settings.shown_samples])
    titles = [
        f"class {said.labels[n]}\ncontrol {said.dense[n]}, run {said.predicted[n]}" for n in shown
    ]
    samples, drawn = said.inputs(shown), settings.layers or _spread(names)
    control, ours = (_maps(each, samples, said.dense[shown], methods, drawn) for each in networks)
    pairs = {name: (theirs, ours[name]) for name, theirs in control.items()}
    answers = {
        _heading(name, agreements[name]): pairs.pop(name)
        for name in list(pairs)
        if name.startswith(_ACTIVATIONS)
    }
    figures = []
    if pairs:
        figures.append(saliency_figure.draw(samples, titles, pairs))
    if answers:
        figures.append(
            saliency_figure.draw_activations(samples, titles, answers, settings.shown_channels)
        )
    return figures


def _spread(names: Sequence[str]) -> list[str]:
    """Some layers of many, from the first to the last."""
    at = np.linspace(0, len(names) - 1, min(DRAWN_LAYERS, len(names))).round().astype(int)
    return [names[number] for number in at]


def _heading(name: str, agreements: tuple[Agreement, Agreement]) -> str:
    ours, floor = (f"{each.rank_correlation:z.2f}" for each in agreements)
    return (
        f"{name.removeprefix(_ACTIVATIONS)}: rank correlation {ours}, with shuffled weights {floor}"
    )


def _write(view: run_view.RunView, rows: Sequence[Sequence[str]], figures: Sequence[Drawn]) -> None:
    from dwt_keras.views import drawing

    text = io.StringIO()
    csv.writer(text, lineterminator="\n").writerows(rows)
    files.write_text(view.folder / "saliency.csv", text.getvalue())
    written = [view.folder / "saliency.csv"]
    kind = PNG if view.settings.get("figures") == PNG else SVG
    for drawn in figures:
        written.append(view.folder / "figures" / f"{drawn.name}.{kind}")
        drawing.save(drawn.figure, written[-1])
    print(f"\nwritten: {', '.join(map(str, written))}")
