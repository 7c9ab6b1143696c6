"""Which run is taken up again. Loads no TensorFlow."""

from __future__ import annotations

import contextlib
import json
import shlex
import shutil
import tempfile
from collections.abc import Collection, Iterator, Mapping
from pathlib import Path
from typing import Any

from dwt_keras import checks, files
from dwt_keras.settings import Settings, resuming
from dwt_keras.settings.studies import NO_STUDY, StudySettings
from dwt_keras.training import claims, distribution, runs, versions

_SETTINGS, _LOCK = "settings.json", "lock"
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
        return divided(values)
    _refuse_part_of_study(Path(str(named)))
    recorded = _recorded(Path(str(named)))
    mine = {name: values[name] for name in given}
    found = divided({**recorded, **mine, _NAME: named})
    _refuse_differences(identity(*found), identity(*divided(recorded)), mine)
    return found


def command(folder: Path) -> str:
    """What a user types to go on with a run or a study."""
    return f"python train.py --resume={shlex.quote(str(folder))}"


def complete(settings: Settings, study: StudySettings = NO_STUDY) -> Path | None:
    """The folder of the run or study that the settings name, where it has all that it shall have.

    Args:
        settings: The run's.
        study: The study's; one in a storage of its own is named by its settings alone.
    """
    named = settings.resuming.resume
    if named not in (None, resuming.AUTO):
        found: Path | None = Path(str(named))
    else:
        found = next(_same(settings, study), None) if study.is_found_by_storage else None
    return found if found is not None and (found / _last(study)).exists() else None


