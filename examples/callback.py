"""The callback in a program of your own: your network, your data, your fit.

    python examples/callback.py [OUT.dwtz]

Trains a small network on scikit-learn's digits twice, as ever and with four fifths of all wavelet
coefficients taken away while it learns; writes the second as a compact file (digits.dwtz). Prints
both accuracies, how many coefficients of each layer are zero, and the bytes.
"""

import sys

import keras
from sklearn.datasets import load_digits
from sklearn.model_selection import train_test_split

from dwt_keras import DWTCompression, load_compressed, save_compressed


def build() -> keras.Model:
    """A network as you would write it; nothing in it knows of wavelets."""
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten()]
    layers += [keras.layers.Dense(64, "relu", name="hidden")]
    layers += [keras.layers.Dense(10, "softmax", name="classes")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


def main(path: str = "digits.dwtz") -> None:
    images, labels = load_digits(return_X_y=True)
    images = images.reshape(-1, 8, 8, 1).astype("float32") / 16
    x, x_test, y, y_test = train_test_split(images, labels, test_size=0.2, random_state=0)

    keras.utils.set_random_seed(0)
    dense = build()
    dense.fit(x, y, epochs=15, verbose=0)
    _, accuracy = dense.evaluate(x_test, y_test, verbose=0)
    print(
        f"dense:      test accuracy {accuracy:.3f}, {4 * dense.count_params():,} bytes as float32"
    )

    keras.utils.set_random_seed(0)
    model = build()
    # The first layer looks at images: its kernel is transformed over their height and width.
    compression = DWTCompression("haar", level=2, threshold=0.8, threshold_rule="quantile")
    model.fit(x, y, epochs=15, verbose=0, callbacks=[compression])
    assert compression.report is not None  # It is only before the first epoch.
    for layer, zeros in compression.report.zero_fraction_by_layer.items():
        print(f"{layer}: {zeros:.0%} of the coefficients are zero")

    size = save_compressed(model, path, kernels=compression.targets, distortion=1e-3)
    shipped = load_compressed(path)  # What is measured is what is in the file.
    shipped.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    _, accuracy = shipped.evaluate(x_test, y_test, verbose=0)
    print(f"compressed: test accuracy {accuracy:.3f}, {size:,} bytes in {path}")


if __name__ == "__main__":
    main(*sys.argv[1:])
