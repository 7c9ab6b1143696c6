"""What in an input a network looks at: gradients, Integrated Gradients, Grad-CAM, activations.

Functions take a Keras model with one input and one output of class scores. Where its last layer
makes probabilities, maps are of the score before (the logit), since probabilities near one hardly
change with the input.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers, ops

from dwt_keras import checks

Array = np.ndarray[Any, Any]

# Samples that go through the network at once.
_BATCH = 256
_PROBABILITIES = ("softmax", "sigmoid", "log_softmax")


def scores(model: keras.Model) -> keras.Model:
    """The same network, with the scores behind the probabilities as its output."""
    last, before = _origin(model.outputs[0])
    if isinstance(last, layers.Softmax) or (
        isinstance(last, layers.Activation) and _makes_probabilities(last)
    ):
        return keras.Model(model.inputs[0], before[0])
    if isinstance(last, layers.Dense) and _makes_probabilities(last):
        outputs = ops.matmul(before[0], last.kernel)
        return keras.Model(model.inputs[0], outputs if last.bias is None else outputs + last.bias)
    return keras.Model(model.inputs[0], model.outputs[0])


def gradient(model: keras.Model, inputs: Array, classes: Array) -> Array:
    """The gradient of each sample's class score with respect to the sample.

    Simonyan, Vedaldi and Zisserman 2013, arXiv:1312.6034.

    Args:
        model: The network.
        inputs: Of shape (samples, ...).
        classes: For each sample the class whose score is looked at.

    Returns:
        Float32 array of the inputs' shape.
    """
    of_scores = scores(model)
    return np.concatenate([_gradient(of_scores, *part) for part in _batches(inputs, classes)])


def smooth_gradient(
    model: keras.Model,
    inputs: Array,
    classes: Array,
    *,
    noise: float = 0.15,
    draws: int = 25,
    seed: int = 0,
) -> Array:
    """SmoothGrad: the mean gradient over noisy copies of each sample.

    Smilkov, Thorat, Kim, Viegas and Wattenberg 2017, arXiv:1706.03825.

    Args:
        model: The network.
        inputs: Of shape (samples, ...).
        classes: For each sample the class whose score is looked at.
        noise: Standard deviation of the noise, as a share of each sample's range.
        draws: Copies. Raising it makes maps smoother, and takes longer.
        seed: Of the noise.

    Returns:
        Float32 array of the inputs' shape.
    """
    random = np.random.default_rng(seed)
    of_scores = scores(model)
    axes = tuple(range(1, inputs.ndim))
    width = noise * (inputs.max(axis=axes, keepdims=True) - inputs.min(axis=axes, keepdims=True))
    total = np.zeros(inputs.shape, np.float64)
    for _ in range(draws):
        noisy = (inputs + width * random.standard_normal(inputs.shape)).astype(np.float32)
        total += np.concatenate([_gradient(of_scores, *p) for p in _batches(noisy, classes)])
    return (total / draws).astype(np.float32)


def integrated_gradients(
    model: keras.Model,
    inputs: Array,
    classes: Array,
    *,
    baseline: Array | float = 0.0,
    steps: int = 50,
) -> Array:
    """Integrated Gradients: gradients along the line from a baseline, times the way from it.

    Sundararajan, Taly and Yan 2017, arXiv:1703.01365. The values of a sample's map add up to the
    difference of its score from that of the baseline (completeness), up to the error of the
    midpoint rule.

    Args:
        model: The network.
        inputs: Of shape (samples, ...).
        classes: For each sample the class whose score is looked at.
        baseline: What stands for nothing: a value, or an array of one sample's shape.
        steps: Points on the line. Raising it lowers the error, and takes longer.

    Returns:
        Float32 array of the inputs' shape.
    """
    of_scores = scores(model)
    start = np.broadcast_to(np.asarray(baseline, np.float32), inputs.shape)
    way = inputs - start
    total = np.zeros(inputs.shape, np.float64)
    for step in range(steps):
        points = (start + (step + 0.5) / steps * way).astype(np.float32)
        total += np.concatenate([_gradient(of_scores, *p) for p in _batches(points, classes)])
    return (way * total / steps).astype(np.float32)


def grad_cam(model: keras.Model, inputs: Array, classes: Array, layer: str | None = None) -> Array:
    """Grad-CAM: where a convolution's channels speak for a class.

    Selvaraju et al. 2017, doi:10.1109/ICCV.2017.74.

    Args:
        model: The network.
        inputs: Of shape (samples, height, width, channels).
        classes: For each sample the class whose score is looked at.
        layer: Name of a layer whose output has the shape (samples, height, width, channels); None
            for the last convolution.

    Returns:
        Float32 array of shape (samples, height, width) of the inputs, 0 or more.

    Raises:
        ArgumentError: If there is no such layer.
    """
    chosen = _convolution(model, layer)
    both = keras.Model(model.inputs[0], [chosen, scores(model).outputs[0]])
    maps = []
    for part, labels in _batches(inputs, classes):
        with tf.GradientTape() as tape:
            tape.watch(part)  # Else nothing is recorded where all weights are frozen.
            features, outputs = both(part, training=False)
            picked = tf.gather(outputs, labels, axis=1, batch_dims=1)
        found = tape.gradient(picked, features)
        if found is None:
            raise checks.ArgumentError("layer", f"must lie before the scores; given {layer!r}")
        weights = tf.reduce_mean(found, axis=(1, 2), keepdims=True)
        rough = tf.nn.relu(tf.reduce_sum(weights * features, axis=-1, keepdims=True))
        maps.append(tf.image.resize(rough, inputs.shape[1:3])[..., 0].numpy())
    return np.concatenate(maps)


def activations(model: keras.Model, inputs: Array, names: Sequence[str]) -> dict[str, Array]:
    """The outputs of chosen layers.

    Args:
        model: The network.
        inputs: Of shape (samples, ...).
        names: Names of layers.

    Returns:
        By name, arrays of shape (samples, ...).

    Raises:
        ArgumentError: If there is no layer of a name.
    """
    inside = keras.Model(model.inputs[0], [_output(model, name) for name in names])
    parts = []
    for at in range(0, len(inputs), _BATCH):
        found = inside(inputs[at : at + _BATCH], training=False)
        parts.append([found] if len(names) == 1 and not isinstance(found, list) else found)
    return {
        name: np.concatenate([np.asarray(part[number]) for part in parts])
        for number, name in enumerate(names)
    }


def magnitude(maps: Array) -> Array:
    """One value a place: the largest magnitude over channels (Simonyan et al. 2013).

    Args:
        maps: Of shape (samples, ..., channels), or (samples, values) as vectors are.

    Returns:
        Of shape (samples, ...), 0 or more.
    """
    found = np.abs(maps)
    return found.max(axis=-1) if found.ndim > 2 else found


Method = Callable[[keras.Model, Array, Array], Array]

# By name; each gives a magnitude a place.
METHODS: dict[str, Method] = {
    "gradient": lambda *given: magnitude(gradient(*given)),
    "smooth_gradient": lambda *given: magnitude(smooth_gradient(*given)),
    "integrated_gradients": lambda *given: magnitude(integrated_gradients(*given)),
    "grad_cam": lambda *given: grad_cam(*given),
}


def shuffled(model: keras.Model, seed: int = 0) -> keras.Model:
    """The same network with the values of each weight array in another order.

    Maps that hardly change by it say little of the network (Adebayo et al. 2018, arXiv:1810.03292).
    """
    random = np.random.default_rng(seed)
    copy = keras.models.clone_model(model)
    copy.set_weights(
        [random.permutation(each.reshape(-1)).reshape(each.shape) for each in model.get_weights()]
    )
    return copy


def layer_outputs(model: keras.Model) -> dict[str, Any]:
    """By name, in the order of the graph, what the model's own output is computed from.

    Symbolic tensors. `layer.output` may be that of another call of the layer: one that was loaded
    has two.
    """
    found: dict[str, Any] = {}
    waiting = list(model.outputs)
    while waiting:
        tensor = waiting.pop()
        operation, inputs = _origin(tensor)
        if operation.name not in found:
            found[operation.name] = tensor
            waiting.extend(inputs)
    return dict(reversed(found.items()))


def convolutions(model: keras.Model) -> list[str]:
    """Names of the two-dimensional convolutions, which Grad-CAM looks at."""
    kinds = (layers.Conv2D, layers.DepthwiseConv2D, layers.SeparableConv2D)
    return [layer.name for layer in model.layers if isinstance(layer, kinds)]


def _gradient(of_scores: keras.Model, inputs: Any, classes: Any) -> Array:
    with tf.GradientTape() as tape:
        tape.watch(inputs)
        picked = tf.gather(of_scores(inputs, training=False), classes, axis=1, batch_dims=1)
    found = tape.gradient(picked, inputs)
    if found is None:
        raise checks.UserError(
            "the network's answer has no gradient to look at: members' votes are steps "
            "(an ensemble with combine=mean has one)"
        )
    return np.asarray(found)


def _batches(inputs: Array, classes: Array) -> Iterator[tuple[Any, Any]]:
    for at in range(0, len(inputs), _BATCH):
        part = tf.constant(inputs[at : at + _BATCH], tf.float32)
        yield part, tf.constant(np.asarray(classes[at : at + _BATCH])[:, np.newaxis], tf.int32)


def _makes_probabilities(layer: Any) -> bool:
    return getattr(layer.activation, "__name__", "") in _PROBABILITIES


def _convolution(model: keras.Model, name: str | None) -> Any:
    if name is None:
        found = convolutions(model)
        if not found:
            raise checks.ArgumentError("layer", "must name one: the network has no convolution")
        name = found[-1]
    output = _output(model, name)
    if len(output.shape) != 4:
        raise checks.ArgumentError(
            "layer",
            "must have an output of shape (samples, height, width, channels); that of "
            f"{name} is {tuple(output.shape)}",
        )
    return output


def _output(model: keras.Model, name: str) -> Any:
    """The output of a layer, as a symbolic tensor."""
    outputs = layer_outputs(model)
    return outputs[checks.choice("layer", name, outputs)]


def _origin(tensor: Any) -> tuple[Any, list[Any]]:
    """The operation that made a symbolic tensor, and its inputs."""
    operation, node_index, _ = tensor._keras_history
    return operation, list(operation._inbound_nodes[node_index].input_tensors)
