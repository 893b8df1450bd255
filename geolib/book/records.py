"""Where numbers come from: records of shipped files, a chapter's close, the page of states."""

from __future__ import annotations

import datetime
import hashlib
from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from geolib import studies
from geolib.book import links
from geolib.runs import audit, paths, provenance, store, surroundings
from geolib.runs.config import PRESETS, Config, plain
from geolib.runs.study import AnyStudy
from geolib.runs.tables import duration, markdown, span

# Text badges: colour alone would not reach every reader.
BADGES = {
    "current": "{bdg-success}`current`",
    "stale": "{bdg-danger}`stale`",
    "not executed": "{bdg-danger}`not executed`",
}
# Commits are told apart by this many digits.
_DIGITS = 9


@dataclass(frozen=True)
class Shipped:
    """A shipped results file and its records.

    Attributes
    ----------
    path : Path
        The file.
    study : module
        The study it belongs to.
    results : Results
        Its content.
    key : str
        Its key; another one than the study's present key makes it stale.
    """

    path: Path
    study: AnyStudy
    results: store.Results
    key: str

    @property
    def config(self) -> Config:
        """The parameters of the run."""
        made: Config = self.study.Config.stored(self.results.config)
        return made

    @property
    def chapter(self) -> str:
        """The study whose chapter shows the results."""
        name = self.study.name
        return studies.COMPANIONS.get(name, name)

    @property
    def anchor(self) -> str:
        """Label of its section on the page of records."""
        return f"record-{self.path.stem}"

    @property
    def command(self) -> str:
        """What computes the runs of these parameters that the file lacks, and puts them there."""
        label = self.path.stem.rpartition("-")[2]
        preset = label if label in PRESETS else "paper"
        usual = self.study.Config.preset(preset).as_dict()
        words = [f"geolib publish {self.study.name} --preset {preset}"]
        for name, value in self.config.as_dict().items():
            words += [f"-p {name} {plain(value)}"] if value != usual[name] else []
        return " ".join([*words, *([] if label == preset else [f"--as {label}"])])

    @property
    def dates(self) -> list[str]:
        """The day on which each unit was computed."""
        return [str(record.get("date", "?")) for record in self.results.records.values()]

    @property
    def state(self) -> str:
        """Either current or, where the study's version has changed since, stale."""
        try:
            same = self.key == studies.key(self.study, self.config)
        except (TypeError, ValueError):  # a parameter that the study no longer knows
            same = False
        return "current" if same else "stale"

    def explained(self) -> str:
        """Return what the state means, with counts."""
        if self.state == "stale":
            return (
                f"computed by another version of the study (key {self.key}): its numbers may mean "
                "something else"
            )
        return "computed by this version of the study"


def shipped() -> list[Shipped]:
    """Return every shipped results file, in the order of the studies.

    Raises
    ------
    ValueError
        If a file is damaged.
    """
    found = []
    for name in (*studies.NAMES, *studies.COMPANIONS):
        for path in sorted(paths.results().glob(f"{name}-*.nc")):
            results, key = store.load(path)
            found.append(Shipped(path, studies.get(name), results, key))
    return found


def facts(config: Config, records: Sequence[Mapping[str, Any]]) -> dict[str, str]:
    """Return by fact the parameters, seeds, commits, versions, hardware and times of units."""
    seeds = {name: value for name, value in config.as_dict().items() if "seed" in name}
    versions = {tuple(sorted(record.get("versions", {}).items())) for record in records}
    commits = Counter(map(_made_by, records))
    named = [f"`{_commit(commit)}`" for commit, _ in commits.most_common()]
    return {
        "Differs from the quick preset in": config.differences(),
        "Seeds": ", ".join(f"{name} = {value}" for name, value in seeds.items())
        or "fixed in the code",
        "Commits": _few(named),
        "Versions": _few(
            [", ".join(f"{name} {number}" for name, number in found) for found in sorted(versions)]
        ),
        "Hardware": _few(
            sorted({f"{r.get('device', '?')}, {r.get('cores', '?')} thread(s)" for r in records})
        ),
        "Computing time": duration(sum(float(record.get("seconds", 0)) for record in records)),
        "Date": span([str(record.get("date", "?")) for record in records]),
    }


def section(columns: Mapping[str, Mapping[str, str]]) -> str:
    """Return a chapter's closing section: a table of facts for this build and each shipped run."""
    parts = [markdown([name, ""], list(found.items())) for name, found in columns.items()]
    return "\n\n".join(["### The record of this page", *parts]) + "\n"


def foot(about: Mapping[str, Any], files: Sequence[Shipped]) -> str:
    """Return the line at a chapter's foot: executed when, by what; its results, and their audit."""
    line = "Shown as it was committed, not executed by this build"
    if about:
        line = (
            f"Executed {about['date']} in {about['seconds']:.0f} s, commit "
            f"`{_commit(about['commit'])}`"
        )
    if files:
        count, runs = len(files), sum(len(file.results.units) for file in files)
        link = f"{{doc}}`{count} file{'s'[: count > 1]} of precomputed results </records>`"
        audited = _audited([file.path for file in files])
        line += f"; {link}, {runs:,} run{'s'[: runs > 1]}, {audited}"
    return f"{line}.\n"


