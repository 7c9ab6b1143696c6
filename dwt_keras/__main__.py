"""Work with compact files of networks, and with runs.

    python -m dwt_keras compress IN.keras OUT.dwtz        store a network, without training
    python -m dwt_keras expand IN.dwtz OUT.keras          make it an ordinary one again
    python -m dwt_keras expand IN.dwtz FOLDER             the same, as a SavedModel
    python -m dwt_keras inspect FILE.dwtz                 what is in it, layer by layer
    python -m dwt_keras evaluate FILE --dataset=digits    its accuracy on a dataset
    python -m dwt_keras benchmark RUN                     how fast a run's networks are
    python -m dwt_keras serve RUN                         a network behind an address
    python -m dwt_keras runs FOLDER                       all runs of train.py below a folder
    python -m dwt_keras report RUN_OR_FOLDER              a run, or several compared, as a page
    python -m dwt_keras saliency RUN                      what a network looks at, and its control

`python -m dwt_keras COMMAND --help` lists the flags of a command.
"""

from __future__ import annotations

import dataclasses
import importlib
import sys
from collections.abc import Sequence
from typing import Any

from dwt_keras import checks, command_line
from dwt_keras.settings import commands as settings
from dwt_keras.settings.saliency import SaliencySettings
from dwt_keras.settings.serving import ServeSettings

_PROGRAM = "python -m dwt_keras"
# Command -> the names of its arguments and the class of its flags. The module of the same name in
# `commands` has the function `run`, which takes them.
_COMMANDS: dict[str, tuple[tuple[str, ...], Any]] = {
    "compress": (("IN.keras", "OUT.dwtz"), settings.CompressSettings),
    "expand": (("IN.dwtz", "OUT"), settings.ExpandSettings),
    "inspect": (("FILE.dwtz",), settings.InspectSettings),
    "evaluate": (("FILE",), settings.EvaluateSettings),
    "benchmark": (("RUN",), settings.BenchmarkSettings),
    "serve": (("RUN",), ServeSettings),
    "runs": (("FOLDER",), settings.RunsSettings),
    "report": (("RUN_OR_FOLDER",), settings.ReportSettings),
    "saliency": (("RUN",), SaliencySettings),
}


def main(argv: Sequence[str]) -> int:
    """Runs the command line; returns the exit status."""

    def overview() -> int:
        if len(argv) < 2 or argv[1] not in ("--help", "-h", "-help", "help"):
            checks.choice("command", argv[1] if len(argv) > 1 else "", _COMMANDS)
        print((__doc__ or "").rstrip())
        return 0

    if len(argv) < 2 or argv[1] not in _COMMANDS:
        return command_line.run(_PROGRAM, {}, overview)
    name = argv[1]
    arguments, group = _COMMANDS[name]
    fields = {field.name: field for field in dataclasses.fields(group)}

    def command() -> int:
        values, given = command_line.parse(argv[1:], fields)
        module = importlib.import_module(f"dwt_keras.commands.{name}")
        if values is None:
            line = " ".join((_PROGRAM, name, *arguments))
            print(command_line.usage(f"{module.__doc__}\n    {line}", fields))
            return 0
        if len(given) != len(arguments):
            raise checks.UserError(
                f"takes {' and '.join(arguments)}; given {' '.join(given) or 'nothing'}"
            )
        return int(module.run(*given, group(**values)) or 0)

    return command_line.run(f"{_PROGRAM} {name}", fields, command)


if __name__ == "__main__":
    sys.exit(main(sys.argv))
