"""Train a network whose weights are sparse in a wavelet basis.

    python train.py --wavelet=sym2 --threshold=0.05

Every flag can also stand in a file: --flagfile=configs/digits.cfg.
"""

from __future__ import annotations

import sys
from collections.abc import Sequence
from typing import Any

from dwt_keras import checks, command_line, native
from dwt_keras.settings import Settings, flat_fields
from dwt_keras.settings.studies import StudySettings
from dwt_keras.training import resuming


def main(argv: Sequence[str]) -> int:
    """Runs the command line; returns the exit status."""

    def command() -> int:
        values = parse(argv)
        if values is None:
            print(command_line.usage(__doc__ or "", fields()))
            return 0
        return train(*resuming.settings_of(values, command_line.given(argv, fields())))

    return command_line.run("train.py", fields(), command)


def fields() -> command_line.Fields:
    """All flags."""
    return {**flat_fields(), **StudySettings.flat_fields()}


def train(settings: Settings, study: StudySettings) -> int:
    """Trains as the settings say, and prints the result."""
    # TensorFlow takes seconds to load: what can be wrong without it is found out before.
    from dwt_keras.studies import checking
    from dwt_keras.training import data, distribution, requirements, runs, starting_files

    complete = resuming.complete(settings, study)
    if complete is not None:
        print(f"{complete} is complete: there is nothing to resume")
        return 0
    checking.check(settings, study)
    worker = distribution.worker(settings)
    runs.check_save_dir(settings.training.save_dir)
    starting_files.check(settings)
    with native.messages_hidden():  # keras.datasets loads TensorFlow.
        dataset = data.load(settings.data)
    requirements.check(settings, dataset.input_shape)
    checking.check_data(settings, study, dataset)
    for note in settings.compression.notes:
        print(note)

    command_line.load_tensorflow(lambda: distribution.start(settings))
    from dwt_keras.training import run
    from dwt_keras.views import summary

    if study.is_wanted:
        from dwt_keras.studies import study_run

        print(study_run.run(settings, study, dataset))
        return 0
    result = run.run(settings, dataset)
    if not worker.is_chief:
        print(f"worker {worker.index} of {worker.count} is done; the chief leaves the run's folder")
        return 0
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
    values, stray = command_line.parse(argv, fields())
    if values is not None and stray:
        raise checks.UserError(
            f"takes flags only; given {' '.join(stray)!r} (a switch is written --name or --noname)"
        )
    return values


if __name__ == "__main__":
    sys.exit(main(sys.argv))
