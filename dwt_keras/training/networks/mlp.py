"""A multilayer perceptron over the flattened sample."""

from __future__ import annotations

import keras
from keras import layers

from dwt_keras.training.networks.parts import Plan


def build(plan: Plan) -> keras.Model:
    """Dense layers of `hidden_units` with rectifiers."""
    body: list[layers.Layer] = [layers.Flatten(name="flatten")]
    for number, units in enumerate(plan.hidden_units, start=1):
        body += plan.activated(layers.Dense, units, name=f"dense_{number}")
        body += plan.dropped(f"dropout_{number}")
    return keras.Sequential([plan.inputs(), *body, plan.head()], name=plan.name)
