"""The Wasserstein GAN for seismic traces: the two networks of Niu et al. (2020), tables 1 and 2, and their weights."""

from __future__ import annotations

import itertools
import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from geolib import _checks
from geolib._arguments import checked
from geolib.datasets import frozen
from geolib.gans import weights
from geolib.gans.fast.layers import LEAKY_SLOPE, Convolution, Kink
from geolib.gans.train import evaluating

N_LATENT = 100
N_SAMPLES = 499
#: Table 1: kernel, stride and filters of the eight transposed convolutions.
GENERATOR_LAYERS = (
    (3, 2, 256),
    (4, 1, 256),
    (4, 2, 128),
    (4, 2, 128),
    (3, 2, 32),
    (4, 2, 32),
    (3, 2, 16),
    (3, 2, 1),
)
#: Table 2: filters of the four convolutions of kernel 3, then of the two of kernel 1 along the former time axis.
CRITIC_FILTERS = (64, 64, 64, 1)
CRITIC_HEAD = (250, 1)


class Critic(nn.Module):
    """The fully convolutional critic of table 2; `precision` is that of its four wide convolutions.

    Parameters
    ----------
    precision : str
        "float32" or "bfloat16". The head always runs in the precision of its input: scores near -10 would be rounded
        to 0.06 in bfloat16, which is more than the gap that the training is about.
    channels : int
        Channels of the input: the trace, and what a conditional critic is told beside it.
    """

    @checked(precision=("float32", "bfloat16"), channels=(1, None))
    def __init__(self, precision: str = "float32", channels: int = 1) -> None:
        super().__init__()
        self.reduced = precision == "bfloat16"
        self.channels = channels
        layers: list[nn.Module] = []
        for before, after in itertools.pairwise((channels, *CRITIC_FILTERS)):
            # Without padding 1 the length would shrink to 491, where the table keeps 499.
            layers += [Convolution(before, after, 3), Kink()]
        self.features = nn.Sequential(*layers)
        middle, last = CRITIC_HEAD
        self.head = nn.Sequential(Convolution(N_SAMPLES, middle, 1), Kink(), Convolution(middle, last, 1))

    def forward(self, traces: Tensor) -> Tensor:
        """Return scores `(n,)` of traces `(n, channels, 499)`."""
        shape = (None, self.channels, N_SAMPLES)
        _checks.shape("traces", traces, shape, "Resample and trim them to 499 samples.")
        features = self.features(traces.to(torch.bfloat16) if self.reduced else traces)
        return self.head(features.to(traces.dtype).transpose(1, 2)).flatten()


@checked(std=(0, None))
def make_generator(std: float | None = 0.2, *, rng: torch.Generator, activation_first: bool = False) -> nn.Sequential:
    """Return the generator of table 1: latents `(n, 100, 1)` to traces `(n, 1, 499)`.

    Parameters
    ----------
    std : float, optional
        Standard deviation of the initial kernels; biases start at zero, batch norms as identity. None gives PyTorch's
        default, uniform within one over the root of the fan-in.
    rng : torch.Generator
        Source of the initial kernels.
    activation_first : bool
        Put each leaky ReLU before its batch norm instead of behind it.

    Notes
    -----
    556 065 parameters, 3.5 million multiplications for each trace. A batch norm stands before each convolution but the
    first, and the leaky ReLU between the two.
    """
    with torch.device("meta"):  # made without numbers: the default initialisation would draw from the global generator
        layers: list[nn.Module] = []
        channels = N_LATENT
        for index, (kernel, stride, filters) in enumerate(GENERATOR_LAYERS):
            if index:
                both = [nn.BatchNorm1d(channels), nn.LeakyReLU(LEAKY_SLOPE)]
                layers += both[::-1] if activation_first else both
            layers.append(nn.ConvTranspose1d(channels, filters, kernel, stride))
            channels = filters
        network = nn.Sequential(*layers)
    return initialise(network, std, rng)


@checked(std=(0, None), channels=(1, None))
def make_critic(
    std: float | None = 0.2, *, rng: torch.Generator, precision: str = "float32", channels: int = 1
) -> Critic:
    """Return the critic of table 2 (150 404 parameters) with initial kernels of standard deviation `std`."""
    with torch.device("meta"):
        network = Critic(precision, channels)
    return initialise(network, std, rng)


@checked(std=(0, None))
def initialise(network: nn.Module, std: float | None, rng: torch.Generator) -> Any:
    """Fill `network` on the CPU: normal kernels and zero biases, or PyTorch's default without `std`; returns it."""
    network = network.to_empty(device="cpu")
    for module in network.modules():
        if isinstance(module, (nn.Conv1d, nn.ConvTranspose1d)) and module.bias is not None:
            if std is None:
                # What the constructors do, from our own generator; for transposed convolutions PyTorch counts outputs.
                bound = 1 / math.sqrt(module.weight[0].numel())
                nn.init.uniform_(module.weight, -bound, bound, generator=rng)
                nn.init.uniform_(module.bias, -bound, bound, generator=rng)
            else:
                nn.init.normal_(module.weight, 0.0, std, generator=rng)
                nn.init.zeros_(module.bias)
        elif isinstance(module, nn.BatchNorm1d):
            module.reset_parameters()
    return network


@checked()
def n_parameters(network: nn.Module) -> int:
    """Return the number of trainable numbers of a network."""
    return sum(p.numel() for p in network.parameters())


