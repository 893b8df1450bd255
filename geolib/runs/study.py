"""A study: what it computes, in which pieces, and what it measures of them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic, TypeVar

from geolib.runs import paths
from geolib.runs.config import PRESETS, Config
from geolib.runs.measure import Measure
from geolib.runs.recheck import Recheck, whole
from geolib.runs.unit import Arrays, Unit, Units

C = TypeVar("C", bound=Config)


#: Ending of the notebook that holds what a chapter leaves out.
APPENDIX = "_appendix"


class Study(ABC, Generic[C]):
    """Base of the studies; what a study may leave out is a method with a default.

    Attributes
    ----------
    name : str
        Under which it is registered, and the beginning of its files' names.
    paper, address : str
        Key of its paper in `book/references.bib`, and where it is read.
    title, question : str
        One line, and one sentence for the landing page.
    version : int
        Raised when the meaning of a unit changes.
    Config : type
        Its frozen configuration with presets.
    kinds : tuple of type
        Its kinds of units, in the order in which a name is tried.
    shown : str
        Name of the shipped file that chapter and ledger read where they name none. Another one than that of the paper
        preset, as long as it is further.
    files : tuple of str
        Public data that it reads, names in `geolib.datasets.fetch.FILES`.
    dims : mapping
        Names of axes, by array name.
    leaves : mapping
        Files that a run leaves beside its page, by name: their places in the folder in which
        `compute` keeps state.
    lends : mapping
        What the book's first page and laboratories and the command line use of it beside its
        results, by name.
    sequential : bool
        Units build on one another: they are computed in one process, and `compute` keeps state in
        the run's folder.
    """

    name: ClassVar[str]
    paper: ClassVar[str] = ""
    address: ClassVar[str] = ""
    title: ClassVar[str]
    question: ClassVar[str] = ""
    version: ClassVar[int] = 1
    Config: type[C]
    kinds: ClassVar[tuple[type[Unit], ...]]
    shown: ClassVar[str] = "paper"
    files: ClassVar[tuple[str, ...]] = ()
    dims: ClassVar[Mapping[str, tuple[str, ...]]] = {}
    leaves: ClassVar[Mapping[str, str]] = {}
    lends: ClassVar[Mapping[str, Any]] = {}
    sequential: ClassVar[bool] = False

    @abstractmethod
    def units(self, config: C) -> list[Unit]:
        """Return the units of a configuration, in the order in which they are computed."""

    @property
    def pages(self) -> tuple[str, ...]:
        """Names of its notebooks: the chapter and, where its file is there, the appendix."""
        appendix = f"{self.name}{APPENDIX}"
        has = (paths.notebooks() / f"{appendix}.ipynb").is_file()
        return (self.name, appendix) if has else (self.name,)

    @property
    def at_hand(self) -> tuple[str, ...]:
        """Names of the shipped files from which units that fit are taken unasked."""
        return tuple(dict.fromkeys((self.shown, *PRESETS[::-1])))

    def names(self, config: C) -> list[str]:
        """Return the names of a configuration's units."""
        return [unit.name for unit in self.units(config)]

    @abstractmethod
    def compute(self, config: C, units: Sequence[Unit], folder: Path | None = None) -> Iterator[tuple[Unit, Arrays]]:
        """Yield each unit with its arrays, in any order.

        Parameters
        ----------
        config : Config
            Settings.
        units : sequence of Unit
            What is wanted.
        folder : Path, optional
            Where state may be kept from which a killed run goes on.
        """

    def batches(self, config: C, units: Sequence[Unit]) -> list[list[Unit]]:
        """Return the units in groups that may be computed apart from one another.

        Units that are computed together belong into one group: which ones, and in which places, is
        part of the study and never hangs on what else is wanted.
        """
        return [[unit] for unit in units]

    def grouping(self, unit: Unit) -> str:
        """Return what a unit's record says of those that it is computed together with."""
        return ""

    def inputs(self, config: C, unit: Unit) -> Sequence[str]:
        """Return the files that a unit's result rests on besides its configuration.

        Public data by its name in `geolib.datasets.fetch.FILES`, weights by their file in the folder of shipped
        results. By default every unit rests on all of `files`, and on the reader's files that are given.
        """
        return (*self.files, *config.files())

    def measures(self, config: C, units: Units) -> dict[str, Measure]:
        """Return the numbers that the ledger asks for, from whatever units there are."""
        return {}

    def arrays(self, config: C, units: Units) -> dict[str, Any]:
        """Return by name (`.npy`) the arrays that a run leaves beside its page."""
        return {}

    def published(self, values: Mapping[str, Sequence[int]]) -> dict[str, Measure]:
        """Return what the paper's own numbers, by claim, say of one another."""
        return {}

    def variants(self, config: C, units: Units) -> dict[str, dict[str, Measure]]:
        """Return by a choice of ours the measures that another choice gives."""
        return {}

    def recheck(self, config: C, unit: Unit, arrays: Arrays, seconds: float) -> Recheck | None:
        """Return how the audit rechecks a shipped unit; by default it is computed whole.

        Parameters
        ----------
        config : Config
            Settings that it was computed with.
        unit : Unit
            Which.
        arrays : mapping
            What is shipped of it.
        seconds : float
            What it took.

        Returns
        -------
        Recheck or None
            None where only the units before it lead to it.
        """
        return whole(self, config, unit, arrays, seconds)

    def condense(self, units: dict[str, Arrays]) -> dict[str, Arrays]:
        """Return the units as they are shipped, without what another of them holds as well."""
        return units

    def unit(self, name: str) -> Unit:
        """Return the unit of a name.

        Raises
        ------
        ValueError
            If no kind of the study has such a name.
        """
        for kind in self.kinds:
            unit = kind.read(name)
            if unit is not None:
                return unit
        looks = ", ".join(kind.TEMPLATE for kind in self.kinds)
        raise ValueError(f"unit of {self.name} must look like {looks}; got {name!r}.")


#: A study, whatever its configuration.
AnyStudy = Study[Any]
