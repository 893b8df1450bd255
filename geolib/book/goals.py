"""The goals of speed: which a machine reaches, and what limits those it misses, where tested."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from geolib.runs.tables import listed, markdown

UNTESTED = "we have not tested why."
NOT_MEASURED = "not measured"
HEADS = ["Goal", "Machine", "Measured", "Target", ""]

Machine = Mapping[str, Any]


def of_waves(bench: Path) -> str:
    """Return each machine's share of the stencil's limit, and why goals are missed."""
    target = _targets(bench)
    measured = {machine["device"]: machine for machine in _machines(bench, "waves")}
    rows, reasons = [], []
    for device in _devices(bench):
        limit = measured.get(device, {}).get("limit")
        cells = [
            "share of the stencil's limit",
            device,
            NOT_MEASURED,
            f"{target['share_of_stencil']:.0%}",
            "",
        ]
        if limit:
            share = limit["fraction_of_stencil"]
            cells[2:] = [f"{share:.0%}", cells[3], _verdict(share >= target["share_of_stencil"])]
            if share < target["share_of_stencil"]:
                reasons.append(f"Share of the stencil's limit, {device}: {_layers(limit)}")
        rows.append(cells)
    for device, machine in measured.items():
        missed = [row for row in machine["rows"] if row["ratio"] < target.get(row.get("goal"), 0)]
        for row in missed:
            why = (
                _layers(machine["limit"])
                if row["goal"] == "forward" and "limit" in machine
                else UNTESTED
            )
            reasons.append(f"{row['what'][:1].upper()}{row['what'][1:]}, {device}: {why}")
        alone = machine.get("one_thread", {})
        for row, task in zip(machine["rows"], ("forward", "gradient"), strict=False):
            if task in alone and alone[task] < target[task] <= row["ratio"]:
                what = f"{task.capitalize()}, deepwave, in processor time on one thread"
                reasons.append(f"{what}, {device}: {UNTESTED}")
    return _told(rows, reasons)


def of_orders(bench: Path) -> str:
    """Return what a gradient costs in forward runs, and why goals by order are missed."""
    goal, rows, reasons = _targets(bench)["gradient_in_forwards"], [], []
    measured = {machine["device"]: machine for machine in _machines(bench, "waves_orders")}
    for device in _devices(bench):
        cells = ["gradient in forward runs", device, NOT_MEASURED, f"at most {goal:g}", ""]
        if device in measured:
            costs = _costs(measured[device]["rows"])
            least, most = min(costs), max(costs)
            met = sum(round(cost, 1) <= goal for cost in costs)
            cells[2] = f"{least:.1f} to {most:.1f}"
            cells[4] = (
                _verdict(met == len(costs))
                if met in (0, len(costs))
                else f"met in {met} of {len(costs)} rows"
            )
            if met < len(costs):
                reasons.append(f"Gradient in forward runs, {device}: {UNTESTED}")
        rows.append(cells)
    for device, machine in measured.items():
        limit = next(
            (m.get("limit") for m in _machines(bench, "waves") if m["device"] == device), None
        )
        reasons += _by_order(machine["rows"], device, limit)
    return _told(rows, reasons)


def of_accuracy(bench: Path) -> str:
    """Return why the goal for accurate traces is missed, where it is."""
    target, reasons = _targets(bench)["accuracy"], []
    runs = {machine["device"]: machine["rows"] for machine in _machines(bench, "waves_orders")}
    for machine in _machines(bench, "waves_accuracy"):
        best: dict[str, Machine] = {}
        for row in machine["rows"]:
            good = row["error"] <= machine["goal"]
            if (
                good
                and row["seconds"] < best.get(row["engine"], {"seconds": float("inf")})["seconds"]
            ):
                best[row["engine"]] = row
        if len(best) < 2 or best["deepwave"]["seconds"] / best["geolib"]["seconds"] >= target:
            continue
        order, why = best["geolib"]["order"], UNTESTED
        for row in runs.get(machine["device"], ()):
            wanted = (order, "forward", machine["threads"], "deepwave")
            if wanted == tuple(row.get(key) for key in ("order", "task", "threads", "other")):
                why = f"""Traces are forward runs: at order {order}, where ours is quickest, one
