"""Accuracy by the rows that remain, and how fast the networks then are.

    python benchmarks/inference.py rows --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES
    python benchmarks/inference.py cnn --data_dir=...
    python benchmarks/inference.py wide --data_dir=...

`rows` trains the 784-128-10 network for 15 epochs on few coefficients, or pixels, of its input and
prints test accuracies. `cnn` and `wide` train a network and its dense control and time the
SavedModels of both in one process, by turns: `wide` is Flatten, 4096, 4096, 10 over images enlarged
to 96 x 96. With `--results=FOLDER` trainings that are over are kept there, and one that was
interrupted goes on.

Beside them stand what others offer for the same shapes: LiteRT's float and int8 files, its
EXPERIMENTAL_SPARSITY over scattered zeros and over 2 of 4, and kernels in CSR. These are the dense
control's weights, the smallest of each kernel set to zero at once: their times are what is
measured, and their accuracy without any further training is printed beside.
"""

from __future__ import annotations

import argparse
import os
import statistics
import tempfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import numpy as np
import runs

from dwt_keras.commands import latencies
from dwt_keras.views.tables import table

BASES = ({"wavelet": "auto"}, {"wavelet": "haar", "level": 3}, {"wavelet": "sym4", "level": 3},
         {"wavelet": "none"})  # fmt: skip
KEPT = (98, 49)
CNN_ROWS = "conv_:0.6,dense_1:0.25"
WIDE_ROWS = "dense_1:0.1,dense_2:0.4,classes:0.5"
WIDE_SIDE = 96
WIDE_BATCH = 256
# At 0.001 the first epoch's loss is above 9: too long a step for 9,216 inputs.
WIDE_RATE = 0.0003
BATCHES = (1, 32)
# What share of each kernel the peers set to zero.
SCATTERED = 0.9


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("part", choices=("rows", "cnn", "wide"))
    parser.add_argument("--data_dir", required=True)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--epochs", type=int)
    parser.add_argument("--seconds", type=float, default=5.0, help="timed for each batch size")
    parser.add_argument("--keep_rows", help="in place of what the part has")
    parser.add_argument("--results", type=Path, help="keeps networks here")
    options = parser.parse_args()
    if options.part == "rows":
        rows(options)
    else:
        speed(options)


def rows(options: argparse.Namespace) -> None:
    lines = [("basis", "rows", "test accuracy", "lowest", "highest", "of 784 chosen")]
    for kept in KEPT:
        for basis in BASES:
            found = []
            for seed in range(options.seeds):
                flags = {
                    **runs.FASHION_MNIST,
                    **basis,
                    "keep_rows": f"dense_1:{kept}",
                    "seed": seed,
                }
                flags |= {"epochs": options.epochs or 15, "data_dir": options.data_dir}
                with tempfile.TemporaryDirectory() as folder:
                    run = trained(flags, Path(folder))
                    reached = runs.metrics_of(run)["test_accuracy"]
                    found.append((reached, runs.bases_of(run)["dense_1/kernel"]))
                print(kept, basis, seed, reached, flush=True)
            accuracies = [accuracy for accuracy, _ in found]
            chosen = dict.fromkeys(f"{each['wavelet']} {each['level']}" for _, each in found)
            lines.append(
                (
                    " ".join(map(str, basis.values())),
                    str(kept),
                    f"{statistics.mean(accuracies):.4f}",
                    f"{min(accuracies):.4f}",
                    f"{max(accuracies):.4f}",
                    ", ".join(chosen),
                )
            )
    print(table(lines, right_from=1))


def trained(flags: Mapping[str, object], folder: Path) -> Path:
    """The folder of one run of train.py, which is made or gone on with unless it is there."""
    if not runs.is_complete(folder):
        runs.train({**flags, "save_dir": folder, "resume": "auto"})
    return runs.folder_of(folder)


