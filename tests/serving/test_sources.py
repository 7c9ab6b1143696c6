"""Which network is meant by what `serve` is given."""

from __future__ import annotations

from pathlib import Path

import pytest

from dwt_keras import checks
from dwt_keras.commands import serve
from dwt_keras.settings.serving import ServeSettings


@pytest.mark.parametrize("inner", ["best", "final", "final/best"])
def test_the_run_in_a_study_that_can_be_served_is_named(inner: str, tmp_path: Path) -> None:
    (tmp_path / "settings.json").write_text("{}")
    with pytest.raises(checks.UserError, match="has no serving/1; the run is not complete"):
        serve._network_path(str(tmp_path), ServeSettings())
    (tmp_path / inner / "serving/1").mkdir(parents=True)
    with pytest.raises(checks.UserError, match=f"has no serving/1; give {tmp_path / inner}$"):
        serve._network_path(str(tmp_path), ServeSettings())
