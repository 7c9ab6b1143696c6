"""Load a compact file in a program: predict from it, or take its weights alone.

    python examples/load.py [FILE.dwtz]

Takes the model.dwtz of a run of train.py, or any other; without one it writes digits.dwtz, of a
network that has learnt nothing. Prints the network's layers, what it says of random inputs, that a
network of the same architecture says the same once it has the weights, and what a damaged file is
answered with.
"""

import sys
from pathlib import Path

import keras
import numpy as np

from dwt_keras import CodecError, load_compressed, load_compressed_weights, save_compressed


def stand_in(path: str) -> str:
    """Writes a compact file, where none is given."""
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    save_compressed(keras.Sequential(layers), path, distortion=1e-3)
    return path


def main(path: str = "") -> None:
    path = path or stand_in("digits.dwtz")

    # A Keras model like any other, not compiled. Nothing that the file names is imported or run.
    model = load_compressed(path)
    for layer in model.layers:
        print(f"{layer.name}: {layer.count_params():,} weights")
    inputs = np.random.default_rng(0).random((3, *model.inputs[0].shape[1:]), np.float32)
    outputs = model.predict(inputs, verbose=0)
    print(f"classes of three random inputs: {', '.join(map(str, outputs.argmax(axis=1)))}")

    # Into a network that the program has built itself: all weights, or none and an error.
    other = keras.models.clone_model(model)
    load_compressed_weights(path, other)
    assert np.array_equal(other.predict(inputs, verbose=0), outputs)
    print("a network of the same architecture says the same with the weights of the file")

    # Whatever is wrong with a file is one exception, and no model has changed then.
    damaged = Path("damaged.dwtz")
    damaged.write_bytes(Path(path).read_bytes()[:-1])
    try:
        load_compressed_weights(damaged, other)
    except CodecError as error:
        print(f"refused: {error}")
    finally:
        damaged.unlink()


if __name__ == "__main__":
    main(*sys.argv[1:])
