"""Makes the golden files: what version 1 of the format looks like, and what it decodes to.

    python tests/golden/make.py

Every later version must read them, bit for bit, so those that are there are never written again.
For each file an .npz holds what it decodes to: by the number of the tensor its values as the bytes
that a model gets, and where the file holds levels these too; and as JSON what else there is of it.
"""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import ml_dtypes
import numpy as np

from dwt_keras.coding import container, records, tensors
from dwt_keras.coding.container import Section
from dwt_keras.coding.records import Transform
from dwt_keras.coding.tensors import Tensor
from dwt_keras.compression import layout

FOLDER = Path(__file__).parent
FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
FLOAT16, BFLOAT16 = np.dtype(np.float16), np.dtype(ml_dtypes.bfloat16)
# As in dwt_keras.compression.artifact, which loads TensorFlow.
FINGERPRINT, WEIGHTS = 1, 2
FINGERPRINT_BYTES = bytes(range(8))

Made = tuple[bytes, Sequence[Tensor]]


def sparse(seed: int, shape: tuple[int, ...], share: float = 0.3, size: float = 3.0) -> Any:
    """Levels as quantised coefficients have them: more and larger ones at the beginning."""
    rng = np.random.default_rng(seed)
    falling = np.exp(-3.0 * np.arange(np.prod(shape)) / np.prod(shape)).reshape(shape)
    levels = np.rint(rng.laplace(0.0, size, shape) * falling).astype(np.int32)
    return np.where(rng.random(shape) < share * (0.3 + falling), levels, 0).astype(np.int32)


def coded(
    name: str,
    shape: tuple[int, ...],
    levels: Any,
    transform: Transform | None = None,
    step: float = 0.03125,
    dtype: np.dtype[Any] = FLOAT32,
) -> Tensor:
    # The file keeps the step in 32 bits.
    step = float(np.float32(step))
    return Tensor(name, shape, dtype, levels=levels, step=step, transform=transform)


def kept(name: str, values: Any, dtype: np.dtype[Any] | None = None) -> Tensor:
    return Tensor(name, values.shape, dtype or values.dtype, values=values)


def packed(*given: Tensor) -> Made:
    """A file of weights alone."""
    payload = tensors.encode(given, layout.grid_of)
    sections = [Section(FINGERPRINT, FINGERPRINT_BYTES), Section(WEIGHTS, payload)]
    return container.pack(sections), given


def pyramid() -> Made:
    """Haar with three levels over the height and width of a Dense kernel's image."""
    shape = (14, 11, 2, 10)
    bias = np.random.default_rng(1).normal(size=10).astype(np.float16)
    return packed(
        coded(
            "hidden/kernel", (308, 10), sparse(0, shape), Transform("haar", 3, (0, 1), shape), 0.05
        ),
        kept("hidden/bias", bias, FLOAT32),
        coded("classes/kernel", (10, 4), sparse(2, (10, 4)), None, 0.05),
        coded("classes/bias", (4,), sparse(3, (4,), 1.0), None, 0.001),
    )


def packets() -> Made:
    """Wavelet packets, one and two axes, and pyramids over other axes than the first two."""
    over_time, image, middle = (20, 3, 5), (9, 8, 6), (3, 12, 4)
    return packed(
        coded(
            "time/kernel",
            (60, 5),
            sparse(10, over_time),
            Transform("db2", 2, (0,), over_time, ("", "a", "d", "aa")),
        ),
        coded(
            "image/kernel",
            (72, 6),
            sparse(11, image),
            Transform("sym4", 1, (0, 1), image, ("", "dd", "ad")),
        ),
        coded("middle", middle, sparse(12, middle), Transform("bior2.2", 2, (1,), middle)),
        coded("matrix", (15, 13), sparse(13, (15, 13)), Transform("coif1", 3, (0, 1), (15, 13))),
        coded("long", (40,), sparse(14, (40,)), Transform("rbio3.1", 64, (0,), (40,))),
        coded("time", (21, 7), sparse(15, (21, 7)), Transform("db4", 2, (0,), (21, 7))),
    )


def convolutions() -> Made:
    """Kernels of one to three window axes, without a transform and with one."""
    return packed(
        coded("conv2d/kernel", (3, 3, 8, 12), sparse(20, (3, 3, 8, 12))),
        coded("conv1d/kernel", (5, 4, 6), sparse(21, (5, 4, 6))),
        coded("conv3d/kernel", (2, 3, 2, 3, 4), sparse(22, (2, 3, 2, 3, 4))),
        coded("square/kernel", (36, 7), sparse(23, (6, 6, 7)), Transform("none", 0, (), (6, 6, 7))),
        coded(
            "large/kernel",
            (7, 7, 3, 5),
            sparse(24, (7, 7, 3, 5)),
            Transform("haar", 2, (0, 1), (7, 7, 3, 5)),
        ),
    )


