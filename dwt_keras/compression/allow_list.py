"""The allow list for architectures that come from anybody: what their JSON may name.

What passes names classes of Keras, and those that this process has registered, and nothing else;
nothing is imported or built here.
"""

from __future__ import annotations

import re
import sys
from types import FunctionType, ModuleType
from typing import Any

import keras
from keras import layers

from dwt_keras.coding.errors import CodecError
from dwt_keras.compression.strict_json import short

# Limits on a file.
_MOST_INTEGER = 2**31 - 1
# Each layer keeps copies of its shapes, and each variable the names of all around it.
_MOST_WHOLE_NUMBERS = 2**10
_MOST_NAME = 2**10
_MOST_STRING = 2**16
# Keys whose integers are no sizes, or become arrays and lists outside of any variable.
_INTEGERS = {"seed": 2**63, "indices_or_sections": 2**12} | dict.fromkeys(
    ("frame_length", "fft_length", "sequence_length", "num_mel_bins"), 2**16
)

# These run code that the file names, read a file that it names, or keep a table beside weights.
REFUSED: tuple[type, ...] = (
    layers.Lambda,
    layers.TFSMLayer,
    layers.JaxLayer,
    layers.FlaxLayer,
    layers.TorchModuleWrapper,
    layers.TextVectorization,
    layers.StringLookup,
    layers.IntegerLookup,
)

# Module that Keras writes -> where it is found, and what its classes must be.
_MODULES: dict[str, tuple[ModuleType, tuple[type, ...]]] = {
    "keras": (keras, (keras.Model, keras.DTypePolicy)),
    "keras.models": (keras.models, (keras.Model,)),
    "keras.layers": (layers, (layers.Layer,)),
    "keras.initializers": (keras.initializers, (keras.Initializer,)),
    "keras.regularizers": (keras.regularizers, (keras.Regularizer,)),
    "keras.constraints": (keras.constraints, (keras.constraints.Constraint,)),
    "keras.dtype_policies": (keras.dtype_policies, (keras.DTypePolicy,)),
    "keras.random": (keras.random, (keras.random.SeedGenerator,)),
}

# Classes that Keras writes by the module where they are defined: graphs, and the operations on
# tensors (x + 1, x[:, 0], keras.ops) whose shapes cost nothing to infer.
_PRIVATE: dict[str, frozenset[str]] = {
    "keras.src.models.functional": frozenset({"Functional"}),
    "keras.src.applications.convnext": frozenset({"LayerScale"}),
    "keras.src.ops.numpy": frozenset(
        "Absolute Add Amax Amin Any All Argmax Argmin Average Ceil Clip Concatenate Cos Cosh Divide"
        " DivideNoNan Dot Einsum Equal Exp ExpandDims Expm1 Flip Floor FloorDivide GetItem Greater"
        " GreaterEqual Isfinite Isnan Less LessEqual Log Log10 Log1p Log2 LogicalAnd LogicalNot"
        " LogicalOr Logaddexp Matmul Max Maximum Mean Min Minimum Mod Moveaxis Multiply Negative"
        " NotEqual OnesLike Outer Pad Power Prod Ravel Reciprocal Repeat Reshape Roll Round Sign"
        " Sin Sinh Sort Split Sqrt Square Squeeze Stack Std Subtract Sum Swapaxes Take"
        " TakeAlongAxis Tan Tanh Tensordot Tile Transpose Tril Triu TrueDivide Var Where"
        " ZerosLike".split()
    ),
    "keras.src.ops.nn": frozenset(
        "Relu Relu6 Sigmoid Softplus Softsign Silu LogSigmoid LeakyRelu HardSigmoid HardSilu Elu"
        " Selu Gelu Celu Glu HardTanh Softmax LogSoftmax OneHot Normalize DepthToSpace"
        " SpaceToDepth".split()
    ),
    "keras.src.ops.core": frozenset({"Cast", "StopGradient"}),
}

_DTYPE = re.compile(r"bool|u?int(8|16|32|64)|b?float(16|32|64)")


def check(tree: Any, most_calls: int, variables: int = 0) -> int:
    """Checks a tree of parsed JSON.

    Args:
        tree: The tree.
        most_calls: Most calls of layers that building it may take, each layer counted as
            `_MAKING` more. Keras calls all layers of a Sequential model again for each that it
            adds, and a nested model wherever it is called, so that few bytes can ask for many.
        variables: How many variables it has; making one counts as a call.

    Returns:
        How many variables that is beyond these, the states of random layers, it may make.

    Raises:
        CodecError: If it names or asks for anything that is not allowed.
    """
    if not isinstance(tree, dict) or "class_name" not in tree:
        raise CodecError("the architecture is no Keras object")
    made: list[type] = []
    calls = _calls(tree, "the model", "", made) + _MAKING * len(made) + variables
    if calls > most_calls:
        raise CodecError(
            f"the architecture takes {calls} calls of layers to build, more than the limit of "
            f"{most_calls} (layer_calls)"
        )
    return 2 * len(made)


