"""Several networks as one, which answers with what they say together."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from dwt_keras.coding import container, tensors
from dwt_keras.compression import artifact, layout, packing, sections
from dwt_keras.settings.ensembles import VOTE

Array = np.ndarray[Any, Any]


def network(members: Sequence[keras.Model], weights: Sequence[float], combine: str) -> keras.Model:
    """One network of several, which it holds as layers `member_1` and so on.

    All else in it is of Keras' own layers and operations: whoever loads it needs nothing else.

    Args:
        members: The networks, each with one input and one output, the probabilities of classes.
            They get the names of the layers.
        weights: What each counts, above 0.
        combine: mean of the probabilities, or vote: the shares of their votes, of which each goes
            to the likeliest class (to all of them where several are as likely).

    Returns:
        A Functional model with the input of the members, compiled to be evaluated.
    """
    given = members[0].inputs[0]
    inputs = keras.Input(given.shape[1:], dtype=given.dtype, name=given.name)
    parts = []
    for number, member in enumerate(members, start=1):
        member.name = f"member_{number}"
        said = member(inputs)
        if combine == VOTE:
            # Not by argmax, which Keras makes of bitwise operations that LiteRT has not.
            most = ops.max(said, axis=-1, keepdims=True)
            said = ops.cast(ops.equal(said, most), said.dtype)
        parts.append(said)
    if len(set(weights)) > 1:
        shares = [weight / sum(weights) for weight in weights]
        scaled = [share * part for share, part in zip(shares, parts, strict=True)]
        answer = layers.Add(name=combine)(scaled)
    else:
        answer = layers.Average(name=combine)(parts)
    model = keras.Model(inputs, answer, name="ensemble")
    model.compile(
        # An optimizer without slots: others have none yet, for which Keras refuses the archive.
        optimizer="sgd",
        loss="sparse_categorical_crossentropy",
        metrics=["accuracy"],
        # Without XLA, as all networks are once they have been trained.
        jit_compile=False,
    )
    return model


def by_count(
    said: Sequence[Array], labels: Array, weights: Sequence[float], combine: str
) -> list[float]:
    """The accuracy of the first member, the first two together, and so on.

    Args:
        said: Each member's probabilities, of shape (samples, classes).
        labels: The classes, of shape (samples,).
        weights: As for `network`.
        combine: As for `network`.
    """
    found = []
    total = np.zeros(said[0].shape)
    for part, weight in zip(said, weights, strict=True):
        voted = part == part.max(axis=1, keepdims=True) if combine == VOTE else part
        total += weight * voted
        found.append(float(np.mean(total.argmax(axis=1) == labels)))
    return found


def save(
    model: keras.Model, members: Sequence[keras.Model], sources: Sequence[Path], path: Path
) -> None:
    """Writes one compact file of what `network` made: levels, steps and bases as in the members'.

    Args:
        model: The network of several.
        members: Those that it was made of.
        sources: The compact file of each.
        path: Where the file goes.
    """
    found: dict[int, tensors.Tensor] = {}
    for member, source in zip(members, sources, strict=True):
        stored = layout.decoded(sections.read(source, container.UNLIMITED))
        for variable, tensor in zip(packing.variables(member).values(), stored, strict=True):
            name = f"{member.name}/{tensor.name}"
            found[id(variable)] = dataclasses.replace(tensor, name=name)
    ordered = [found[id(variable)] for variable in packing.variables(model).values()]
    artifact.save_tensors(model, path, ordered, container.UNLIMITED)
    artifact.load_compressed_weights(path, model, container.UNLIMITED)
