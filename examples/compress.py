"""Compress a network that is trained already, without and with a little more training.

    python examples/compress.py [MODEL.keras DATA.npz]

Takes any .keras file of a classifier, and an .npz file with x_train, y_train, x_test and y_test;
without them it trains a network on scikit-learn's digits first. Prints bytes and test accuracy of
the network as it is, quantised, and trained on for a third of those bytes. Writes the last two
(quantised.dwtz, trained.dwtz).
"""

import sys

import keras
import numpy as np
from sklearn.datasets import load_digits

from dwt_keras import DWTCompression, load_compressed_weights, save_compressed


def pretrained() -> tuple[keras.Model, dict[str, np.ndarray]]:
    """Stands for what you have: a trained network, and its data."""
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    parts = images[:1400], labels[:1400], images[1400:], labels[1400:]
    data = dict(zip(("x_train", "y_train", "x_test", "y_test"), parts, strict=True))
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten()]
    layers += [keras.layers.Dense(96, "relu"), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    model.fit(data["x_train"], data["y_train"], epochs=10, verbose=0)
    return model, data


def given(model: str, data: str) -> tuple[keras.Model, dict[str, np.ndarray]]:
    return keras.models.load_model(model, compile=False), dict(np.load(data))


def main(*paths: str) -> None:
    keras.utils.set_random_seed(0)
    model, data = given(*paths) if paths else pretrained()

    def tell(words: str, size: int) -> None:
        right = model.predict(data["x_test"], verbose=0).argmax(axis=1) == data["y_test"]
        print(f"{words:16} {size:9,} bytes, test accuracy {right.mean():.3f}")

    tell("as it is:", 4 * model.count_params())
    # As `python -m dwt_keras compress MODEL.keras quantised.dwtz --distortion=0.003` does.
    size = save_compressed(model, "quantised.dwtz", distortion=3e-3)
    load_compressed_weights("quantised.dwtz", model)
    tell("quantised:", size)

    epochs, batches = 10, -(-len(data["x_train"]) // 32)
    rate = keras.optimizers.schedules.CosineDecay(0.002, epochs * batches)
    model.compile(keras.optimizers.Adam(rate), "sparse_categorical_crossentropy")
    compression = DWTCompression(target_bytes=size // 3)
    model.fit(data["x_train"], data["y_train"], 32, epochs, verbose=0, callbacks=[compression])
    size = save_compressed(model, "trained.dwtz", kernels=compression.targets)
    load_compressed_weights("trained.dwtz", model)
    tell("and trained on:", size)


if __name__ == "__main__":
    main(*sys.argv[1:])
