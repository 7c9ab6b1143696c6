"""In which precision, how and in what order the numbers of a training are computed."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

NONE = "none"
PRECISIONS = (NONE, "mixed_float16", "mixed_bfloat16")
AUTO, ON, OFF = "auto", "on", "off"
COMPILING = (AUTO, ON, OFF)


@dataclass(frozen=True)
class NumericsSettings:
    """In which precision, how and in what order the numbers of a training are computed.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    mixed_precision: str = setting(
        NONE,
        "Keras' dtype policy while training: none (float32), or mixed_float16 or mixed_bfloat16, "
        "which compute in 16 bits and keep the weights in 32. Faster on hardware that is made for "
        "it, slower on most processors. What is exported computes in float32.",
    )
    jit_compile: str = setting(
        AUTO,
        "Whether XLA compiles the training step: auto leaves it to Keras, which does so on a GPU; "
        "on or off.",
    )
    steps_per_execution: int = setting(
        1,
        "Batches to each call of the training step. Raising it takes Python's time off small "
        "networks; progress is then told, and --apply_every_batches looked at, so often only.",
    )
    deterministic: bool = setting(
        False,
        "Run TensorFlow's operations in a fixed order: same seed, same weights to the bit on "
        "several cores and GPUs too. Slower.",
    )

    def __post_init__(self) -> None:
        checks.choice("mixed_precision", self.mixed_precision, PRECISIONS)
        checks.choice("jit_compile", self.jit_compile, COMPILING)
        checks.integer("steps_per_execution", self.steps_per_execution, least=1)
        checks.boolean("deterministic", self.deterministic)
        if self.deterministic and self.jit_compile == ON:
            raise checks.ArgumentError(
                "jit_compile",
                "must be auto or off beside deterministic, which XLA is not; given on",
            )
