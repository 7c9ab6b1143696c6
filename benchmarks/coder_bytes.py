"""How many bytes the same integer tensors take: coder.py's first two tables."""

from __future__ import annotations

import lzma
import shutil
import statistics
import subprocess
import tempfile
from collections.abc import Callable
from pathlib import Path

import coder_sets
import numpy as np
from coder_sets import Set, levels_of

from dwt_keras.coding import container, entropy, tensors
from dwt_keras.compression import layout, sections
from dwt_keras.views.tables import table

BARS = {"weights alone": 150, "with architecture": 400}
OVERHEAD_SETS = ("mlp-haar-95", "mlp-none-95")


def compare(sets: dict[str, Set], nncodec_python: str | None) -> str:
    """The table of bytes; every figure is of a stream that was decoded to the same integers."""
    nncodec = nncodec_sizes(sets, nncodec_python) if nncodec_python else {}
    rows: list[tuple[str, ...]] = [
        (
            "set",
            "weights",
            "zeros",
            "dwtz",
            "NNCodec",
            "order 0",
            "zstd -19",
            "xz -9e",
            "dwtz/NNCodec",
            "dwtz/order 0",
        )
    ]
    to_nncodec, to_entropy = [], []
    for name, found in sets.items():
        ours, bound = dwtz_size(found), order_0(found)
        to_entropy.append(ours / bound)
        if name in nncodec:
            to_nncodec.append(ours / nncodec[name])
        rows.append(
            (
                name,
                f"{coder_sets.weights(found):,}",
                f"{100 * coder_sets.zeros(found):.1f} %",
                f"{ours:,}",
                f"{nncodec[name]:,}" if nncodec else "",
                f"{bound:,.0f}",
                f"{zstd_size(found):,}",
                f"{xz_size(found):,}",
                f"{to_nncodec[-1]:.3f}" if nncodec else "",
                f"{to_entropy[-1]:.3f}",
            )
        )
    summaries: dict[str, Callable[[list[float]], float]] = {
        "geometric mean": statistics.geometric_mean,
        "worst": max,
    }
    for name, summary in summaries.items():
        last = f"{summary(to_nncodec):.3f}" if nncodec else "", f"{summary(to_entropy):.3f}"
        rows.append((name, *[""] * 7, *last))
    text = table(rows, right_from=1)
    return text if nncodec else f"{text}\nno --nncodec_python: its columns are empty"


def file_of(found: Set) -> bytes:
    """A file of weights alone that holds these tensors."""
    payload = tensors.encode(found, layout.grid_of)
    # The fingerprint is of a model that has nothing else: eight bytes, whatever they are.
    fingerprint = container.Section(sections.FINGERPRINT, bytes(8))
    return container.pack([fingerprint, container.Section(sections.WEIGHTS, payload)])


def dwtz_size(found: Set) -> int:
    data = file_of(found)
    decoded = layout.decoded(sections.opened(data))
    check("dwtz", found, {tensor.name: levels_of(tensor) for tensor in decoded})
    return len(data)


def check(coder: str, found: Set, levels: dict[str, np.ndarray]) -> None:
    """Raises if levels are not exactly those of a set."""
    if set(levels) != {tensor.name for tensor in found}:
        raise RuntimeError(f"{coder} decoded other tensors than it was given")
    for tensor in found:
        if not np.array_equal(levels[tensor.name].ravel(), levels_of(tensor).ravel()):
            raise RuntimeError(f"{coder} decoded {tensor.name} to other integers")


def nncodec_sizes(sets: dict[str, Set], python: str) -> dict[str, int]:
    """Bytes of NNCodec's streams, in the better of Keras' and PyTorch's order of axes."""
    orders = {"keras": lambda array: array, "pytorch": units_first}
    back = {"keras": lambda array: array, "pytorch": units_last}
    sizes: dict[str, list[int]] = {name: [] for name in sets}
    with tempfile.TemporaryDirectory() as folder:
        for name, found in sets.items():
            for order, ordered in orders.items():
                arrays = {t.name: ordered(levels_of(t).reshape(t.shape)) for t in found}
                np.savez(Path(folder, f"{name}.{order}.npz"), allow_pickle=False, **arrays)
        runner = Path(__file__).with_name("nncodec_runner.py")
        subprocess.run([python, str(runner), folder], check=True, stdout=subprocess.DEVNULL)
        for name, found in sets.items():
            for order in orders:
                with np.load(Path(folder, f"{name}.{order}.decoded")) as file:
                    arrays = dict(file)
                sizes[name].append(int(arrays.pop("size")))
                levels = {key: back[order](array) for key, array in arrays.items()}
                check(f"NNCodec, {order} order,", found, levels)
    return {name: min(several) for name, several in sizes.items()}


def units_first(array: np.ndarray) -> np.ndarray:
    """(in, out) as (out, in), (h, w, in, out) as (out, in, h, w)."""
    axes = (1, 0) if array.ndim == 2 else (3, 2, 0, 1)
    return np.ascontiguousarray(array.transpose(axes))


def units_last(array: np.ndarray) -> np.ndarray:
    """Undoes `units_first`."""
    return array.transpose((1, 0) if array.ndim == 2 else (2, 3, 1, 0))


def order_0(found: Set) -> float:
    """Bytes of each tensor's own entropy, without the table that a decoder would need."""
    bits = 0.0
    for tensor in found:
        _, counts = np.unique(levels_of(tensor), return_counts=True)
        bits -= float(np.sum(counts * np.log2(counts / counts.sum())))
    return bits / 8


def narrow(found: Set) -> bytes:
    """The levels one tensor after another, each in the smallest type that holds it."""
    parts = []
    for tensor in found:
        levels = levels_of(tensor)
        largest = int(np.abs(levels).max(initial=0))
        dtype = next(d for d in (np.int8, np.int16, np.int32) if largest <= np.iinfo(d).max)
        parts.append(levels.astype(dtype).tobytes())
    return b"".join(parts)


def xz_size(found: Set) -> int:
    return len(lzma.compress(narrow(found), preset=9 | lzma.PRESET_EXTREME))


def zstd_size(found: Set) -> int:
    if shutil.which("zstd") is None:
        raise SystemExit("the program zstd is needed")
    command = ["zstd", "-19", "--no-check", "--stdout", "--quiet"]
    return len(subprocess.run(command, input=narrow(found), check=True, capture_output=True).stdout)


def overhead(cache: Path) -> str:
    """The table of what files of the MLP hold beside coded levels and other values."""
    rows = [("file", "bytes", "levels", "other values", "overhead", "bar")]
    for name in OVERHEAD_SETS:
        for kind in BARS:
            with tempfile.TemporaryDirectory() as folder:
                path = Path(folder, "model.dwtz")
                coder_sets.write_network(
                    cache, name, path, with_architecture=kind == "with architecture"
                )
                file = path.read_bytes()
            levels, values = payload(layout.decoded(sections.opened(file)))
            rows.append(
                (
                    f"{name}, {kind}",
                    f"{len(file):,}",
                    f"{levels:,}",
                    f"{values:,}",
                    f"{len(file) - levels - values:,}",
                    f"{BARS[kind]:,}",
                )
            )
    return table(rows, right_from=1)


def payload(found: Set) -> tuple[int, int]:
    """Bytes of the entropy coder's blocks, and of values that are kept as they are or halved."""
    levels = values = 0
    for tensor in found:
        if tensor.values is not None:
            values += tensor.values.nbytes
        else:
            grid = layout.grid_of(tensor.shape, tensor.transform)
            levels += len(entropy.encode(levels_of(tensor), grid))
    return levels, values
