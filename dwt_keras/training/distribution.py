"""Training over several devices, and what of it the rest of a run must know.

Only the training itself is distributed. Its last checkpoint is taken up on one device, where the
network is coded, evaluated and exported as any other. Importing this loads no TensorFlow.
"""

from __future__ import annotations

import contextlib
import json
import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from dwt_keras import checks
from dwt_keras.settings import Settings
from dwt_keras.settings.distribution import MIRRORED, MULTIWORKER

_CONFIG = "TF_CONFIG"
_EXAMPLE = (
    '{"cluster": {"worker": ["host1:2222", "host2:2222"]}, "task": {"type": "worker", "index": 0}}'
)

# Collective operations can be set up once in a process, before anything else.
_multiworker: Any = None


@dataclass(frozen=True)
class Worker:
    """One of the processes that train together.

    Attributes:
        index: Its number; 0 is the chief, which alone leaves something behind.
        count: How many there are.
    """

    index: int = 0
    count: int = 1

    @property
    def is_chief(self) -> bool:
        """Whether this process writes."""
        return self.index == 0


def worker(settings: Settings) -> Worker:
    """Which worker this process is; the only one where TF_CONFIG is not asked for.

    Raises:
        UserError: If TF_CONFIG does not say it.
        ArgumentError: If the settings cannot be trained by several workers.
    """
    if settings.distribution.distribute != MULTIWORKER:
        return Worker()
    if settings.compression.max_accuracy_drop is not None:
        raise checks.ArgumentError(
            "max_accuracy_drop",
            "takes several trainings, which multiworker does not: give target_bytes; given "
            f"{settings.compression.max_accuracy_drop!r}",
        )
    text = os.environ.get(_CONFIG, "")
    try:
        record = json.loads(text)
        workers, index = record["cluster"]["worker"], record["task"]["index"]
        # The chief of a cluster with parameter servers has a list of its own.
        known = set(record["cluster"]) == {"worker"} and record["task"]["type"] == "worker"
        found = Worker(int(index), len(workers))
    except (ValueError, KeyError, TypeError):
        known = False
    if not known or not 0 <= found.index < found.count:
        raise checks.UserError(
            f"distribute=multiworker needs {_CONFIG}, such as {_EXAMPLE}; it is {text!r}"
        )
    return found


def start(settings: Settings) -> None:
    """Connects to the other workers, if there are any; to be called before TensorFlow is used."""
    global _multiworker
    if settings.distribution.distribute == MULTIWORKER and _multiworker is None:
        import tensorflow as tf

        _multiworker = tf.distribute.MultiWorkerMirroredStrategy()


def strategy(settings: Settings) -> Any:
    """TensorFlow's strategy for the training; None for one device.

    Raises:
        ArgumentError: If the batches have not a sample for each device.
    """
    kind = settings.distribution.distribute
    if kind == MULTIWORKER:
        start(settings)
        found = _multiworker
    elif kind == MIRRORED:
        import tensorflow as tf

        devices = tf.config.list_logical_devices("GPU") or tf.config.list_logical_devices("CPU")
        if len(devices) == 1:  # To the bit what a strategy of one replica comes to, compiled.
            return None
        found = tf.distribute.MirroredStrategy([device.name for device in devices])
    else:
        return None
    replicas = found.num_replicas_in_sync
    if settings.training.batch_size < replicas:
        raise checks.ArgumentError(
            "batch_size",
            f"must be {replicas} or more, as there are so many devices; given "
            f"{settings.training.batch_size}",
        )
    return found


def steps(samples: int, batch_size: int, replicas: int) -> int:
    """How many batches an epoch has.

    The last one, smaller than the others, is left out where a replica would get nothing of it: each
    takes its whole share before the next gets any.

    Args:
        samples: Samples of an epoch.
        batch_size: Of all replicas together.
        replicas: How many there are.

    Raises:
        ArgumentError: If that leaves none.
    """
    whole, rest = divmod(samples, batch_size)
    share = -(-batch_size // replicas)
    count = whole + (1 if rest > share * (replicas - 1) else 0)
    if not count:
        raise checks.ArgumentError(
            "batch_size",
            f"must divide {samples} training samples among {replicas} devices; given {batch_size}",
        )
    return count


def even_batch(samples: int, most: int, replicas: int) -> int:
    """A batch size with which all samples are divided so that no replica ever gets nothing.

    Args:
        samples: How many there are.
        most: The largest batch size.
        replicas: How many replicas there are.

    Raises:
        UserError: If there are too few samples.
    """
    if replicas == 1:
        return most
    least = -(-samples // replicas) * replicas
    for size in range(min(most // replicas * replicas, least), 0, -replicas):
        if samples % size == 0 or samples % size > size // replicas * (replicas - 1):
            return size
    raise checks.UserError(f"{samples} validation samples are too few for {replicas} devices")


def synchronise(model: Any) -> None:
    """Lets batch normalisation take its statistics from all replicas' samples together."""
    from keras import layers

    for layer in model._flatten_layers():
        if isinstance(layer, layers.BatchNormalization):
            layer.synchronized = True


@contextlib.contextmanager
def training(settings: Settings) -> Iterator[Any]:
    """A context for what devices do together, with their strategy; None for one device.

    Raises:
        ArgumentError: As `strategy`.
        UserError: In the place of TensorFlow's error where another worker has gone.
    """
    import tensorflow as tf

    found = strategy(settings)
    try:
        yield found
    except (tf.errors.InvalidArgumentError, tf.errors.ResourceExhaustedError):
        raise  # Of this process itself.
    except tf.errors.OpError:
        if settings.distribution.distribute != MULTIWORKER:
            raise
        raise checks.UserError(
            "another worker has ended or cannot be reached; to go on, start all of them again with "
            "--resume=auto"
        ) from None
