"""What train.py is told: mistakes cost one line, and help and configs are right."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

MISTAKES = [
    ("--wavelet=sym99", "--wavelet must be a wavelet of PyWavelets, auto or none"),
    ("--wavelet=cmor1", "--wavelet must be cmor"),
    ("--wavelet=morl --hold_support", "--hold_support needs a basis"),
    ("--wavelet=morl --level=auto", "--level must be a whole number or max with the continuous"),
    ("--choose_basis_epochs=2", "--choose_basis_epochs needs wavelet=auto or level=auto"),
    ("--wavelet=auto --choose_basis_epochs=11", "--choose_basis_epochs must not lie beyond"),
    ("--threshold=-1", "--threshold must be a finite number, 0 or more; given -1.0"),
    ("--threshold=nan", "--threshold must be a finite number"),
    ("--threshold=x", "flag --threshold=x: must be a number"),
    ("--level=0", "--level must be a whole number, 1 or more, max or auto; given 0"),
    ("--epochs=0", "--epochs must be a whole number, 1 or more; given 0"),
    ("--epochs=2.5", "flag --epochs=2.5: must be a whole number"),
    ("--batch_size=0", "--batch_size must be a whole number, 1 or more; given 0"),
    (
        f"--batch_size={10**20}",
        "--batch_size must be at most 9223372036854775807; given 1000000000000",
    ),
    ("--dataset=nope", "--dataset must be one of digits"),
    ("--data_dir=/nowhere --dataset=mnist", "--data_dir must be a folder that can be read"),
    (
        "--model=nope",
        "--model must be one of mlp, cnn, resnet20, conv1d, mixer, vit_tiny, FILE.keras",
    ),
    ("--model=none.keras", "--model must be a file; there is none at 'none.keras'"),
    ("--model=nowhere.nets:net", "--model must be package.module:function; there is no module"),
    ("--model=applications:VGG17", "--model applications: must be one of ConvNeXtBase"),
    ("--init=none.dwtz", "--init must be a file; there is none at 'none.dwtz'"),
    ("--weights=none", "--weights goes with model=applications:NAME"),
    ("--head_epochs=2", "--head_epochs needs weights to start from"),
    ("--freeze_batch_norm=on", "--freeze_batch_norm needs weights to start from"),
    ("--dataset=none.npz", "none.npz: cannot be read (No such file or directory)"),
    ("--dataset=./none/", "none: must be a folder that can be read (No such file"),
    ("--dataset=nowhere:load", "--dataset must be package.module:function; nowhere cannot be"),
    ("--image_size=8", "--image_size goes with a folder or tfds:NAME"),
    ("--threshold_mode=nope", "--threshold_mode must be one of hard, soft, garrote, firm"),
    ("--threshold_rule=universal --threshold=0.1", "--threshold must not be given"),
    ("--threshold_rule=quantile --threshold=1", "--threshold must be a finite number"),
    ("--ramp_end_epoch=4", "--ramp_end_epoch needs ramp=linear or cubic"),
    ("--ramp_begin_epoch=10", "--ramp_begin_epoch must lie before the last epoch"),
    ("--layers=,", "--layers must be regular expressions; given ','"),
    ("--save_dir=" + "x" * 300, "--save_dir must be a folder that can be written"),
    ("--decay_factor=0.5", "--decay_factor needs learning_rate_schedule=step, exponential or plat"),
    ("--optimizer=adm", "--optimizer must be one of adam, adamw, sgd, rmsprop, nadam, lion; given"),
    ("--run_name=" + "x" * 101, "--run_name must have 100 characters at most"),
    ("--folds=1", "--folds must be a whole number, 2 or more; given 1"),
    ("--fold=2", "--fold needs folds; given 2 without"),
    (
        "--folds=3 --compare=wavelet=haar",
        "--compare must be given twice, for two settings; given 1",
    ),
    (
        "--folds=3 --compare=wavelet=haar --compare=wavelet=sym99",
        "--compare 'wavelet=sym99': wavelet must be a wavelet of PyWavelets",
    ),
    ("--folds=2 --distribute=multiworker", "--distribute must be none or mirrored in a study"),
    ("--ensemble=bagging --members=0", "--members must be a whole number, 1 or more; given 0"),
    ("--members=3", "--members needs ensemble=bagging|boosting|snapshot|wavelets; given 3"),
    ("--ensemble=snapshot --members=11", "--members must be at most the epochs, 10"),
    ("--no_such_flag=1", "no_such_flag"),
    ("--flagfile=no/such.cfg", "no/such.cfg"),
    ("stray", "takes flags only; given 'stray'"),
    ("--keep_approximation no", "takes flags only; given 'no'"),
    ("--save_dir=train.py", "--save_dir must be a folder that can be written"),
    ("--save_dir=/proc/here", "--save_dir must be a folder that can be written"),
]


@pytest.mark.parametrize(("arguments", "message"), MISTAKES, ids=[m[0][:40] for m in MISTAKES])
def test_mistakes_cost_one_line_and_no_time(
    train_py: Any, processor_seconds: Any, arguments: str, message: str, tmp_path: Path
) -> None:
    (tmp_path / "train.py").write_text("a file in the way")
    started = processor_seconds()
    done = train_py(*arguments.split(), cwd=tmp_path)
    assert processor_seconds() - started < 1
    assert done.returncode == 2
    assert done.stdout == ""
    assert done.stderr.count("\n") == 1
    assert message in done.stderr
    assert [entry.name for entry in tmp_path.iterdir()] == ["train.py"]


def test_a_flag_file_that_is_no_text_costs_one_line(train_py: Any, tmp_path: Path) -> None:
    (tmp_path / "binary.cfg").write_bytes(bytes(range(128, 256)))
    done = train_py(f"--flagfile={tmp_path / 'binary.cfg'}")
    assert done.returncode == 2
    assert done.stderr == "train.py: --flagfile must be a text file in UTF-8\n"


def test_help_names_every_flag_and_loads_no_tensorflow(processor_seconds: Any) -> None:
    code = (
        "import sys, train; status = train.main(['train.py', '--help']); "
        "assert not {'tensorflow', 'keras'} & set(sys.modules); sys.exit(status)"
    )
    started = processor_seconds()
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert processor_seconds() - started < 1
    assert done.returncode == 0, done.stderr
    import train

    for name in train.fields():
        assert f"--{name}" in done.stdout or f"--[no]{name}" in done.stdout
    assert "Raising it" in done.stdout


@pytest.mark.parametrize("path", sorted((ROOT / "configs").glob("*.cfg")), ids=lambda p: p.name)
def test_configs_are_valid_and_open_with_their_command(path: Path) -> None:
    import train
    from dwt_keras.training import resuming

    assert path.read_text().startswith(f"# python train.py --flagfile=configs/{path.name}")
    values = train.parse(["train.py", f"--flagfile={path}"])
    assert values is not None
    resuming.settings_of(values, ())


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--target_bytes=4500", "--threshold=0.1"], "threshold must not be given beside"),
        (["--max_accuracy_drop=2"], "max_accuracy_drop must be a finite number"),
        (["--max_accuracy_drop=0.1", "--target_bytes=4500"], "must not be given beside target_b"),
        (["--target_bytes=90"], "target_bytes must be 2"),
        (["--target_bytes=4500", "--wavelet=mexh"], "wavelet must be a discrete one"),
    ],
)
def test_a_bad_budget_is_one_line(
    train_here: Any, tmp_path: Path, arguments: list[str], message: str
) -> None:
    done = train_here(*arguments, f"--save_dir={tmp_path}")
    assert done.returncode != 0
    assert done.stdout == ""
    (line,) = done.stderr.splitlines()
    assert line.startswith("train.py: ")
    assert message in line
    assert list(tmp_path.iterdir()) == []