def _calls(value: Any, where: str, key: str, made: list[type]) -> int:
    """Checks a part of the tree, and returns how many layers Keras calls to build it.

    Adds the class of each layer to `made`.
    """
    if isinstance(value, str) and len(value) > (_MOST_NAME if key == "name" else _MOST_STRING):
        raise CodecError(f"{where}: {short(key)} has {len(value)} characters, too many")
    if isinstance(value, int):
        if abs(value) > _INTEGERS.get(key, _MOST_INTEGER):
            raise CodecError(f"{where}: {key} is too large: {short(value)}")
        return max(value, 0) // _SECTIONS_A_CALL if key == _SECTIONS else 0
    if isinstance(value, list):
        if len(value) > _MOST_WHOLE_NUMBERS and all(n is None or isinstance(n, int) for n in value):
            raise CodecError(f"{where}: {short(key)} has {len(value)} whole numbers, too many")
        calls = len(value) // _SECTIONS_A_CALL if key == _SECTIONS else 0
        return calls + sum(_calls(item, where, "" if calls else key, made) for item in value)
    if not isinstance(value, dict):
        return 0
    if "class_name" not in value:
        return sum(_calls(item, where, name, made) for name, item in value.items())
    name, config = value["class_name"], value.get("config")
    if _is_plain(name, value, config):
        return 0
    if not isinstance(name, str) or not isinstance(config, dict) or value.keys() - _KEYS:
        raise CodecError(f"{where}: no object that Keras would write: {short(value)}")
    where = f"{name} {short(config['name'])}" if "name" in config else f"{where}: {short(name)}"
    found = _class(value.get("module"), name, value.get("registered_name"))
    if found is None:
        raise CodecError(
            f"{where}: neither a class of Keras that may be stored nor one registered here: "
            f"{short(value.get('module'))}, {short(name)}"
        )
    before = len(made)
    calls = sum(_calls(item, where, key, made) for key, item in value.items())
    if issubclass(found, layers.Bidirectional):
        # It makes a copy of its layer, and a second one if that for the other way is not given.
        made += made[before:] * (1 if config.get("backward_layer") else 2)
    nodes, children = value.get("inbound_nodes", []), config.get("layers", [])
    if not isinstance(nodes, list) or not all(map(_is_node, nodes)):
        raise CodecError(f"{where}: is called on something else than tensors of the model")
    if not isinstance(children, list | dict):
        raise CodecError(f"{where}: has no layers")
    if issubclass(found, keras.Sequential):
        calls *= max(1, (len(children) + 1) // 2)
    if issubclass(found, keras.Operation):
        made += [found] * max([_HEAVY[base] for base in _HEAVY if issubclass(found, base)] or [1])
        calls = (calls + 1) * max(1, len(nodes))
    return calls


# What making a layer takes, in calls of one.
_MAKING = 3
# These make others inside, and count as so many layers.
_HEAVY: dict[type, int] = {
    layers.RNN: 3,
    layers.MultiHeadAttention: 3,
    layers.GroupQueryAttention: 3,
    layers.RandAugment: 10,
    layers.AugMix: 10,
}
# Splitting makes a tensor for each section.
_SECTIONS = "indices_or_sections"
_SECTIONS_A_CALL = 16
_KEYS = {"class_name", "config", "module", "registered_name", "build_config", "name"}
_KEYS |= {"inbound_nodes"}
_PLAIN = {
    "__ellipsis__": set(),
    "__slice__": {"start", "stop", "step"},
    "__keras_tensor__": {"keras_history"},
    "__numpy__": {"value", "dtype"},
    "__tensor__": {"value", "dtype"},
}


def _is_plain(name: Any, value: dict[str, Any], config: Any) -> bool:
    """Whether it is a function or one of the forms in which Keras writes what is no object."""
    if name == "function" and isinstance(config, str):
        if isinstance(keras.saving.get_registered_object(config), FunctionType):
            return True
        return config in _ACTIVATIONS and value.get("module") in ("builtins", "keras.activations")
    if not isinstance(name, str) or name not in _PLAIN or value.keys() != {"class_name", "config"}:
        return False
    if not isinstance(config, dict) or config.keys() != _PLAIN[name]:
        return False
    if name == "__keras_tensor__":
        match config["keras_history"]:
            case [str(), int() as node, int() as tensor]:
                return node >= 0 and tensor >= 0
        return False
    if "dtype" in config:  # NumPy would make room for a string as long as its dtype says.
        dtype = config["dtype"]
        return isinstance(dtype, str) and bool(_DTYPE.fullmatch(dtype)) and _is_array(config)
    return all(item is None or isinstance(item, int) for item in config.values())


def _is_array(config: dict[str, Any]) -> bool:
    items = [config["value"]]
    while items:
        item = items.pop()
        if isinstance(item, list):
            items.extend(item)
        elif not isinstance(item, int | float):
            return False
    return True


def _is_node(node: Any) -> bool:
    """Whether a call has a symbolic tensor: on others Keras would compute at once."""
    return isinstance(node, dict) and node.keys() == {"args", "kwargs"} and _has_tensor(node)


def _has_tensor(value: Any) -> bool:
    if isinstance(value, dict):
        if "class_name" in value:
            return bool(value["class_name"] == "__keras_tensor__")
        return any(map(_has_tensor, value.values()))
    return isinstance(value, list) and any(map(_has_tensor, value))


def _class(module: Any, name: str, registered: Any) -> type | None:
    if isinstance(registered, str):
        found = keras.saving.get_registered_object(registered)
        if found is not None:
            return found if isinstance(found, type) and issubclass(found, _BASES) else None
    if registered not in (None, name) or not isinstance(module, str):
        return None
    if module in _PRIVATE:
        # Looked up, never imported: where Keras has moved it, it is not found.
        return getattr(sys.modules.get(module), name, None) if name in _PRIVATE[module] else None
    holder, bases = _MODULES.get(module, (keras, ()))
    found = vars(holder).get(name)
    if not isinstance(found, type) or not issubclass(found, bases):
        return None
    return None if issubclass(found, REFUSED) else found


_BASES = tuple({base for _, bases in _MODULES.values() for base in bases} | {keras.Operation})
_ACTIVATIONS = {
    name
    for name, found in vars(keras.activations).items()
    if isinstance(found, FunctionType) and name not in ("get", "serialize", "deserialize")
}
