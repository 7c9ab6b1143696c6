"""What a report says of the single samples of the test part."""

from __future__ import annotations

from typing import Any

import numpy as np

from dwt_keras.views import page
from dwt_keras.views.outcomes import Outcomes

# Classes of the largest confusion matrix; of more the most frequent confusions are listed.
_MATRIX = 20
_CONFUSIONS, _SAMPLES = 20, 24


def sections(outcomes: Outcomes) -> list[str]:
    """Confusions, and what compression changed where there is a dense control."""
    return [
        page.section("Confusion matrix", *_confusion(outcomes)),
        page.section("What compression changed", *_changed(outcomes)),
    ]


def _confusion(outcomes: Outcomes) -> list[str]:
    counts = outcomes.confusion
    wrong = counts - np.diag(np.diag(counts))
    said = f"{wrong.sum():,} of {counts.sum():,} test samples are taken for another class."
    if outcomes.classes > _MATRIX:
        order = np.argsort(-wrong, axis=None, kind="stable")[:_CONFUSIONS]
        rows = [("class", "taken for", "samples")]
        for true, other in zip(*np.unravel_index(order, wrong.shape), strict=True):
            if wrong[true, other]:
                rows.append((str(true), str(other), str(wrong[true, other])))
        return [page.element("p", said), page.table(rows, 2)]
    return [
        page.element("p", f"{said} Rows are classes, columns what they are taken for."),
        _matrix(counts),
    ]


def _matrix(counts: Any) -> str:
    """Counts as a table, the darker the larger their share of the row."""
    names = [str(number) for number in range(len(counts))]
    head = page.wrap("tr", page.element("th"), *(page.element("th", name) for name in names))
    lines = []
    for name, row in zip(names, counts, strict=True):
        cells = [
            page.element("td", str(count), style=f"background: rgba(var(--shade), {share:.2f})")
            if count
            # A dot keeps the place of what there is none of.
            else page.element("td", "·", class_="faint")
            for count, share in zip(row, 0.75 * np.sqrt(row / max(row.sum(), 1)), strict=True)
        ]
        lines.append(page.wrap("tr", page.element("th", name, scope="row"), *cells))
    whole = page.wrap("table", head, *lines, class_="matrix")
    return page.wrap("div", whole, class_="scroll", tabindex="0")


def _changed(outcomes: Outcomes) -> list[str]:
    if outcomes.dense is None:
        return []
    changed = outcomes.changed
    labels = outcomes.labels[changed]
    lost = int(np.sum(outcomes.dense[changed] == labels))
    won = int(np.sum(outcomes.predicted[changed] == labels))
    said = f"On {len(changed):,} of {len(outcomes.labels):,} test samples the network says another "
    said += f"class than its dense control: {lost:,} that only the control gets right, "
    said += f"{won:,} that only this network gets right, {len(changed) - lost - won:,} that both "
    said += "get wrong."
    if len(changed) > _SAMPLES:
        said += f" The first {_SAMPLES} of them:"
    shown = changed[:_SAMPLES]
    cards = [
        _card(
            values,
            int(number),
            *(int(part[number]) for part in (outcomes.labels, outcomes.dense, outcomes.predicted)),
        )
        for number, values in zip(shown, outcomes.inputs(shown) if len(shown) else (), strict=True)
    ]
    return [page.element("p", said), page.wrap("div", *cards, class_="samples") if cards else ""]


def _card(values: Any, number: int, label: int, dense: int, predicted: int) -> str:
    def verdict(said: int) -> str:
        return "right" if said == label else "wrong"

    return page.wrap(
        "div",
        page.sample(values, f"Test sample {number}, of class {label}"),
        page.element("div", f"sample {number}, class {label}"),
        page.element(
            "div", f"control: {dense}, {verdict(dense)}", class_="good" if dense == label else "bad"
        ),
        page.element(
            "div",
            f"this run: {predicted}, {verdict(predicted)}",
            class_="good" if predicted == label else "bad",
        ),
        class_="sample",
    )
