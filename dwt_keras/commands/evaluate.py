"""Measure a network on the test part of a dataset.

FILE is a compact file (.dwtz), a Keras archive (.keras) or the folder of a SavedModel.
"""

from __future__ import annotations

from dwt_keras import command_line, native
from dwt_keras.commands import networks
from dwt_keras.settings import DataSettings
from dwt_keras.settings.commands import EvaluateSettings


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
    with native.messages_hidden():  # keras.datasets loads TensorFlow.
        dataset = data.load(DataSettings(str(settings.dataset), settings.data_dir))
    command_line.load_tensorflow()
    accuracy, loss = networks.score(networks.load(source, settings.trusted), dataset)
    print(f"test accuracy: {accuracy:.4f} ({len(dataset.test_labels):,} images)")
    if loss is not None:
        print(f"test loss:     {loss:.4f}")
