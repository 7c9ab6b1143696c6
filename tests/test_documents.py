"""README.md and docs/ keep their word: commands and programs run, flags, links and figures are."""

from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import train
from dwt_keras import command_line
from dwt_keras.__main__ import _COMMANDS, main
from dwt_keras.settings import Settings
from dwt_keras.training import resuming

sys.path.insert(0, str(Path(__file__).parent))
import documents
from documents import README, ROOT, Command

TEXT = README.read_text("utf-8")
TOUR = documents.section(TEXT, "A tour in five minutes")
# Of other programs.
FOREIGN = {"pip", "pytest", "tensorboard", "docker", "curl"}
# Of `python -m dwt_keras`, until they are stopped: they have tests of their own.
LASTING = {"serve"}
# The first command of the README, which tests/test_train.py runs as it stands.
MAIN_JOB = ["--wavelet=sym2", "--threshold=0.05"]


def ids(value: object) -> str:
    return str(value.relative_to(ROOT)) if isinstance(value, Path) else ""


def settings_of(command: Command) -> Any:
    """What train.py or a command of `python -m dwt_keras` would be told; None for others."""
    program, *rest = command.argv
    if program != "python":
        assert program in FOREIGN, command.line
        return None
    if rest[0] == "train.py":
        values = train.parse(rest)
        assert values is not None
        return resuming.divided(values)
    if rest[:2] == ["-m", "dwt_keras"]:
        arguments, group = _COMMANDS[rest[2]]
        values, given = command_line.parse(rest[2:], group.__dataclass_fields__)
        assert len(given) == len(arguments), command.line
        return group(**values)
    if rest[0] == "-m":
        assert rest[1] in FOREIGN, command.line
    elif rest[0] == "-c":
        compile(rest[1], command.line, "exec")
    else:
        assert (ROOT / rest[0]).is_file(), command.line
    return None


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=ids)
def test_links_lead_somewhere(path: Path) -> None:
    for link in documents.links(path.read_text("utf-8")):
        if link.startswith("https://"):
            continue
        name, _, anchor = link.partition("#")
        target = path.parent / name if name else path
        assert target.exists(), link
        if anchor:
            assert anchor in documents.anchors(target.read_text("utf-8")), link


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=ids)
def test_commands_have_flags_and_values_that_are_allowed(path: Path) -> None:
    for command in documents.commands(path.read_text("utf-8")):
        settings_of(command)
    for code in documents.blocks(path.read_text("utf-8"), "python"):
        ast.parse(code)


@pytest.fixture(scope="module")
def known() -> set[str]:
    """The flags of train.py, of all commands, of the scripts in benchmarks/, of TensorBoard."""
    names = {"help", "flagfile", "logdir", *train.fields()}
    for _, group in _COMMANDS.values():
        names |= set(group.__dataclass_fields__)
    for script in (ROOT / "benchmarks").glob("*.py"):
        names |= set(re.findall(r'add_argument\(\s*"--(\w+)"', script.read_text("utf-8")))
    return names


@pytest.mark.parametrize("path", documents.DOCUMENTS, ids=ids)
def test_flags_that_are_named_exist(path: Path, known: set[str]) -> None:
    assert documents.flags(documents.prose(path.read_text("utf-8"))) <= known


def test_a_flag_that_is_gone_would_be_found(known: set[str]) -> None:
    assert documents.flags("`--wavelt`, --level=1, `x--y`") == {"wavelt", "level"}
    assert "wavelt" not in known
    with pytest.raises(ValueError, match="wavelet must be"):
        settings_of(documents.commands("```sh\npython train.py --wavelet=sym99\n```")[0])


def test_defaults_in_the_tables_are_the_defaults() -> None:
    """Where there is one; learning_rate's depends on the optimizer."""
    defaults = Settings.from_flat({}).flat() | {"learning_rate": 0.001}
    tables = documents.section(TEXT, "The flags that matter")
    rows = re.findall(r"^\| (`--[^|]*)\|([^|]*)\|", tables, re.MULTILINE)
    assert len(rows) > 25
    for names, cell in rows:
        for name in documents.flags(names):
            default = defaults[name]
            if cell.strip():
                shown = ",".join(map(str, default)) if isinstance(default, tuple) else default
                assert cell.strip(" `") == (str(shown) if shown else "0"), name
            else:
                assert default in (None, 0, 0.0, False, "SavedModels"), name


