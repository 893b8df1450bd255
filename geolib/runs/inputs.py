"""What results rest on besides their configuration: public data and trained weights, known by the hash of their files.

A file that is pinned never changes under its name, so that the name in a study's code says which one it is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

from geolib.datasets import fetch, frozen
from geolib.runs import paths

#: What is said of a public data file that is neither at hand nor can be downloaded: a stand-in takes its place.
ABSENT = "absent"
#: Files that results rested on before hashes entered keys: as they are pinned, they stay out of them.
UNMARKED = frozenset(
    {
        "laloy2019_training_image.png",
        "laloy2019_model1_noise2.npz",
        "marmousi_vp_1601x401.f32",
        "latent_inversion-sgan16.safetensors",
        "latent_inversion-sgan32.safetensors",
        "latent_inversion-sgan64.safetensors",
        "latent_inversion-normal16.safetensors",
        "wgan_traces.safetensors",
    }
)


def pinned(name: str) -> str | None:
    """Return the sha256 that a data or weights file must have, or None where none is laid down."""
    return fetch.FILES[name][0] if name in fetch.FILES else frozen.FROZEN.get(name)


def marked(names: Iterable[str]) -> dict[str, str]:
    """Return by name the sha256 of the files that a key must tell, or that they are absent.

    Parameters
    ----------
    names : iterable of str
        Data files of `geolib.datasets.fetch.FILES`, and weights files in the folder of shipped results or by path.

    Raises
    ------
    ValueError
        If a file is there and is not the pinned one.
    """
    found = {Path(name).name: _here(name) for name in sorted(set(names))}
    return {name: sha256 for name, sha256 in found.items() if name not in UNMARKED or sha256 != pinned(name)}


def loose(files: Mapping[str, str]) -> list[str]:
    """Return those of `marked` that are not pinned, so that nothing that rests on them can be shipped."""
    return [name for name, sha256 in files.items() if sha256 != pinned(name)]


def _here(name: str) -> str:
    if name in fetch.FILES:
        return fetch.FILES[name][0] if fetch.locate(name) is not None else ABSENT
    return frozen.checksum(paths.weights(name)) or ABSENT
