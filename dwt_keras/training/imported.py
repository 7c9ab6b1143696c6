"""Functions of the user's own, named package.module:function."""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
import traceback
from collections.abc import Callable
from typing import Any

from dwt_keras import checks


def function(argument: str, name: str) -> Callable[..., Any]:
    """Imports a function; modules of the current directory are found too.

    Args:
        argument: The flag that names it, for the message.
        name: package.module:function.

    Raises:
        ArgumentError: If there is no such module or function, or its import fails.
    """
    module_name, _, attribute = name.partition(":")
    _look_here()
    try:
        module = importlib.import_module(module_name)
    except Exception as error:  # Whatever the module runs while it is imported.
        raise checks.ArgumentError(
            argument,
            f"must be package.module:function; {module_name} cannot be imported: {said(error)}",
        ) from error
    found = getattr(module, attribute, None)
    if not callable(found):
        raise checks.ArgumentError(
            argument,
            f"must be package.module:function; {module_name} has no function {attribute}",
        )
    return found


def check_package(argument: str, name: str) -> None:
    """Looks for the package of a function's module alone: finding more would import it.

    Raises:
        ArgumentError: If there is none of that name.
    """
    package = name.partition(":")[0].partition(".")[0]
    _look_here()
    if importlib.util.find_spec(package) is None:
        raise checks.ArgumentError(
            argument, f"must be package.module:function; there is no module {package}"
        )


def call(argument: str, name: str, **given: Any) -> Any:
    """Imports and calls a function.

    Raises:
        ArgumentError: Also if the function raises anything; the message says where.
    """
    called = function(argument, name)
    try:
        return called(**given)
    except checks.UserError:
        raise
    except Exception as error:
        raise checks.ArgumentError(argument, f"{name} raised {said(error)}") from error


def said(error: BaseException) -> str:
    """An exception in one line, with the place that it is from."""
    frames = traceback.extract_tb(error.__traceback__)
    text = checks.said(error)
    kind = type(error).__name__
    if isinstance(error, ImportError) or not frames:
        return f"{kind}: {text}"
    place = frames[-1]
    return f"{kind}: {text} ({os.path.basename(place.filename)}, line {place.lineno})"


def _look_here() -> None:
    """Lets modules of the current directory be found, also where a script is run by its path."""
    here = os.getcwd()
    if here not in sys.path and "" not in sys.path:
        sys.path.insert(0, here)
