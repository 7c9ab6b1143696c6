"""The files that benchmarks/fuzz.py starts from."""

from __future__ import annotations

import dataclasses
import json
import zlib
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from dwt_keras.coding import container

GOLDEN = Path(__file__).parents[1] / "tests" / "golden"


@dataclasses.dataclass
class Seed:
    """A valid file to start from.

    Attributes:
        name: What it is called.
        data: Its bytes.
        sections: Its sections.
        model: The model that it is for; None where there is none.
        weights: That model's weights as they must be.
        tree: Its architecture as JSON; None where it has none.
        refused: How often its files were refused since its weights were compared.
    """

    name: str
    data: bytes
    sections: list[container.Section]
    model: Any = None
    weights: list[Any] = dataclasses.field(default_factory=list)
    tree: Any = None
    refused: int = 0


class Seeds:
    """All files to start from."""

    def __init__(self) -> None:
        import keras

        from dwt_keras.compression import architecture, artifact, sections

        self.all: list[Seed] = []
        for name, make in models().items():
            rng = np.random.default_rng(len(name))
            for wavelet, level in (("haar", 2), ("db2", 1), ("none", None)):
                model = make()
                model.set_weights(
                    [
                        (rng.laplace(0, 0.3, w.shape) * (rng.random(w.shape) < 0.5)).astype(w.dtype)
                        for w in model.get_weights()
                    ]
                )
                kernels = artifact.find_kernels(model, wavelet, level, "auto")
                data = artifact.encode(model, kernels, 0.1)
                seed = Seed(f"{name} {wavelet}", data, container.unpack(data), model)
                text = zlib.decompressobj(-15, architecture.DICTIONARY).decompress(
                    seed.sections[2].payload
                )
                seed.tree = json.loads(text)
                seed.weights = model.get_weights()
                self.all.append(seed)
        # The tensors of the golden files, each as the weights of a model that has just these.
        for path in sorted(GOLDEN.glob("*.dwtz")):
            if path.stem == "model":
                continue
            data = path.read_bytes()
            model = holder(data)
            parts = container.unpack(data, several=range(128))
            parts = [
                dataclasses.replace(part, payload=architecture.fingerprint(model))
                if part.kind == sections.FINGERPRINT
                else part
                for part in parts
            ]
            data = container.pack(parts, several=range(128))
            self.all.append(Seed(path.stem, data, parts, model, model.get_weights()))
        self.with_tree = [seed for seed in self.all if seed.tree is not None]
        keras.backend.clear_session()


def models() -> dict[str, Callable[[], Any]]:
    """Small models of several kinds of layers."""
    import keras
    from keras import layers

    def image() -> Any:
        return keras.Sequential(
            [
                keras.Input((6, 5, 1)),
                layers.Normalization(),
                layers.Conv2D(3, 3, padding="same", activation="relu"),
                layers.BatchNormalization(),
                layers.Flatten(),
                layers.Dense(4, dtype="float16"),
                layers.Dropout(0.2),
            ]
        )

    def words() -> Any:
        tokens, images = keras.Input((4,), dtype="int32"), keras.Input((4, 4, 2))
        x = layers.Embedding(6, 3)(tokens)
        x = layers.LayerNormalization()(layers.MultiHeadAttention(2, 2)(x, value=x))
        x = layers.Bidirectional(layers.LSTM(2))(x)
        y = layers.GlobalAveragePooling2D()(layers.SeparableConv2D(3, 3)(images * 2 + 1))
        return keras.Model([tokens, images], layers.Dense(2)(layers.Concatenate()([x, y])))

    def plain() -> Any:
        return keras.Sequential([keras.Input((16,)), layers.Dense(8), layers.Dense(3)])

    return {"image": image, "words": words, "plain": plain}


def holder(data: bytes) -> Any:
    """A model with just the variables of a file."""
    import keras

    from dwt_keras.compression import layout, sections

    found = layout.decoded(sections.opened(data))

    class Holder(keras.Model):
        def __init__(self) -> None:
            super().__init__()
            for number, one in enumerate(found):
                self.add_weight(
                    shape=one.shape,
                    dtype=str(one.dtype),
                    name=f"v{number}",
                    initializer="zeros",
                    trainable=False,
                )
            self.built = True

    return Holder()
