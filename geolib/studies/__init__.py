"""The studies by name: one package for each paper, its companions inside."""

from __future__ import annotations

import pkgutil
from collections.abc import Iterable, Mapping

from geolib import _checks
from geolib.runs import paths
from geolib.runs.config import Config
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

#: Where below this package each study is, and its parameters, which are known before what computes.
#: The package is that of the paper whose chapter shows it.
_PLACES = {
    "gan_101": ("gan_101.study", "gan_101.config:GanConfig"),
    "wgan_traces": ("wgan_traces.study", "wgan_traces.config:TracesConfig"),
    "latent_inversion": ("latent_inversion.study", "latent_inversion.config:LatentConfig"),
    "rnn_fwi": ("rnn_fwi.study", "rnn_fwi.config:FwiConfig"),
    "wgan_quality": ("wgan_traces.quality", "wgan_traces.config:QualityConfig"),
    "wgan_stopping": ("wgan_traces.stopping", "wgan_traces.config:StoppingConfig"),
    "wgan_factor": ("wgan_traces.factor", "wgan_traces.config:FactorConfig"),
    "wgan_gap": ("wgan_traces.gap", "wgan_traces.config:GapConfig"),
    "wgan_conditional": ("wgan_traces.conditional", "wgan_traces.config:ConditionalConfig"),
    "wgan_gathers": ("wgan_traces.gathers", "wgan_traces.config:GathersConfig"),
    "wgan_use": ("wgan_traces.use", "wgan_traces.config:UseConfig"),
    "latent_prior": ("latent_inversion.prior", "latent_inversion.config:PriorConfig"),
    "latent_facies": ("latent_inversion.facies", "latent_inversion.config:FaciesConfig"),
    "latent_search": ("latent_inversion.search", "latent_inversion.config:SearchConfig"),
    "latent_ablation": ("latent_inversion.ablation", "latent_inversion.config:AblationConfig"),
    "latent_truths": ("latent_inversion.truths", "latent_inversion.config:TruthsConfig"),
    "latent_choices": ("latent_inversion.choices", "latent_inversion.config:ChoicesConfig"),
    "latent_posterior": ("latent_inversion.posterior", "latent_inversion.config:PosteriorConfig"),
    "gan_tricks": ("gan_101.tricks", "gan_101.config:TricksConfig"),
    "gan_seeds": ("gan_101.seeds", "gan_101.config:SeedsConfig"),
    "rnn_starts": ("rnn_fwi.starts", "rnn_fwi.config:StartsConfig"),
    "fwi_own": ("rnn_fwi.own", "rnn_fwi.own:OwnConfig"),
    "latent_own": ("latent_inversion.own", "latent_inversion.own:OwnConfig"),
    "traces_own": ("wgan_traces.own", "wgan_traces.own:OwnConfig"),
}
_CHAPTERS = {name: place.partition(".")[0] for name, (place, _) in _PLACES.items()}
NAMES = tuple(name for name, chapter in _CHAPTERS.items() if name == chapter)
#: Studies of the reader's own data, the chapter whose command runs each, and the files that ask for
#: it. They have a page of their own, which says nothing of the papers.
OWN = {
    "fwi_own": (_CHAPTERS["fwi_own"], ("velocity", "gathers", "truth")),
    "latent_own": (_CHAPTERS["latent_own"], ("traveltimes", "weights", "training_image")),
    "traces_own": (_CHAPTERS["traces_own"], ("traces",)),
}
#: Studies without a chapter of their own, and the chapter that shows them.
COMPANIONS = {n: chapter for n, chapter in _CHAPTERS.items() if n not in {*NAMES, *OWN}}


def get(name: str) -> AnyStudy:
    """Return a study or companion; an unknown name raises ValueError with the nearest study."""
    found: AnyStudy = pkgutil.resolve_name(f"geolib.studies.{_places(name)[0]}:STUDY")
    return found


def config_of(name: str) -> type[Config]:
    """Return the configuration of a study or companion, without what computes.

    Raises
    ------
    ValueError
        If the name is unknown; the nearest study is named.
    """
    found: type[Config] = pkgutil.resolve_name(f"geolib.studies.{_places(name)[1]}")
    return found


def _places(name: str) -> tuple[str, str]:
    if name not in {**COMPANIONS, **OWN}:
        _checks.choice("study", name, NAMES)
    return _PLACES[name]


def asked_for(name: str, parameters: Iterable[str]) -> str:
    """Return the study that a command means: with a file of the reader's, that of own data."""
    for own, (chapter, asking) in OWN.items():
        if name == chapter and set(asking) & set(parameters):
            return own
    return name


def own_data(chapter: str) -> list[str]:
    """Return how a reader's own data enter a chapter, a line for each page of them."""
    return [
        f"Your own data: geolib run {chapter} with "
        f"{', '.join(f'-p {name} FILE' for name in asking)}; "
        f"geolib params {own} lists all that goes with them."
        for own, (whose, asking) in OWN.items()
        if whose == chapter
    ]


def module_of(name: str) -> str:
    """Return the name of the module that holds a study or companion."""
    return f"geolib.studies.{_PLACES[name][0]}"


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

    The file that a study shows (`Study.shown`) wins over that of the quick preset; measures of a
    file of another name have that in front, as in ``width64.table1.I.image``.
    """
    return _sources(study)[0]


def shipped_both(
    study: AnyStudy,
) -> tuple[dict[str, tuple[Measure, str]], dict[str, dict[str, Measure]]]:
    """Return `shipped_sources`, and by another choice than ours what it makes of the same files."""
    found, read = _sources(study)
    return found, _variants(study, read)


def _sources(study: AnyStudy) -> tuple[dict[str, tuple[Measure, str]], dict[str, Results]]:
    """Return what is measured, and the results that are shown by study."""
    found: dict[str, tuple[Measure, str]] = {}
    read: dict[str, Results] = {}
    for part in (*companions(study.name), study):
        head = f"{part.name}-"
        labels = sorted(
            path.stem.removeprefix(head) for path in paths.results().glob(f"{head}*.nc")
        )
        usual = ("quick", part.shown)
        others = [label for label in labels if label not in usual]
        for label in (*usual, *others):
            results = shipped(part, label)
            if results is not None:
                if label == part.shown:
                    read[part.name] = results
                for unit in results.units:
                    _must_be_of(part, unit, f"{head}{label}.nc")
                made = part.measures(part.Config.stored(results.config), results.units)
                front = "" if label in usual else f"{label}."
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
