"""A part of a dataset: arrays in memory, or a stream that is read while it is used.

Importing this module loads NumPy alone.
"""

from __future__ import annotations

import contextlib
import dataclasses
import functools
import hashlib
import itertools
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from dwt_keras.training import pipelines

if TYPE_CHECKING:
    import tensorflow as tf

Array = np.ndarray[Any, Any]

# How many samples of a stream are decoded together where arrays are asked for.
_READ = 256


class Part(Protocol):
    """The training, validation or test part of a dataset.

    Inputs are float32, of shape (samples, ...); labels int32, of shape (samples,).
    """

    @property
    def labels(self) -> Array:
        """The class of each sample, in the order of the part."""

    @property
    def input_shape(self) -> tuple[int, ...]:
        """Shape of one input."""

    def __len__(self) -> int:
        """How many samples there are."""

    def __hash__(self) -> int:
        """By identity: what has been found out about a part need not be again."""

    def batches(self, batch_size: int, *, shuffle_seed: int | None) -> tf.data.Dataset:
        """Batches of (inputs, labels), all samples once an iteration; see `pipelines.pipeline`.

        Of a part whose samples have weights (inputs, labels, weights).
        """

    def arrays(self, batch_size: int) -> Iterator[tuple[Array, Array]]:
        """Inputs and labels in the order of the part, as NumPy arrays."""

    def samples(self, count: int | None = None) -> Array:
        """The first inputs, or all of them, as one array."""

    def repeated(self, counts: Array) -> Part:
        """The part that has each sample so many times, in the same order.

        Args:
            counts: Whole numbers, 0 or more, of shape (samples,).
        """

    def joined(self, other: Self) -> Part:
        """This part and behind it another one of the same dataset."""

    def weighted(self, weights: Array) -> Part:
        """The part whose samples count so much in a training's loss.

        Args:
            weights: float32, of shape (samples,); 1 is what a sample counts without.
        """

    def fingerprint(self) -> Iterator[bytes | memoryview]:
        """What tells these data from others, for hashing."""

    def reading(self) -> contextlib.AbstractContextManager[None]:
        """A context to read in: what goes wrong with a file in it becomes an error that names it.

        Raises:
            DataError: On leaving, if a file could not be read.
        """


@dataclass(frozen=True, eq=False)
class ArrayPart:
    """A part that is in memory.

    Attributes:
        inputs: float32, of shape (samples, ...).
        labels: int32, of shape (samples,).
        weights: float32, of shape (samples,); None where all samples count alike.
    """

    inputs: Array
    labels: Array
    weights: Array | None = None

    @property
    def input_shape(self) -> tuple[int, ...]:
        return tuple(self.inputs.shape[1:])

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, batch_size: int, *, shuffle_seed: int | None) -> tf.data.Dataset:
        return pipelines.pipeline(
            self._tensor, self.labels, batch_size, shuffle_seed=shuffle_seed, weights=self.weights
        )

    @functools.cached_property
    def _tensor(self) -> tf.Tensor:
        """The inputs as TensorFlow's: one copy for all pipelines."""
        return pipelines.tensor(self.inputs)

    def arrays(self, batch_size: int) -> Iterator[tuple[Array, Array]]:
        for at in range(0, len(self), batch_size):
            yield self.inputs[at : at + batch_size], self.labels[at : at + batch_size]

    def samples(self, count: int | None = None) -> Array:
        return self.inputs[:count]

    def repeated(self, counts: Array) -> ArrayPart:
        places = np.repeat(np.arange(len(self)), counts)
        weights = None if self.weights is None else self.weights[places]
        return ArrayPart(self.inputs[places], self.labels[places], weights)

    def weighted(self, weights: Array) -> ArrayPart:
        return dataclasses.replace(self, weights=weights)

    def joined(self, other: Self) -> ArrayPart:
        return ArrayPart(
            np.concatenate([self.inputs, other.inputs]),
            np.concatenate([self.labels, other.labels]),
            _joined_weights(self, other),
        )

    def fingerprint(self) -> Iterator[bytes | memoryview]:
        for array in (self.inputs, self.labels, *_given(self.weights)):
            yield str(array.shape).encode()
            yield _bytes(array)

    def reading(self) -> contextlib.AbstractContextManager[None]:
        return contextlib.nullcontext()


