"""The encoder and the action head.

Knows tensors: nothing of files, people or how it is trained.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from semg_hht.errors import InputError
from semg_hht.learning.cpu_convolution import Convolution
from semg_hht.learning.data_parallel import BatchNorm, Dropout
from semg_hht.matrices.matrix import MAX_PLANES

SLOPE = 0.2
FIRST_SHORTCUT = 3  # layers counted from 0: shortcuts from the fourth layer on
MAX_DOUBLINGS = 5
MAX_BASE_CHANNELS = 256  # a billion weights; a file that claims more is broken or hostile


@dataclass(frozen=True)
class NetworkConfig:
    """Layer i has ``base_channels * 2**min(i, 5)`` channels. ``n_planes``: 1, or with stacked channels their number."""

    n_classes: int
    n_layers: int = 7
    base_channels: int = 64
    n_planes: int = 1
    dropout: float = 0.5

    def __post_init__(self) -> None:
        for name in ("n_classes", "n_layers", "base_channels", "n_planes"):
            if type(getattr(self, name)) is not int:
                raise InputError(f"{name} must be a whole number; got {getattr(self, name)!r}")
        if not 1 <= self.n_layers <= 8:
            raise InputError(f"num_encoder_layers must be 1 to 8; got {self.n_layers}")
        if not 1 <= self.base_channels <= MAX_BASE_CHANNELS:
            raise InputError(f"base_channels must be 1 to {MAX_BASE_CHANNELS}; got {self.base_channels}")
        if not 1 <= self.n_planes <= MAX_PLANES:
            raise InputError(f"n_planes must be 1 to {MAX_PLANES}; got {self.n_planes}")
        if not (isinstance(self.dropout, (int, float)) and 0 <= self.dropout <= 1):
            raise InputError(f"dropout must lie between 0 and 1; got {self.dropout!r}")
        if self.n_classes < 2:
            raise InputError(f"a classifier needs at least 2 classes; got {self.n_classes}")

    @property
    def channels(self) -> tuple[int, ...]:
        return tuple(self.base_channels * 2 ** min(i, MAX_DOUBLINGS) for i in range(self.n_layers))

    @property
    def n_features(self) -> int:
        return self.channels[-1]


class EncoderLayer(nn.Module):
    """Convolution that halves the map, batch norm, LeakyReLU; with ``shortcut`` a projected copy of the input is added.

    The projection pools before it mixes channels, so that no sample of the input is skipped (He et al. 2019,
    arXiv 1812.01187, ResNet-D).
    """

    def __init__(self, n_in: int, n_out: int, *, shortcut: bool) -> None:
        super().__init__()
        self.conv = Convolution(n_in, n_out, kernel_size=3, stride=2, padding=1, bias=False)
        self.norm = BatchNorm(n_out)
        self.shortcut = (
            nn.Sequential(nn.AvgPool2d(2), Convolution(n_in, n_out, kernel_size=1, bias=False), BatchNorm(n_out))
            if shortcut
            else None
        )
        self.activation = nn.LeakyReLU(SLOPE, inplace=True)  # batch norm needs its input again, not its output

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm(self.conv(x))  # (n, n_in, h, w) -> (n, n_out, h/2, w/2)
        if self.shortcut is not None:
            y = y + self.shortcut(x)
        return self.activation(y)  # type: ignore[no-any-return]


class Encoder(nn.Module):
    """Matrices (n, n_planes, 256, 256) -> features (n, n_features)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        widths = (config.n_planes, *config.channels)
        self.layers = nn.Sequential(
            *(EncoderLayer(widths[i], widths[i + 1], shortcut=i >= FIRST_SHORTCUT) for i in range(config.n_layers))
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.layers(x).mean(dim=(2, 3))  # type: ignore[no-any-return]  # (n, c, h, w) -> (n, c)


class ActionHead(nn.Module):
    """Features (n, n_features) -> logits (n, n_classes)."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        n = config.n_features
        wide, narrow = min(max(n // 2, 256), 1024), min(max(n // 4, 128), 512)
        self.layers = nn.Sequential(
            Dropout(config.dropout),
            nn.Linear(n, wide),
            nn.LeakyReLU(SLOPE),
            nn.Linear(wide, narrow),
            nn.LeakyReLU(SLOPE),
            nn.Linear(narrow, config.n_classes),
        )

    def forward(self, features: Tensor) -> Tensor:
        return self.layers(features)  # type: ignore[no-any-return]


class ActionNetwork(nn.Module):
    """Encoder and head. ``forward`` gives logits; ``encoder`` alone gives the features the gender SVM reads."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.head = ActionHead(config)
        self.apply(_initialise)
        # Small last weights: the first probabilities are nearly even, so training starts at a loss of ln(n_classes).
        last = self.head.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


def _initialise(module: nn.Module) -> None:
    """Kaiming (He et al. 2015, arXiv 1502.01852), by fan-in: fan-out, on a narrowing head, blows the logits up."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, a=SLOPE, mode="fan_in", nonlinearity="leaky_relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def recalibrate_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of every batch norm to the plain average over ``batches``, under today's weights.

    The usual moving average lags behind the weights when an epoch has few steps, so a good network looks like chance in
    evaluation mode (Wu and Johnson 2021, arXiv 2105.07576, "precise BatchNorm").
    """
    norms = [module for module in network.modules() if isinstance(module, nn.BatchNorm2d)]
    momenta = [norm.momentum for norm in norms]
    was_training = network.training
    network.train()
    for norm in norms:
        norm.reset_running_stats()
        norm.momentum = None  # cumulative average
    for batch in batches:
        network(batch)
    for norm, momentum in zip(norms, momenta, strict=True):
        norm.momentum = momentum
    network.train(was_training)
