"""The settings in which a study's runs may differ, and as text: `wavelet=haar level=2`."""

from __future__ import annotations

import dataclasses
import shlex
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import DataSettings, fields, flat_fields
from dwt_keras.settings.distribution import DistributionSettings
from dwt_keras.settings.export import ExportSettings
from dwt_keras.settings.resuming import ResumingSettings
from dwt_keras.settings.views import ViewSettings

# What decides nothing about a network, or changes what networks are compared by.
_FIXED_GROUPS = (
    DataSettings,
    DistributionSettings,
    ExportSettings,
    ResumingSettings,
    ViewSettings,
)
_FIXED = ("seed", "save_dir", "run_name")
_FREE = ("normalize",)


def changeable() -> list[str]:
    """The names of the settings in which runs of a study may differ."""
    fixed = {field.name for group in _FIXED_GROUPS for field in dataclasses.fields(group)}
    fixed = (fixed | set(_FIXED)) - set(_FREE)
    return [name for name in flat_fields() if name not in fixed]


def parse(argument: str, text: object) -> dict[str, Any]:
    """Reads what a run's settings are changed to.

    Args:
        argument: Name of the setting that the text belongs to, for messages.
        text: NAME=VALUE, separated by spaces; a value with spaces in quotes.

    Returns:
        The values by name.

    Raises:
        ArgumentError: On text of another form, a name that is no setting or is given twice, or a
            value of the wrong type.
    """
    found: dict[str, Any] = {}
    for part in _parts(argument, text):
        name, separator, value = part.partition("=")
        if not separator or not value:
            raise _malformed(argument, text)
        if name not in flat_fields():
            hint = checks.nearest(name, flat_fields())
            raise checks.ArgumentError(argument, f"must name settings; {name!r} is none{hint}")
        if name in found:
            raise checks.ArgumentError(argument, f"must give {name} once; given {text!r}")
        found[name] = fields.value(argument, flat_fields()[name], value)
    return found


def _parts(argument: str, text: object) -> list[str]:
    try:
        parts = shlex.split(checks.text(argument, text))
    except ValueError:  # Of a quotation mark that is never closed, or of what is no text.
        parts = []
    if not parts:
        raise _malformed(argument, text)
    return parts


def _malformed(argument: str, text: object) -> checks.ArgumentError:
    return checks.ArgumentError(
        argument, f"must be NAME=VALUE of settings, separated by spaces; given {text!r}"
    )
