"""Settings that come in groups, their names unique over all of them."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any, Self

from dwt_keras import checks


class Groups:
    """A frozen dataclass of settings whose fields are groups of them, each with a default."""

    @classmethod
    def from_flat(cls, values: Mapping[str, Any]) -> Self:
        """Builds the groups from one mapping of names to values; missing names take defaults.

        Raises:
            ArgumentError: On a name that no group has, or a value out of range.
        """
        unknown = sorted(set(values) - set(cls.flat_fields()))
        if unknown:
            raise checks.ArgumentError(unknown[0], "is not a setting")
        groups = {
            name: group(**{f.name: values[f.name] for f in _own(group) if f.name in values})
            for name, group in cls._groups().items()
        }
        found = cls(**groups)
        object.__setattr__(found, "_given", dict(values))
        return found

    @property
    def given(self) -> dict[str, Any]:
        """What `from_flat` was given, from which the rest follows; else all settings."""
        return dict(getattr(self, "_given", self.flat()))

    def changed(self, values: Mapping[str, Any]) -> Self:
        """The same with some settings changed, and with all that follows from them.

        Raises:
            ArgumentError: As `from_flat`.
        """
        return self.from_flat({**self.given, **values})

    def flat(self) -> dict[str, Any]:
        """All settings by name; `from_flat` takes them back."""
        return {
            field.name: getattr(getattr(self, name), field.name)
            for name, group in self._groups().items()
            for field in _own(group)
        }

    @classmethod
    def flat_fields(cls) -> dict[str, dataclasses.Field[Any]]:
        """Every setting's field by name, in the order of the groups."""
        return {field.name: field for group in cls._groups().values() for field in _own(group)}

    @classmethod
    def _groups(cls) -> dict[str, Any]:
        """The class of each group by its name."""
        found: Any = cls
        return {field.name: field.default_factory for field in dataclasses.fields(found)}


def _own(group: Any) -> list[dataclasses.Field[Any]]:
    return [field for field in dataclasses.fields(group) if field.init]
