"""The package's front: light to import, with its public names and no others."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import dwt_keras

PUBLIC = [
    "CodecError",
    "DWTCompression",
    "__version__",
    "fold",
    "hold_support",
    "load_compressed",
    "load_compressed_weights",
    "register_layer",
    "save_compressed",
]
ROOT = Path(dwt_keras.__file__).parents[1]


@pytest.mark.parametrize("module", ["", ".checks", ".files", ".settings"])
def test_importing_loads_no_framework(module):
    code = (
        f"import sys, dwt_keras{module}; dir(dwt_keras); dwt_keras.__version__; "
        "print(sorted({'tensorflow', 'keras', 'jax', 'torch'} & set(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert done.stderr == ""
    assert done.stdout == "[]\n"


def test_all_is_what_dir_lists():
    assert dwt_keras.__all__ == dir(dwt_keras)
    assert set(PUBLIC) == set(dwt_keras.__all__)


@pytest.mark.parametrize("name", sorted(set(dwt_keras.__all__) - {"__version__"}))
def test_public_names_are_defined_where_they_are_sought(name):
    # Read, not imported: that would load Keras.
    source = Path(importlib.util.find_spec(dwt_keras._HOMES[name]).origin).read_text("utf-8")
    defined = {getattr(node, "name", None) for node in ast.parse(source).body}
    assert name in defined


@pytest.mark.parametrize("name", ["Nope", "dwtcompression", "_HOME", "__path"])
def test_an_unknown_name_is_an_attribute_error(name):
    with pytest.raises(AttributeError, match=re.escape(f"'dwt_keras' has no attribute '{name}'")):
        getattr(dwt_keras, name)


def test_the_version_is_a_version():
    assert re.fullmatch(r"\d+\.\d+\.\d+", dwt_keras.__version__)
