"""The single runs of a study."""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import keras

from dwt_keras.settings import Settings
from dwt_keras.training import data, metrics, resuming, run, telling


@dataclass(frozen=True)
class Member:
    """A run that a study has made.

    Attributes:
        folder: The run's folder.
        metrics: Its metrics.json.
    """

    folder: Path
    metrics: dict[str, Any]


def train(
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
    callbacks: Sequence[Any] = (),
    is_trial: bool = False,
    begins_with: Path | None = None,
) -> Member:
    """Makes one run, quietly; takes it as it is if it is complete, and up if it was begun.

    Args:
        settings: The run's.
        dataset: The data.
        folder: Where it goes.
        callbacks: As for `run.OfStudy`, ...
        is_trial: ... and so is this, ...
        begins_with: ... and this.

    Raises:
        UserError: If what is there is of other settings; else as for `run.run`.
    """
    complete = done(folder)
    if complete is not None:
        resuming.check_settings(folder, settings)
        return complete
    # Layers that nobody has named are named by how many there have been.
    keras.backend.clear_session()
    with telling.quietly(), _many_graphs_unsaid():
        of_study = run.OfStudy(folder, callbacks, is_trial, begins_with)
        result = run.run(settings, dataset, of_study)
    return Member(folder, result.metrics)


@contextlib.contextmanager
def _many_graphs_unsaid() -> Iterator[None]:
    """Keeps TensorFlow from warning that each run has a graph of its own, as it must."""

    def keep(record: logging.LogRecord) -> bool:
        return "triggered tf.function retracing" not in record.getMessage()

    logger = logging.getLogger("tensorflow")
    logger.addFilter(keep)
    try:
        yield
    finally:
        logger.removeFilter(keep)


def done(folder: Path) -> Member | None:
    """The run in a folder; None where there is none, or it is not complete."""
    found = metrics.read(folder)
    return None if found is None else Member(folder, found)