def speed(options: argparse.Namespace) -> None:
    """Trains the network and its dense control, and times both."""
    with tempfile.TemporaryDirectory() as temporary:
        folder = options.results / options.part if options.results else Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        data_dir = options.data_dir
        flags: dict[str, Any] = {"model": "cnn", "epochs": options.epochs or 13}
        kept = options.keep_rows or CNN_ROWS
        if options.part == "wide":
            data_dir = enlarged(options.data_dir, folder)
            flags = {"model": "mlp", "hidden_units": "4096,4096", "epochs": options.epochs or 4}
            flags |= {"batch_size": WIDE_BATCH, "learning_rate": WIDE_RATE}
            kept = options.keep_rows or WIDE_ROWS
        flags = {**runs.FASHION_MNIST, **flags, "data_dir": data_dir}
        flags |= {"learning_rate_schedule": "cosine", "figures": "none"}
        dense = trained({**flags, "wavelet": "none", "threshold": 0}, folder / "dense")
        name = "rows-" + "".join(each if each.isalnum() else "-" for each in kept)
        run = trained({**flags, "keep_rows": kept, "export": "litert"}, folder / name)
        control, shrunk = runs.metrics_of(dense), runs.metrics_of(run)
        print(
            f"test accuracy: dense control {control['test_accuracy']:.4f}, "
            f"{kept} {shrunk['test_accuracy']:.4f}, LiteRT {shrunk['litert_test_accuracy']}"
        )
        peers = sparse_peers(dense, folder)
        inputs, labels = test_part(data_dir)
        for peer, path in peers.items():
            print(f"{peer}: test accuracy {accuracy(path, inputs, labels):.4f}")
        for size in BATCHES:
            print(f"batch {size}, milliseconds")
            print(timed(dense, run, peers, size, options.seconds))


def enlarged(data_dir: str, folder: Path) -> str:
    """Fashion-MNIST at 96 x 96 pixels, bilinear, as an .npz in a folder."""
    import tensorflow as tf

    from dwt_keras.settings import DataSettings
    from dwt_keras.training import data

    place = folder / "data"
    if (place / "fashion_mnist.npz").exists():
        return str(place)
    given = data.load(DataSettings(dataset="fashion_mnist", data_dir=data_dir))
    parts = {}
    for name, images, labels in (
        ("train", given.train.samples(), given.train.labels),
        ("validation", given.validation.samples(), given.validation.labels),
        ("test", given.test.samples(), given.test.labels),
    ):
        wide = [
            tf.image.resize(images[at : at + 1000], (WIDE_SIDE, WIDE_SIDE)).numpy()[..., 0]
            for at in range(0, len(images), 1000)
        ]
        parts[name] = (
            np.concatenate([(255 * each).round().astype("uint8") for each in wide]),
            labels,
        )
    arrays = {
        "x_train": np.concatenate([parts["train"][0], parts["validation"][0]]),
        "y_train": np.concatenate([parts["train"][1], parts["validation"][1]]),
        "x_test": parts["test"][0],
        "y_test": parts["test"][1],
    }
    place.mkdir(exist_ok=True)
    np.savez(place / "fashion_mnist.npz", allow_pickle=False, **arrays)
    return str(place)


def test_part(data_dir: str) -> tuple[Any, Any]:
    from dwt_keras.settings import DataSettings
    from dwt_keras.training import data

    test = data.load(DataSettings(dataset="fashion_mnist", data_dir=data_dir)).test
    return test.samples(), test.labels


def accuracy(path: Path, inputs: Any, labels: Any) -> float:
    from dwt_keras.commands import networks

    return float(np.mean(networks.load(str(path), True).predict(inputs).argmax(1) == labels))


