"""What keeps the network from learning its training data by heart."""

from __future__ import annotations

from dataclasses import dataclass

from dwt_keras import checks
from dwt_keras.settings.compression import CompressionSettings
from dwt_keras.settings.fields import setting
from dwt_keras.settings.training import MODELS

# Networks with layer normalisation, beside which batch normalisation has no place.
LAYER_NORMALISED = ("mixer", "vit_tiny")


@dataclass(frozen=True)
class RegularizationSettings:
    """What keeps the network from learning its training data by heart.

    Raises:
        ArgumentError: On the first field that is out of range.
    """

    l1: float = setting(
        0.0,
        "Sum of the kernels' magnitudes, times this, that is added to the training loss. Raising "
        "it makes weights smaller and many of them nearly zero; 0 adds nothing.",
    )
    l2: float = setting(
        0.0,
        "Sum of the kernels' squares, times this, that is added to the training loss. Raising it "
        "makes large weights smaller; 0 adds nothing.",
    )
    l1_wavelet: float = setting(
        0.0,
        "L1 penalty on the wavelet coefficients of the kernels, as a soft threshold: each update "
        "takes learning rate times this from every magnitude, down to exactly zero, in each "
        "layer's basis (once there is one). Raising it makes more coefficients small or zero "
        "before any threshold; 0 takes nothing.",
    )
    dropout: float | None = setting(
        None,
        "Share of the units that each dropout layer of a built-in network drops in training "
        "(default: 0.5 before the cnn's outputs, none in the others). Raising it regularises "
        "more and learns slower; 0 leaves the layers out.",
    )
    batch_norm: bool = setting(
        False,
        "Normalise over the batch behind each hidden layer of the mlp, the cnn or the conv1d "
        "(resnet20 always does; mixer and vit_tiny normalise layers).",
    )
    label_smoothing: float = setting(
        0.0,
        "Share of each training label that is spread evenly over all classes. Raising it makes "
        "the network less sure of itself; 0 leaves the labels.",
    )

    def __post_init__(self) -> None:
        for name in ("l1", "l2", "l1_wavelet"):
            checks.real(name, getattr(self, name), least=0.0)
        if self.dropout is not None:
            checks.real("dropout", self.dropout, least=0.0, below=1.0)
        checks.boolean("batch_norm", self.batch_norm)
        checks.real("label_smoothing", self.label_smoothing, least=0.0, below=1.0)


def check_beside(
    regularization: RegularizationSettings, model: str, compression: CompressionSettings
) -> None:
    """Checks what of the regularisation the network and the basis allow.

    Args:
        regularization: The settings.
        model: Which network; one that is not built in has been built already.
        compression: The settings.

    Raises:
        ArgumentError: On dropout or batch_norm for a network that cannot take them, or l1_wavelet
            in a redundant frame.
    """
    if model not in MODELS:
        check_built(regularization, model)
    if regularization.batch_norm and model in LAYER_NORMALISED:
        raise checks.ArgumentError(
            "batch_norm",
            f"must not be given beside model={model}, which normalises layers; given True",
        )
    check_l1_wavelet(regularization.l1_wavelet, compression)


def check_built(regularization: RegularizationSettings, model: str) -> None:
    """Checks that nothing is asked for that would change the layers of a network brought along.

    The penalties and label smoothing are of the training, so that any network can have them.

    Args:
        regularization: The settings.
        model: The network, for the message.

    Raises:
        ArgumentError: On dropout or batch_norm.
    """
    for name, free in (("dropout", None), ("batch_norm", False)):
        value = getattr(regularization, name)
        if value != free:
            raise checks.ArgumentError(
                name,
                f"must not be given beside model={model}, which has its layers already; given "
                f"{value!r}",
            )


def check_l1_wavelet(l1_wavelet: float, compression: CompressionSettings) -> None:
    """Checks that coefficients can be drawn to zero as the weights are trained.

    Args:
        l1_wavelet: The strength.
        compression: The settings.

    Raises:
        ArgumentError: If it is out of range, or the wavelet is a continuous one, whose redundant
            coefficients are no function of the weights that a step could set.
    """
    if checks.real("l1_wavelet", l1_wavelet, least=0.0) and compression.is_frame:
        raise checks.ArgumentError(
            "l1_wavelet",
            "needs a discrete wavelet, auto or none, whose coefficients a weight update can set; "
            f"given {l1_wavelet:g} with the continuous wavelet {compression.wavelet}",
        )
