"""How `train.py` and `python -m dwt_keras` read flags, report mistakes and keep the terminal clean.

The flags of a command are the fields of a settings class, so that a flag, a setting and a key of
settings.json are the same word.
"""

from __future__ import annotations

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
_DEFINE: Mapping[type, Any] = {
    bool: flags.DEFINE_boolean,
    int: flags.DEFINE_integer,
    float: flags.DEFINE_float,
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
        The exit status: that of the command, 2 on a mistake, 130 on an interrupt.
    """
    try:
        with files.full_disk_told():
            return command()
    except checks.ArgumentError as error:
        is_flag = error.argument == _FLAG_FILE or error.argument in names
        return _fail(program, f"--{error}" if is_flag else str(error))
    except (checks.UserError, flags.Error) as error:
        return _fail(program, str(error))
    except BrokenPipeError:  # Of `... | head`: nobody reads on, which is no mistake.
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 0
    except OSError as error:  # A full disk, say.
        return _fail(program, f"{error.filename or 'writing'}: {error.strerror or error}")
    except KeyboardInterrupt as error:
        return _fail(program, str(error) or "interrupted", status=130)


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


def _fail(program: str, message: str, status: int = 2) -> int:
    print(f"{program}: {' '.join(message.split())}", file=sys.stderr)
    return status
