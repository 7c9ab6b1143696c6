"""Training on with the zeros that a network has."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from typing import Any

from dwt_keras import checks
from dwt_keras.compression import shrink
from dwt_keras.compression.support import HeldSupport
from dwt_keras.compression.targets import Target


@contextlib.contextmanager
def hold_support(model: Any, kernels: Sequence[Target]) -> Iterator[None]:
    """Keeps coefficients that are zero at zero, while the model is trained inside.

        with hold_support(model, compression.targets):
            model.fit(x, y, epochs=10)

    What is not zero is trained as ever, so that weights need not be whole multiples of a step any
    more: a file of them takes a step, a distortion or a size again.

    Args:
        model: The model, compiled.
        kernels: Its kernels, each with its basis: `targets` of a `DWTCompression`, or
            `find_kernels`.

    Raises:
        ArgumentError: If a kernel has a redundant frame, whose zeros its weights do not show.
    """
    for target in kernels:
        if target.basis.is_frame:
            raise checks.ArgumentError(
                "kernels", f"must have bases; {target.path} has the redundant frame {target.basis}"
            )
    held = HeldSupport(model, kernels, training=object())
    for target in kernels:
        held.hold(target, shrink.without_roundings(target))
    held.attach()
    try:
        yield
    finally:
        held.detach()