@contextlib.contextmanager
def folder_of(
    settings: Settings,
    place: Path | None = None,
    study: StudySettings = NO_STUDY,
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
        is_shared: Whether other processes may work in it at the same time. Of a study that is
            joined they all get the newest unfinished one, which the first of them makes.

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
        if is_shared and named in (None, resuming.AUTO):
            named = str(_joined(settings, study))
        if named in (None, resuming.AUTO):
            found = _newest(settings, study, stack) if named else None
        else:
            found = Path(str(named))
            if found != place or (found / _SETTINGS).exists():
                check_settings(found, settings, study)
            if (found / _last(study)).exists():
                raise checks.UserError(f"{found} is complete: there is nothing to resume")
            if not _claim(found, stack, is_shared):
                raise checks.UserError(f"{found} is being worked on by another process")
        if found is None:
            found = runs.create(settings, study)
            _claim(found, stack)
        elif not is_shared:  # Others may be writing there.
            _tidy(found)
        yield found


def check_settings(folder: Path, settings: Settings, study: StudySettings = NO_STUDY) -> None:
    """Checks that the settings are those that a run, or a study, was begun with.

    Raises:
        ArgumentError: If they are others, or the folder is that of neither.
    """
    wanted = identity(settings, study)
    _refuse_differences(wanted, identity(*divided(_recorded(folder))), wanted)


def check_data(folder: Path, digest: str) -> None:
    """Checks that the data are those that a run was begun with, where it has been begun.

    Raises:
        UserError: If they are others.
    """
    try:
        record = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return
    if record.get("data", digest) != digest:
        raise checks.UserError(f"{folder} cannot be resumed: it was begun with other data")


def begun_by_itself(settings: Settings) -> dict[str, Any]:
    """The settings by name as settings.json has them, from which a run can be repeated."""
    return {**settings.flat(), _NAME: None}


def identity(settings: Settings, study: StudySettings) -> dict[str, Any]:
    """What tells a run, or a study, from others: all settings by name."""
    return {**begun_by_itself(settings), **study.common()}


def write_study(
    folder: Path,
    settings: Settings,
    study: StudySettings,
    of_data: Mapping[str, Any] | None = None,
) -> None:
    """Writes the settings.json of a study.

    Beside all settings it says which were given: those of a study's runs, of which some are
    changed, follow from these alone.

    Args:
        folder: The study's.
        settings: What its runs have in common.
        study: The study's own.
        of_data: What `data.record` says of the data, where they have been looked at.
    """
    record = {
        "settings": begun_by_itself(settings),
        "given": [name for name in settings.given if name != _NAME],
        "study": study.common(),
        **(of_data or {}),
        "versions": versions.found(),
    }
    files.write_text(folder / _SETTINGS, json.dumps(record, indent=2) + "\n")


def divided(values: Mapping[str, Any]) -> tuple[Settings, StudySettings]:
    """The settings of a run and those of a study, of all of them by name.

    Raises:
        ArgumentError: On a name that neither has, or a value out of range.
    """
    of_studies = StudySettings.flat_fields()
    return (
        Settings.from_flat({name: values[name] for name in values if name not in of_studies}),
        StudySettings.from_flat({name: values[name] for name in values if name in of_studies}),
    )


def _last(study: StudySettings) -> str:
    """The file without which the folder of a run, or of a study, is not complete."""
    return runs.STUDY if study.is_wanted else runs.METRICS


def _found_by_another(settings: Settings) -> Path | None:
    """What the chief takes up, which it may have claimed already."""
    named = settings.resuming.resume
    if named == resuming.AUTO:
        return next(_unfinished(settings, NO_STUDY), None)
    return None if named is None else Path(named)


def _newest(settings: Settings, study: StudySettings, stack: contextlib.ExitStack) -> Path | None:
    """The newest unfinished run of the same settings that no other process works on."""
    found = _unfinished(settings, study)
    return next((folder for folder in found if _claim(folder, stack)), None)


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
            found = identity(*divided(_recorded(folder)))
        except checks.ArgumentError:  # Of another version, or begun just now.
            continue
        if found == wanted:
            yield folder


def _recorded(folder: Path) -> dict[str, Any]:
    """The settings of a run, or of a study and its runs, by name."""
    try:
        record = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
        values = record["settings"]
        given = {name: values[name] for name in record.get("given", values)}
        found: dict[str, Any] = {**given, **record.get("study", {})}
    except (OSError, ValueError, KeyError, TypeError):
        raise checks.ArgumentError(
            _NAME,
            f"must be the folder of a run, with a {_SETTINGS}, or {resuming.AUTO}; given "
            f"{str(folder)!r}",
        ) from None
    return found


def _refuse_part_of_study(folder: Path) -> None:
    """Its run would go on with other data than the study gave it."""
    for above in folder.absolute().parents:
        if _is_study(above):
            raise checks.ArgumentError(
                _NAME, f"must be the whole study, {str(above)!r}; given a part, {str(folder)!r}"
            )


def _is_study(folder: Path) -> bool:
    try:
        record = json.loads((folder / _SETTINGS).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False
    return isinstance(record, dict) and "study" in record


def _refuse_differences(
    wanted: Mapping[str, Any], there: Mapping[str, Any], compared: Collection[str]
) -> None:
    for name, value in wanted.items():
        if name in compared and value != there[name]:
            raise checks.ArgumentError(
                name, f"must be {there[name]!r} as in the run that is resumed; given {value!r}"
            )


def _joined(settings: Settings, study: StudySettings) -> Path:
    """The folder of a study that several processes may work on."""
    is_sought = settings.resuming.resume is not None or study.is_joined
    group = runs.group_folder(settings, study)
    group.mkdir(parents=True, exist_ok=True)
    with contextlib.ExitStack() as stack:
        # One after the other, so that one of them makes it and the others find it.
        claims.claim(group, stack, waits=True)
        found = next(_unfinished(settings, study), None) if is_sought else None
        if found is None:
            found = runs.create(settings, study)
            write_study(found, settings, study)
    return found


def _claim(folder: Path, stack: contextlib.ExitStack, shared: bool = False) -> bool:
    """Keeps other processes off a run; but for those that share it, where it is shared."""
    place = folder / runs.CHECKPOINT
    place.mkdir(exist_ok=True)
    return claims.claim(place / _LOCK, stack, shared=shared)


def _tidy(folder: Path) -> None:
    """Removes what a kill left half done."""
    for name in _EXPORTED:
        shutil.rmtree(folder / name, ignore_errors=True)
    places = [folder, *folder.glob("trials/*"), *folder.glob(f"**/{runs.CHECKPOINT}")]
    for place in places:
        for left in place.glob(".*.*"):
            shutil.rmtree(left, ignore_errors=True)
