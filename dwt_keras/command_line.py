"""How `train.py` and `python -m dwt_keras` read flags, report mistakes and keep the terminal clean.

The flags of a command are the fields of a settings class, so that a flag, a setting and a key of
settings.json are the same word.
"""

from __future__ import annotations

import atexit
import functools
import gc
import os
import sys
import textwrap
from collections.abc import Callable, Mapping, Sequence
from dataclasses import Field
from typing import Any

from absl import flags

from dwt_keras import checks, files, native
from dwt_keras.settings import fields as fields_of_settings

# TensorFlow's native log, whoever loads it; what goes wrong reaches Python as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")

Fields = Mapping[str, Field[Any]]

_WIDTH = 96
_FLAG_FILE = "flagfile"


class _Number(flags.ArgumentParser[Any]):
    """Numbers, where absl would say of a mistake what Python does: invalid literal for int()."""

    def __init__(self, kind: type, problem: str) -> None:
        self._kind = kind
        self._problem = problem

    def parse(self, argument: Any) -> Any:
        try:
            return self._kind(argument)
        except ValueError:
            raise ValueError(self._problem) from None


_DEFINE: Mapping[type, Any] = {
    bool: flags.DEFINE_boolean,
    int: functools.partial(flags.DEFINE, _Number(int, "must be a whole number")),
    float: functools.partial(flags.DEFINE, _Number(float, "must be a number")),
    str: flags.DEFINE_string,
    tuple: flags.DEFINE_multi_string,
}


def run(program: str, names: Fields, command: Callable[[], int]) -> int:
    """Runs a command; a mistake of its user costs one line on stderr.

    Args:
        program: What the line begins with.
        names: The flags: a message about one of them is about `--name`.
        command: Returns the exit status.

    Returns:
        The exit status: that of the command, 2 on a mistake, 130 on an interrupt, 141 where what
        was to be done is not done because nobody reads what is printed.
    """
    try:
        with files.full_disk_told():
            status = command()
        sys.stdout.flush()  # At the interpreter's end it would be too late for one line.
        return status
    except checks.ArgumentError as error:
        is_flag = error.argument == _FLAG_FILE or error.argument in names
        return _fail(program, f"--{error}" if is_flag else str(error))
    except (checks.UserError, flags.Error) as error:
        return _fail(program, str(error))
    except BrokenPipeError as error:  # Of `... | head`: nobody reads on, which is no mistake.
        _drop_unwritten()
        how = _how_to_go_on(error)
        return _fail(program, f"nobody reads what it prints{how}", status=141) if how else 0
    except OSError as error:  # A full disk, say.
        _drop_unwritten()
        said = f"{error.filename or 'writing'}: {error.strerror or error}"
        return _fail(program, said + _how_to_go_on(error))
    except KeyboardInterrupt as error:
        return _fail(program, f"interrupted{_how_to_go_on(error)}", status=130)
    except Exception as error:
        lacking = _lacking(error)
        if not lacking:
            raise
        return _fail(program, lacking + _how_to_go_on(error))


def parse(argv: Sequence[str], fields: Fields) -> tuple[dict[str, Any] | None, list[str]]:
    """Reads flags.

    Args:
        argv: The program's name, then flags and other arguments in any order.
        fields: The flags' fields.

    Returns:
        The values by name, None where help is asked for; and the other arguments.

    Raises:
        flags.Error: On an unknown flag, a value of the wrong type or an unreadable flag file.
        ArgumentError: On a flag file that is no text.
    """
    values = _define(fields)
    try:
        others = values(argv)[1:]
    except UnicodeDecodeError:
        raise checks.ArgumentError(_FLAG_FILE, "must be a text file in UTF-8") from None
    if values.help:
        return None, others
    return {name: getattr(values, name) for name in fields}, others


def given(argv: Sequence[str], fields: Fields) -> set[str]:
    """The names of the flags that the user gave, in flag files too, after `parse` has read them."""
    values = _define(fields)
    values(argv)
    return {name for name in fields if values[name].present}


def usage(introduction: str, fields: Fields) -> str:
    """What --help prints."""
    lines = [introduction.rstrip(), ""]
    if fields:
        lines.append("Flags:")
    for name, field in fields.items():
        shown = (
            ""
            if field.default is None or field.default is False
            else f" (default: {_text(field.default)})"
        )
        head = f"  --[no]{name}" if fields_of_settings.kind(field) is bool else f"  --{name}"
        lines.append(head + shown)
        lines.append(
            textwrap.fill(
                field.metadata["help"],
                _WIDTH,
                initial_indent=" " * 6,
                subsequent_indent=" " * 6,
            )
        )
    return "\n".join(lines)


def load_tensorflow(first: Callable[[], None] = lambda: None) -> None:
    """Loads TensorFlow and Keras without a word from them.

    Args:
        first: What has to be done before TensorFlow looks for devices.
    """
    with native.messages_hidden():
        import keras  # noqa: F401
        import tensorflow as tf

        first()
        tf.config.list_logical_devices()  # Looks for a GPU, and says so if there is none.
    # The interpreter looks for garbage once more as it ends, among all that TensorFlow has loaded:
    # nearly a second of one core.
    atexit.register(gc.freeze)


def _define(fields: Fields) -> flags.FlagValues:
    """One absl flag for every field, and absl's own flagfile."""
    values = flags.FlagValues()
    values.set_gnu_getopt()  # Flags may stand behind other arguments.
    flags.DEFINE_boolean("help", False, "Print the flags.", flag_values=values)
    flags.DEFINE_string(_FLAG_FILE, "", "File with one flag a line.", flag_values=values)
    for name, field in fields.items():
        kind = fields_of_settings.kind(field)
        default = _text(field.default) if kind is str else field.default
        _DEFINE[kind](name, default, field.metadata["help"], flag_values=values)
    return values


def _text(default: Any) -> str | None:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return None if default is None else str(default)


def _drop_unwritten() -> None:
    """Where stdout cannot be written: the interpreter would try, and complain, once more."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _how_to_go_on(error: BaseException) -> str:
    """What the outermost place that the error came through noted on it."""
    notes = getattr(error, "__notes__", [])
    return f"; {notes[-1]}" if notes else ""


def _lacking(error: Exception) -> str:
    """What the machine has too little of, by an error of Python or TensorFlow; "" for others."""
    said = checks.said(error)
    tensorflow = sys.modules.get("tensorflow")
    if tensorflow is not None and isinstance(error, tensorflow.errors.ResourceExhaustedError):
        # Behind the name of a function that TensorFlow made up.
        return f"not enough memory: {said.rpartition('}} ')[2]}"
    return f"not enough memory: {said}" if isinstance(error, MemoryError) else ""


def _fail(program: str, message: str, status: int = 2) -> int:
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)
    return status
