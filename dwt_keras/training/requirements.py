"""What networks and variations of samples ask of the data. This loads no TensorFlow."""

from __future__ import annotations

from dwt_keras import checks
from dwt_keras.settings import Settings

# Sides of the patches of mixer and vit_tiny, in pixels.
PATCH = 4

_IMAGES = ("cnn", "resnet20", "mixer", "vit_tiny")
# Two poolings halve the cnn's images, and two strides of 2 those of the resnet20.
_LEAST_CNN, _LEAST_RESNET = 4, 8
# A kernel has a third of the samples of a signal, and 2 at least.
_LEAST_CONV1D = 6


def check(settings: Settings, input_shape: tuple[int, ...]) -> None:
    """Checks that samples of a shape are what the settings' network and variations take.

    Args:
        settings: The run's.
        input_shape: Shape of one sample: height, width, channels of an image; time and channels
            of a signal; or a number of features.

    Raises:
        ArgumentError: If they are not.
    """
    check_network(settings.training.model, input_shape)
    settings.augmentation.check_for(input_shape)


def check_network(model: str, input_shape: tuple[int, ...]) -> None:
    """Checks that a network takes samples of a shape; one that is not built in is let pass.

    Raises:
        ArgumentError: If it does not.
    """
    given = f"{model} for {' x '.join(map(str, input_shape[:2]))}"
    if model == "conv1d":
        if len(input_shape) != 2:
            raise checks.ArgumentError(
                "model",
                "must be another one than conv1d, which takes signals of the shape (time, "
                f"channels); given conv1d for the shape {input_shape}",
            )
        if input_shape[0] < _LEAST_CONV1D:
            raise checks.ArgumentError(
                "model",
                f"must be mlp for signals below {_LEAST_CONV1D} samples, too short for the "
                f"conv1d's kernels; given conv1d for {input_shape[0]}",
            )
    if model not in _IMAGES:
        return
    if len(input_shape) != 3:
        raise checks.ArgumentError(
            "model",
            f"must be another one than {model}, which takes images of the shape (height, width, "
            f"channels); given {model} for the shape {input_shape}",
        )
    least = min(input_shape[:2])
    if model == "cnn" and least < _LEAST_CNN:
        raise checks.ArgumentError(
            "model",
            f"must be mlp for images below {_LEAST_CNN} x {_LEAST_CNN} pixels, which the cnn "
            f"pools away; given {given}",
        )
    if model == "resnet20" and least < _LEAST_RESNET:
        raise checks.ArgumentError(
            "model",
            f"must be mlp or cnn for images below {_LEAST_RESNET} x {_LEAST_RESNET} pixels, of "
            f"which the resnet20 leaves too few; given {given}",
        )
    if model in ("mixer", "vit_tiny") and (
        least < 2 * PATCH or any(side % PATCH for side in input_shape[:2])
    ):
        raise checks.ArgumentError(
            "model",
            f"must be one without patches (mlp, cnn, resnet20) unless height and width are "
            f"multiples of {PATCH} pixels, {2 * PATCH} at least; given {given}",
        )
