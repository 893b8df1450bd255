"""The wave engine at each order in space beside deepwave at the same accuracy: forward and gradient, by threads.

Writes bench/waves_orders.json, with rows for each processor that it ran on, and their table, bench/waves_orders.md.
Wants a quiet machine and takes less than three minutes on two cores. Programs take turns within one run; the case and
what is fair are those of bench/waves.py, with four shots: deepwave has its best number of threads up to ours, too.
Where deepwave is not installed nothing is written, and our own rows are shown.
"""

import importlib.util
import inspect
import os
import statistics
import warnings
from pathlib import Path

import machines
import torch
import waves

from geolib.runs.store import provenance
from geolib.runs.tables import markdown
from geolib.waves import misfit_and_gradient, propagate

HERE = Path(__file__).parent
ORDERS, SHOTS = (2, 4, 6, 8), 4
TURNS = {"forward": 7, "gradient": 3}
#: deepwave's own default, at which its ways to save are tried too.
DEFAULT = 4
THERE = importlib.util.find_spec("deepwave") is not None


def ours(order):
    def run(velocity, survey, observed=None):
        if observed is None:
            return propagate(velocity, survey, space_order=order)
        return misfit_and_gradient(velocity, survey, observed, space_order=order)

    return run


def theirs(order, **options):
    return waves.by_autograd(lambda v, survey: waves.deepwave_traces(v, survey, accuracy=order, **options))


def savings(survey):
    """Return deepwave's options that save time or memory of a gradient, by name, those that it has."""
    import deepwave

    nyquist = int(1 / (2 * survey.highest_frequency * survey.dt))
    every = max(step for step in range(1, nyquist + 1) if survey.nt % step == 0)  # deepwave wants whole blocks
    wanted = {
        f"gradient sampled every {every} steps": {"model_gradient_sampling_interval": every},
        "compressed storage": {"storage_compression": True},
    }
    known = inspect.signature(deepwave.scalar).parameters
    return {name: options for name, options in wanted.items() if set(options) <= set(known)}


def programs(order, survey):
    """Return by name what is measured at one order; a saving is of gradients alone."""
    found = {"geolib": ours(order)}
    if THERE:
        found["deepwave"] = theirs(order)
        if order == DEFAULT:
            found |= {f"deepwave, {name}": theirs(order, **options) for name, options in savings(survey).items()}
    return found


def measured(order, threads, velocity, survey, observed):
    """Return the rows of one order: each task, each number of threads, each program beside ours."""
    running, rows = programs(order, survey), []
    for task, data in (("forward", None), ("gradient", observed)):
        waves.say(f"timing order {order}, {task}")
        names = [name for name in running if task == "gradient" or "," not in name]
        for n in threads:
            torch.set_num_threads(n)
            found = {name: [] for name in names}
            for turn in range(TURNS[task] + 1):
                for name in names:
                    elapsed = waves.seconds(running[name], velocity, survey, data)
                    if turn:  # the first compiles and warms up
                        found[name].append(elapsed)
            mine = found.pop("geolib")
            row = {"order": order, "task": task, "threads": n, "geolib_s": statistics.median(mine)}
            rows += [
                row
                | {
                    "other": name,
                    "other_s": statistics.median(times),
                    "turns_ratio": statistics.median(b / a for a, b in zip(mine, times, strict=True)),
                }
                for name, times in found.items()
            ] or [row]
    return rows


def fair(rows):
    """Give each row its target and the ratio to the other's best number of threads, up to the row's own.

    Of runs that took turns the ratio is the median of turns, of others that of both medians.
    """
    for row in rows:
        if "other" in row:
            same = [r for r in rows if all(r.get(key) == row[key] for key in ("order", "task", "other"))]
            best = min((r for r in same if r["threads"] <= row["threads"]), key=lambda r: r["other_s"])
            own = best["threads"] == row["threads"]
            row |= {
                "best_s": best["other_s"],
                "best_threads": best["threads"],
                "ratio": row["turns_ratio"] if own else best["other_s"] / row["geolib_s"],
                "target": machines.TARGETS[row["task"]],
            }
    return rows


def table(machine) -> str:
    """Return the rows of one processor as a Markdown table with what it was measured on."""
    rows = []
    for row in machine["rows"]:
        other = ["", "", "", "", ""]
        if "other" in row:
            verdict = "met" if row["ratio"] >= row["target"] else "**missed**"
            fewer = " (1 thread)" if row["best_threads"] < row["threads"] else ""
            other = [
                row["other"] + fewer,
                f"{row['best_s']:.3f} s",
                f"{row['ratio']:.2f}",
                f"{row['target']:g}",
                verdict,
            ]
        rows.append([row["order"], row["task"], row["threads"], f"{row['geolib_s']:.3f} s", *other])
    seconds = {(row["order"], row["threads"], row["task"]): row["geolib_s"] for row in machine["rows"]}
    costs = [
        f"{seconds[order, n, 'gradient'] / seconds[order, n, 'forward']:.1f} (order {order}, {n} thread{'s' * (n > 1)})"
        for order, n, task in seconds
        if task == "forward"
    ]
    turns = machine["turns"]
    heads = ["order", "", "threads", "geolib", "the other", "", "ratio, measured", "target", ""]
    lines = [
        markdown(heads, rows, "rlrrlrrrl"),
        "",
        f"{machine['setting']}, float32. A gradient takes as long as so many forward runs: {', '.join(costs)}.",
        "Where deepwave is slower on two threads than on one, its time on one is what ours is compared with.",
        f"Medians of {turns['forward']} turns forward and {turns['gradient']} with gradient, taken in turn",
        f"({machine['device']}), {machine['source']}; load average {machine['load']:.1f}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    velocity, survey = waves.case(n_shots=SHOTS)
    observed = torch.zeros(SHOTS, velocity.shape[1], survey.nt)
    threads = sorted({1, min(2, len(os.sched_getaffinity(0)))})
    rows = [row for order in ORDERS for row in measured(order, threads, velocity, survey, observed)]
    fair(rows)
    here = {
        **machines.source(provenance()),
        "setting": f"{SHOTS} shots, {survey.nt} steps, {' x '.join(map(str, velocity.shape))} cells + {waves.WIDTH} "
        "absorbing on each side",
        "turns": TURNS,
        "load": os.getloadavg()[0],
        "rows": rows,
    }
    if not THERE:
        waves.say("deepwave is not installed: nothing is written")
        print(table(here))
        return
    print(machines.write(HERE / "waves_orders", here, table))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
