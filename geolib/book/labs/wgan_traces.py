"""Data of the traces' laboratory: shipped networks in eight bits, traces, numbers to check."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch

from geolib import studies
from geolib.book.labs._data import encode, quantise
from geolib.gans import weights, wgan
from geolib.metrics import samples as metrics
from geolib.runs import paths

STUDY = studies.get("wgan_traces")
SAMPLING = STUDY.lends["sampling"]
SEED = 1
#: Draws on which the error of the eight bits is taken, and real traces that are shown.
DRAWS, SHOWN = 200, 40


def files() -> dict[int, Path]:
    """Return the files of networks by epoch: the main one and `wgan_traces-epochNNNN`."""
    found = [wgan.weights_path(), *sorted(paths.results().glob("wgan_traces-epoch*.safetensors"))]
    return {wgan.load_pretrained(path).epoch: path for path in reversed(found)}


def scripts() -> dict[str, dict[str, Any]]:
    """Return the laboratory's scripts: the last epoch's, to start with, and each other's."""
    found = files()
    main = wgan.load_pretrained()
    networks = {epoch: network(path) for epoch, path in found.items()}
    start = {
        "epochs": sorted(found),
        "epoch": main.epoch,
        "real": real(),
        "network": networks[main.epoch],
    }
    others = {
        f"wgan_traces-{e:04d}": {"network": made} for e, made in networks.items() if e != main.epoch
    }
    return {"wgan_traces": start, **others}


def network(path: Path) -> dict[str, Any]:
    """Return a file's networks in eight bits, what that changes, and the package's numbers."""
    full, (kept, facts) = wgan.load_pretrained(path), weights.read(path)
    entries = {
        name: packed(name, value) for name, value in kept.items() if value.is_floating_point()
    }
    reduced = dequantised(path)
    latents = wgan.draw_latents(DRAWS, torch.Generator().manual_seed(SEED), full.latent_low)
    with torch.no_grad():
        traces, ours = full.generator(latents).numpy(), reduced.generator(latents).numpy()
    scores, rounded = wgan.score(full.critic, traces), wgan.score(reduced.critic, ours)
    signs, ours_signs = (metrics.first_event(each, SAMPLING)[1] for each in (traces, ours))
    return {
        "weights": entries,
        "file": path.name,
        "latent_low": float(facts["latent_low"]),
        "eight_bits": {
            "trace": float(np.sqrt(np.square(ours - traces).mean() / np.square(traces).mean())),
            "score": float(np.abs(rounded - scores).mean()),
            "score_spread": float(scores.std()),
            "polarity": float((signs != ours_signs).mean()),
            "draws": DRAWS,
        },
        "check": {
            "seed": SEED,
            "latent": encode(latents[0, :, 0]),
            "trace": encode(ours[0, 0]),
            "score": float(rounded[0]),
            "spectrum": encode(
                metrics.amplitude_spectrum(np.repeat(ours[0], 2, axis=0), SAMPLING)[1]
            ),
            "positive": float((ours_signs > 0).mean()),
        },
    }


def packed(name: str, value: torch.Tensor) -> dict[str, Any]:
    """Return a kernel in eight bits, a scale for each output channel; anything smaller as is."""
    if value.ndim < 3:
        return encode(value)
    return quantise(value, axis=1 if name.startswith("generator.") else 0)


def dequantised(path: Path) -> wgan.Pretrained:
    """Return the networks of a file as the page has them: kernels from their eight bits."""
    made = wgan.load_pretrained(path)
    for prefix, net in (("generator.", made.generator), ("critic.", made.critic)):
        for name, value in net.state_dict().items():
            if value.ndim == 3:
                value.copy_(torch.from_numpy(unpack(packed(prefix + name, value))))
    return made


def unpack(entry: dict[str, Any]) -> np.ndarray:
    """Return the float32 numbers that the page makes of what `quantise` returned."""
    whole = np.frombuffer(base64.b64decode(entry["data"]), np.int8).reshape(entry["shape"])
    scale = np.frombuffer(base64.b64decode(entry["scale"]["data"]), "<f4")
    along = [-1 if n == entry["axis"] else 1 for n in range(whole.ndim)]
    return np.asarray(whole.astype(np.float32) * scale.reshape(along))


def real_traces(n: int) -> np.ndarray:
    """Return the first n traces of the chapter's validation set, float32 of shape (n, 499)."""
    kept, config = _chapter()
    return np.asarray(STUDY.lends["modelled"](config, kept, n))


def real() -> dict[str, Any]:
    """Return what the chapter knows of real traces, and some of them.

    Share of positive first events and mean spectrum are those of its whole validation set, so that
    laboratory and chapter speak of the same traces.
    """
    kept, _ = _chapter()
    return {
        "traces": encode(real_traces(SHOWN), "f2"),
        "positive": float((kept["event_polarity"] > 0).mean()),
        "spectrum": encode(kept["spectrum"]),
        "counted": len(kept["event_polarity"]),
    }


def _chapter() -> tuple[Mapping[str, np.ndarray], Any]:
    results = studies.shipped(STUDY)
    if results is None:
        raise ValueError(
            "the shipped results of wgan_traces must be there; they are not. Check book/results."
        )
    return results.units["data"], STUDY.Config.stored(results.config)
