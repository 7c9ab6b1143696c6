"""Which run is taken up again. Loads no TensorFlow."""

from __future__ import annotations

import contextlib
import json
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import Settings, resuming
from dwt_keras.settings.studies import StudySettings
from dwt_keras.training import claims, distribution, runs

_NO_STUDY = StudySettings()
_SETTINGS, _METRICS, _LOCK = "settings.json", "metrics.json", "lock"
# What is no part of a run's identity: how it was begun.
_NAME = "resume"
# What an export leaves that cannot be put where something stands already.
_EXPORTED = ("serving", "serving_fast")


def settings_of(
    values: Mapping[str, Any], given: Collection[str]
) -> tuple[Settings, StudySettings]:
    """The settings of a command line, those of the run that it names where it names one.

    Args:
        values: All settings of runs and studies by name, defaults filled in.
        given: The names of those that the user gave.

    Raises:
        ArgumentError: If the folder that is named is that of no run, or what was given is not as
            in that run.
    """
    named = values.get(_NAME)
    if named in (None, resuming.AUTO):
        return _both(values)
    recorded = _recorded(Path(str(named)))
    mine = {name: values[name] for name in given}
    found = _both({**recorded, **mine, _NAME: named})
    _refuse_differences(identity(*found), identity(*_both(recorded)), mine)
    return found


def complete(settings: Settings, study: StudySettings = _NO_STUDY) -> Path | None:
    """The folder of the run or study that the settings name, where it has all that it shall have.

    Args:
        settings: The run's.
        study: The study's; one that others may join is named by its settings alone.
    """
    named = settings.resuming.resume
    if named not in (None, resuming.AUTO):
        found: Path | None = Path(str(named))
    else:
        found = next(_same(settings, study), None) if study.is_joined else None
    return found if found is not None and (found / _last(study)).exists() else None


@contextlib.contextmanager
def folder_of(
    settings: Settings,
    place: Path | None = None,
    study: StudySettings = _NO_STUDY,
    is_shared: bool = False,
) -> Iterator[Path]:
    """The folder to work in, a new one or that of the run that is taken up.

    Of several workers all but the chief get one that lasts as long as the context, with what the
    chief takes up. As long as the context lasts, no other process can take up the same run.

    Args:
        settings: The run's.
        place: The folder in the place of a new one, or of that which the settings name; what has
            been begun there by the same settings is taken up.
        study: The study's settings, where it is a study that needs a folder.
        is_shared: Whether other processes may work in it at the same time.

    Raises:
        ArgumentError: If the folder that is named is no run's, or other settings' run's; if
            save_dir cannot be written.
        UserError: If the run is complete, or another process works on it.
    """
    if not distribution.worker(settings).is_chief:
        with tempfile.TemporaryDirectory(prefix="dwt_keras.") as scratch:
            found = _found_by_another(settings)
            if found is not None and (found / runs.CHECKPOINT).exists():
                shutil.copytree(found / runs.CHECKPOINT, Path(scratch) / runs.CHECKPOINT)
            yield Path(scratch)
        return
    with contextlib.ExitStack() as stack:
        named = settings.resuming.resume if place is None else str(place)
        if place is not None:
            place.mkdir(parents=True, exist_ok=True)
        if named in (None, resuming.AUTO):
            is_sought = named is not None or study.is_joined
            found = _newest(settings, study, stack, is_shared) if is_sought else None
        else:
            found = Path(str(named))
            if found != place or (found / _SETTINGS).exists():
                wanted = identity(settings, study)
                _refuse_differences(wanted, identity(*_both(_recorded(found))), wanted)
            if (found / _last(study)).exists():
                raise checks.UserError(f"{found} is complete: there is nothing to resume")
            if not is_shared and not _claim(found, stack):
                raise checks.UserError(f"{found} is being worked on by another process")
        if found is None:
            found = runs.create(settings, study)
            if not is_shared:
                _claim(found, stack)
        elif not is_shared:
            _tidy(found)
        yield found


@contextlib.contextmanager
def beginning(settings: Settings, study: StudySettings) -> Iterator[None]:
    """Lets processes of one command find one folder: each looks for it while the others wait.

    Within the context a process gets its folder from `folder_of`, and writes settings.json there.

    Args:
        settings: The run's.
        study: The study's; of one that no others share nobody waits.
    """
    with contextlib.ExitStack() as stack:
        if study.is_shared and settings.resuming.resume in (None, resuming.AUTO):
            group = runs.group_folder(settings, study)
            group.mkdir(parents=True, exist_ok=True)
            claims.claim(group, stack, waits=True)
        yield


