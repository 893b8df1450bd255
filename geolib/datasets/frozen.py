"""The trainings that shipped results rest on, by the hash of their files. Another training is another file."""

from __future__ import annotations

import hashlib
from pathlib import Path

#: By file name; none is ever replaced, since results tell by the name which training they are of.
FROZEN = {
    "latent_inversion-sgan16.safetensors": "2c6c7901af6ecf6b4f4d639074976b58ddaf0fc9ee25ae8aeaa1b3ca27430f2c",
    "latent_inversion-sgan32.safetensors": "bf1fbbb418158c105d33704f824aa7d9ca804444f38eb3315dad0379b61bdc72",
    "latent_inversion-sgan64.safetensors": "ee36878f0b8d4726411bc22b98a1f8850de12965311c3761aea892c4201ff458",
    "latent_inversion-normal16.safetensors": "ab3f878c7dd3e613a4458343933bc793af215a340d6d9db4ba39a3149cd77785",
    "wgan_traces.safetensors": "f51344403002c05f3bdb63a2d8059dbe3d3f23457101a5efb98eb1dc37051e7b",
}


def folder() -> Path:
    """Return where shipped weights and results are: in the checkout, or beside the installed package."""
    package = Path(__file__).resolve().parents[1]
    shipped = package / "_shipped" / "results"
    return shipped if shipped.is_dir() else package.parent / "book" / "results"


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
