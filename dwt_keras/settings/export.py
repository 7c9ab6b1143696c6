"""What a run leaves beside its SavedModel."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.fields import setting

SAVED_MODEL, LITERT = "savedmodel", "litert"
EXPORTS = (SAVED_MODEL, LITERT)


@dataclass(frozen=True)
class ExportSettings:
    """What a run leaves beside its SavedModel.

    Raises:
        ArgumentError: On anything else.
    """

    export: str = setting(
        SAVED_MODEL,
        "savedmodel, or litert for LiteRT files as well: model.tflite in float32, "
        "model_int8.tflite with int8 weights, model_full_int8.tflite in int8 throughout.",
    )

    def __post_init__(self) -> None:
        checks.choice("export", self.export, EXPORTS)