def record(settings: Settings, study: StudySettings) -> dict[str, Any]:
    """What the settings.json of a study says of settings, from which it is resumed.

    Beside all settings there are those that were given: what follows from them follows anew where a
    study changes some.
    """
    return {
        "settings": begun_by_itself(settings),
        "given": {**settings.given, _NAME: None},
        "study": study.flat(),
    }


def begun_by_itself(settings: Settings) -> dict[str, Any]:
    """The settings by name as settings.json has them, from which a run can be repeated."""
    return {**settings.flat(), _NAME: None}


def identity(settings: Settings, study: StudySettings) -> dict[str, Any]:
    """What tells a run, or a study, from others: all settings by name."""
    return {**begun_by_itself(settings), **study.flat()}


def _both(values: Mapping[str, Any]) -> tuple[Settings, StudySettings]:
    of_studies = StudySettings.flat_fields()
    return (
        Settings.from_flat({name: values[name] for name in values if name not in of_studies}),
        StudySettings.from_flat({name: values[name] for name in values if name in of_studies}),
    )


def _last(study: StudySettings) -> str:
    """The file without which the folder of a run, or of a study, is not complete."""
    return runs.STUDY if study.is_wanted else _METRICS


def _found_by_another(settings: Settings) -> Path | None:
    """What the chief takes up, which it may have claimed already."""
    named = settings.resuming.resume
    if named == resuming.AUTO:
        return next(_unfinished(settings, _NO_STUDY), None)
    return None if named is None else Path(named)


def _newest(
    settings: Settings, study: StudySettings, stack: contextlib.ExitStack, is_shared: bool
) -> Path | None:
    """The newest unfinished run of the same settings that no other process works on alone."""
    found = _unfinished(settings, study)
    return next((folder for folder in found if is_shared or _claim(folder, stack)), None)


def _unfinished(settings: Settings, study: StudySettings) -> Iterator[Path]:
    """Unfinished runs of the same settings, the newest first."""
    for folder in _same(settings, study):
        if not (folder / _last(study)).exists():
            yield folder


def _same(settings: Settings, study: StudySettings) -> Iterator[Path]:
    """Runs of the same settings, the newest first."""
    wanted = identity(settings, study)
    group = runs.group_folder(settings, study)
    for folder in sorted(group.glob("[0-9]*"), reverse=True):
        try:
            found = identity(*_both(_recorded(folder)))
        except checks.ArgumentError:  # Of another version, or begun just now.
            continue
        if found == wanted:
            yield folder


def _recorded(folder: Path) -> dict[str, Any]:
    """The settings of a run by name; of a study and its runs those that were given."""
    try:
        record = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        given = record.get("given", record["settings"])
        found: dict[str, Any] = {**given, **record.get("study", {})}
    except (OSError, ValueError, KeyError, TypeError):
        raise checks.ArgumentError(
            _NAME,
            f"must be the folder of a run, with a {_SETTINGS}, or {resuming.AUTO}; given "
            f"{str(folder)!r}",
        ) from None
    return found


def _refuse_differences(
    wanted: Mapping[str, Any], there: Mapping[str, Any], compared: Collection[str]
) -> None:
    for name, value in wanted.items():
        if name in compared and value != there[name]:
            raise checks.ArgumentError(
                name, f"must be {there[name]!r} as in the run that is resumed; given {value!r}"
            )


def _claim(folder: Path, stack: contextlib.ExitStack) -> bool:
    """Keeps other processes off a run until the stack is closed, or this process ends."""
    place = folder / runs.CHECKPOINT
    place.mkdir(exist_ok=True)
    return claims.claim(place / _LOCK, stack)


def _tidy(folder: Path) -> None:
    """Removes what a kill left half done."""
    for name in _EXPORTED:
        shutil.rmtree(folder / name, ignore_errors=True)
    for place in [folder, *folder.glob(f"**/{runs.CHECKPOINT}")]:
        for left in place.glob(".*.*"):
            shutil.rmtree(left, ignore_errors=True)
