"""Put a network behind an address: HTTP with JSON, as TF Serving's REST interface has it.

RUN is the folder of a run of train.py; a compact file (.dwtz), a Keras archive (.keras) and the
folder of a SavedModel do as well. Ctrl-C or SIGTERM stops it once all requests are answered.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dwt_keras import checks, command_line, native
from dwt_keras.commands import networks, trained
from dwt_keras.settings.serving import ServeSettings

if TYPE_CHECKING:
    from dwt_keras.serving.network import Network
    from dwt_keras.serving.signature import Signature

_LIBRARIES = ("orjson", "starlette", "uvicorn")
_PLAIN, _FAST = "serving/1", "serving_fast/1"
# Runs of a study whose network may be meant where the study is named.
_OF_STUDIES = ("best", "final", "final/best")


def run(source: str, settings: ServeSettings) -> None:
    """Serves until it is told to stop.

    Args:
        source: A run's folder, a .dwtz or .keras file, or the folder of a SavedModel.
        settings: Where, and how.

    Raises:
        UserError: If the network cannot be loaded or served, the address cannot be had, or the
            libraries of the extra `serve` are not installed.
    """
    missing = [name for name in _LIBRARIES if importlib.util.find_spec(name) is None]
    if missing:
        raise checks.UserError(
            f"needs {' and '.join(missing)}: python -m pip install 'dwt_keras[serve]'"
        )
    path = _network_path(source, settings)
    networks.check_network(str(path), settings.trusted)
    from dwt_keras.serving import server

    with server.address(settings.host, settings.port) as bound:
        network = _load(path, Path(source), settings)
        from dwt_keras.serving.application import Service
        from dwt_keras.serving.batching import Batcher

        batcher = Batcher(
            network.predict, settings.max_batch_size, 1e-3 * settings.batch_wait_milliseconds
        )
        service = Service(settings.model_name, network.signature, batcher, settings.max_body_bytes)
        at = f"{server.url(bound)}/v1/models/{settings.model_name}"

        def say() -> None:
            print(_described(network.signature))
            print(f"serving {path}: POST {at}:predict", flush=True)

        server.serve(service, bound, say)
    print(f"stopped; {service.answered:,} requests were answered with predictions")


def _network_path(source: str, settings: ServeSettings) -> Path:
    """The file or folder of the network that is meant.

    Raises:
        UserError: If a run has none.
    """
    place = Path(source)
    if not (place / trained.SETTINGS).is_file():
        is_file = place.is_file() and place.suffix != networks.LITERT
        if not is_file and not (place / "saved_model.pb").is_file():
            raise checks.UserError(
                f"{source}: must be the folder of a run of train.py or of a SavedModel, or a "
                f"{networks.COMPACT} or {networks.ARCHIVE} file"
            )
        if settings.fast:
            raise checks.ArgumentError(
                "fast", f"is for the folder of a run, which may have {_FAST}; given {source}"
            )
        return place
    if settings.fast and not (place / _FAST).is_dir():
        raise checks.ArgumentError(
            "fast",
            f"needs {_FAST}, which runs with keep_rows or keep_columns have; {source} has none",
        )
    chosen = place / (_FAST if settings.fast else _PLAIN)
    if not chosen.is_dir():
        of_studies = [place / inner for inner in _OF_STUDIES if (place / inner / _PLAIN).is_dir()]
        why = f"give {of_studies[0]}" if of_studies else "the run is not complete"
        raise checks.UserError(f"{source}: has no {_PLAIN}; {why}")
    return chosen


def _load(path: Path, source: Path, settings: ServeSettings) -> Network:
    command_line.load_tensorflow()
    from dwt_keras.serving import network
    from dwt_keras.training import export

    with native.messages_hidden():
        if path.is_dir():
            function: Any = networks.signature(str(path))
        else:
            model = (
                networks.load_archive(str(path))
                if path.suffix == networks.ARCHIVE
                else networks.load_compact(str(path), settings.trusted)
            )
            if not getattr(model, "inputs", None):
                raise checks.UserError(f"{path}: must be a Functional or Sequential model")
            function = export.signature(model)
    return network.of_function(
        function, str(path), of_train_py=path != source, classes=trained.class_names(source)
    )


def _described(signature: Signature) -> str:
    return "\n".join(
        f"{what}: {'; '.join(each.described() for each in tensors.values())}"
        for what, tensors in (("takes", signature.inputs), ("gives", signature.outputs))
    )
