"""The example at the end of docs/format.md is what the writer writes."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

from dwt_keras.coding import container, entropy, tensors
from dwt_keras.coding.tensors import Tensor
from dwt_keras.compression import layout, sections

TEXT = (Path(__file__).parents[1] / "docs/format.md").read_text(encoding="utf-8")
LEVELS = np.array([[0, 1, 0, 0], [-2, 0, 20, 0]], np.int32)


def test_the_example_of_the_format_is_what_is_written() -> None:
    example = TEXT.split("## 12.")[1].split("```")[1]
    shown = bytes.fromhex("".join(re.split(r" {4,}", line)[0] for line in example.splitlines()))
    single = np.dtype(np.float32)
    bias = np.array([0, 1, -2, 0.5], np.float16)
    payload = tensors.encode(
        [
            Tensor("dense/kernel", (2, 4), single, levels=LEVELS, step=0.5),
            Tensor("dense/bias", (4,), single, values=bias),
        ],
        layout.grid_of,
    )
    written = container.pack(
        [
            container.Section(sections.FINGERPRINT, bytes(range(8))),
            container.Section(sections.WEIGHTS, payload),
        ]
    )
    assert written == shown
    assert f"{len(written)} bytes" in TEXT.split("## 12.")[1]
    row = entropy.encode(LEVELS.reshape(-1), layout.grid_of((8,), None))
    assert f"`{row.hex(' ')}`" in TEXT
