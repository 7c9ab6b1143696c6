"""Codes integer tensors with NNCodec; coder.py runs this with the Python that has NNCodec.

    PYTHON_WITH_NNCODEC nncodec_runner.py FOLDER

For each NAME.npz of int32 arrays in the folder, writes NAME.decoded: an npz of the arrays that
NNCodec decoded, and `size`, the bytes of its bitstream. The arrays are coded as integers, at a step
of 1, without dependent quantisation; of row skipping on and off what gives fewer bytes.
"""

import sys
from pathlib import Path

import numpy as np
from nncodec import nnc


def main() -> None:
    for path in sorted(Path(sys.argv[1]).glob("*.npz")):
        with np.load(path) as file:
            arrays = dict(file)
        streams = [coded(arrays, row_skipping) for row_skipping in (False, True)]
        stream = min(streams, key=len)
        decoded = nnc.decompress(stream)
        with path.with_suffix(".decoded").open("wb") as out:
            np.savez(out, size=len(stream), **decoded)


def coded(arrays: dict[str, np.ndarray], row_skipping: bool) -> bytearray:
    return nnc.compress(
        # NNCodec may change what it is given.
        {name: array.copy() for name, array in arrays.items()},
        bitstream_path=None,
        qp=0,
        nonweight_qp=0,
        use_dq=False,
        row_skipping=row_skipping,
        return_bitstream=True,
    )


if __name__ == "__main__":
    main()
