"""Seconds to traces within one per cent of a converged solution on Marmousi, over order and spacing, beside deepwave.

Writes bench/waves_accuracy.json, with rows for each processor that it ran on, and their table, bench/waves_accuracy.md.
Wants a quiet machine and the public Marmousi file, and takes some four minutes on two cores. Both engines are given the
same grids, steps, places, all on grid points, and layers of one width, tuned to one velocity and frequency. Converged
is what geolib makes of the finest grid, with a layer twice as wide; the table says how near deepwave comes at best.
An order is refined until its traces are within half the goal, or until it takes longer than several times the quickest
way to it that is known.
"""

import os
import statistics
import warnings
from pathlib import Path

import machines
import numpy as np
import torch
import waves
import waves_orders
from scipy import ndimage

from geolib.datasets import fetch
from geolib.runs.store import provenance
from geolib.runs.tables import markdown
from geolib.waves import Boundary, Grid, Survey, propagate, ricker

HERE = Path(__file__).parent
#: Metres: of the model and its file, from its upper left corner; of what the smallest spacings divide; of the layers.
EXTENT, CORNER, FILE_SPACING, UNIT, LAYER = (1600.0, 2400.0), (150.0, 3000.0), 7.5, 40.0, 240.0
#: Fractions of the unit that are tried as spacings, and that of the converged solution.
PARTS, FINEST = (2, 3, 4, 5, 6, 8, 10, 12), 16
#: Metres that the model is smoothed by, so that it is the same earth at every spacing.
SMOOTH = 30.0
#: Hertz, seconds, seconds between samples, shots. Steps between samples are as few as are stable, or twice as many.
FREQUENCY, DURATION, SAMPLE, SHOTS, STEPS = 12.0, 1.5, 0.004, 4, (1, 2)
#: Courant number, fastest velocity times step over spacing: the largest at which deepwave makes no steps of its own.
STABLE = 0.42
GOAL, TURNS, TARGET = 0.01, 3, machines.TARGETS["accuracy"]
#: An order is given up that takes so many times as long as the quickest way that is known.
HOPELESS = 10.0


def earth():
    """Return velocity (m/s) as a function of depth and distance (m)."""
    grid = 1000 * np.fromfile(fetch.locate("marmousi_vp_1601x401.f32"), dtype="<f4").reshape(1601, 401).T
    smooth = ndimage.gaussian_filter(grid.astype(float), SMOOTH / FILE_SPACING)

    def velocity(z, x):
        places = [(at + corner) / FILE_SPACING for at, corner in zip((z, x), CORNER, strict=True)]
        return ndimage.map_coordinates(smooth, places, order=3, mode="nearest")

    return velocity


def problem(velocity, parts, steps, layer_width=LAYER):
    """Return the model and survey at a spacing of a part of the unit, with so many times the fewest stable steps."""
    h = UNIT / parts
    z, x = np.meshgrid(*(np.arange(0, side + h / 2, h) for side in EXTENT), indexing="ij")
    model = velocity(z, x)
    between = steps * int(np.ceil(SAMPLE * model.max() / (STABLE * h)))
    nt = round(DURATION / SAMPLE) * between
    dt = SAMPLE / between
    columns = torch.linspace(2, EXTENT[1] / UNIT - 2, SHOTS).round().long() * parts
    sources = torch.stack((torch.full_like(columns, parts), columns), -1)[:, None]
    across = torch.arange(int(EXTENT[1] / UNIT) + 1) * parts
    # Below the sources: at a source itself a trace grows without bound as the spacing shrinks.
    receivers = torch.stack((torch.full_like(across, 4 * parts), across), -1).expand(SHOTS, len(across), 2)
    width, fastest = round(layer_width / h), float(model.max())
    layer = Boundary("absorbing", "absorbing", "absorbing", width=width, velocity=fastest, frequency=FREQUENCY)
    # A point source is as strong at every spacing: one over the area of a cell.
    wavelet = (ricker(FREQUENCY, dt, nt, dtype=torch.float64) / h**2).float().expand(SHOTS, 1, nt)
    survey = Survey(Grid(model.shape, h), dt, nt, sources, receivers, wavelet, layer)
    return torch.from_numpy(model).float(), survey, between


def theirs(model, survey, order):
    import deepwave

    return deepwave.scalar(
        model,
        survey.grid.spacing,
        survey.dt,
        source_amplitudes=survey.source_amplitudes,
        source_locations=survey.source_locations,
        receiver_locations=survey.receiver_locations,
        accuracy=order,
        pml_width=survey.boundary.width,
        pml_freq=FREQUENCY,
        max_vel=float(model.max()),
        check_output_finite=False,
    )[-1]


def ours(model, survey, order):
    return propagate(model, survey, space_order=order)


#: Steps from the source's first sample to the trace's: geolib records the field that a step makes, deepwave the one
#: that it starts from.
LAG = {"geolib": 1, "deepwave": 0}
ENGINES = {"geolib": ours} | ({"deepwave": theirs} if waves_orders.THERE else {})