alone is {row["ratio"]:.1f} times as fast as deepwave's on this machine. Why it is not faster
we have not tested."""
        reasons.append(f"Accurate traces, {machine['device']}: {why}")
    return _told([], reasons)


def of_width(bench: Path) -> str:
    """Return the wide generator's measurement, or that there is none and what makes it."""
    if (bench / "wide_generator.md").is_file():
        told = (bench / "wide_generator.md").read_text(encoding="utf-8")
        missed = "missed" in told
        return f"{told}\n" + _told([], [f"Generator of width 64: {UNTESTED}"] if missed else [])
    goal = _targets(bench).get("wide_generator")
    if goal is None:
        return ""
    return (
        f"For the paper's generator, of width 64, we aim at {goal:g} times the plain loop. This is"
        f"\n{NOT_MEASURED}; `python bench/latent_inversion.py --width 64` measures it.\n\n"
    )


def _by_order(rows: Sequence[Machine], device: str, limit: Machine | None) -> Iterator[str]:
    """Yield a sentence for each kind of goal that some order misses on a machine."""
    kinds = dict.fromkeys((row["task"], row["other"]) for row in rows if "other" in row)
    for task, other in kinds:
        missed = [
            r
            for r in rows
            if (r["task"], r.get("other")) == (task, other) and r["ratio"] < r["target"]
        ]
        if not missed:
            continue
        where = listed(list(dict.fromkeys(str(row["order"]) for row in missed)))
        what = f"{task.capitalize()} at order {where} beside {other}, {device}"
        if ", gradient sampled" in other:
            usual = {
                (r["order"], r["threads"]): r
                for r in rows
                if r["task"] == task and r.get("other") == "deepwave"
            }
            times = [usual[r["order"], r["threads"]]["other_s"] / r["other_s"] for r in missed]
            yield f"""{what}: deepwave then sums the gradient over some of the steps alone, and is
{min(times):.1f} to {max(times):.1f} times as fast as by default; ours sums every step."""
        elif task == "forward" and limit:
            yield f"{what}: at order 2 {_layers(limit)} Of other orders we have not tested why."
        else:
            yield f"{what}: {UNTESTED}"


def _layers(limit: Machine) -> str:
    """Return what the limit's measurement shows to take the time."""
    share, alone = limit["layer_share"], limit["fraction_of_triad"] / (1 - limit["layer_share"])
    return f"""the absorbing layers take {share:.0%} of the time of one core, and without them the
engine moves {alone:.0%} of the bytes a second that a triad on fields of the same size does: there
the memory's bandwidth is near."""


def _costs(rows: Sequence[Machine]) -> list[float]:
    seconds = {(row["order"], row["threads"], row["task"]): row["geolib_s"] for row in rows}
    return [
        seconds[n, k, "gradient"] / seconds[n, k, "forward"]
        for n, k, task in seconds
        if task == "forward"
    ]


def _told(rows: Sequence[Sequence[str]], reasons: Sequence[str]) -> str:
    """Return the table of goals and the list of reasons, each where there are any."""
    text = f"{markdown(HEADS, rows, 'llrrl').strip()}\n\n" if rows else ""
    if reasons:
        text += "What limits the goals that are missed:\n\n"
        text += "".join(f"- {' '.join(reason.split())}\n" for reason in reasons) + "\n"
    return text


def _verdict(met: bool) -> str:
    return "met" if met else "**missed**"


def _devices(bench: Path) -> list[str]:
    """Return the machines that measured waves at all."""
    found = [m["device"] for name in ("waves", "waves_orders") for m in _machines(bench, name)]
    return list(dict.fromkeys(found))


def _machines(bench: Path, name: str) -> list[Any]:
    file = bench / f"{name}.json"
    return json.loads(file.read_text(encoding="utf-8"))["machines"] if file.is_file() else []


def _targets(bench: Path) -> dict[str, float]:
    file = bench / "targets.json"
    return json.loads(file.read_text(encoding="utf-8")) if file.is_file() else {}
