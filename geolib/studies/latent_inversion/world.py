"""Generator, operators and true data: what every trial of the chapter is made in."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from geolib import _checks
from geolib.gans import sgan
from geolib.gans.fast import inference
from geolib.inversion import crosshole, latent
from geolib.runs import paths
from geolib.studies.latent_inversion.config import LatentConfig, check_width, weights_name
from geolib.studies.latent_inversion.units import Trial

N_LATENT = sgan.LATENT[0] * sgan.LATENT[1]
#: Solves that an update takes: forward and backward, central differences, or exact derivatives.
SOLVES = {"adam": 2, "gn": 2 * N_LATENT + 1, "gnx": N_LATENT + 1}


def weights_path(width: int) -> Path:
    """Return the file of the shipped generator of a width."""
    check_width(width)
    return paths.weights(weights_name(width))


class Truths(dict[int, Tensor]):
    """True latents by model: the chapter's two, and others when they are asked for."""

    def __init__(self, draw: Callable[[int], Tensor]) -> None:
        super().__init__({model: draw(model) for model in (1, 2)})
        self.draw = draw

    def __missing__(self, model: int) -> Tensor:
        """Draw a true latent that nobody has asked for before."""
        self[model] = self.draw(model)
        return self[model]


class World:
    """Generator, operators and true data of a configuration on a device.

    Parameters
    ----------
    config : Config
        Which generator, noise and precision.
    device : str, optional
        CUDA where there is one, by default.
    network : sgan.Generator, optional
        In place of the shipped weights.
    """

    def __init__(
        self, config: LatentConfig, device: str | None = None, network: sgan.Generator | None = None
    ) -> None:
        self.config = config
        self.device = torch.device(device or ("cuda" if torch.cuda.is_available() else "cpu"))
        network = network or sgan.load_weights(weights_path(config.width))
        self.network = network.to(self.device).requires_grad_(False)
        self.reduced = config.precision == "bfloat16"
        # Without Numba, as on a bare machine, the network's own layers do the work.
        fast = self.device.type == "cpu" and inference.available()
        precision = torch.bfloat16 if self.reduced else torch.float32
        self.frozen = inference.Frozen(self.network, precision) if fast else None
        survey = crosshole.Crosshole()
        self.matrices = {
            o: crosshole.ray_matrix(survey, o).astype(np.float32) for o in crosshole.CELL_ORDERS
        }
        self.dense = {}
        if self.device.type != "cpu":
            self.dense = {
                o: torch.from_numpy(m.toarray()).to(self.device) for o, m in self.matrices.items()
            }
        self.true_latents: dict[int, Tensor] = Truths(self._true_latent)

    def models(self, latents: Tensor, *, forward_mode: bool = False) -> Tensor:
        """Return facies models (n, 7500) in [0, 1] of latents (n, 15); see `simulate`."""
        _checks.shape("latents", latents, (None, N_LATENT), "Give each latent a row.")
        latents = latents.view(-1, 1, *sgan.LATENT)
        if self.frozen is not None and not forward_mode:
            # Many images at once would leave the cache.
            parts = latents.tensor_split(-(-len(latents) // 16))
            images = torch.cat([self.frozen(part) for part in parts])
            return sgan.to_model(images).flatten(1)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.reduced):
            images = self.network(latents)
        return sgan.to_model(images.float()).flatten(1)

    def image(self, latent: np.ndarray) -> np.ndarray:
        """Return the facies model in [0, 1], shape (125, 60), of one latent (15,)."""
        with torch.no_grad():
            model = self.models(
                torch.as_tensor(latent, dtype=torch.float32, device=self.device)[None]
            )
        return model.cpu().numpy().reshape(crosshole.Crosshole().shape)

    def simulate(
        self, operator: str, case: str, latents: Tensor, *, forward_mode: bool = False
    ) -> Tensor:
        """Return traveltimes in ns, shape (n, 576), or for operator ``image`` the model itself.

        Case ``surrogate`` is the binary case without its threshold: linear in the model, with
        derivatives that tell. With `forward_mode` the network's own layers are used, which
        forward-mode derivatives can follow. ValueError if latents have another shape, or operator
        or case is unknown.
        """
        _checks.choice("operator", operator, (*crosshole.CELL_ORDERS, "image"))
        _checks.choice("case", case, ("continuous", "binary", "surrogate"))
        models = self.models(latents, forward_mode=forward_mode)
        if operator == "image":
            return models
        if case != "continuous":
            # Slowness is linear in a binary model, so that the published adjoint is its exact
            # derivative.
            low, high = 1 / crosshole.MATRIX_VELOCITY, 1 / crosshole.CHANNEL_VELOCITY
            slowness = low + (high - low) * (
                latent.threshold(models) if case == "binary" else models
            )
        else:
            slowness = 1 / (crosshole.CHANNEL_VELOCITY + 0.02 * (1 - models))
        if operator in self.dense:
            return slowness @ self.dense[operator].T
        return crosshole.times_of(self.matrices[operator], slowness)

    def _true_latent(self, model: int) -> Tensor:
        """Draw the true latent of a model: the first with the image's share of channels."""
        rng = np.random.default_rng([self.config.seed, 1, model])
        for _ in range(100):
            drawn = torch.as_tensor(
                rng.uniform(-1, 1, (1, N_LATENT)), dtype=torch.float32, device=self.device
            )
            if 0.2 <= float((self.models(drawn) >= 0.5).float().mean()) <= 0.32:
                return drawn
        raise ValueError(
            "the generator must make images with 20 to 32 % channels; it does not. "
            "Train it for longer."
        )

    def data(self, unit: Trial) -> tuple[Tensor, float]:
        """Return a scenario's data, shape (1, n_data), and its errors' root mean square (ns)."""
        return self.observed(unit.operator, unit.case, unit.model, unit.noise)

    def observed(self, operator: str, case: str, model: int, noise: int) -> tuple[Tensor, float]:
        """Return noisy data, shape (1, n_data), and the root mean square of their errors (ns)."""
        with torch.no_grad():
            clean = self.simulate(operator, case, self.true_latents[model])
        if operator == "image":
            return clean, 1.0
        # The same errors for both models, cases and cell orders, as in the paper.
        errors = self.config.noise * np.random.default_rng(
            [self.config.seed, 2, noise]
        ).standard_normal(clean.shape)
        rmse = float(np.sqrt(np.square(errors).mean()))
        return clean + torch.as_tensor(errors, dtype=torch.float32, device=self.device), rmse

    def starts(self, units: list[Trial], iterations: int) -> tuple[Tensor, Tensor]:
        """Return first latents (n, 15) and draws (n, iterations, 15) by each trial's number."""
        pairs = []
        for unit in units:
            rng = np.random.default_rng([self.config.seed, 3, unit.trial])
            pairs.append(
                (
                    rng.uniform(-1, 1, N_LATENT),
                    rng.random((iterations, N_LATENT), dtype=np.float32) * 2 - 1,
                )
            )
        first = np.stack([pair[0] for pair in pairs]).astype(np.float32)
        return torch.as_tensor(first).to(self.device), torch.as_tensor(
            np.stack([p[1] for p in pairs])
        ).to(self.device)