def sparse_peers(dense: Path, folder: Path) -> dict[str, Path]:
    """LiteRT files of the dense control with zeros that a converter can make use of."""
    import keras
    import tensorflow as tf

    from dwt_keras import native
    from dwt_keras.training import export

    patterns: dict[str, Callable[[Any], Any]] = {
        f"{SCATTERED:.0%} zeros, LiteRT EXPERIMENTAL_SPARSITY": scattered,
        "2 of 4 zeros, LiteRT EXPERIMENTAL_SPARSITY": two_of_four,
    }
    found = {}
    for number, (name, pattern) in enumerate(patterns.items()):
        found[name] = folder / f"sparse-{number}.tflite"
        if found[name].exists():
            continue
        model = keras.models.load_model(dense / "model.keras")
        for layer in model.layers:
            if hasattr(layer, "kernel"):
                layer.kernel.assign(pattern(layer.kernel.numpy()))
        with tempfile.TemporaryDirectory() as temporary, native.messages_hidden():
            export.save_serving(model, Path(temporary) / "1")
            converter = tf.lite.TFLiteConverter.from_saved_model(str(Path(temporary) / "1"))
            converter.optimizations = [tf.lite.Optimize.EXPERIMENTAL_SPARSITY]
            found[name].write_bytes(converter.convert())
    return found


def scattered(kernel: Any) -> Any:
    """A kernel's largest weights; of those that are equal, as quantised ones are, some."""
    kept = round((1 - SCATTERED) * kernel.size)
    places = np.argpartition(np.abs(kernel), -kept, axis=None)[-kept:]
    found = np.zeros_like(kernel)
    found.flat[places] = kernel.flat[places]
    return found


def two_of_four(kernel: Any) -> Any:
    """Of four neighbours along the inputs the two smaller become zero; what is over stays."""
    shape = kernel.shape
    rows = kernel.reshape(-1, shape[-1])
    whole = len(rows) // 4 * 4
    groups = rows[:whole].reshape(-1, 4, shape[-1])
    ranks = np.abs(groups).argsort(axis=1).argsort(axis=1)
    return np.concatenate(
        [np.where(ranks >= 2, groups, 0).reshape(whole, -1), rows[whole:]]
    ).reshape(shape)


def timed(dense: Path, run: Path, peers: dict[str, Path], batch: int, seconds: float) -> str:
    import keras

    from dwt_keras.commands import networks

    forms = {
        "dense control, SavedModel": dense / "serving/1",
        "plain, SavedModel": run / "serving/1",
        "fast, SavedModel": run / "serving_fast/1",
        "fast, LiteRT float32": run / "model.tflite",
        "fast, LiteRT int8 weights": run / "model_int8.tflite",
        "fast, LiteRT int8": run / "model_full_int8.tflite",
        **peers,
    }
    predict = {name: networks.load(str(path), True).predict for name, path in forms.items()}
    model = keras.models.load_model(dense / "model.keras")
    shape = model.inputs[0].shape[1:]
    if all(isinstance(layer, (keras.layers.Flatten, keras.layers.Dense)) for layer in model.layers):
        predict[f"{SCATTERED:.0%} zeros, CSR (SciPy)"] = in_csr(model)
    samples = np.random.default_rng(0).random((batch, *shape), "float32")
    found = latencies.measure(predict, samples, batch, seconds)
    base = found["plain, SavedModel"].median
    lines = [("network", "median", "p95", "times as fast as plain")]
    for name, each in found.items():
        lines.append(
            (name, f"{1e3 * each.median:.3f}", f"{1e3 * each.p95:.3f}", f"{base / each.median:.2f}")
        )
    return table(lines, right_from=1)


def in_csr(model: Any) -> Any:
    """A network of Dense layers, most weights zero, whose kernels are sparse matrices."""
    import scipy.sparse

    parts = [
        (
            scipy.sparse.csr_array(scattered(layer.kernel.numpy()).T),
            layer.bias.numpy(),
            layer.activation.__name__,
        )
        for layer in model.layers
        if hasattr(layer, "kernel")
    ]

    def predict(inputs: Any) -> Any:
        values = inputs.reshape(len(inputs), -1)
        for kernel, bias, activation in parts:
            values = (kernel @ values.T).T + bias
            if activation == "relu":
                values = np.maximum(values, 0.0)
        return values

    return predict


if __name__ == "__main__":
    main()
