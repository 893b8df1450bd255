"""A generator that the reader gives: the authors' file, or one of ours."""

from __future__ import annotations

from geolib.datasets.weights import must_fit, state_dict
from geolib.gans import sgan
from geolib.studies.latent_inversion.config import check_width
from geolib.studies.latent_inversion.world import weights_path

#: Tensors of the authors' `netG_epoch_36.pth`, by the place of each layer, and their names here.
AUTHORS = {
    **{f"main.{3 * layer}.weight": f"up.{layer}.weight" for layer in range(5)},
    "main.14.weight": "widen.weight",
    "main.17.weight": "merge.weight",
}


def network(weights: str, width: int) -> sgan.Generator:
    """Return the generator: that of a file, of the authors' layout or ours, or the shipped one.

    Raises
    ------
    TypeError, ValueError
        If the file is refused (`geolib.datasets.weights`).
    """
    if not weights:
        check_width(width)
        return sgan.load_weights(weights_path(width))
    given = state_dict("weights", weights)
    names = {**AUTHORS, **{name: name for name in AUTHORS.values()}}
    first = next(
        (given[name] for name in ("main.17.weight", "merge.weight") if name in given), None
    )
    if first is None or first.dim() != 4:
        raise ValueError(
            "weights must be of this generator; main.17.weight (the authors' layout) or "
            f"merge.weight (ours) is missing in {weights}. Give another file."
        )
    made = sgan.Generator(max(2, len(first)))
    own = made.state_dict()
    layout = {name: names[name] for name in (AUTHORS if "main.17.weight" in given else own)}
    must_fit("weights", given, {name: tuple(own[to].shape) for name, to in layout.items()})
    made.load_state_dict({to: given[name].float() for name, to in layout.items()})
    return made.requires_grad_(False).eval()