def sampled(engine, model, survey, order, between):
    """Return an engine's traces at the samples that all have, from the first to the last but one."""
    traces = ENGINES[engine](model, survey, order)
    return traces[..., between - LAG[engine] :: between][..., : survey.nt // between - 1].double()


def error(traces, converged):
    """Return how far traces are off, root mean square over all, relative."""
    return float((traces - converged).norm() / converged.norm())


def measured(velocity, converged):
    rows = []
    for order in reversed(waves_orders.ORDERS):
        for parts in PARTS:
            here = []
            for steps in STEPS:
                model, survey, between = problem(velocity, parts, steps)
                waves.say(f"order {order}, {UNIT / parts:.3g} m, {between} steps a sample")
                row = {"order": order, "spacing_m": UNIT / parts, "dt_ms": 1000 * survey.dt}
                found = {name: [] for name in ENGINES}
                for turn in range(TURNS + 1):
                    for name, engine in ENGINES.items():
                        elapsed = waves.seconds(engine, model, survey, order)
                        if turn:  # the first compiles and warms up
                            found[name].append(elapsed)
                for name in ENGINES:
                    off = error(sampled(name, model, survey, order, between), converged)
                    here.append({**row, "engine": name, "error": off, "seconds": statistics.median(found[name])})
            rows += here
            if max(min(row["error"] for row in here if row["engine"] == name) for name in ENGINES) < GOAL / 2:
                break
            quickest = best(rows).get("geolib")
            if quickest and min(row["seconds"] for row in here) > HOPELESS * quickest["seconds"]:
                break
    return rows


def best(rows):
    """Return by engine the quickest of its rows that reach the goal."""
    found = {}
    for row in sorted((row for row in rows if row["error"] <= GOAL), key=lambda row: row["seconds"]):
        found.setdefault(row["engine"], row)
    return found


def table(machine) -> str:
    """Return the quickest rows of each engine and order on one processor as a Markdown table."""
    rows = []
    for engine in dict.fromkeys(row["engine"] for row in machine["rows"]):
        for order in waves_orders.ORDERS:
            mine = [row for row in machine["rows"] if (row["engine"], row["order"]) == (engine, order)]
            row = best(mine).get(engine)
            if row is None:
                least = min((row["error"] for row in mine), default=np.nan)
                rows.append([engine, order, "", "", f"given up: {100 * least:.1f} % at best", ""])
                continue
            cells = [f"{row['spacing_m']:.1f} m", f"{row['dt_ms']:.2f} ms"]
            cells += [f"{100 * row['error']:.2f} %", f"{row['seconds']:.2f}"]
            rows.append([engine, order, *cells])
    found = best(machine["rows"])
    told = ""
    if len(found) > 1:
        ratio = found["deepwave"]["seconds"] / found["geolib"]["seconds"]
        told = f" Each at its best, geolib is {ratio:.2f} times as fast (target {TARGET:g}: "
        told += "met)." if ratio >= TARGET else "**missed**)."
    least = {
        engine: min(row["error"] for row in machine["rows"] if row["engine"] == engine)
        for engine in dict.fromkeys(row["engine"] for row in machine["rows"])
    }
    closest = ", ".join(f"{engine} {100 * error:.3f} %" for engine, error in least.items())
    lines = [
        markdown(["engine", "order", "spacing", "time step", "off by", "seconds"], rows, "lrrrrr"),
        "",
        f"The quickest way of each engine and order to traces within {100 * GOAL:g} % of a converged solution.{told}",
        f"Nearest of all rows: {closest}.",
        f"{machine['setting']}. Medians of {machine['turns']} turns on {machine['threads']} threads, taken in turn",
        f"({machine['device']}), {machine['source']}; load average {machine['load']:.1f}.",
        "",
    ]
    return "\n".join(lines)


def main() -> None:
    if fetch.locate("marmousi_vp_1601x401.f32") is None:
        waves.say("the Marmousi file is not there (GEOLIB_DATA): nothing is measured")
        return
    torch.set_num_threads(len(os.sched_getaffinity(0)))
    velocity = earth()
    waves.say("the converged solution")
    model, survey, between = problem(velocity, FINEST, STEPS[-1], 2 * LAYER)
    converged = sampled("geolib", model, survey, 8, between)
    rows = measured(velocity, converged)
    here = {
        **machines.source(provenance()),
        "setting": f"Marmousi smoothed over {SMOOTH:g} m, {EXTENT[1] / 1000:g} km by {EXTENT[0] / 1000:g} km, "
        f"{SHOTS} shots, Ricker of {FREQUENCY:g} Hz, {DURATION:g} s, layers of {LAYER:g} m, float32; converged: "
        f"geolib, order 8, {UNIT / FINEST:.2f} m, {1000 * survey.dt:.2f} ms, layers twice as wide",
        "turns": TURNS,
        "threads": torch.get_num_threads(),
        "load": os.getloadavg()[0],
        "goal": GOAL,
        "rows": rows,
    }
    if not waves_orders.THERE:
        waves.say("deepwave is not installed: nothing is written")
        print(table(here))
        return
    print(machines.write(HERE / "waves_accuracy", here, table))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    main()
