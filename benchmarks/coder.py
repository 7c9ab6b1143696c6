"""The file .dwtz against other coders and formats: bytes, overhead, speed, loading.

    python benchmarks/coder.py --cache=FOLDER --data_dir=FOLDER_WITH_FASHION_MNIST_IDX_FILES
        --mtcnn_dir=FOLDER --nncodec_python=FOLDER/bin/python

Trains what the cache lacks first: the MLP and the CNN of train.py at 90, 95 and 98 % zeros, in haar
with three levels and by plain pruning; the levels of the kernels in each run's file are a set of
tensors, as are the weights of the three networks that PyPI's mtcnn ships, quantised. The same
integers go to every coder, and what NNCodec and .dwtz made of them is decoded and compared.

    bytes      whole files of kernels alone, against NNCodec, order-0 entropy, zstd and xz
    overhead   what the MLP's files hold beside coded levels and the values of biases
    speed      of coding and decoding on one core
    load       load_compressed against keras.models.load_model

Outside the project's own environment:

    python -m venv FOLDER && FOLDER/bin/python -m pip install nncodec==2.1.3   (needs a compiler)
    python -m pip install --no-deps --target=FOLDER mtcnn==1.0.0 lz4

Without either flag its sets or columns are left out. zstd is the program of that name.
"""

from __future__ import annotations

import argparse
import os
from pathlib import Path

os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

import coder_bytes
import coder_sets
import coder_times

PARTS = ("bytes", "overhead", "speed", "load")


def main() -> None:
    options = parsed()
    parts = options.parts.split(",")
    if unknown := set(parts) - set(PARTS):
        raise SystemExit(f"--parts takes {', '.join(PARTS)}; given {', '.join(sorted(unknown))}")
    trainings = {
        "mlp": coder_sets.Training(options.mlp_epochs),
        "cnn": coder_sets.Training(options.cnn_epochs, options.cnn_images),
    }
    sets = coder_sets.trained(options.cache, options.data_dir, trainings)
    if options.mtcnn_dir is None:
        print("no --mtcnn_dir: its sets are left out")
    else:
        sets |= coder_sets.mtcnn(options.mtcnn_dir)
    tables = {
        "bytes": lambda: coder_bytes.compare(sets, options.nncodec_python),
        "overhead": lambda: coder_bytes.overhead(options.cache),
        "speed": lambda: coder_times.speed(sets, options.repetitions),
        "load": lambda: coder_times.loading(options.cache, options.repetitions),
    }
    for part in parts:
        print(f"\n{part}\n{tables[part]()}", flush=True)


def parsed() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--cache", type=Path, required=True, help="trained sets are kept there")
    parser.add_argument("--data_dir", help="else keras.datasets downloads them")
    parser.add_argument("--mtcnn_dir", type=Path)
    parser.add_argument("--nncodec_python")
    parser.add_argument("--parts", default=",".join(PARTS))
    parser.add_argument("--mlp_epochs", type=int, default=15)
    parser.add_argument("--cnn_epochs", type=int, default=4)
    parser.add_argument("--cnn_images", type=int, help="of each of its epochs; default all")
    parser.add_argument("--repetitions", type=int, default=9, help="of each timing")
    return parser.parse_args()


if __name__ == "__main__":
    main()
