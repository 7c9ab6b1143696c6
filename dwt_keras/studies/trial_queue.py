"""The trials of a search, and which of several processes makes which.

All trials are there from the beginning, waiting, with the numbers that they keep: a process takes
the first that waits, which a storage gives to one process alone, so that there are never more, and
never two of one number. A trial whose process has ended without a word waits again, with the
parameters that it had, and its run goes on from its last checkpoint.
"""

from __future__ import annotations

import contextlib
import socket
import threading
import time
import uuid
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

import optuna
from optuna.storages import BaseStorage
from optuna.trial import FrozenTrial, TrialState

from dwt_keras.training import claims, runs

# User attributes of a trial: whose it is, a number that changes while that works, how often it was
# lost, why it failed.
_WORKER, _BEAT, _LOSSES, FAILURE = "worker", "beat", "losses", "failure"
_BEAT_SECONDS = 20.0
# After how long without a beat a process of another machine is taken for dead.
_SILENCE_SECONDS = 120.0
# How often a trial may take its process with it, as one does that needs too much memory.
_MOST_LOSSES = 3
_POLL_SECONDS = 1.0
# How long a process waits for another one that is still adding trials.
_FILLING_SECONDS = 10.0


class Queue:
    """The trials of one study, as one process sees them.

    Args:
        study: The study.
        storage: Its storage.
        folder: Of the study; processes of one machine tell by a file in it that they are alive.
        stack: Ends that.
    """

    def __init__(
        self,
        study: optuna.Study,
        storage: BaseStorage,
        folder: Path,
        stack: contextlib.ExitStack,
    ) -> None:
        self._study, self._storage = study, storage
        self._places = folder / runs.CHECKPOINT
        self._places.mkdir(exist_ok=True)
        self._worker = f"{_host()}-{uuid.uuid4().hex[:12]}"
        claims.claim(self._places / self._worker, stack)
        # Trial -> its last beat that was seen, and when that was new.
        self._heard: dict[int, tuple[Any, float]] = {}

    @property
    def trials(self) -> list[FrozenTrial]:
        """All trials, by number."""
        # Of the study, whose own storage must have seen a trial before it can be told of it.
        return self._study.get_trials(deepcopy=False)

    @property
    def done(self) -> int:
        """How many trials are over."""
        return sum(trial.state.is_finished() for trial in self.trials)

    def fill(self, parameters: Iterable[Mapping[str, Any]], *, is_alone: bool) -> None:
        """Adds the trials that are not there.

        Args:
            parameters: Of each trial those that are given; empty where they are to be sampled.
            is_alone: Whether no other process can be adding them right now.
        """
        wanted = list(parameters)
        there = len(self.trials)
        while not is_alone and there < len(wanted):
            time.sleep(_FILLING_SECONDS)
            before, there = there, len(self.trials)
            is_alone = there == before
        for each in wanted[there:]:
            attributes = {"fixed_params": dict(each)} if each else {}
            self._study.add_trial(
                optuna.create_trial(state=TrialState.WAITING, system_attrs=attributes)
            )

    def taken(self, sampler_of: Any) -> Iterator[optuna.Trial]:
        """Takes trials until all are over, also those that other processes give up.

        Args:
            sampler_of: Makes the sampler of a trial from its number.
        """
        while True:
            with self._alone():
                trials = self._without_lost()
                waiting = (each for each in trials if each.state == TrialState.WAITING)
                mine = next(filter(self._take, waiting), None)
            if mine is not None:
                self._study.sampler = sampler_of(mine.number)
                yield optuna.Trial(self._study, mine._trial_id)
            elif all(trial.state.is_finished() for trial in trials):
                return
            else:
                time.sleep(_POLL_SECONDS)

    def holds(self, trial: optuna.Trial) -> bool:
        """Whether a trial is still this process's, and not given to another that heard nothing."""
        found = self.trials[trial.number]
        is_mine = found.user_attrs.get(_WORKER) == self._worker
        return found.state == TrialState.RUNNING and is_mine

    @contextlib.contextmanager
    def beating(self, trial: optuna.Trial) -> Iterator[None]:
        """Lets others know that this process works on a trial; gives it back if it is interrupted.

        What is interrupted is anything that is neither told to the study nor caught.
        """
        ended = threading.Event()

        def beat() -> None:
            number = 0
            while not ended.wait(_BEAT_SECONDS):
                number += 1
                with contextlib.suppress(Exception):  # A storage that cannot be had for a while.
                    self._mark(trial._trial_id, _BEAT, number)
                    self._storage.remove_session()

        thread = threading.Thread(target=beat, daemon=True)
        thread.start()
        try:
            yield
        except BaseException:
            self._give_back(trial._trial_id, TrialState.WAITING)
            raise
        finally:
            ended.set()
            thread.join()

    @contextlib.contextmanager
    def _alone(self) -> Iterator[None]:
        """Keeps the other processes that see the study's folder from taking trials."""
        # Another process may have completed the study, and tidied.
        self._places.mkdir(exist_ok=True)
        with contextlib.ExitStack() as stack:
            claims.claim(self._places, stack, waits=True)
            yield

    def _take(self, trial: FrozenTrial) -> bool:
        """Takes a trial that waits; False if another process was faster."""
        try:
            if not self._storage.set_trial_state_values(trial._trial_id, TrialState.RUNNING):
                return False
        except optuna.exceptions.UpdateFinishedTrialError:
            return False
        self._mark(trial._trial_id, _WORKER, self._worker)
        return True

    def _without_lost(self) -> list[FrozenTrial]:
        """All trials, after those whose process is there no more wait again or have failed."""
        lost = [each for each in self.trials if self._is_lost(each)]
        for trial in lost:
            losses = int(trial.user_attrs.get(_LOSSES, 0)) + 1
            self._mark(trial._trial_id, _LOSSES, losses)
            state = TrialState.WAITING
            if losses >= _MOST_LOSSES:
                said = f"its process ended {losses} times without a word (for want of memory?)"
                self._mark(trial._trial_id, FAILURE, said)
                state = TrialState.FAIL
            self._give_back(trial._trial_id, state)
        return self.trials

    def _is_lost(self, trial: FrozenTrial) -> bool:
        """Whether the process that works on a trial is there no more."""
        worker = str(trial.user_attrs.get(_WORKER, ""))
        if trial.state != TrialState.RUNNING or worker == self._worker:
            return False
        beat = (worker, trial.user_attrs.get(_BEAT))
        if self._heard.get(trial.number, (None, 0.0))[0] != beat:
            self._heard[trial.number] = (beat, time.monotonic())
        is_free = claims.is_free(self._places / worker)
        if is_free is False:  # It lives, though it may not have been heard: a machine may sleep.
            return False
        if is_free and worker.rpartition("-")[0] == _host():
            return True
        return time.monotonic() - self._heard[trial.number][1] > _SILENCE_SECONDS

    def _give_back(self, trial_id: int, state: TrialState) -> None:
        """Ends the work on a trial that may be over already."""
        with contextlib.suppress(optuna.exceptions.UpdateFinishedTrialError):
            # First, so that who takes it is not taken for the one that had it.
            self._mark(trial_id, _WORKER, "")
            self._storage.set_trial_state_values(trial_id, state)

    def _mark(self, trial_id: int, name: str, value: Any) -> None:
        self._storage.set_trial_user_attr(trial_id, name, value)


def _host() -> str:
    return socket.gethostname()
