"""Store a network as a compact file, without training it further.

Any model of Keras 3 whose layers are Keras' own. Its kernels are quantised; how coarsely follows
from one of --distortion, --max_bytes and --coding_accuracy_drop.
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from dwt_keras import command_line, native
from dwt_keras.commands import networks
from dwt_keras.settings.commands import CompressSettings, data_settings


def run(source: str, target: str, settings: CompressSettings) -> None:
    """Writes the compact file of a Keras archive, and prints what is in it.

    Args:
        source: A .keras file.
        target: The .dwtz file; one that is there is replaced once the new one is whole.
        settings: How.

    Raises:
        UserError: If a file or a setting is none that goes; nothing is written then.
    """
    networks.check_archive(source)
    networks.check_target(target, networks.COMPACT, source=source)
    dataset = None
    told = data_settings(settings)
    if told is not None:
        from dwt_keras.training import data

        with native.messages_hidden():  # keras.datasets loads TensorFlow.
            dataset = data.load(told)

    command_line.load_tensorflow()
    from dwt_keras.compression import artifact, sections
    from dwt_keras.views import contents, tables

    model = networks.load_archive(source)
    network = networks.of_model(model, source) if dataset is not None else None
    before = networks.score(network, dataset) if network and dataset else None
    kernels = artifact.find_kernels(model, settings.wavelet, settings.level, settings.axes)
    print(f"{source}: {model.count_params():,} weights, {len(kernels)} kernels", flush=True)
    _save(model, Path(target), kernels, settings, network, dataset)

    print(contents.table(sections.read(Path(target), networks.limits(trusted=True))))
    print()
    size, whole = Path(target).stat().st_size, 4 * model.count_params()
    print(f"{target}: {size:,} bytes, {tables.percent(size / whole)} of the weights as float32")
    if network and dataset and before:
        artifact.load_compressed_weights(target, model, networks.limits(trusted=True))
        after = networks.score(network, dataset)
        print(f"test accuracy: {after[0]:.4f} (before: {before[0]:.4f})")


def _save(
    model: Any,
    target: Path,
    kernels: Any,
    settings: CompressSettings,
    network: networks.Network | None,
    dataset: Any,
) -> None:
    from dwt_keras.compression import artifact, steps
    from dwt_keras.training import coding

    whole = not settings.weights_only
    if settings.coding_accuracy_drop is not None:
        assert network is not None  # The settings ask for a dataset then.

        def accuracy() -> float:
            return networks.accuracy(network, dataset.validation, dataset.classes)

        coding.save_within(
            model,
            target,
            kernels,
            _told("validation accuracy {:.4f}", accuracy),
            settings.coding_accuracy_drop,
            with_architecture=whole,
        )
        return
    if settings.max_bytes is not None:

        def size(step: float) -> int:
            return len(artifact.encode(model, kernels, step, with_architecture=whole))

        step = steps.within_bytes(kernels, settings.max_bytes, _told("{:,} bytes", size))
    else:
        assert settings.distortion is not None  # One of the three is set.
        step = steps.within_distortion(kernels, settings.distortion)
    artifact.save_compressed(model, target, kernels=kernels, step=step, with_architecture=whole)


def _told(text: str, measure: Callable[..., Any]) -> Callable[..., Any]:
    """A measure that says on the terminal what it found: looking for a step may take a while."""
    tried = 0

    def told(*step: float) -> Any:
        nonlocal tried
        tried += 1
        found = measure(*step)
        at = f"step {step[0]:.3g}: " if step else ""
        print(f"try {tried}: {at}{text.format(found)}", flush=True)
        return found

    return told
