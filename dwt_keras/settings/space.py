"""What a search varies, and the combinations of it."""

from __future__ import annotations

import dataclasses
import itertools
import math
import random
from collections.abc import Iterator, Mapping, Sequence

from dwt_keras import checks
from dwt_keras.settings import Settings

Value = str | int | float | bool | None

# How many combinations are looked at for one that a value goes with.
_TRIED = 200
# How many combinations a grid may have of which trials take some.
_MOST_COMBINATIONS = 10**9


@dataclasses.dataclass(frozen=True)
class Parameter:
    """A setting that a search varies.

    Attributes:
        name: Of the setting.
        choices: Its values; empty for a range.
        low: The least value of a range.
        high: The largest, itself possible.
        is_log: Whether a range is searched by its logarithm.
        is_text: Whether the setting takes the numbers of a range as text.
    """

    name: str
    choices: tuple[Value, ...] = ()
    low: int | float = 0
    high: int | float = 0
    is_log: bool = False
    is_text: bool = False

    @property
    def is_whole(self) -> bool:
        """Whether a range is one of whole numbers."""
        return isinstance(self.low, int)

    @property
    def points(self) -> Sequence[Value]:
        """All values of a grid; empty for a range that has no end of them."""
        if self.choices or not self.is_whole or self.is_log:
            return self.choices
        return range(int(self.low), int(self.high) + 1)

    def setting(self, value: Value) -> Value:
        """A value of the parameter as the setting takes it."""
        return str(value) if self.is_text else value


Space = tuple[Parameter, ...]


def grid_size(space: Space) -> int:
    """How many combinations a grid has.

    Raises:
        ArgumentError: If it has no end of them, or more than anybody can mean.
    """
    for parameter in space:
        if not parameter.points:
            ends = f"{parameter.low:g}..{parameter.high:g}{':log' if parameter.is_log else ''}"
            raise refused(
                f"must say how many values of a range a grid takes, as {parameter.name}={ends}:5; "
                f"given {parameter.name}={ends}"
            )
    size = math.prod(len(parameter.points) for parameter in space)
    if size > _MOST_COMBINATIONS:
        raise refused(f"must have {_MOST_COMBINATIONS:,} combinations at most; has {size:,}")
    return size


def grid_point(space: Space, number: int) -> dict[str, Value]:
    """A combination of a grid by its number, from 0; the last parameter's values change first."""
    values: dict[str, Value] = {}
    for parameter in reversed(space):
        number, place = divmod(number, len(parameter.points))
        values[parameter.name] = parameter.points[place]
    return {parameter.name: values[parameter.name] for parameter in space}


def changed(settings: Settings, space: Space, values: Mapping[str, Value]) -> Settings:
    """The settings of one trial.

    Args:
        settings: What all trials have in common.
        space: What is varied.
        values: A value for each parameter.

    Raises:
        ArgumentError: If they do not go together.
    """
    return settings.changed({each.name: each.setting(values[each.name]) for each in space})


def candidates(settings: Settings, space: Space) -> list[Settings]:
    """Settings of possible trials: for each value, and each end of a range, some that have it.

    Raises:
        ArgumentError: If a value goes with no combination of the others that was looked at.
    """
    found = []
    for parameter in space:
        for value in _ends(parameter):
            refusal: checks.ArgumentError | None = None
            for values in _combinations(space, parameter.name, value):
                try:
                    found.append(changed(settings, space, values))
                    break
                except checks.ArgumentError as error:
                    refusal = refusal or error
            else:
                raise refused(
                    f"has a value that is refused, {parameter.name}={value}: {refusal}"
                ) from None
    return found


def _combinations(space: Space, name: str, value: Value) -> Iterator[dict[str, Value]]:
    """Values of all parameters, one of them given: all combinations, or some where there are many.

    The first has the first value of each.
    """
    values = {each.name: _ends(each) if each.name != name else (value,) for each in space}
    if math.prod(len(each) for each in values.values()) <= _TRIED:
        for combination in itertools.product(*values.values()):
            yield dict(zip(values, combination, strict=True))
        return
    yield {each: choices[0] for each, choices in values.items()}
    draw = random.Random(0)
    for _ in range(_TRIED):
        yield {each: draw.choice(choices) for each, choices in values.items()}


def _ends(parameter: Parameter) -> tuple[Value, ...]:
    return parameter.choices or (parameter.low, parameter.high)


def refused(problem: str) -> checks.ArgumentError:
    """What is raised of a space that cannot be searched."""
    return checks.ArgumentError("space", problem)
