"""The encoder and the action head in torch. `epochs` trains them and `checkpoint` saves them."""

from __future__ import annotations

from collections.abc import Iterable

import torch
from torch import Tensor, nn

from semg_hht.inference.description import NetworkConfig
from semg_hht.learning.cpu_convolution import Convolution
from semg_hht.learning.data_parallel import BatchNorm, Dropout

SLOPE = 0.2
FIRST_SHORTCUT = 3  # the fourth layer and later ones have shortcuts (layers counted from 0)


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
    """Encoder and head. ``forward`` returns logits; ``encoder`` returns the features that the gender SVM uses."""

    def __init__(self, config: NetworkConfig) -> None:
        super().__init__()
        self.config = config
        self.encoder = Encoder(config)
        self.head = ActionHead(config)
        self.apply(_initialise)
        # Small last weights: the first probabilities are nearly equal, and training starts at a loss of ln(n_classes).
        last = self.head.layers[-1]
        assert isinstance(last, nn.Linear)
        nn.init.normal_(last.weight, std=0.01)

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(x))  # type: ignore[no-any-return]


def _initialise(module: nn.Module) -> None:
    """Kaiming initialisation (He et al. 2015, arXiv 1502.01852) by fan-in: by fan-out, the logits become too large."""
    if isinstance(module, (nn.Conv2d, nn.Linear)):
        nn.init.kaiming_normal_(module.weight, a=SLOPE, mode="fan_in", nonlinearity="leaky_relu")
        if module.bias is not None:
            nn.init.zeros_(module.bias)


@torch.no_grad()
def recalibrate_batch_norm(network: nn.Module, batches: Iterable[Tensor]) -> None:
    """Set the running statistics of every batch norm to the average over ``batches`` under the current weights.

    The usual moving average lags behind the weights if an epoch has few steps, so that a good network scores at chance
    level in evaluation mode (Wu and Johnson 2021, arXiv 2105.07576, "precise BatchNorm").
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