@dataclass(frozen=True, eq=False)
class StreamPart:
    """A part that is read and decoded while it is used, some batches ahead.

    Attributes:
        labels: int32, of shape (samples,).
        input_shape: Shape of one input.
        elements: Opens the undecoded elements, in a fixed order.
        decode: From an element to an input (float32) and a label (int32), in a graph.
        shuffle_count: How many undecoded elements are shuffled with one another.
        identity: What tells these data from others.
        explain: Raises DataError where it finds out which file cannot be decoded.
        weights: float32, of shape (samples,); None where all samples count alike.
    """

    labels: Array
    input_shape: tuple[int, ...]
    elements: Callable[[], tf.data.Dataset]
    decode: Callable[..., Any]
    shuffle_count: int
    identity: str
    explain: Callable[[], None]
    weights: Array | None = None

    def __len__(self) -> int:
        return len(self.labels)

    def batches(self, batch_size: int, *, shuffle_seed: int | None) -> tf.data.Dataset:
        import tensorflow as tf

        elements, decode = self.elements(), self.decode
        if self.weights is not None:
            weights = tf.data.Dataset.from_tensor_slices(self.weights)
            elements, decode = tf.data.Dataset.zip(elements, weights), self._decode_weighted
        if shuffle_seed is not None:
            elements = elements.shuffle(
                self.shuffle_count, seed=shuffle_seed, reshuffle_each_iteration=True
            )
        # In order, whichever is decoded first: same seed, same batches.
        decoded = elements.map(decode, num_parallel_calls=tf.data.AUTOTUNE, deterministic=True)
        decoded = decoded.apply(tf.data.experimental.assert_cardinality(len(self)))
        return decoded.batch(batch_size).prefetch(tf.data.AUTOTUNE)

    def arrays(self, batch_size: int) -> Iterator[tuple[Array, Array]]:
        with self.reading():
            plain = dataclasses.replace(self, weights=None)
            yield from plain.batches(batch_size, shuffle_seed=None).as_numpy_iterator()

    def samples(self, count: int | None = None) -> Array:
        count = len(self) if count is None else min(count, len(self))
        size = max(min(count, _READ), 1)
        batches = itertools.islice(self.arrays(size), -(-count // size))
        return np.concatenate([inputs for inputs, _ in batches])[:count]

    def repeated(self, counts: Array) -> StreamPart:
        import tensorflow as tf

        def elements() -> tf.data.Dataset:
            counted = tf.data.Dataset.from_tensor_slices(counts.astype(np.int64))
            return tf.data.Dataset.zip(self.elements(), counted).flat_map(
                lambda element, count: tf.data.Dataset.from_tensors(element).repeat(count)
            )

        times = hashlib.blake2b(counts.astype(np.int64).tobytes(), digest_size=16).hexdigest()
        return dataclasses.replace(
            self,
            labels=np.repeat(self.labels, counts),
            elements=elements,
            identity=f"{self.identity} {times}",
            weights=None if self.weights is None else np.repeat(self.weights, counts),
        )

    def joined(self, other: Self) -> StreamPart:
        def explain() -> None:
            self.explain()
            other.explain()

        return dataclasses.replace(
            self,
            labels=np.concatenate([self.labels, other.labels]),
            elements=lambda: self.elements().concatenate(other.elements()),
            shuffle_count=self.shuffle_count + other.shuffle_count,
            identity=f"{self.identity} {other.identity}",
            explain=explain,
            weights=_joined_weights(self, other),
        )

    def weighted(self, weights: Array) -> StreamPart:
        return dataclasses.replace(self, weights=weights)

    def fingerprint(self) -> Iterator[bytes | memoryview]:
        yield self.identity.encode()
        for array in (self.labels, *_given(self.weights)):
            yield _bytes(array)

    @contextlib.contextmanager
    def reading(self) -> Iterator[None]:
        import tensorflow as tf

        try:
            yield
        except tf.errors.OpError:
            self.explain()
            raise

    def _decode_weighted(self, element: Any, weight: Any) -> tuple[Any, ...]:
        decoded = self.decode(*element) if isinstance(element, tuple) else self.decode(element)
        return (*decoded, weight)


def _given(weights: Array | None) -> tuple[Array, ...]:
    return () if weights is None else (weights,)


def _bytes(array: Array) -> memoryview:
    """What an array has in memory, not copied: it may be all of the data."""
    return np.ascontiguousarray(array).reshape(-1).view(np.uint8).data


def _joined_weights(first: ArrayPart | StreamPart, second: ArrayPart | StreamPart) -> Array | None:
    """What the samples of two parts weigh; None where all weigh the same."""
    if first.weights is None and second.weights is None:
        return None
    each = (first, second)
    weights = (np.ones(len(p), np.float32) if p.weights is None else p.weights for p in each)
    return np.concatenate(list(weights))
