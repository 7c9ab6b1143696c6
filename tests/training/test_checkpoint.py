"""The state of a training in a file, and what of a history stays."""

from __future__ import annotations

from pathlib import Path

import ml_dtypes
import numpy as np
import pytest

from dwt_keras import checks
from dwt_keras.training import checkpoint, epoch_log


def test_what_is_saved_is_loaded_again(tmp_path: Path) -> None:
    state = {
        "number": 0.1,
        "none": None,
        "list": [1, "two", {"three": np.arange(3, dtype=np.int64)}],
        "half": np.ones((2, 3), ml_dtypes.bfloat16),
        "scalar": np.float32(0.5),
        "rank 0": np.array(7, np.uint32),
        "empty": np.zeros((0, 4), np.float32),
    }
    assert checkpoint.load(tmp_path) is None
    checkpoint.save(tmp_path, state)
    found = checkpoint.load(tmp_path)
    assert found is not None
    assert (found["number"], found["none"], found["scalar"]) == (0.1, None, 0.5)
    assert found["list"][:2] == [1, "two"]
    np.testing.assert_array_equal(found["list"][2]["three"], np.arange(3))
    for name in ("half", "rank 0", "empty"):
        assert found[name].dtype == state[name].dtype
        np.testing.assert_array_equal(found[name], state[name])
    found["half"][0] = 0  # It can be written to.
    checkpoint.save(tmp_path, {"number": 2})
    assert checkpoint.load(tmp_path) == {"number": 2}
    checkpoint.remove(tmp_path)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("damage", ["cut", "flip"])
def test_a_damaged_file_is_noticed(tmp_path: Path, damage: str) -> None:
    checkpoint.save(tmp_path, {"weights": np.zeros(1000, np.float32)})
    (path,) = (tmp_path / "checkpoint").iterdir()
    data = bytearray(path.read_bytes())
    if damage == "cut":
        del data[len(data) // 2 :]
    else:
        data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(checks.UserError, match=r"state\.npz is damaged"):
        checkpoint.load(tmp_path)


def test_a_history_loses_the_epochs_that_are_repeated(tmp_path: Path) -> None:
    path = tmp_path / "history.csv"
    epoch_log.cut(tmp_path, 1)
    assert not path.exists()
    path.write_bytes(b"epoch,loss\r\n-1,0.9\r\n0,0.5\r\n1,0.25\r\n2,0.1\r\n3,0.")
    epoch_log.cut(tmp_path, 2)
    assert path.read_bytes() == b"epoch,loss\r\n-1,0.9\r\n0,0.5\r\n1,0.25\r\n"
    epoch_log.cut(tmp_path, 0)
    assert path.read_bytes() == b"epoch,loss\r\n-1,0.9\r\n"
    epoch_log.cut(tmp_path, -1)
    assert path.read_bytes() == b"epoch\r\n"


def test_a_history_grows_by_what_the_first_epochs_did_not_know(tmp_path: Path) -> None:
    epoch_log.EpochLog(tmp_path, first=-1).on_epoch_end(0, {"loss": 0.1 + 0.2})
    log = epoch_log.EpochLog(tmp_path)
    log.on_epoch_end(0, {"loss": 1e-9, "threshold": 0.05})
    log.on_epoch_end(1, {"accuracy": 1.0, "loss": 0.5})
    expected = "epoch,accuracy,loss,threshold -1,,0.30000000000000004, 0,,1e-09,0.05 1,1.0,0.5,"
    assert (tmp_path / "history.csv").read_text().split() == expected.split()
