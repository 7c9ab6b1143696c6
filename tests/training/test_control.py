"""The dense control, which several processes may ask for at once."""

from __future__ import annotations

import json
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from dwt_keras.settings import Settings
from dwt_keras.training import control


def test_one_of_several_processes_trains_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path / "control"
    begun: list[Path] = []

    def trained(_: Any, __: Any, place: Path, ___: Any) -> control.Control:
        begun.append(place)
        time.sleep(0.3)
        found = {"validation_accuracy": 0.5, "test_accuracy": 0.25}
        (place / "control.json").write_text(json.dumps(found))
        return control.Control(place, 0.5, 0.25)

    monkeypatch.setattr(control, "_place", lambda *_: ({}, folder))
    monkeypatch.setattr(control, "_trained", trained)
    found: list[control.Control] = []
    nothing: Any = None

    def ask() -> None:
        found.append(control.dense(Settings(), nothing))

    threads = [threading.Thread(target=ask) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert begun == [folder]
    assert found == [control.Control(folder, 0.5, 0.25)] * 3