@checked(inputs=(None, None, None))
def layer_inputs(network: nn.Module, inputs: Tensor) -> list[tuple[int, int]]:
    """Return channels and length of what reaches each convolution of `network`, found by running it on `inputs`."""
    shapes: list[tuple[int, int]] = []
    hooks = [
        layer.register_forward_pre_hook(lambda _, given: shapes.append((given[0].shape[1], given[0].shape[2])))
        for layer in network.modules()
        if isinstance(layer, (nn.Conv1d, nn.ConvTranspose1d))
    ]
    try:
        with torch.no_grad():
            network(inputs)
    finally:
        for hook in hooks:
            hook.remove()
    return shapes


@checked()
def layer_lengths(as_printed: bool = False) -> list[int]:
    r"""Return the nine lengths along the generator, from 1 to 499.

    :math:`l_i = (l_{i-1} - 1) s_i + k_i`, or with `as_printed` the equation of the paper,
    :math:`l_i = l_{i-1} s_i + k_i`, which ends at 817.

    References
    ----------
    Niu et al. (2020), equation 5 and table 1.
    """
    lengths = [1]
    for kernel, stride, _ in GENERATOR_LAYERS:
        lengths.append((lengths[-1] - (not as_printed)) * stride + kernel)
    return lengths


@checked(n=(1, None))
def draw_latents(n: int, rng: torch.Generator, low: float = -1.0) -> Tensor:
    """Return n latents `(n, 100, 1)`, uniform between `low` and 1 (the paper gives no range)."""
    return low + (1 - low) * torch.rand(n, N_LATENT, 1, generator=rng)


@checked(n=(1, None))
@torch.no_grad()
def sample(generator: nn.Module, n: int, rng: torch.Generator, low: float = -1.0) -> np.ndarray:
    """Return n generated traces `(n, 1, 499)`, normalised like the training data.

    Parameters
    ----------
    generator : nn.Module
        From `make_generator` or `load_pretrained`; run with its running batch statistics, so that a trace depends on
        its own latent alone.
    n : int
        Number of traces.
    rng : torch.Generator
        Source of the latents.
    low : float
        Lower end of the latents' range, the one the network was trained with.
    """
    with evaluating(generator):
        traces = [generator(part).numpy() for part in draw_latents(n, rng, low).split(500)]
    return np.concatenate(traces)


@checked()
@torch.no_grad()
def score(critic: nn.Module, traces: np.ndarray) -> np.ndarray:
    """Return the critic's scores `(n,)` of traces `(n, 1, 499)`; only differences between scores mean anything.

    Raises
    ------
    ValueError
        If the traces have another shape or hold NaN.
    """
    parts = torch.as_tensor(np.ascontiguousarray(traces), dtype=torch.float32).split(500)
    return np.concatenate([critic(part).numpy() for part in parts])


@dataclass(frozen=True)
class Pretrained:
    """The shipped networks.

    Attributes
    ----------
    generator, critic : nn.Module
        In evaluation mode.
    scale : float
        Multiply a generated trace by it to get the amplitude of the forward modelling.
    latent_low : float
        Lower end of the latents' range.
    epoch : int
        Epochs trained.
    """

    generator: nn.Module
    critic: nn.Module
    scale: float
    latent_low: float
    epoch: int

    def sample(self, n: int, rng: torch.Generator) -> np.ndarray:
        """Return n generated traces `(n, 1, 499)`."""
        return sample(self.generator, n, rng, self.latent_low)


def weights_path() -> Path:
    """Return the file of the shipped weights."""
    return frozen.folder() / "wgan_traces.safetensors"


@checked()
def pack_weights(networks: Pretrained) -> bytes:
    """Return the networks as the bytes of a safetensors file."""
    tensors = {f"generator.{k}": v for k, v in networks.generator.state_dict().items()}
    tensors |= {f"critic.{k}": v for k, v in networks.critic.state_dict().items()}
    return weights.pack(tensors, scale=networks.scale, latent_low=networks.latent_low, epoch=networks.epoch)


@checked()
def load_pretrained(path: Path | None = None) -> Pretrained:
    """Return the shipped generator and critic.

    Parameters
    ----------
    path : Path, optional
        Another file of the same kind.

    Raises
    ------
    ValueError
        If the file is missing or does not hold these networks.

    Examples
    --------
    A thousand labelled traces: arrival time and polarity of the first reflection of each.

    >>> import torch
    >>> from geolib.gans import metrics, wgan
    >>> networks = wgan.load_pretrained()
    >>> traces = networks.sample(1000, torch.Generator().manual_seed(1))
    >>> times, polarities = metrics.first_event(traces, dt=0.004)
    """
    path = weights_path() if path is None else Path(path)
    if not path.is_file():
        raise ValueError(f"weights file must exist; {path} does not. Restore it or train with the wgan_traces study.")
    rng = torch.Generator()
    generator, critic = make_generator(rng=rng), make_critic(rng=rng)
    tensors, facts = weights.read(path)
    try:
        for prefix, network in (("generator.", generator), ("critic.", critic)):
            network.load_state_dict({k.removeprefix(prefix): v for k, v in tensors.items() if k.startswith(prefix)})
    except RuntimeError as error:
        reason = str(error).splitlines()[0]
        raise ValueError(
            f"weights file {path} must hold the networks of tables 1 and 2; it does not ({reason}). Restore it."
        ) from None
    return Pretrained(generator.eval(), critic.eval(), **facts)
