"""Small networks that others trained, compressed without any training: how small, at what error.

    python benchmarks/pretrained_faces.py                    # downloads 3 MB from PyPI
    python benchmarks/pretrained_faces.py --folder=networks  # and keeps the .keras files there

The package mtcnn (MIT licence) ships the three networks of a face detector (Zhang and others 2016,
doi:10.1109/LSP.2016.2603342): P-Net and R-Net of 3x3 convolutions, R-Net and O-Net with a Dense
layer over a feature map of 3x3 places. They are rebuilt of Keras' layers with the package's
weights, and must give what the package's own networks give, to 1e-5. `python -m dwt_keras compress`
then stores them at some distortions, with wavelets and without.

Prints bytes, and the relative error of all outputs, |difference| / |outputs|, over patches of two
photographs. Nothing of the package is kept but in --folder.
"""

from __future__ import annotations

import argparse
import contextlib
import gzip
import importlib
import io
import tempfile
from pathlib import Path
from typing import Any

import keras
import numpy as np
import packages
from keras import layers
from sklearn.datasets import load_sample_images

from dwt_keras import load_compressed
from dwt_keras.__main__ import main as command
from dwt_keras.views.tables import table

# The sides of the patches that they take; P-Net takes any, and was trained on 12.
SIDES = {"PNet": None, "RNet": 24, "ONet": 48}
SIDE_OF_ANY = 12
WAVELETS = ("none", "haar", "auto")
DISTORTIONS = ("1e-5", "1e-4", "1e-3")
Array = np.ndarray[Any, np.dtype[Any]]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--folder", type=Path, help="where the .keras files go")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        unpacked = Path(temporary) / "packages"
        packages.from_pypi(packages.MTCNN, unpacked)
        folder = options.folder or Path(temporary)
        folder.mkdir(parents=True, exist_ok=True)
        sizes: list[tuple[str, ...]] = [
            ("network", "weights", "as float32", ".keras", ".keras, gzip -9")
        ]
        files: list[tuple[str, ...]] = [
            ("network", "wavelet", "distortion", "model.dwtz", "share", "error of outputs")
        ]
        for name, side in SIDES.items():
            model = converted(name, side, unpacked)
            archive = folder / f"{name.lower()}.keras"
            model.save(archive)
            stored = archive.read_bytes()
            bytes_ = (4 * model.count_params(), len(stored), len(gzip.compress(stored, 9)))
            sizes.append((name, *(f"{number:,}" for number in (model.count_params(), *bytes_))))
            files += measured(name, model, archive, Path(temporary) / "model.dwtz")
    print(table(sizes, right_from=1))
    print()
    print(table(files, right_from=2))


def converted(name: str, side: int | None, unpacked: Path) -> keras.Model:
    """A network of the package as a Functional one, checked against what it is made of."""
    # Puts the package where modules are looked for.
    weights = packages.mtcnn_weights(unpacked, name.lower())
    theirs = getattr(importlib.import_module(f"mtcnn.network.{name.lower()}"), name)()
    theirs.build()
    theirs.set_weights(weights)
    ours = functional(theirs, side)
    side = side or SIDE_OF_ANY
    given = np.random.default_rng(0).uniform(-1, 1, (16, side, side, 3)).astype(np.float32)
    pairs = zip(outputs(ours, given), outputs(theirs, given), strict=True)
    error = max(float(np.abs(one - other).max()) for one, other in pairs)
    if error > 1e-5:
        raise SystemExit(f"{name}: its outputs differ by {error:.2g} from the package's")
    print(f"{name}: the package's outputs within {error:.1g}", flush=True)
    return ours


def functional(theirs: Any, side: int | None) -> keras.Model:
    """Copies the layers of a subclassed network, which lists them in the order of its calls."""
    tensor = inputs = keras.Input((side, side, 3), name="patches")
    ends, turned = [], None
    for layer in theirs.layers:
        if isinstance(layer, layers.Permute):
            turned = tensor.shape[1:]
            continue
        copy = type(layer).from_config(layer.get_config())
        made = copy(tensor)
        weights = layer.get_weights()
        if isinstance(layer, layers.Dense) and turned:
            # The package flattens width before height. Rows in the order of the feature map need
            # no Permute, behind which a kernel's geometry would not be known.
            height, width, channels = turned
            kernel = weights[0].reshape(width, height, channels, -1)
            weights[0] = kernel.swapaxes(0, 1).reshape(weights[0].shape)
            turned = None
        copy.set_weights(weights)
        if "-" in layer.name:  # As in fc6-1, the first of three ends.
            ends.append(made)
        else:
            tensor = made
    return keras.Model(inputs, ends, name=type(theirs).__name__.lower())


def measured(name: str, model: keras.Model, archive: Path, target: Path) -> list[tuple[str, ...]]:
    """A row for each way to store a network: its bytes, and what they cost."""
    given = patches(model.input_shape[1] or SIDE_OF_ANY)
    right = outputs(model, given)
    whole = 4 * model.count_params()
    rows: list[tuple[str, ...]] = []
    for distortion in DISTORTIONS:
        for wavelet in WAVELETS:
            flags = [f"--wavelet={wavelet}", f"--distortion={distortion}"]
            with contextlib.redirect_stdout(io.StringIO()):
                status = command(["", "compress", str(archive), str(target), *flags])
            if status:
                raise SystemExit(status)
            found = outputs(load_compressed(target), given)
            wrong = sum(float(np.sum((a - b) ** 2)) for a, b in zip(found, right, strict=True))
            error = np.sqrt(wrong / sum(float(np.sum(each**2)) for each in right))
            size = target.stat().st_size
            share = f"{100 * size / whole:.1f} %"
            rows.append((name, wavelet, distortion, f"{size:,}", share, f"{error:.4f}"))
    return rows


def patches(side: int) -> Array:
    """Patches of two photographs, of shape (patches, side, side, 3), as the package scales them."""
    found = []
    for image in load_sample_images().images:
        # Every other pixel, so that there is more to see in a patch.
        image = image[::2, ::2].astype(np.float32)
        rows, columns = (range(0, length - side, 48) for length in image.shape[:2])
        found += [image[y : y + side, x : x + side] for y in rows for x in columns]
    return (np.stack(found) - 127.5) / 128.0


def outputs(model: Any, given: Array) -> list[Array]:
    """What each end of a network says."""
    return [np.asarray(each, np.float64) for each in model(given)]


if __name__ == "__main__":
    main()
