"""Measure a network on the test part of a dataset.

FILE is a compact file (.dwtz), a Keras archive (.keras) or the folder of a SavedModel.
"""

from __future__ import annotations

from dwt_keras import command_line, native
from dwt_keras.commands import networks
from dwt_keras.settings.commands import EvaluateSettings, data_settings


def run(source: str, settings: EvaluateSettings) -> None:
    """Prints test accuracy and, where outputs are probabilities, test loss.

    Args:
        source: A .dwtz or .keras file, or the folder of a SavedModel.
        settings: On what.

    Raises:
        UserError: If the network cannot be loaded, or does not fit the data.
    """
    from dwt_keras.training import data

    networks.check_network(source, settings.trusted)
    told = data_settings(settings)
    assert told is not None  # The settings ask for a dataset.
    with native.messages_hidden():  # keras.datasets loads TensorFlow.
        dataset = data.load(told)
    command_line.load_tensorflow()
    accuracy, loss = networks.score(networks.load(source, settings.trusted), dataset)
    what = "images" if len(dataset.input_shape) == 3 else "samples"
    print(f"test accuracy: {accuracy:.4f} ({len(dataset.test):,} {what})")
    if loss is not None:
        print(f"test loss:     {loss:.4f}")
