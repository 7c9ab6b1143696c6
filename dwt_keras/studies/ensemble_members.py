"""The members of an ensemble: what each is told, what it learns from, what it counts."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from dwt_keras.settings import Settings
from dwt_keras.settings.ensembles import BAGGING, BOOSTING, SNAPSHOT, EnsembleSettings
from dwt_keras.studies import boosting, members
from dwt_keras.training import data, scoring

# From settings, data, a folder and the file that is begun with, if one is, to the run that is made
# in the folder, or has been.
Train = Callable[[Settings, data.Dataset, Path, Path | None], members.Member]

_NETWORK = "model.keras"


@dataclasses.dataclass(frozen=True)
class Trained:
    """A member that has been trained.

    Attributes:
        run: Its run.
        weight: What it counts; 0 where it is left out.
        record: What study.json says of it.
    """

    run: members.Member
    weight: float
    record: dict[str, Any]


def train(
    settings: Settings,
    told: EnsembleSettings,
    dataset: data.Dataset,
    places: Sequence[Path],
    one: Train,
) -> list[Trained]:
    """Trains the members, one after another.

    Args:
        settings: What they have in common.
        told: The kind of ensemble.
        dataset: The data.
        places: The folder of each.
        one: Trains one of them.
    """
    samme = boosting.Samme(len(dataset.train), dataset.classes, told.boosting_rate or 1.0)
    found: list[Trained] = []
    for number, place in enumerate(places, start=1):
        # Of its seed, and of the samples that it gets.
        generator = np.random.default_rng([settings.training.seed, number])
        its = _settings(settings, told, number, int(generator.integers(2**32)))
        is_next = told.ensemble == SNAPSHOT and found
        start = found[-1].run.folder / _NETWORK if is_next else None
        part = dataset.train
        if told.ensemble == BAGGING:
            part = part.repeated(_drawn(len(part), generator))
        elif told.ensemble == BOOSTING:
            part = part.weighted(samme.sample_weights.astype(np.float32))
        member = one(its, dataclasses.replace(dataset, train=part), place, start)
        boosted = {}
        if told.ensemble == BOOSTING:
            error = samme.add(_is_wrong(member, dataset.train))
            boosted = {"weighted_error": error}
        weight = samme.member_weights[-1] if boosted else 1.0
        found.append(Trained(member, weight, _record(member, its, weight, boosted)))
    return found


def load(member: members.Member) -> keras.Model:
    """The network of a run, with the weights that ship, not compiled."""
    return keras.models.load_model(member.folder / _NETWORK, compile=False)


def _settings(settings: Settings, told: EnsembleSettings, number: int, seed: int) -> Settings:
    its = told.of_member(settings, number)
    return dataclasses.replace(its, training=dataclasses.replace(its.training, seed=seed))


def _drawn(samples: int, generator: np.random.Generator) -> np.ndarray[Any, Any]:
    """How often each sample is drawn, of as many draws with replacement (Breiman 1996)."""
    return np.bincount(generator.integers(samples, size=samples), minlength=samples)


def _is_wrong(member: members.Member, part: data.Part) -> np.ndarray[Any, Any]:
    """Whether a member gets each sample of a part wrong."""
    keras.backend.clear_session()
    return scoring.probabilities(load(member), part).argmax(axis=1) != part.labels


def _record(
    member: members.Member, settings: Settings, weight: float, more: dict[str, float]
) -> dict[str, Any]:
    return {
        "folder": "/".join(member.folder.parts[-2:]),
        "seed": settings.training.seed,
        "wavelet": settings.compression.wavelet,
        "epochs": member.metrics["epochs_run"],
        "test_accuracy": member.metrics["test_accuracy"],
        "bytes": member.metrics["bytes"]["dwtz"],
        "weight": weight,
        **more,
    }
