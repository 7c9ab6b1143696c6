"""Where the trials of a search are kept, by Optuna: a database, or a journal. No TensorFlow."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import optuna
import sqlalchemy
from optuna.exceptions import StorageInternalError
from optuna.storages import BaseStorage, JournalStorage, RDBStorage
from optuna.storages.journal import JournalFileBackend

from dwt_keras import checks
from dwt_keras.settings.tuning import JOURNAL

# Seconds for which a process waits while another one writes to an SQLite file.
_PATIENCE = 60
# How often tables are made, which fails while another process makes them.
_TRIES = 4

# What goes wrong is an exception; what it does else is no news.
optuna.logging.set_verbosity(optuna.logging.ERROR)


def of_folder(folder: Path) -> str:
    """The URL of the file that keeps the trials of a study that has no other place for them."""
    return f"sqlite:///{folder.absolute() / 'trials.db'}"


@contextlib.contextmanager
def opened(place: str) -> Iterator[BaseStorage]:
    """Opens a storage, and makes it where it is empty.

    Args:
        place: A database's URL, or `journal:FILE`.

    Raises:
        ArgumentError: If it cannot be had.
        UserError: If it can be had no more within the context.
    """
    if place.startswith(JOURNAL):
        yield _journal(Path(place.removeprefix(JOURNAL)).expanduser())
        return
    storage = _database(place)
    try:
        yield storage
    except StorageInternalError as error:
        raise checks.UserError(
            f"the storage {named(place)} cannot be used any more; to go on once it "
            f"can, resume the study: {_said(error.__cause__ or error)}"
        ) from None
    finally:
        storage.remove_session()
        storage.engine.dispose()


def _journal(path: Path) -> JournalStorage:
    try:
        with path.open("a"):
            pass
        return JournalStorage(JournalFileBackend(str(path)))
    except (OSError, ValueError) as error:  # Of what is no journal JSON says so.
        raise _refused(f"{JOURNAL}{path}", error) from None


def _database(url: str) -> RDBStorage:
    is_file = url.startswith("sqlite")
    options = {"connect_args": {"timeout": _PATIENCE}} if is_file else {"pool_pre_ping": True}
    for tried in range(1, _TRIES + 1):
        try:
            storage = RDBStorage(url, engine_kwargs=options)
            if is_file:
                _keep_others_off(storage.engine)
            return storage
        except Exception as error:  # Of SQLAlchemy, of a driver, or of one that is missing.
            is_raced = type(error).__name__ in ("OperationalError", "IntegrityError")
            if tried == _TRIES or not is_raced or "unable to open" in str(error):
                raise _refused(named(url), error) from None
            time.sleep(tried / 4)
    raise AssertionError("a loop that returns or raises")


def _keep_others_off(engine: sqlalchemy.Engine) -> None:
    """Makes an SQLite file another process's only once what was read of it has been changed.

    Optuna locks the row of a trial that it takes, which SQLite does not know: of two processes that
    read that it waits both would take it.
    """

    def connect(connection: Any, _: object) -> None:
        connection.isolation_level = None  # Else Python's driver begins when it pleases.

    def begin(connection: sqlalchemy.Connection) -> None:
        connection.exec_driver_sql("BEGIN IMMEDIATE")

    sqlalchemy.event.listen(engine, "connect", connect)
    sqlalchemy.event.listen(engine, "begin", begin)
    engine.dispose()  # Of the connections that there are.


def named(url: str) -> str:
    """A storage's URL as it may be shown, without a password."""
    scheme, separator, rest = url.partition("://")
    return f"{scheme}{separator}{rest.rpartition('@')[2]}"


def _refused(place: str, error: Exception) -> checks.ArgumentError:
    return checks.ArgumentError(
        "storage",
        f"must be a database or journal that can be used; given {place!r}: {_said(error)}",
    )


def _said(error: BaseException) -> str:
    return checks.said(error).partition(" [SQL:")[0].partition(" (Background on")[0]
