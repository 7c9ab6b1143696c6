"""One point of tfmot; rate_accuracy.py runs this with the Python that has it.

    PYTHON_WITH_TFMOT tfmot_runner.py DATA_DIR NETWORK ZEROS EPOCHS SEED

Prunes each layer to a share of zeros by tfmot's polynomial decay over the first half of the epochs
(its masks are held after), with Adam and the same cosine schedule. Prints the bytes of the
stripped network's weights, gzip -9, and its accuracy on the test part. The last 5,000 images of the
training file are left out, as they are elsewhere.
"""

import gzip
import io
import json
import math
import os
import sys

os.environ["TF_CPP_MIN_LOG_LEVEL"] = "3"

import numpy as np
import tensorflow as tf
import tensorflow_model_optimization as tfmot
import tf_keras as keras

BATCH = 128


def main() -> None:
    data_dir, network, zeros, *numbers = sys.argv[1:]
    epochs, seed = map(int, numbers)
    images, labels = (read(data_dir, f"train-{kind}") for kind in ("images", "labels"))
    test = tuple(read(data_dir, f"t10k-{kind}") for kind in ("images", "labels"))
    keras.utils.set_random_seed(seed)
    steps = math.ceil(55000 / BATCH)
    schedule = tfmot.sparsity.keras.PolynomialDecay(
        initial_sparsity=0.0,
        final_sparsity=float(zeros),
        begin_step=0,
        end_step=steps * max(epochs // 2, 1),
        frequency=steps,
    )
    model = tfmot.sparsity.keras.prune_low_magnitude(built(network), pruning_schedule=schedule)
    rate = keras.optimizers.schedules.CosineDecay(1e-3, steps * epochs)
    model.compile(
        keras.optimizers.Adam(rate), "sparse_categorical_crossentropy", metrics=["accuracy"]
    )
    model.fit(
        images[:55000],
        labels[:55000],
        batch_size=BATCH,
        epochs=epochs,
        verbose=0,
        callbacks=[tfmot.sparsity.keras.UpdatePruningStep()],
    )
    model = tfmot.sparsity.keras.strip_pruning(model)
    model.compile(loss="sparse_categorical_crossentropy", metrics=["accuracy"])
    _, accuracy = model.evaluate(*test, batch_size=1000, verbose=0)
    weights = model.get_weights()
    file = io.BytesIO()
    np.savez(file, *weights)
    kernels = [weight for weight in weights if weight.ndim > 1]
    record = {
        "bytes": len(gzip.compress(file.getvalue(), 9)),
        "float32": sum(weight.nbytes for weight in weights),
        "test_accuracy": accuracy,
        "zero_fraction": float(np.mean(np.concatenate([k.ravel() for k in kernels]) == 0)),
        "seconds": 0.0,
    }
    print(json.dumps(record))


def read(folder: str, name: str) -> np.ndarray:
    """An IDX file, gzipped or not; pixels within 0 and 1."""
    kind = "idx3" if "images" in name else "idx1"
    path = os.path.join(folder, f"{name}-{kind}-ubyte")
    with open(path if os.path.exists(path) else f"{path}.gz", "rb") as file:
        content = file.read()
    if content[:2] == b"\x1f\x8b":
        content = gzip.decompress(content)
    data = np.frombuffer(content, np.uint8)
    if kind == "idx1":
        return data[8:].astype(np.int32)
    return (data[16:].reshape(-1, 28, 28, 1) / np.float32(255)).astype(np.float32)


def built(network: str) -> keras.Model:
    layers = keras.layers
    if network == "mlp":
        body = [layers.Flatten(), layers.Dense(128, "relu")]
    else:
        body = [
            *(layers.Conv2D(32, 3, padding="same", activation="relu") for _ in range(2)),
            layers.MaxPooling2D(2),
            *(layers.Conv2D(64, 3, padding="same", activation="relu") for _ in range(2)),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dense(256, "relu"),
            layers.Dropout(0.5),
        ]
    return keras.Sequential([keras.Input((28, 28, 1)), *body, layers.Dense(10, "softmax")])


if __name__ == "__main__":
    tf.config.threading.set_inter_op_parallelism_threads(1)
    main()
