"""The studies by name: one package for each paper, its companions inside."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping

from geolib import _checks
from geolib.runs import paths
from geolib.runs.config import PRESETS, Config
from geolib.runs.measure import Measure
from geolib.runs.publishing import check_reuse, publish, shipped
from geolib.runs.runner import key, recompute, run, whole_key
from geolib.runs.store import Results
from geolib.runs.study import APPENDIX, AnyStudy
from geolib.runs.unit import Units

__all__ = [
    "COMPANIONS",
    "NAMES",
    "OWN",
    "asked_for",
    "check_reuse",
    "config_of",
    "get",
    "key",
    "module_of",
    "of_page",
    "pages",
    "publish",
    "recompute",
    "run",
    "shipped",
    "shipped_both",
    "shipped_measures",
    "shipped_sources",
    "shown",
    "whole_key",
]

NAMES = ("gan_101", "wgan_traces", "latent_inversion", "rnn_fwi")
#: Studies without a chapter of their own, and the chapter that shows them.
COMPANIONS = dict.fromkeys(
    (
        "wgan_quality",
        "wgan_stopping",
        "wgan_factor",
        "wgan_conditional",
        "wgan_gathers",
        "wgan_use",
    ),
    "wgan_traces",
)
COMPANIONS |= dict.fromkeys(
    (
        "latent_prior",
        "latent_facies",
        "latent_search",
        "latent_truths",
        "latent_choices",
        "latent_posterior",
    ),
    "latent_inversion",
)
COMPANIONS |= {"gan_tricks": "gan_101", "rnn_starts": "rnn_fwi"}
#: Studies of the reader's own data, the chapter whose command runs each, and the files that ask for
#: it. They have a page of their own, which says nothing of the papers.
OWN = {
    "fwi_own": ("rnn_fwi", ("velocity", "gathers")),
    "latent_own": ("latent_inversion", ("traveltimes", "weights", "training_image")),
    "traces_own": ("wgan_traces", ("traces",)),
}
#: Studies whose configuration has a module of its own, so that it is known before what computes.
_CONFIGS = {
    "gan_101": "GanConfig",
    "wgan_traces": "TracesConfig",
    "latent_inversion": "LatentConfig",
    "rnn_fwi": "FwiConfig",
}
_CONFIGS |= {name: f"{name.split('_')[1].capitalize()}Config" for name in COMPANIONS}
_MODULES = {name: f"{name}.study" for name in NAMES}
_MODULES |= {name: f"{chapter}.{name.split('_')[1]}" for name, chapter in COMPANIONS.items()}
_MODULES |= {name: f"{chapter}.own" for name, (chapter, _) in OWN.items()}


def get(name: str) -> AnyStudy:
    """Return a study or companion; an unknown name raises ValueError with the nearest study."""
    if name not in {**COMPANIONS, **OWN}:
        _checks.choice("study", name, NAMES)
    found: AnyStudy = importlib.import_module(module_of(name)).STUDY
    return found


def config_of(name: str) -> type[Config]:
    """Return the configuration of a study or companion, without what computes.

    Raises
    ------
    ValueError
        If the name is unknown; the nearest study is named.
    """
    if name not in _CONFIGS:
        return get(name).Config
    module = importlib.import_module(f"geolib.studies.{COMPANIONS.get(name, name)}.config")
    found: type[Config] = getattr(module, _CONFIGS[name])
    return found


def asked_for(name: str, parameters: Iterable[str]) -> str:
    """Return the study that a command means: with a file of the reader's, that of own data."""
    for own, (chapter, asking) in OWN.items():
        if name == chapter and set(asking) & set(parameters):
            return own
    return name


def module_of(name: str) -> str:
    """Return the name of the module that holds a study or companion."""
    return f"geolib.studies.{_MODULES[name]}"


def pages() -> list[str]:
    """Return the names of all notebooks: each study's chapter, then its appendix if it has one."""
    return [page for name in NAMES for page in get(name).pages]


def of_page(page: str) -> AnyStudy:
    """Return the study that a notebook tells of."""
    return get(page.removesuffix(APPENDIX))


def companions(chapter: str) -> list[AnyStudy]:
    """Return the studies that a chapter shows besides its own."""
    return [get(name) for name, shown in COMPANIONS.items() if shown == chapter]


def shipped_measures(study: AnyStudy) -> dict[str, Measure]:
    """Return the measures of what is shipped of a study and its companions (`shipped_sources`)."""
    return {name: measure for name, (measure, _) in shipped_sources(study).items()}


def shipped_sources(study: AnyStudy) -> dict[str, tuple[Measure, str]]:
    """Return the measures of what is shipped of a study and its companions, each with its file.

    The paper preset wins over the quick; measures of a file of another name have that in front, as
    in ``width64.table1.I.image``.
    """
    return _sources(study)[0]


def shipped_both(
    study: AnyStudy,
) -> tuple[dict[str, tuple[Measure, str]], dict[str, dict[str, Measure]]]:
    """Return `shipped_sources`, and by another choice than ours what it makes of the same files."""
    found, read = _sources(study)
    return found, _variants(study, read)


def _sources(study: AnyStudy) -> tuple[dict[str, tuple[Measure, str]], dict[str, Results]]:
    """Return what is measured, and the results of the paper preset by study."""
    found: dict[str, tuple[Measure, str]] = {}
    read: dict[str, Results] = {}
    for part in (*companions(study.name), study):
        head = f"{part.name}-"
        labels = sorted(
            path.stem.removeprefix(head) for path in paths.results().glob(f"{head}*.nc")
        )
        others = [label for label in labels if label not in PRESETS]
        for label in (*PRESETS, *others):
            results = shipped(part, label)
            if results is not None:
                if label == "paper":
                    read[part.name] = results
                for unit in results.units:
                    _must_be_of(part, unit, f"{head}{label}.nc")
                made = part.measures(part.Config.stored(results.config), results.units)
                front = "" if label in PRESETS else f"{label}."
                found |= {
                    f"{front}{name}": (measure, f"{head}{label}.nc")
                    for name, measure in made.items()
                }
    return found, read


def _must_be_of(study: AnyStudy, unit: str, file: str) -> None:
    if all(kind.read(unit) is None for kind in study.kinds):
        raise ValueError(
            f"results file {file} must hold units of {study.name}; {unit!r} is none. "
            "Restore the file or publish again."
        )


def shown(study: AnyStudy, config: Config, computed: Results | None = None) -> Units:
    """Return the units that a page speaks of, by name; it computes none.

    Parameters
    ----------
    study, config
        What the page is about.
    computed : Results, optional
        What the notebook has computed itself; an appendix finds what its chapter has.

    Returns
    -------
    mapping
        The shipped units where the parameters are those of the quick preset, with which the book is
        built: its pages speak of the paper's scale. Else a reader's own run alone, so that what is
        said of it is true of it.
    """
    results = shipped(study)
    if results is not None and not config.changes():
        return results.units
    return (computed or run(study, config, only_finished=True)).units


def _variants(study: AnyStudy, read: Mapping[str, Results]) -> dict[str, dict[str, Measure]]:
    found: dict[str, dict[str, Measure]] = {}
    for part in (study, *companions(study.name)):
        if part.name not in read:
            continue
        results = read[part.name]
        made = part.variants(part.Config.stored(results.config), results.units)
        for choice, measures in made.items():
            found[choice] = found.get(choice, {}) | measures
    return found
