"""What a dataset or a network may be named by besides a built-in name: a file, a function."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import PurePath

from dwt_keras import checks

NPZ, FOLDER, TFDS, FUNCTION = "FILE.npz", "FOLDER/", "tfds:NAME", "package.module:function"
ARCHIVE, APPLICATION = "FILE.keras", "applications:NAME"

_TFDS_PREFIX, _APPLICATION_PREFIX = "tfds:", "applications:"
_FUNCTION_NAME = re.compile(r"[A-Za-z_]\w*(\.[A-Za-z_]\w*)*:[A-Za-z_]\w*")
_SEPARATORS = tuple(separator for separator in (os.sep, os.altsep) if separator)

APPLICATIONS = tuple(
    (
        "ConvNeXtBase ConvNeXtLarge ConvNeXtSmall ConvNeXtTiny ConvNeXtXLarge DenseNet121 "
        "DenseNet169 DenseNet201 EfficientNetB0 EfficientNetB1 EfficientNetB2 EfficientNetB3 "
        "EfficientNetB4 EfficientNetB5 EfficientNetB6 EfficientNetB7 EfficientNetV2B0 "
        "EfficientNetV2B1 EfficientNetV2B2 EfficientNetV2B3 EfficientNetV2L EfficientNetV2M "
        "EfficientNetV2S InceptionResNetV2 InceptionV3 MobileNet MobileNetV2 MobileNetV3Large "
        "MobileNetV3Small NASNetLarge NASNetMobile ResNet101 ResNet101V2 ResNet152 ResNet152V2 "
        "ResNet50 ResNet50V2 VGG16 VGG19 Xception"
    ).split()
)


def dataset(value: object, built_in: Sequence[str]) -> str:
    """Returns the name of a dataset, a folder's with a separator behind it.

    Raises:
        ArgumentError: If it is neither built in nor a file, folder, function or tfds:NAME.
    """
    if isinstance(value, str) and value not in built_in and "\0" not in value:
        found = os.path.expanduser(value)
        if dataset_kind(found):
            return found
        if value and os.path.isdir(found):
            return os.path.join(found, "")
    return checks.choice("dataset", value, (*built_in, NPZ, FOLDER, TFDS, FUNCTION))


def dataset_kind(name: str) -> str:
    """NPZ, FOLDER, TFDS or FUNCTION; "" for what is none of them."""
    if name.startswith(_TFDS_PREFIX):
        return TFDS if len(name) > len(_TFDS_PREFIX) else ""
    if name.endswith(".npz"):
        return NPZ
    if any(separator in name for separator in _SEPARATORS) or name in (".", ".."):
        return FOLDER
    return FUNCTION if _FUNCTION_NAME.fullmatch(name) else ""


def model(value: object, built_in: Sequence[str]) -> str:
    """Returns the name of a network.

    Raises:
        ArgumentError: If it is neither built in nor a file, function or one of keras.applications.
    """
    if isinstance(value, str) and value not in built_in:
        kind = model_kind(value)
        if kind == APPLICATION:
            name = after_colon(value)
            if name not in APPLICATIONS:
                try:
                    checks.choice("model", name, APPLICATIONS)
                except checks.ArgumentError as error:
                    raise checks.ArgumentError(
                        "model", f"applications: {error.problem}, of keras.applications"
                    ) from None
            return value
        if kind:
            return os.path.expanduser(value)
    return checks.choice("model", value, (*built_in, ARCHIVE, APPLICATION, FUNCTION))


def model_kind(name: str) -> str:
    """ARCHIVE, APPLICATION or FUNCTION; "" for what is none of them."""
    if name.startswith(_APPLICATION_PREFIX):
        return APPLICATION
    if name.endswith(".keras"):
        return ARCHIVE
    return FUNCTION if _FUNCTION_NAME.fullmatch(name) else ""


def after_colon(name: str) -> str:
    """The NAME of tfds:NAME and applications:NAME."""
    return name.partition(":")[2]


def short_name(name: str) -> str:
    """What a run's folder calls a dataset or network: a file's name without its folders, say."""
    if model_kind(name) == APPLICATION:
        return after_colon(name)
    if name.endswith((".npz", ".keras")):
        return PurePath(name).stem or name
    kind = dataset_kind(name)
    if kind == FOLDER:
        return os.path.basename(os.path.abspath(name)) or "data"
    if kind == FUNCTION:
        module, _, function = name.partition(":")
        return f"{module.rpartition('.')[2]}-{function}"
    return name.replace(":", "-")
