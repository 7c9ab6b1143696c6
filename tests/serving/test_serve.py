"""python -m dwt_keras serve, as its clients and its operator meet it."""

from __future__ import annotations

import contextlib
import http.client
import json
import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import keras
import numpy as np
import pytest

import dwt_keras
from dwt_keras.__main__ import main
from dwt_keras.commands import networks, serve
from dwt_keras.settings.serving import ServeSettings

ROOT = Path(__file__).parents[2]
MOST = 100_000
PREDICT = "/v1/models/digits:predict"


class Server:
    """A process that serves, and how to ask it."""

    def __init__(self, *arguments: object) -> None:
        command = [sys.executable, "-m", "dwt_keras", "serve", *map(str, arguments)]
        self.process = subprocess.Popen(
            [*command, "--port=0", "--model_name=digits", f"--max_body_bytes={MOST}"],
            cwd=ROOT,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        assert self.process.stdout is not None
        self.said = ""
        while "POST" not in self.said:
            line = self.process.stdout.readline()
            assert line, self.process.communicate()
            self.said += line
        found = re.search(rf"http://127.0.0.1:(\d+){PREDICT}\n", self.said)
        assert found, self.said
        self.port = int(found[1])

    def connection(self) -> http.client.HTTPConnection:
        return http.client.HTTPConnection("127.0.0.1", self.port, timeout=20)

    def ask(self, method: str, path: str, body: Any = None, **headers: str) -> tuple[int, Any]:
        """Status and content of an answer, which is one line of JSON."""
        if isinstance(body, dict):
            body = json.dumps(body)
        with contextlib.closing(self.connection()) as connection:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            text = answer.read().decode()
        assert answer.headers["content-type"] == "application/json"
        assert "\n" not in text
        return answer.status, json.loads(text)

    def stop(self, number: signal.Signals) -> tuple[str, str]:
        """Sends a signal; returns what was printed after the start. The status must be 0."""
        self.process.send_signal(number)
        rest, errors = self.process.communicate(timeout=20)
        assert self.process.returncode == 0
        return rest, errors


@contextlib.contextmanager
def started(*arguments: object) -> Iterator[Server]:
    server = Server(*arguments)
    try:
        yield server
    finally:
        server.process.kill()
        server.process.communicate()


@pytest.fixture(scope="module")
def server(folder: Path) -> Iterator[Server]:
    with started(folder) as running:
        yield running
        printed, errors = running.stop(signal.SIGINT)
        assert re.fullmatch(r"stopped; [1-9]\d* requests were answered with predictions\n", printed)
        assert errors == ""


def test_it_says_what_it_serves(server: Server, folder: Path) -> None:
    assert server.said.splitlines()[:2] == [
        "takes: images (8 height x 8 width x 1 channels, float32)",
        "gives: outputs (10 classes, float32)",
    ]
    assert f"serving {folder / 'serving' / '1'}: POST http://127.0.0.1" in server.said


def test_predictions_are_the_networks(server: Server, folder: Path, images: np.ndarray) -> None:
    status, answer = server.ask("POST", PREDICT, {"instances": images.tolist()})
    model = keras.models.load_model(folder / "model.keras")
    assert status == 200
    np.testing.assert_allclose(answer["predictions"], model.predict(images, verbose=0), atol=1e-6)
    named = [{"images": image} for image in images[:3].tolist()]
    _, by_name = server.ask("POST", PREDICT, {"instances": named})
    np.testing.assert_allclose(by_name["predictions"], answer["predictions"][:3], atol=1e-6)


def test_health_and_status(server: Server) -> None:
    assert server.ask("GET", "/health") == (200, {"status": "ready"})
    assert server.ask("GET", "/health/ready") == (200, {"status": "ready"})
    assert server.ask("GET", "/health/live") == (200, {"status": "live"})
    status, answer = server.ask("GET", "/v1/models/digits")
    (version,) = answer["model_version_status"]
    assert (status, version["version"], version["state"]) == (200, "1", "AVAILABLE")


def test_metadata_names_axes_and_classes(server: Server) -> None:
    status, answer = server.ask("GET", "/v1/models/digits/metadata")
    assert status == 200
    assert answer["model_spec"]["name"] == "digits"
    assert answer["metadata"]["classes"] == [f"digit {number}" for number in range(10)]
    its = answer["metadata"]["signature_def"]["signature_def"]["serving_default"]
    assert its["inputs"]["images"]["dtype"] == "DT_FLOAT"
    dims = its["inputs"]["images"]["tensor_shape"]["dim"]
    assert [(each["name"], each["size"]) for each in dims] == [
        ("samples", "-1"),
        ("height", "8"),
        ("width", "8"),
        ("channels", "1"),
    ]
    dims = its["outputs"]["outputs"]["tensor_shape"]["dim"]
    assert [(each["name"], each["size"]) for each in dims] == [("samples", "-1"), ("classes", "10")]


@pytest.mark.parametrize(
    ("method", "path", "body", "status", "said"),
    [
        ("POST", PREDICT, b"{", 400, "must be JSON"),
        ("POST", PREDICT, b'{"instances": [NaN]}', 400, "must be JSON"),
        ("POST", PREDICT, None, 400, "must be JSON"),
        ("POST", PREDICT, b" " * (MOST + 1), 413, f"{MOST} bytes at most"),
        ("POST", PREDICT, b" " * 100 * MOST, 413, f"{MOST} bytes at most"),
        ("POST", PREDICT, iter([b" " * MOST, b" "]), 413, f"{MOST} bytes at most"),
        ("GET", PREDICT, None, 405, "must be POST; given GET"),
        ("PUT", "/health", b"x", 405, "must be"),
        ("POST", "/v1/models/other:predict", b"{}", 404, f"POST {PREDICT}"),
        ("GET", "/v1/models/digits/", None, 404, f"POST {PREDICT}"),
        ("GET", "/../../etc/passwd", None, 404, f"POST {PREDICT}"),
    ],
)
def test_what_is_not_answered(
    server: Server, method: str, path: str, body: Any, status: int, said: str
) -> None:
    found, answer = server.ask(method, path, body)
    assert (found, list(answer)) == (status, ["error"])
    assert said in answer["error"]


def test_a_compressed_body_is_refused(server: Server) -> None:
    found = server.ask("POST", PREDICT, b"x", **{"Content-Encoding": "gzip"})
    assert found == (415, {"error": "the body must not be compressed"})


def test_senders_that_are_no_http_clients_or_go_away(server: Server) -> None:
    def send(text: bytes) -> socket.socket:
        client = socket.create_connection(("127.0.0.1", server.port), timeout=20)
        client.sendall(text)
        return client

    head = f"POST {PREDICT} HTTP/1.1\r\nHost: x\r\n".encode()
    for bad in (
        b"garbage\r\n\r\n",
        b"GET / HTTP/1.1\r\nX: " + b"y" * 300_000 + b"\r\n\r\n",
        head + b"Transfer-Encoding: chunked\r\n\r\nno length\r\n",
    ):
        with send(bad) as client, client.makefile("rb") as answer:
            first, *_, last = answer.read().splitlines()  # Until the server closes.
        assert first == b"HTTP/1.1 400 Bad Request"
        assert json.loads(last) == {"error": "the request must be HTTP/1.1"}
    send(head + b"Content-Length: 900\r\n\r\nhalf").close()
    send(b"POST").close()
    assert server.ask("GET", "/health")[0] == 200


class Client(threading.Thread):
    """Asks for one image after the other on one connection, until it is told that it closes."""

    def __init__(self, server: Server, images: np.ndarray, expected: np.ndarray) -> None:
        super().__init__()
        self.server, self.images, self.expected = server, images, expected
        self.answered = 0
        self.closed_by: str | Exception = "nobody"

    def run(self) -> None:
        try:
            with contextlib.closing(self.server.connection()) as connection:
                while self.closed_by == "nobody":
                    self._ask(connection)
        except Exception as error:
            self.closed_by = error

    def _ask(self, connection: http.client.HTTPConnection) -> None:
        number = self.answered % len(self.images)
        body = json.dumps({"instances": self.images[number : number + 1].tolist()})
        connection.request("POST", PREDICT, body)
        answer = connection.getresponse()
        found = json.loads(answer.read())["predictions"]
        np.testing.assert_allclose(found, self.expected[number : number + 1], atol=1e-6)
        self.answered += 1
        if answer.headers.get("connection") == "close":
            self.closed_by = "the server"


def test_a_compact_file_under_load_until_it_is_stopped(folder: Path, images: np.ndarray) -> None:
    """Straight from a .dwtz; no client gets another's answer, or none, SIGTERM or not."""
    compact = folder / "model.dwtz"
    expected = dwt_keras.load_compressed(compact).predict(images, verbose=0)
    with started(compact) as server:
        assert "takes: images (8 x 8 x 1, float32)" in server.said
        shares = [np.arange(len(images)) % 12 == number for number in range(12)]
        clients = [Client(server, images[share], expected[share]) for share in shares]
        for client in clients:
            client.start()
        time.sleep(1.0)
        printed, errors = server.stop(signal.SIGTERM)
        for client in clients:
            client.join()
        assert [client.closed_by for client in clients] == ["the server"] * 12
        answered = sum(client.answered for client in clients)
        assert answered > 100
        assert printed == f"stopped; {answered:,} requests were answered with predictions\n"
        assert errors == ""


# What the command refuses


@pytest.fixture
def fail(capsys: pytest.CaptureFixture[str]):
    def run(*arguments: object) -> str:
        assert main(["dwt_keras", "serve", *map(str, arguments)]) == 2
        printed = capsys.readouterr()
        assert printed.err.count("\n") == 1
        assert printed.out == ""
        return printed.err

    return run


@pytest.mark.parametrize(
    ("flag", "said"),
    [
        ("--port=70000", "--port must be 65535 at most; given 70000"),
        ("--port=-1", "--port must be a whole number, 0 or more"),
        ("--host=no.such.host.invalid", "--host must be a name or an address of this machine"),
        ("--host=", "--host must be a name or an address"),
        ("--host=192.0.2.1", "--port must be free on 192.0.2.1"),
        ("--model_name=a/b", "--model_name must be of letters"),
        ("--max_batch_size=0", "--max_batch_size must be a whole number, 1 or more"),
        ("--batch_wait_milliseconds=-1", "--batch_wait_milliseconds must be a finite number"),
        ("--max_body_bytes=0", "--max_body_bytes must be a whole number, 1 or more"),
    ],
)
def test_flags_that_do_not_go(fail, folder: Path, flag: str, said: str) -> None:
    assert said in fail(folder, flag)


def test_networks_that_do_not_go(fail, folder: Path, tmp_path: Path) -> None:
    (tmp_path / "model.tflite").write_text("")
    for other in (tmp_path / "none", tmp_path, tmp_path / "model.tflite"):
        assert f"{other}: must be the folder of a run of train.py or of" in fail(other)
    assert "--fast is for the folder of a run" in fail(folder / "model.keras", "--fast")
    (tmp_path / "settings.json").write_text("{}")
    assert "has no serving/1; the run is not complete" in fail(tmp_path)
    assert "--fast needs serving_fast/1" in fail(tmp_path, "--fast")
    (tmp_path / "broken.dwtz").write_bytes((folder / "model.dwtz").read_bytes()[:-9])
    assert "broken.dwtz" in fail(tmp_path / "broken.dwtz", "--port=0")


def test_a_port_that_is_taken(fail, folder: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert f"--port must be free on 127.0.0.1; given {port}" in fail(folder, f"--port={port}")


def test_fast_is_the_smaller_network(folder: Path, images: np.ndarray) -> None:
    settings = ServeSettings(fast=True)
    path = serve._network_path(str(folder), settings)
    assert path == folder / "serving_fast/1"
    network = serve._load(path, folder, settings)
    found = network.predict({"images": images})["outputs"]
    plain = networks.load(str(folder / "model.keras"), trusted=False).predict(images)
    np.testing.assert_allclose(found, plain, atol=1e-5)


def test_without_the_extra_there_is_one_line_and_no_tensorflow(folder: Path) -> None:
    code = (
        "import sys; sys.modules['uvicorn'] = None; from dwt_keras.__main__ import main; "
        f"status = main(['', 'serve', {str(folder)!r}]); "
        "print('tensorflow' in sys.modules); sys.exit(status)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stdout) == (2, "False\n")
    assert done.stderr == (
        "python -m dwt_keras serve: needs uvicorn: python -m pip install 'dwt_keras[serve]'\n"
    )