def test_figures_of_the_comparison_are_those_of_the_benchmarks() -> None:
    number = re.compile(r"(?<![\w.,])\d+(?:,\d{3}|\.\d+)(?![\w.]|,\d)")
    measured = set(number.findall((ROOT / "docs" / "benchmarks.md").read_text("utf-8")))
    table = documents.section(TEXT, "What it gains, and where it does not")
    rows = [line for line in table.splitlines() if line.startswith("|")][2:]
    assert len(rows) > 8
    versions = {"0.8.1", "2.1.3"}
    for row in rows:
        for version in versions:
            row = row.replace(version, "")
        assert set(number.findall(row)) <= measured, row
        (script,) = re.findall(r"`(benchmarks/\w+\.py)[^`]*` \|$", row)
        assert (ROOT / script).is_file()


def test_sources_to_cite_are_those_of_the_mathematics() -> None:
    source = re.compile(r"(?:doi:|arXiv:)[^\s,;|]+")
    cited = source.findall(documents.section(TEXT, "Citing the methods"))
    known = source.findall((ROOT / "docs" / "mathematics.md").read_text("utf-8"))
    assert len(cited) > 8
    assert set(cited) <= {each.rstrip(".;,)") for each in known}


def test_the_first_command_is_the_one_that_is_tested() -> None:
    install, job, extras, tests = documents.commands(documents.section(TEXT, "Two commands"))
    assert install.argv[1:] == ["-m", "pip", "install", "-e", "."]
    assert job.argv == ["python", "train.py", *MAIN_JOB]
    assert extras.argv[-1] == ".[test]"
    assert tests.argv == ["python", "-m", "pytest"]
    assert tests.line in (ROOT / ".ci" / "run").read_text("utf-8")


