"""What `python -m dwt_keras serve` is told: one field per flag."""

from __future__ import annotations

import re
from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.commands import TRUSTED
from dwt_keras.settings.fields import setting

_LARGEST_PORT = 65535


@dataclass(frozen=True)
class ServeSettings:
    """Where `serve` puts a network, and how it answers.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    model_name: str = setting(
        "model", "What the network is called in paths: /v1/models/NAME. Letters, digits, . _ -"
    )
    host: str = setting(
        "127.0.0.1",
        "Address to listen at. The default is for this machine alone; 0.0.0.0 lets everybody in "
        "who can reach it: there is neither TLS nor a password.",
    )
    port: int = setting(8501, "Port to listen at; 0 takes one that is free.")
    max_batch_size: int = setting(
        32,
        "Samples that are computed at once, of several requests together. Raising it answers more "
        "requests a second under load, and takes memory.",
    )
    batch_wait_milliseconds: float = setting(
        0.0,
        "How long a batch that is not full waits for more requests while nothing is computed. "
        "Raising it delays every answer, and makes batches larger.",
    )
    max_body_bytes: int = setting(
        16 * 2**20,
        "Longest body of a request that is read. Raising it lets one request take memory.",
    )
    fast: bool = setting(
        False,
        "Serve what a run with --keep_rows or --keep_columns has in serving_fast/1: the same "
        "network on what remains.",
    )
    trusted: bool = setting(False, TRUSTED)

    def __post_init__(self) -> None:
        if not re.fullmatch(r"[A-Za-z0-9._-]+", checks.text("model_name", self.model_name)):
            raise checks.ArgumentError(
                "model_name", f"must be of letters, digits, . _ and -; given {self.model_name!r}"
            )
        if not checks.text("host", self.host):
            raise checks.ArgumentError("host", "must be a name or an address; given none")
        if checks.integer("port", self.port, least=0) > _LARGEST_PORT:
            raise checks.ArgumentError(
                "port", f"must be {_LARGEST_PORT} at most; given {self.port}"
            )
        checks.integer("max_batch_size", self.max_batch_size, least=1)
        checks.real("batch_wait_milliseconds", self.batch_wait_milliseconds, least=0.0)
        checks.integer("max_body_bytes", self.max_body_bytes, least=1)