def dtypes() -> Made:
    """Every dtype in every way of keeping."""
    rng = np.random.default_rng(30)
    given = []
    for dtype in records.DTYPES.values():
        if dtype in (FLOAT16, BFLOAT16, FLOAT32, FLOAT64):
            values = rng.normal(size=(2, 3)).astype(dtype)
            values.flat[0] = -0.0
            given.append(coded(f"{dtype}/levels", (4, 5), sparse(31, (4, 5)), None, 0.1, dtype))
            transform = Transform("db3", 1, (0,), (8, 5))
            levels = sparse(32, (8, 5), 0.8)
            given.append(coded(f"{dtype}/coefficients", (8, 5), levels, transform, 0.3, dtype))
        elif dtype == np.bool_:
            values = rng.integers(0, 2, (2, 3)).astype(bool)
        else:
            values = np.frombuffer(rng.bytes(6 * dtype.itemsize), dtype).reshape(2, 3)
        given.append(kept(f"{dtype}/as it is", values))
    halves = rng.normal(size=5).astype(np.float16)
    given += [kept(f"half/{dtype}", halves, dtype) for dtype in (FLOAT32, FLOAT64)]
    return packed(*given)


def magnitudes() -> Made:
    """Small and large levels: all lengths of the exponential code, and the largest level."""
    powers = np.array([2**k + d for k in range(24) for d in (-1, 0, 1)], np.int32)
    signs = np.random.default_rng(40).choice(np.array([-1, 1], np.int32), powers.shape)
    largest = np.array([[0, 2**24 - 1], [-(2**24) + 1, 1]], np.int32)
    return packed(
        coded("powers", (8, 9), (powers * signs).reshape(8, 9), None, 2.0**-20),
        coded("largest", (2, 2), largest, None, 1e-3),
        coded("small", (12, 10), sparse(41, (12, 10), 9.0, 40.0), None, 1.0),
        # Of so many, most of them not zero, the writer takes the dense coder.
        coded("dense", (30, 2, 40), sparse(42, (30, 2, 40), 9.0, 4.0), None, 1.0),
        coded("dense, large", (2, 16), sparse(43, (2, 16), 9.0, 1e5), None, 1.0),
        coded("all alike", (30, 3), np.full((30, 3), -5, np.int32), None, 0.25),
    )


def zeros() -> Made:
    """Nothing but zeros, tensors without values, and single ones."""
    image = (8, 8, 1, 4)
    return packed(
        coded("kernel", (64, 4), np.zeros(image, np.int32), Transform("haar", 3, (0, 1), image)),
        coded("bias", (4,), np.zeros(4, np.int32), None, 0.0),
        coded("step of zero", (3,), np.array([0, 2, -3], np.int32), None, 0.0),
        coded("empty", (3, 0, 2), np.zeros((3, 0, 2), np.int32)),
        kept("empty as it is", np.zeros((0,), np.float32)),
        coded("scalar", (), np.array(-7, np.int32)),
        kept("count", np.array(1 << 40, np.int64)),
    )


def later() -> Made:
    """A later minor version's: other sections that may be skipped, and another order."""
    data, given = pyramid()
    fingerprint, weights = container.unpack(data)
    strange = [Section(100, b"for a later reader", optional=True), Section(101, b"", optional=True)]
    sections = [strange[0], weights, strange[1], strange[0], fingerprint]
    whole = bytearray(container.pack(sections, several={100}))
    whole[5] = 7
    return bytes(whole[:-8]) + container._digest(bytes(whole[:-8])), given


# Those whose bytes today's writer still makes.
WRITTEN: dict[str, Callable[[], Made]] = {
    "pyramid": pyramid,
    "packets": packets,
    "convolutions": convolutions,
    "dtypes": dtypes,
    "magnitudes": magnitudes,
    "zeros": zeros,
}


def model() -> Made:
    """A file with an architecture, as save_compressed() writes it."""
    import keras
    from keras import layers

    from dwt_keras.compression import artifact, packing

    image, words = keras.Input((8, 8, 1), name="image"), keras.Input((5,), name="words")
    x = layers.Conv2D(4, 3, activation="relu", name="conv")(image)
    x = layers.BatchNormalization(name="norm")(x)
    x = layers.Dense(6, name="hidden")(layers.Flatten(name="flat")(x))
    y = layers.GRU(3, name="gru")(layers.Embedding(7, 2, name="embedding")(words))
    z = layers.Dense(3, activation="softmax", name="classes")(
        layers.Concatenate(name="both")([x, y])
    )
    network = keras.Model([image, words], z, name="golden")
    rng = np.random.default_rng(60)
    network.set_weights([rng.laplace(0.0, 0.2, w.shape) for w in network.get_weights()])
    kernels = artifact.find_kernels(network, "haar", 2, "auto")
    return artifact.encode(network, kernels, 0.1), packing.pack(network, kernels, 0.1)


def expected(given: Sequence[Tensor]) -> dict[str, Any]:
    """What the .npz holds."""
    described = [
        {
            "name": one.name,
            "shape": one.shape,
            "dtype": str(one.dtype),
            "step": one.step,
            "transform": None if one.transform is None else vars(one.transform),
        }
        for one in given
    ]
    found: dict[str, Any] = {"tensors": np.array(json.dumps(described))}
    for number, one in enumerate(given):
        # No .npz holds bfloat16.
        found[f"values_{number}"] = np.frombuffer(layout.restored(one).tobytes(), np.uint8)
        if one.levels is not None:
            found[f"levels_{number}"] = one.levels
    return found


def main() -> int:
    for name, make in {**WRITTEN, "later": later, "model": model}.items():
        path = FOLDER / f"{name}.dwtz"
        if path.exists():
            print(f"{path.name} is there; it stays as it is")
            continue
        data, given = make()
        path.write_bytes(data)
        np.savez_compressed(path.with_suffix(".npz"), **expected(given))
        print(f"{path.name}: {len(data)} bytes")
    return 0


if __name__ == "__main__":
    sys.exit(main())
