"""What TensorBoard itself says of a run's event files, asked over HTTP."""

from __future__ import annotations

import io
import json
import urllib.parse
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from werkzeug.test import Client

from dwt_keras.settings import Settings
from dwt_keras.views.tensorboard import ACCURACY_OVER_ZEROS

Ask = Callable[..., Any]


@pytest.fixture(scope="module")
def ask(told: Settings, folder: Path) -> Ask:
    """Asks TensorBoard's server, in this process, over save_dir; JSON is read."""
    from tensorboard import default, program
    from tensorboard.backend import application
    from tensorboard.backend.event_processing.data_ingester import LocalDataIngester

    board = program.TensorBoard(plugins=default.get_plugins())
    board.configure(
        logdir=told.training.save_dir,
        reload_interval=0,
        reload_task="blocking",
        samples_per_plugin={},
    )
    ingester = LocalDataIngester(board.flags)
    ingester.start()
    server = application.TensorBoardWSGIApp(
        board.flags, board.plugin_loaders, ingester.data_provider, None, None
    )
    client = Client(server)

    def request(path: str, post: Any = None, **query: Any) -> Any:
        url = f"/data/{path}?{urllib.parse.urlencode(query)}"
        answer = client.get(url) if post is None else client.post(url, json=post)
        assert answer.status_code == 200, answer.text
        return answer.json if answer.is_json else answer.data

    return request


def name_of(folder: Path, told: Settings, part: str = "") -> str:
    place = folder / "tensorboard" / part
    return place.relative_to(told.training.save_dir).as_posix()


def test_runs_have_readable_names(ask: Ask, folder: Path, told: Settings) -> None:
    assert set(ask("runs")) == {
        name_of(folder, told, part) for part in ("", "compression", "train", "validation")
    }
    assert "digits-mlp/sym2-level1-threshold0.07" in ask("runs")[0]


def image(ask: Ask, run: str, tag: str, sample: int) -> tuple[list[int], np.ndarray]:
    found = ask("plugin/images/images", run=run, tag=tag, sample=sample)
    key = found[-1]["query"]
    raw = ask(f"plugin/images/individualImage?{key}&unused")
    return [each["step"] for each in found], np.asarray(Image.open(io.BytesIO(raw)))


def test_pictures_of_each_kernel(ask: Ask, folder: Path, told: Settings) -> None:
    run = name_of(folder, told, "compression")
    tags = ask("plugin/images/tags")[run]
    assert {tag: info["samples"] for tag, info in tags.items()} == {
        "dense_1/kernel/mosaic": 2,
        "dense_1/kernel/before_after_removed": 2,
        "classes/kernel/mosaic": 1,
        "classes/kernel/before_after_removed": 1,
    }
    steps, mosaic = image(ask, run, "dense_1/kernel/mosaic", 0)
    assert steps == [0, 1, 2]
    assert mosaic.shape == (64, 64, 3)
    # Grey borders of the four subbands, white zeros.
    assert (mosaic[32, 32:] == 128).all()
    assert (mosaic[32:, 32] == 128).all()
    assert (mosaic == 255).all(axis=2).mean() > 0.05
    _, beside = image(ask, run, "dense_1/kernel/before_after_removed", 1)
    assert beside.shape == (64, 3 * 64 + 2 * 6, 3)
    before, after, removed = (beside[:, 70 * n : 70 * n + 64] for n in range(3))
    assert not np.array_equal(before, after)
    assert (removed != 255).any()


def test_accuracy_is_drawn_over_the_zero_fraction(ask: Ask, folder: Path, told: Settings) -> None:
    from dwt_keras.views import history

    run = name_of(folder, told, "compression")
    points = ask("plugin/scalars/scalars", run=run, tag=ACCURACY_OVER_ZEROS)
    columns = history.read(folder / "history.csv")
    expected = {
        round(1000 * zeros): accuracy
        for zeros, accuracy in zip(columns["zero_fraction"], columns["val_accuracy"], strict=True)
    }
    assert {step: value for _, step, value in points} == pytest.approx(expected, abs=1e-6)


def test_settings_are_text_and_hyperparameters(ask: Ask, folder: Path, told: Settings) -> None:
    run = name_of(folder, told)
    text = ask("plugin/text/text", run=run, tag="settings")[0]["text"]
    assert "<td>threshold</td>" in text
    assert "<td>0.07</td>" in text
    experiment = ask("plugin/hparams/experiment", post={"experimentName": ""})
    assert {"threshold", "wavelet", "learning_rate"} <= {
        each["name"] for each in experiment["hparamInfos"]
    }
    metrics = {each["name"]["tag"] for each in experiment["metricInfos"]}
    assert "shipped/dwtz_bytes" in metrics
    wanted = {
        "experimentName": "",
        "allowedStatuses": ["STATUS_UNKNOWN", "STATUS_SUCCESS", "STATUS_RUNNING"],
        "colParams": [],
        "startIndex": 0,
        "sliceSize": 10,
    }
    (group,) = ask("plugin/hparams/session_groups", post=wanted)["sessionGroups"]
    assert group["hparams"]["threshold"] == 0.07
    assert group["hparams"]["hidden_units"] == "24"
    values = {each["name"]["tag"]: each["value"] for each in group["metricValues"]}
    record = json.loads((folder / "metrics.json").read_text())
    assert values["shipped/test_accuracy"] == pytest.approx(record["test_accuracy"])
    assert values["shipped/dwtz_bytes"] == record["bytes"]["dwtz"]