def _audited(found: Sequence[Path]) -> str:
    """Return whether files are those that were published, by the digests noted then."""
    same = {finding.name: finding.agrees for finding in audit.files(found[0].parent)}
    other = [path.name for path in found if not same[path.name]]
    if other:
        return f"audited: not as published {', '.join(other)}"
    return f"audited: {'each is' if len(found) > 1 else 'it is'} as it was published"


def label(page: str) -> str:
    """Return the label at the top of a chapter or an appendix."""
    study = studies.of_page(page).name
    return f"chapter-{study}" if page == study else f"appendix-{study}"


def page(files: Sequence[Shipped], judged: Sequence[Mapping[str, Any]]) -> str:
    """Return the sections of the page of records: one for each shipped file.

    Parameters
    ----------
    files : sequence of Shipped
        The shipped results.
    judged : sequence of dict
        The rows of `ledger.judge`, to which each file leads that they rest on.
    """
    known = provenance.whole_history()
    commits = [_made_by(record) for found in files for record in found.results.records.values()]
    parts = [_gone(commits, known)]
    parts += [_results(found, links.of_record(judged, found.path.name), known) for found in files]
    parts += [_weights(path) for path in sorted(paths.results().glob("*.safetensors"))]
    return "\n".join(parts)


def _made_by(record: Mapping[str, Any]) -> str:
    return str(record.get("commit", "unknown"))


def _absent(commit: str, known: Collection[str]) -> bool:
    return bool(known) and commit.partition("+")[0] not in known


def _gone(commits: Sequence[str], known: Collection[str]) -> str:
    """Return how many runs are of commits that the history lacks, and what that means."""
    if not known:
        return "Whether the commits below are in the repository's history is unknown here.\n"
    count = sum(_absent(commit, known) for commit in commits)
    return (
        f"Behind the commits of {count:,} of the {len(commits):,} runs stands an asterisk: the "
        "repository's history does not hold them. What these runs were computed with cannot be "
        "looked up; the {ref}`audit <audit>` checks such runs with the present code.\n"
    )


def drift(measured: Mapping[str, Any]) -> str:
    """Return how far the notebooks' numbers moved under other machines' arithmetic, as a table.

    Parameters
    ----------
    measured : mapping
        `bench/portable.json`: `settings` and, by notebook and setting, `numbers`, `moved` and the
        drift of `cells`.
    """
    settings, notebooks = measured["settings"], measured["notebooks"]
    rows = []
    for label in settings:
        cells = []
        for found in (by_setting.get(label) for by_setting in notebooks.values()):
            largest = max(found["cells"].values(), default=0.0) if found else 0.0
            moved = f"{found['moved']} of {found['numbers']}, {largest:.0e}" if largest else "none"
            cells.append(moved if found else "—")
        rows.append([label, *cells])
    table = markdown(["Setting", *(f"`{name}`" for name in notebooks)], rows)
    entries = [entry for by_setting in notebooks.values() for entry in by_setting.values()]
    origin = {
        key: sorted({str(entry[key]) for entry in entries}) for key in ("device", "date", "commit")
    }
    commits = ", ".join(f"`{_commit(commit)}`" for commit in origin["commit"])
    measured_by = (
        f"Measured on {', '.join(origin['device'])}; {span(origin['date'])}; commits {commits}."
    )
    changes = [
        (label, ", ".join(f"`{n}={v}`" for n, v in values.items()))
        for label, values in settings.items()
    ]
    tried = (
        f"Of {len(studies.pages())} notebooks {len(notebooks)} were executed so, "
        f"{len(entries)} times in all; a dash stands for what was not tried."
    )
    return "\n".join(
        [
            tried,
            "",
            table,
            "",
            measured_by,
            "",
            *_dropdown("What was set", markdown(["Setting", "Variables"], changes)),
        ]
    )


