"""Train a network whose weights are sparse in a wavelet basis.

    python train.py --wavelet=sym2 --threshold=0.05

Every flag can also stand in a file: --flagfile=configs/digits.cfg.
"""

from __future__ import annotations

import contextlib
import os
import sys
import tempfile
import textwrap
from collections.abc import Iterator, Sequence
from typing import Any

from absl import flags

from dwt_keras import checks
from dwt_keras.settings import Settings, flat_fields

# TensorFlow's native log; what goes wrong reaches Python as an exception.
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "3")


def main(argv: Sequence[str]) -> int:
    """Runs the command line; returns the exit status."""
    try:
        values = parse(argv)
        if values is None:
            print(usage())
            return 0
        return train(Settings.from_flat(values))
    except checks.ArgumentError as error:
        is_flag = error.argument == "flagfile" or error.argument in flat_fields()
        return _fail(f"--{error}" if is_flag else str(error))
    except (checks.UserError, flags.Error) as error:
        return _fail(str(error))
    except OSError as error:  # A full disk, say.
        return _fail(f"{error.filename or 'writing'}: {error.strerror or error}")
    except KeyboardInterrupt:
        return _fail("interrupted", status=130)


def train(settings: Settings) -> int:
    """Trains as the settings say, and prints the result."""
    # TensorFlow takes seconds to load: what can be wrong without it is found out before.
    from dwt_keras.training import data, runs

    runs.check_save_dir(settings.training.save_dir)
    with _native_messages_hidden():  # keras.datasets loads TensorFlow.
        dataset = data.load(settings.data)
    for note in settings.compression.notes:
        print(note)

    with _native_messages_hidden():
        import tensorflow as tf

        from dwt_keras.training import run
        from dwt_keras.views import summary

        tf.config.list_logical_devices()  # Looks for a GPU, and says so if there is none.

    result = run.run(settings, dataset)
    print()
    print(summary.layer_table(result.report))
    print()
    choices = summary.choice_table(result.targets)
    if choices:
        print(choices)
        print()
    print(summary.closing_lines(result.folder, result.metrics, settings.training.save_dir))
    return 0


def parse(argv: Sequence[str]) -> dict[str, Any] | None:
    """Reads the flags; None where help is asked for.

    Raises:
        flags.Error: On an unknown flag, a value of the wrong type or an unreadable flag file.
        UserError: On an argument that belongs to no flag.
    """
    flag_values = _define()
    try:
        stray = flag_values(argv)[1:]
    except UnicodeDecodeError:
        raise checks.ArgumentError("flagfile", "must be a text file in UTF-8") from None
    if flag_values.help:
        return None
    if stray:
        raise checks.UserError(
            f"takes flags only; given {' '.join(stray)!r} (a switch is written --name or --noname)"
        )
    return {name: getattr(flag_values, name) for name in flat_fields()}


def usage() -> str:
    """What --help prints."""
    lines = [__doc__ or "", "Flags:"]
    for name, field in flat_fields().items():
        shown = (
            ""
            if field.default is None or field.default is False
            else f" (default: {_text(field.default)})"
        )
        head = f"  --[no]{name}" if _is_switch(field) else f"  --{name}"
        lines.append(head + shown)
        lines.append(
            textwrap.fill(
                field.metadata["help"], 96, initial_indent=" " * 6, subsequent_indent=" " * 6
            )
        )
    return "\n".join(lines)


def _define() -> flags.FlagValues:
    """One absl flag for every setting, and absl's own flagfile."""
    values = flags.FlagValues()
    flags.DEFINE_boolean("help", False, "Print the flags.", flag_values=values)
    flags.DEFINE_string("flagfile", "", "File with one flag a line.", flag_values=values)
    for name, field in flat_fields().items():
        kind = str(field.type)
        if _is_switch(field):
            define: Any = flags.DEFINE_boolean
        elif kind.startswith("int") and "str" not in kind:
            define = flags.DEFINE_integer
        elif kind.startswith("float"):
            define = flags.DEFINE_float
        else:
            define = flags.DEFINE_string
        default = _text(field.default) if define is flags.DEFINE_string else field.default
        define(name, default, field.metadata["help"], flag_values=values)
    return values


def _is_switch(field: Any) -> bool:
    return str(field.type).startswith("bool")


def _text(default: Any) -> str | None:
    if isinstance(default, tuple):
        return ",".join(map(str, default))
    return None if default is None else str(default)


@contextlib.contextmanager
def _native_messages_hidden() -> Iterator[None]:
    """Keeps what TensorFlow's libraries say of themselves while they load off the terminal.

    They write to the file descriptor before any log level counts. If loading fails, all is shown.
    """
    sys.stderr.flush()
    shown = os.dup(2)
    with tempfile.TemporaryFile() as hidden:
        os.dup2(hidden.fileno(), 2)
        try:
            yield
        except checks.UserError:
            raise
        except BaseException:
            hidden.seek(0)
            os.write(shown, hidden.read())
            raise
        finally:
            os.dup2(shown, 2)
            os.close(shown)


def _fail(message: str, status: int = 2) -> int:
    print(f"train.py: {' '.join(message.split())}", file=sys.stderr)
    return status


if __name__ == "__main__":
    sys.exit(main(sys.argv))
