"""Whether real pretrained weights help: MobileNetV2, trained on photographs, learns other images.

    python benchmarks/pretrained.py                               # downloads 25 MB by npm
    python benchmarks/pretrained.py --package=nsfwjs-4.4.0.tgz    # which is there already
    python benchmarks/pretrained.py --dataset=fashion_mnist --data_dir=FOLDER --images=5000

The npm package nsfwjs (MIT licence) ships a MobileNetV2 in the format of TensorFlow.js, with
weights of 8 bits. They are converted to a `.weights.h5` file for `train.py
--model=applications:MobileNetV2 --weights=FILE`; nothing else of the package is used, and nothing
is kept but in --folder. Then a head learns on them, all else frozen (`--freeze_until=out_relu`),
against a head on a network with fresh weights, frozen too: what is compared is what the features
tell. At last the whole network learns on behind the head (`--head_epochs`), by default and with
what the default avoids. Prints the test accuracy of each, as it ships.
"""

from __future__ import annotations

import argparse
import base64
import re
import tarfile
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import packages

from dwt_keras.settings import Settings
from dwt_keras.training import data, run, telling
from dwt_keras.training.parts import ArrayPart

PACKAGE = "nsfwjs@4.4.0"
PLACE = "package/dist/models/mobilenet_v2/"
# What TensorFlow.js calls a weight, in the order of the layers' own.
ORDER = "kernel depthwise_kernel gamma beta moving_mean moving_variance".split()
WEIGHT = re.compile(
    r'\{name:"(?P<layer>[^"/]+)/(?P<name>\w+)",shape:\[(?P<shape>[\d,]*)\],dtype:"float32",'
    r'quantization:\{min:(?P<least>[-.\de]+),scale:(?P<step>[-.\de]+),dtype:"uint8"\}\}'
)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--package", type=Path, help="the package, where it has been downloaded")
    parser.add_argument("--folder", type=Path, help="where the converted weights go")
    parser.add_argument("--dataset", default="digits")
    parser.add_argument("--data_dir")
    parser.add_argument("--images", type=int, help="of the training part; default all")
    parser.add_argument("--epochs", type=int, default=10)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        package = options.package or packages.from_npm(PACKAGE, Path(temporary))
        weights = (options.folder or Path(temporary)) / "mobilenet_v2.weights.h5"
        convert(package, weights)
        for name, told in trainings(str(weights), options.epochs):
            settings = Settings.from_flat(
                {
                    "dataset": options.dataset,
                    "data_dir": options.data_dir,
                    "model": "applications:MobileNetV2",
                    "wavelet": "none",
                    "threshold": 0.0,
                    "figures": "none",
                    "save_dir": str(Path(temporary) / "runs"),
                    **told,
                }
            )
            started = time.perf_counter()
            with telling.quietly():
                result = run.run(settings, shortened(data.load(settings.data), options.images))
            print(
                f"{name}: test accuracy {result.metrics['test_accuracy']:.4f}, "
                f"{time.perf_counter() - started:.0f} s",
                flush=True,
            )


def trainings(weights: str, epochs: int) -> Iterator[tuple[str, dict[str, Any]]]:
    """What each training is called, and told."""
    head = {"freeze_until": "out_relu", "epochs": epochs}
    yield "head alone, pretrained", {"weights": weights, **head}
    yield "head alone, fresh", {"weights": "none", **head}
    # As many epochs together.
    whole = {"weights": weights, "head_epochs": epochs // 2, "epochs": epochs - epochs // 2}
    yield "whole network", whole
    yield "whole network, freeze_batch_norm=off", {**whole, "freeze_batch_norm": "off"}
    yield "whole network, learning_rate=0.001", {**whole, "learning_rate": 1e-3}
    former = {"freeze_batch_norm": "off", "learning_rate": 1e-3}
    yield "whole network, both", {**whole, **former}


def shortened(found: data.Dataset, images: int | None) -> data.Dataset:
    """A dataset with fewer training images."""
    train = ArrayPart(found.train.samples(images), found.train.labels[:images])
    return data.Dataset(found.name, found.classes, train, found.validation, found.test)


def convert(package: Path, target: Path) -> None:
    """Writes MobileNetV2's weights without its top, as Keras saves weights.

    The package's network takes pixels within 0 and 1, Keras' own within -1 and 1: of photographs
    the first layer's channels then have 4.4 times the variance that its normalisation expects, as
    they come 1.1 times.
    """
    stored = read(package)
    model = keras.applications.MobileNetV2(
        include_top=False, pooling="avg", weights=None, input_shape=(32, 32, 3)
    )
    for layer in model.layers:
        if layer.weights:
            weights = stored[layer.name]
            layer.set_weights([weights[name] for name in ORDER if name in weights])
    kernel, norm = model.get_layer("Conv1").kernel, model.get_layer("bn_Conv1")
    # Of (pixel + 1) / 2 the half goes into the kernel and the rest into the mean.
    norm.moving_mean.assign_sub(0.5 * np.sum(kernel, axis=(0, 1, 2)))
    kernel.assign(0.5 * kernel)
    model.save_weights(target)
    print(f"converted: {model.count_params():,} weights of {package.name}", flush=True)


def read(package: Path) -> dict[str, dict[str, np.ndarray[Any, Any]]]:
    """The weights of the package's MobileNetV2 by layer and name, as float32."""
    with tarfile.open(package) as archive:

        def text(name: str) -> str:
            member = archive.extractfile(PLACE + name)
            if member is None:
                raise SystemExit(f"{package}: holds no {PLACE + name}")
            return member.read().decode()

        described, shard = text("model.min.js"), text("group1-shard1of1.min.js")
    # The longest literal of the script is the shard, in base 64.
    content = base64.b64decode(max(re.findall(r'"([A-Za-z0-9+/=]+)"', shard), key=len))
    found: dict[str, dict[str, np.ndarray[Any, Any]]] = {}
    at = 0
    for weight in WEIGHT.finditer(described[described.index("weightsManifest") :]):
        shape = [int(length) for length in weight["shape"].split(",") if length]
        levels = np.frombuffer(content, np.uint8, int(np.prod(shape)), at).reshape(shape)
        at += levels.size
        values = float(weight["least"]) + float(weight["step"]) * levels.astype(np.float32)
        found.setdefault(weight["layer"], {})[weight["name"]] = values.astype(np.float32)
    if at != len(content):
        raise SystemExit(f"{package}: has {len(content)} weights, of which {at} are described")
    return found


if __name__ == "__main__":
    main()
