"""The example at the end of docs/format.md is what the writer writes."""

from __future__ import annotations

import re
import zlib
from pathlib import Path

import numpy as np

from dwt_keras.coding import entropy, records, tensors
from dwt_keras.coding.tensors import Tensor
from dwt_keras.compression import layout, sections

TEXT = (Path(__file__).parents[1] / "docs/format.md").read_text(encoding="utf-8")
LEVELS = np.array([[0, 1, 0, 0], [-2, 0, 20, 0]], np.int32)


def shown(block: str) -> bytes:
    return bytes.fromhex(
        "".join(re.split(r" {4,}(?=\S)", line.strip())[0] for line in block.splitlines())
    )


def test_the_example_of_the_format_is_what_is_written() -> None:
    text = TEXT.split("## 12.")[1]
    file, index = (shown(block) for block in text.split("```")[1::2])
    single = np.dtype(np.float32)
    bias = np.array([0, 1, -2, 0.5], np.float16)
    kernel = Tensor("dense/kernel", (2, 4), single, levels=LEVELS, step=0.5)
    payload = tensors.encode(
        [kernel, Tensor("dense/bias", (4,), single, values=bias)], layout.grid_of
    )
    opened = sections.opened(file)
    assert opened.parts[sections.FINGERPRINT] == bytes(range(8))
    # Another deflate than zlib's may give other bytes, which inflate to the same.
    for written in (payload, opened.parts[sections.WEIGHTS]):
        assert records.unpack(written)[0] == index
    assert records.unpack(payload)[1] == records.unpack(opened.parts[sections.WEIGHTS])[1]
    assert f"{len(file)} bytes" in text
    found = layout.decoded(opened)
    np.testing.assert_array_equal(found[0].levels, LEVELS)
    np.testing.assert_array_equal(found[1].values, bias)
    row = entropy.encode(LEVELS.reshape(-1), layout.grid_of((8,), None))
    assert f"`{row.hex(' ')}`" in TEXT


def test_the_dictionary_of_the_index_is_part_of_the_format() -> None:
    size, checksum = len(records.DICTIONARY), zlib.crc32(records.DICTIONARY)
    assert f"{size} bytes with the CRC-32 `{checksum:08X}`" in TEXT
    assert (size, checksum) == (805, 0x2C48B0B8)