def _results(found: Shipped, claims: Mapping[str, Sequence[str]], known: Collection[str]) -> str:
    records = found.results.records
    about = {"Runs": str(len(records)), **facts(found.config, list(records.values()))}
    about |= {"State": f"{BADGES[found.state]} {found.explained()}.", "Key": f"`{found.key}`"}
    if found.state == "current":
        about["Extended by"] = f"`{found.command}`"
    resting = links.counted(sum(map(len, claims.values())))
    about["What rests on it"] = resting
    # A list wraps at its commas; on a command line it has no spaces.
    parameters = [
        (f"`{name}`", plain(value).replace(",", ", "))
        for name, value in found.results.config.items()
    ]
    rows = []
    for unit, record in records.items():
        cells = [
            f"`{unit}`",
            f"{float(record.get('seconds', 0)):.1f}",
            str(record.get("date", "?")),
            f"`{_commit(made := _made_by(record))}`" + "\\*" * _absent(made, known),
            str(record.get("device", "?")),
        ]
        rows.append(cells)
    return "\n".join(
        [
            f"({found.anchor})=\n## {found.path.name}\n",
            f"Results of the chapter {{ref}}`chapter-{found.chapter}`.\n",
            *_file(found.path, about),
            *(_dropdown(f"What rests on it: {resting}", links.verdicts(claims)) if claims else ()),
            *_dropdown("All parameters", markdown(["Parameter", "Value"], parameters)),
            *_dropdown(
                f"The {len(records)} runs",
                markdown(["Run", "Seconds", "Date", "Commit", "Hardware"], rows, "lr"),
            ),
        ]
    )


def _weights(path: Path) -> str:
    from safetensors import safe_open

    with safe_open(path, "np") as file:
        tensors = list(file.keys())
        numbers = sum(file.get_slice(name).get_shape() != [] for name in tensors)
        about = {"Tensors": f"{len(tensors)}, {numbers} of them arrays"}
        about |= {name: f"`{value}`" for name, value in sorted((file.metadata() or {}).items())}
    about["In this repository since"] = _added(path)
    if (training := path.with_suffix(".json")).is_file():
        about["Recipe and course of its training"] = f"`book/results/{training.name}`"
    return "\n".join(
        [f"(record-{path.stem})=\n## {path.name}\n", "Weights of a network.\n", *_file(path, about)]
    )


def _file(path: Path, about: Mapping[str, str]) -> list[str]:
    content = path.read_bytes()
    rows = {"File": f"`book/results/{path.name}`, {len(content) / 1e6:.2f} MB", **about}
    rows["SHA-256"] = f"`{hashlib.sha256(content).hexdigest()}`"
    return [markdown(["Fact", "Value"], list(rows.items())), ""]


def _dropdown(title: str, table: str) -> list[str]:
    return [f":::{{dropdown}} {title}", table, ":::", ""]


def status(
    files: Sequence[Shipped], chapters: Mapping[str, Mapping[str, Any]], today: datetime.date
) -> str:
    """Return the tables of states: chapters, then shipped files.

    Parameters
    ----------
    files : sequence of Shipped
        The shipped results.
    chapters : mapping
        For each notebook `state`, `why`, and the `provenance` of its execution with `seconds`.
    today : date
        The day from which ages are counted.
    """
    rows = []
    for name, found in chapters.items():
        about = found["provenance"]
        cells = [f"{{ref}}`{name} <{label(name)}>`", *_dates([str(about.get("date", "?"))], today)]
        cells += [
            f"{about['seconds']:.0f}" if "seconds" in about else "—",
            f"`{_commit(about.get('commit', '—'))}`",
        ]
        cells.append(BADGES[found["state"]] + (f" {found['why']}" if found["why"] else ""))
        rows.append(cells)
    chapter = markdown(["Notebook", "Executed", "Age", "Seconds", "Commit", "State"], rows, "lllr")
    rows = []
    for file in files:
        records = list(file.results.records.values())
        cells = [f"{{ref}}`{file.path.stem} <{file.anchor}>`", str(len(records))]
        cells += _dates(file.dates, today)
        cells += [duration(sum(float(record.get("seconds", 0)) for record in records))]
        cells.append(f"{BADGES[file.state]} {file.explained()}.")
        rows.append(cells)
    for path in sorted(paths.results().glob("*.safetensors")):
        cells = [
            f"{{ref}}`{path.stem} <record-{path.stem}>`",
            "—",
            _added(path),
            "—",
            "—",
            "weights, pinned by hash",
        ]
        rows.append(cells)
    made = markdown(["File", "Runs", "Computed", "Age", "Time", "State"], rows, "lr")
    parts = (f"As of {today.isoformat()}.", "## Chapters", chapter, "## Precomputed results", made)
    return "\n\n".join(parts) + "\n"


def _dates(dates: Sequence[str], today: datetime.date) -> list[str]:
    known = sorted(date for date in dates if date != "?")
    if not known:
        return ["—", "—"]
    days = (today - datetime.date.fromisoformat(known[-1])).days
    return [span(known), "today" if days <= 0 else f"{days} day{'s' if days > 1 else ''}"]


def _commit(commit: str) -> str:
    plain, plus, _ = commit.partition("+")
    return plain[:_DIGITS] + plus


def _added(path: Path) -> str:
    found = surroundings.git(
        path.parent, "log", "-1", "--no-show-signature", "--format=%cs", "--", path.name
    )
    return (found or "").strip() or "—"


def _few(values: Sequence[str]) -> str:
    more = f" and {len(values) - 3} more" if len(values) > 3 else ""
    return "; ".join(values[:3]) + more or "—"
