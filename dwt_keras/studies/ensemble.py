"""Several networks whose predictions are combined, beside what a single one comes to."""

from __future__ import annotations

import dataclasses
import statistics
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras

from dwt_keras import checks
from dwt_keras.settings import Settings, sources
from dwt_keras.settings.export import LITERT
from dwt_keras.settings.studies import StudySettings
from dwt_keras.studies import combination, ensemble_members, members, progress
from dwt_keras.studies.ensemble_members import Trained
from dwt_keras.studies.outcome import Outcome
from dwt_keras.training import control, data, export, imported, metrics, scoring, telling
from dwt_keras.training import run as training_run
from dwt_keras.views import ensemble_view


@dataclasses.dataclass(frozen=True)
class _Networks:
    """All networks of a study.

    Attributes:
        trained: The members.
        single: The run of a single network of the same settings.
        dense: The dense control.
    """

    trained: list[Trained]
    single: members.Member
    dense: control.Control


def run(settings: Settings, study: StudySettings, dataset: data.Dataset, folder: Path) -> Outcome:
    """Trains members, a single network and the dense control, and combines the members.

    Networks that have been trained already are taken as they are.

    Args:
        settings: What all of them have in common.
        study: Gives the kind of ensemble.
        dataset: The data.
        folder: The study's.

    Raises:
        UserError: If no member is better than chance; else as for a run.
    """
    if sources.model_kind(settings.training.model) == sources.FUNCTION:
        # Layers that its module registers are needed to load members that are complete.
        imported.function("model", settings.training.model)
    found = _networks(settings, study, dataset, folder)
    kept = [member for member in found.trained if member.weight]
    weights, combine = [member.weight for member in kept], study.ensemble.combine
    keras.backend.clear_session()
    networks = [ensemble_members.load(member.run) for member in kept]
    said = [scoring.probabilities(network, dataset.test) for network in networks]
    model = combination.network(networks, weights, combine)
    compact = [member.run.folder / "model.dwtz" for member in kept]
    combination.save(model, networks, compact, folder / "model.dwtz")

    content = _exported(model, kept, settings, dataset, folder)
    single = found.single.metrics
    sizes = [member.run.metrics["bytes"]["dwtz"] for member in kept]
    accuracies = [member.run.metrics["test_accuracy"] for member in kept]
    record = {
        "kind": study.ensemble.ensemble,
        "combine": combine,
        "members": [member.record for member in found.trained],
        "by_count": combination.by_count(said, dataset.test.labels, weights, combine),
        "ensemble": _line(content["test_accuracy"], content["bytes"]["dwtz"]),
        "mean_member": _line(statistics.fmean(accuracies), statistics.fmean(sizes)),
        "single": _line(single["test_accuracy"], single["bytes"]["dwtz"]),
        "dense": _line(found.dense.test_accuracy, single["bytes"]["float32"]),
    }
    ensemble_view.write(
        model, dataset, folder, record, content, found.dense, settings.views.figures
    )
    metrics.write(folder, content)
    left_out = [member.record["folder"] for member in found.trained if not member.weight]
    notes = [f"{name} is no better than chance, and left out" for name in left_out]
    return Outcome(record, "\n".join([*notes, ensemble_view.table(record)]))


def _networks(
    settings: Settings, study: StudySettings, dataset: data.Dataset, folder: Path
) -> _Networks:
    """All networks, each trained that has not been yet."""
    numbers = range(1, study.ensemble.members + 1)
    places = [folder / "members" / f"{number:02d}" for number in numbers]
    single = folder / "single"
    is_known = control.find(settings, dataset) is not None
    done = sum(members.done(place) is not None for place in [*places, single]) + is_known
    with progress.over("network", len(places) + 2, done) as shown:

        def train(
            settings: Settings, dataset: data.Dataset, place: Path, start: Path | None = None
        ) -> members.Member:
            is_new = members.done(place) is None
            member = members.train(settings, dataset, place, begins_with=start)
            if is_new:
                name = " ".join(place.relative_to(folder).parts).replace("members", "member")
                size = member.metrics["bytes"]["dwtz"]
                accuracy = member.metrics["test_accuracy"]
                shown.step(f"{name}, test accuracy {accuracy:.4f}, {size:,} bytes")
            return member

        found = ensemble_members.train(settings, study.ensemble, dataset, places, train)
        if not any(member.weight for member in found):
            raise checks.UserError(
                "no member is better than chance; train longer, or compress less"
            )
        alone = train(settings, dataset, single)
        keras.backend.clear_session()
        with telling.quietly():
            dense = control.dense(settings, dataset)
        if not is_known:
            shown.step(f"dense, test accuracy {dense.test_accuracy:.4f}")
    return _Networks(found, alone, dense)


def _exported(
    model: keras.Model,
    kept: Sequence[Trained],
    settings: Settings,
    dataset: data.Dataset,
    folder: Path,
) -> dict[str, Any]:
    """Writes what serves, and returns what metrics.json says."""
    export.save_keras(model, folder / "model.keras")
    export.save_serving(model, folder / "serving" / "1")
    scores = scoring.test_scores(model, dataset)
    is_lite = settings.export.export == LITERT
    lite = training_run.lite_files(model, dataset, folder) if is_lite else {}
    parts = [member.run.metrics for member in kept]
    return metrics.of(
        "test",
        scores,
        {**metrics.sizes(model, folder), **lite.pop("bytes", {})},
        {
            name: sum(part["seconds"][name] for part in parts)
            for name in ("train", "compress", "total")
        },
        sum(part["epochs_run"] for part in parts),
        {**_zeros(parts), **lite},
    )


def _zeros(parts: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Zero fractions, where the members have them; all members have as many coefficients."""
    if not all("zero_fraction" in part for part in parts):
        return {}
    return {
        "zero_fraction": statistics.fmean(part["zero_fraction"] for part in parts),
        "zero_fraction_by_layer": {
            f"member_{number}/{layer}": fraction
            for number, part in enumerate(parts, start=1)
            for layer, fraction in part["zero_fraction_by_layer"].items()
        },
    }


def _line(accuracy: float, size: float) -> dict[str, float]:
    return {"test_accuracy": accuracy, "bytes": size}
