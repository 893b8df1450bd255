"""The trainings that shipped results rest on, by the hash of their files. Another training is another file."""

from __future__ import annotations

import hashlib
from pathlib import Path

from geolib._arguments import checked

#: By file name; none is ever replaced, since results tell by the name which training they are of.
FROZEN = {
    "latent_inversion-sgan16.safetensors": "2c6c7901af6ecf6b4f4d639074976b58ddaf0fc9ee25ae8aeaa1b3ca27430f2c",
    "latent_inversion-sgan32.safetensors": "bf1fbbb418158c105d33704f824aa7d9ca804444f38eb3315dad0379b61bdc72",
    "latent_inversion-sgan64.safetensors": "ee36878f0b8d4726411bc22b98a1f8850de12965311c3761aea892c4201ff458",
    "latent_inversion-normal16.safetensors": "ab3f878c7dd3e613a4458343933bc793af215a340d6d9db4ba39a3149cd77785",
    "wgan_traces-epoch0001.safetensors": "252a61e7925ae7a609824509ea8e0eae616e3252e5c6f681724f9bcc9daf466a",
    "wgan_traces-epoch0002.safetensors": "556b06f8fcebd34b2a70af347cea37e12a1df0627ff610a2f5086d7a539f25d5",
    "wgan_traces-epoch0003.safetensors": "2b767b02fdbec3b090b34b112d1a770d2e4b3371d9c91c4466e692a408ed892a",
    "wgan_traces-epoch0005.safetensors": "47a93d398e8e697c12183520d3425da46840d3a33388d498fa80b99654a02acd",
    "wgan_traces-epoch0010.safetensors": "9c20e195267bc8ec5cf0d0c459518ae6afa3d7fd9b1362d3fde9432cf2232fea",
    "wgan_traces-epoch0015.safetensors": "4a4d9447a8894e121b0994c6bd985c517c9c9d2e0f77e50d6a2bff3e05d2f9f4",
    "wgan_traces-epoch0020.safetensors": "a4c7766b33624108d3ccb1b0cd50b5f03758781e0cff69360095d30e48e908d9",
    "wgan_traces.safetensors": "f51344403002c05f3bdb63a2d8059dbe3d3f23457101a5efb98eb1dc37051e7b",
}


def folder() -> Path:
    """Return where shipped weights and results are: in the checkout, or beside the installed package."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_shipped" / "results"
    return shipped if shipped.is_dir() else package.parent / "book" / "results"


@checked()
def checksum(path: Path) -> str:
    """Return the sha256 of a weights file, or nothing where there is none.

    Raises
    ------
    ValueError
        If its name is one of `FROZEN` and its content is not.
    """
    path = Path(path)
    if not path.is_file():
        return ""
    found, frozen = hashlib.sha256(path.read_bytes()).hexdigest(), FROZEN.get(path.name)
    if frozen is not None and found != frozen:
        raise ValueError(
            f"weights file {path} must be the training {frozen[:12]}… that results rest on; it is {found[:12]}…. "
            "Restore it, and give another training a name of its own."
        )
    return found