@pytest.fixture(scope="module")
def tour(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """The folder in which the tour was gone, command by command; nothing is left out or changed.

    But for flags that make the saliency quicker, and the programs of others.
    """
    folder = tmp_path_factory.mktemp("tour")
    few = ["--compared_samples=8", "--shown_samples=1"]
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        for command in documents.commands(TOUR):
            program, *argv = command.argv
            if program == "python" and argv[0] == "train.py":
                assert train.main(argv) == 0, command.line
            elif argv[:2] == ["-m", "dwt_keras"] and argv[2] not in LASTING:
                assert main([*argv[1:], *(few if argv[2] == "saliency" else [])]) == 0, command.line
        yield folder


@pytest.fixture(scope="module")
def run(tour: Path) -> Path:
    (folder,) = tour.glob("SavedModels/digits-mlp/*bytes1500*/001")
    return folder


def test_the_tour_leaves_what_it_says(tour: Path, run: Path) -> None:
    metrics = json.loads((run / "metrics.json").read_text())
    assert metrics["bytes"]["dwtz"] <= 1500
    assert metrics["test_accuracy"] > 0.93
    said = {f"{name}.svg" for name in ("training", "saliency", "activations", "bytes")}
    assert said <= {path.name for path in (run / "figures").iterdir()}
    for path in ("SavedModels/report.html", "small.dwtz", "small.keras"):
        assert (tour / path).is_file()
    assert (run / "report.html").is_file()
    assert (tour / "small.dwtz").stat().st_size < 3000


def test_tensorboard_takes_its_flags(tour: Path) -> None:
    from tensorboard import default, program

    (argv,) = (each.argv for each in documents.commands(TOUR) if each.argv[0] == "tensorboard")
    board = program.TensorBoard(default.get_plugins())
    board.configure(argv)
    assert (tour / board.flags.logdir).is_dir()


def test_the_served_network_answers_the_request(run: Path, tour: Path) -> None:
    import tensorflow as tf

    found = documents.commands(TOUR)
    (docker,) = (each.argv for each in found if each.argv[0] == "docker")
    (line,) = {each.line for each in found if each.argv[-1].endswith(":predict")}
    asking, curl = (each.argv for each in found if each.line == line)
    host, inside = docker[docker.index("-v") + 1].split(":")
    name = docker[docker.index("-e") + 1].removeprefix("MODEL_NAME=")
    port = docker[docker.index("-p") + 1].split(":")[0]
    assert inside == f"/models/{name}"
    assert tour / host.removeprefix("$PWD/") == run / "serving"
    assert curl[-1] == f"http://localhost:{port}/v1/models/{name}:predict"
    done = subprocess.run([sys.executable, *asking[1:]], capture_output=True, check=True)
    loaded = tf.saved_model.load(str(run / "serving" / "1"))
    images = tf.constant(json.loads(done.stdout)["instances"])
    outputs = loaded.signatures["serving_default"](images=images)["outputs"]
    assert outputs.shape == (1, 10)


@pytest.fixture(scope="module")
def clothes(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Stands for the FOLDER with Fashion-MNIST."""
    folder = tmp_path_factory.mktemp("clothes")
    random = np.random.default_rng(0)
    arrays = {}
    for part, count in (("train", 300), ("test", 50)):
        arrays[f"y_{part}"] = np.arange(count, dtype=np.uint8) % 10
        arrays[f"x_{part}"] = random.integers(0, 256, (count, 28, 28), np.uint8)
    np.savez(folder / "fashion_mnist.npz", **arrays)
    return folder


FOLDER_COMMANDS = [each for each in documents.commands(TEXT) if "FOLDER" in each.line]


@pytest.mark.parametrize("command", FOLDER_COMMANDS, ids=lambda each: each.argv[2])
def test_configs_of_the_comparison_train(
    command: Command, clothes: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(ROOT)
    argv = [word.replace("FOLDER", str(clothes)) for word in command.argv[1:]]
    tiny = ["--epochs=2", "--hidden_units=8", "--figures=none", f"--save_dir={tmp_path}"]
    assert train.main([*argv, *tiny]) == 0
    assert len(list(tmp_path.rglob("metrics.json"))) == 1


@pytest.mark.parametrize("path", [README, ROOT / "docs" / "library.md"], ids=ids)
def test_programs_in_the_text_run(
    path: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    import keras

    monkeypatch.chdir(tmp_path)
    keras.utils.set_random_seed(0)
    layers = [keras.Input((8, 8, 1)), keras.layers.Flatten(), keras.layers.Dense(10, "softmax")]
    model = keras.Sequential(layers)
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).random((64, 8, 8, 1), np.float32)
    names: dict[str, Any] = {"model": model, "x": x, "y": np.arange(64) % 10}
    blocks = documents.blocks(path.read_text("utf-8"), "python")
    assert blocks
    for code in blocks:
        exec(compile(re.sub(r"epochs=\d+", "epochs=2", code), str(path), "exec"), names)
    assert Path("model.dwtz").stat().st_size < 4500


PRINTED = {
    "callback.py": r"dense: +test accuracy 0\.9\d\d, 19,240 bytes as float32\n"
    r"hidden: 8\d% of the coefficients are zero\nclasses: \d\d% of the coefficients are zero\n"
    r"compressed: test accuracy 0\.9\d\d, 1,\d{3} bytes in digits.dwtz\n",
    "compress.py": r"as it is: +28,840 bytes, test accuracy 0\.[89]\d\d\n"
    r"quantised: +[34],\d{3} bytes, test accuracy 0\.[89]\d\d\n"
    r"and trained on: +1,[1-4]\d\d bytes, test accuracy 0\.[89]\d\d\n",
    "load.py": r"flatten: 0 weights\ndense: 650 weights\n"
    r"classes of three random inputs: \d, \d, \d\n"
    r"a network of the same architecture says the same with the weights of the file\n"
    r"refused: damaged\.dwtz: the checksum .*\n",
}


@pytest.mark.parametrize("path", sorted((ROOT / "examples").glob("*.py")), ids=ids)
def test_examples_run(path: Path, tmp_path: Path) -> None:
    command = [sys.executable, str(path)]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert re.fullmatch(PRINTED[path.name], done.stdout), done.stdout
