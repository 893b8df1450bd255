"""The wave engine beside deepwave and beside the eager autograd network: time, memory, scaling, the machine's limit.

Writes bench/waves.json, with rows for each processor that it ran on, and its table, bench/waves.md.
Wants a quiet machine and takes about three minutes on two cores.
Programs are measured in turn within one run, so that a ratio is fair also where the machine is not quiet. Fairness: the
same grid, sources, receivers, type, time step (none of deepwave's internal steps) and width of the layer; deepwave has
its own layer, tuned to the wavelet and the model, its best number of threads, and no check of its output.
"""

import os
import statistics
import subprocess
import sys
import time
import warnings
from pathlib import Path

import machines
import numba
import numpy as np
import torch

from geolib.runs.store import provenance
from geolib.runs.tables import markdown
from geolib.waves import Boundary, Grid, Survey, misfit_and_gradient, propagate, ricker, workspace_bytes
from geolib.waves.cell import pad, padded_index, padded_shape

HERE = Path(__file__).parent
SPACING, DT, FREQUENCY, FASTEST, WIDTH = 10.0, 1e-3, 10.0, 4000.0, 20
REPEATS = 5
FORWARD_REPEATS = 15
NETWORK_REPEATS = 2
LAYER = Boundary("absorbing", "absorbing", "absorbing", width=WIDTH, velocity=FASTEST, frequency=FREQUENCY)
FREE = Boundary("free", "free", "free")


def case(shape=(100, 300), n_shots=12, nt=1000, boundary=LAYER, dtype=torch.float32):
    """A velocity that rises with depth, shots spread over the top, and a receiver in every column."""
    nz, nx = shape
    velocity = torch.linspace(1500.0, FASTEST, nz, dtype=dtype)[:, None].repeat(1, nx)
    columns = torch.linspace(5, nx - 6, n_shots).long()
    sources = torch.stack((torch.full_like(columns, 2), columns), -1)[:, None]
    receivers = torch.stack((torch.full((nx,), 2), torch.arange(nx)), -1).expand(n_shots, nx, 2)
    wavelet = ricker(FREQUENCY, DT, nt, dtype=dtype).expand(n_shots, 1, nt)
    return velocity, Survey(Grid(shape, SPACING), DT, nt, sources, receivers, wavelet, boundary)


def deepwave_traces(velocity, survey, accuracy=2, **options):
    import deepwave

    width = survey.boundary.width if survey.boundary.top == "absorbing" else 0
    return deepwave.scalar(
        velocity,
        SPACING,
        DT,
        source_amplitudes=survey.source_amplitudes,
        source_locations=survey.source_locations,
        receiver_locations=survey.receiver_locations,
        accuracy=accuracy,
        pml_width=width,
        boundary=None if width else "free",
        pml_freq=FREQUENCY,
        max_vel=FASTEST,
        check_output_finite=False,
        **options,
    )[-1]


def ours(velocity, survey, observed=None):
    return propagate(velocity, survey) if observed is None else misfit_and_gradient(velocity, survey, observed)


def by_autograd(traces):
    def run(velocity, survey, observed=None):
        if observed is None:
            return traces(velocity, survey)
        model = velocity.clone().requires_grad_()
        misfit = (traces(model, survey) - observed).square().sum() / (2 * survey.n_shots)
        return misfit.detach(), torch.autograd.grad(misfit, model)[0]

    return run


def convolution_traces(velocity, survey):
    """Return the traces of the network as Figure 3 draws it, the Laplacian a convolution; it has no absorbing layer."""
    kernel = velocity.new_tensor([[0, 1, 0], [1, -4, 1], [0, 1, 0]])[None, None] / SPACING**2
    courant, shape = (pad(velocity, survey) * DT) ** 2, padded_shape(survey)
    sources, receivers = (padded_index(x, survey) for x in (survey.source_locations, survey.receiver_locations))
    now = before = velocity.new_zeros(survey.n_shots, 1, *shape)
    records = []
    for source in survey.source_amplitudes.unbind(-1):
        laplacian = torch.nn.functional.conv2d(now, kernel, padding=1)
        forcing = laplacian.flatten(1).scatter_add(1, sources, -source).view_as(laplacian)
        now, before = courant * forcing + 2 * now - before, now
        records.append(now.flatten(1).gather(1, receivers))
    return torch.stack(records, -1)


def eager_traces(velocity, survey):
    return propagate(velocity, survey, backend="eager")


PROGRAMS = {
    "geolib": ours,
    "deepwave": by_autograd(deepwave_traces),
    "eager": by_autograd(eager_traces),
    "convolution": by_autograd(convolution_traces),
}
# These keep every field: all shots at once would not fit, so one is measured and counted for all.
ONE_SHOT = ("eager", "convolution")


def first_shot(velocity, survey, observed):
    places = survey.source_locations[:1], survey.receiver_locations[:1]
    alone = Survey(survey.grid, DT, survey.nt, *places, survey.source_amplitudes[:1], survey.boundary)
    return velocity, alone, None if observed is None else observed[:1]


def seconds(work, *arguments) -> float:
    start = time.perf_counter()
    work(*arguments)
    return time.perf_counter() - start


def compare(names, velocity, survey, observed, threads, repeats):
    """Return {name: {threads: [seconds]}} with the programs taking turns."""
    say(f"timing {' and '.join(names)}")
    found = {name: {n: [] for n in threads} for name in names}
    for turn in range(repeats + 1):
        for n in threads:
            torch.set_num_threads(n)
            for name in names:
                whole = velocity, survey, observed
                if name in ONE_SHOT:
                    elapsed = survey.n_shots * seconds(PROGRAMS[name], *first_shot(*whole))
                else:
                    elapsed = seconds(PROGRAMS[name], *whole)
                if turn:  # the first warms up
                    found[name][n].append(elapsed)
    return found


def ratio(found, slow, fast="geolib"):
    """Return the median seconds of both at their best thread counts, and the median ratio of single turns."""
    best = {name: min(found[name], key=lambda n: statistics.median(found[name][n])) for name in (fast, slow)}
    pairs = zip(found[slow][best[slow]], found[fast][best[fast]], strict=True)
    return {
        "geolib_s": statistics.median(found[fast][best[fast]]),
        "geolib_threads": best[fast],
        f"{slow}_s": statistics.median(found[slow][best[slow]]),
        f"{slow}_threads": best[slow],
        "ratio": statistics.median(a / b for a, b in pairs),
    }


def one_thread(repeats=3):
    """Return deepwave's processor time over ours on one thread: what other programs on the machine disturb least."""
    say("timing one thread")
    torch.set_num_threads(1)
    velocity, survey = case(n_shots=2)
    found = {"commit": provenance()["commit"]}
    for task, observed in (("forward", None), ("gradient", torch.zeros(2, 300, 1000))):
        ratios = []
        for turn in range(repeats + 1):
            spent = []
            for name in ("deepwave", "geolib"):
                start = time.process_time()
                PROGRAMS[name](velocity, survey, observed)
                spent.append(time.process_time() - start)
            if turn:
                ratios.append(spent[0] / spent[1])
        found[task] = statistics.median(ratios)
    return found


def row_of(what, found, other, target):
    times = {"geolib": f"{found['geolib_s']:.3f} s", "other": f"{found[f'{other}_s']:.3f} s"}
    return {"what": what, **times, "ratio": found["ratio"], "goal": target}


def agreement():
    """Return how far both programs differ without a layer, in float64, and what their layers return."""
    velocity, survey = case((40, 80), 2, 400, FREE, torch.float64)
    found = {}
    data, other = propagate(velocity, survey)[..., :-1], deepwave_traces(velocity, survey)[..., 1:]
    found["data"] = float((data - other).abs().max() / data.abs().max())
    model = velocity.clone().requires_grad_()
    # The last sample, u(nt dt), is not among deepwave's traces: it is left out of both misfits.
    (gradient,) = torch.autograd.grad(propagate(model, survey)[..., :-1].square().sum(), model)
    (other,) = torch.autograd.grad(deepwave_traces(model, survey)[..., 1:].square().sum(), model)
    found["gradient"] = float((gradient - other).abs().max() / gradient.abs().max())
    far, nt = 120, 500
    velocity, survey = case((40, 80), 1, nt, LAYER, torch.float64)
    large = torch.nn.functional.pad(velocity[None, None], (far,) * 4, mode="replicate")[0, 0]
    places = survey.source_locations + far, survey.receiver_locations + far
    wide = Survey(Grid(tuple(large.shape), SPACING), DT, nt, *places, survey.source_amplitudes, FREE)
    endless = propagate(large, wide)
    energy = endless.square().sum()
    found["geolib_reflected_energy"] = float((propagate(velocity, survey) - endless).square().sum() / energy)
    other = deepwave_traces(velocity, survey)[..., 1:]
    found["deepwave_reflected_energy"] = float((other - endless[..., :-1]).square().sum() / energy)
    return found


def peak(name: str) -> int:
    """Return the bytes by which computing a gradient raises this process's resident memory at its peak."""
    program = PROGRAMS[name]
    small, survey = case((40, 60), 2, 60)
    program(small, survey, torch.zeros(2, 60, 60))
    velocity, survey = case()
    observed = torch.zeros(survey.n_shots, 300, survey.nt)
    if name in ONE_SHOT:
        velocity, survey, observed = first_shot(velocity, survey, observed)
    before = int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")
    Path("/proc/self/clear_refs").write_text("5")
    program(velocity, survey, observed)
    status = dict(line.split(":", 1) for line in Path("/proc/self/status").read_text().splitlines())
    return int(status["VmHWM"].split()[0]) * 1024 - before


def memory() -> dict[str, int]:
    say("measuring memory")
    found = {}
    for name in ("geolib", "deepwave", "eager"):
        done = subprocess.run(
            [sys.executable, __file__, "--peak", name], capture_output=True, text=True, check=True, env=os.environ
        )
        found[f"{name}_bytes"] = int(done.stdout.split()[-1])
    return found


def cores_used() -> tuple[float, float, float]:
    """Return the wall clock, the seconds this process and its children computed, and those that all programs did."""
    ticks = [int(n) for n in Path("/proc/stat").read_text().splitlines()[0].split()[1:]]
    user, nice, system, _, _, irq, softirq, steal = ticks[:8]
    everyone = (user + nice + system + irq + softirq + steal) / os.sysconf("SC_CLK_TCK")
    return time.perf_counter(), sum(os.times()[:4]), everyone


def say(what) -> None:
    print(what, file=sys.stderr, flush=True)


def scaling(threads):
    """Return seconds of both tasks as one size varies; the others are those of the main case, with 4 shots."""
    say("timing sizes")
    torch.set_num_threads(max(threads))
    settings = [("nt", {"nt": n}) for n in (250, 500, 1000, 2000, 4000)]
    settings += [("cells", {"shape": s}) for s in ((25, 75), (50, 150), (100, 300), (200, 600), (400, 1200))]
    settings += [("shots", {"n_shots": n}) for n in (1, 2, 4, 8, 16)]
    settings += [("threads", {"threads": n}) for n in threads]
    rows = []
    for varied, change in settings:
        torch.set_num_threads(change.pop("threads", max(threads)))
        velocity, survey = case(**{"n_shots": 4, **change})
        observed = torch.zeros(survey.n_shots, velocity.shape[1], survey.nt)
        nz, nx = (n + 2 * WIDTH for n in velocity.shape)
        row = {"varied": varied, "nt": survey.nt, "cells": nz * nx, "shots": survey.n_shots}
        row["threads"] = torch.get_num_threads()
        for task, data in (("forward", None), ("gradient", observed)):
            # The quickest: other programs on the machine would bend the curves.
            row[f"{task}_s"] = min(seconds(ours, velocity, survey, data) for _ in range(5))
        row["cell_steps_per_s"] = nz * nx * survey.nt * survey.n_shots / row["forward_s"]
        row["workspace_bytes"] = workspace_bytes(survey)
        rows.append(row)
    return rows


def quickest(rows):
    """Return the rows with the least seconds that any row of the same sizes has."""
    sizes = ("nt", "cells", "shots", "threads")
    for row in rows:
        same = [r for r in rows if all(r[name] == row[name] for name in sizes)]
        row |= {name: min(r[name] for r in same) for name in ("forward_s", "gradient_s")}
        row["cell_steps_per_s"] = row["cells"] * row["nt"] * row["shots"] / row["forward_s"]
    return rows


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
def triad(a, b, c, scale, n):
    for _ in range(n):
        for i in range(len(a)):
            a[i] = b[i] + scale * c[i]


@numba.njit(nogil=True, error_model="numpy", fastmath={"contract"})
def stencil(now, other, courant, width, n):
    # A plain step on the same fields: no layer, no source, no record.
    s = np.uint64(width)
    for _ in range(n):
        for k in range(s, np.uint64(len(now)) - s):
            total = now[k - np.uint64(1)] + now[k + np.uint64(1)] + now[k - s] + now[k + s]
            other[k] = now[k] + now[k] - other[k] + courant[k] * (total - (now[k] + now[k] + now[k] + now[k]))


def limit():
    """Return one core's rate for the engine, a plain stencil and a triad, on fields of the main case."""
    torch.set_num_threads(1)
    velocity, survey = case(n_shots=1)
    nz, nx = (n + 2 * WIDTH for n in velocity.shape)
    bare, closed = case((nz, nx), n_shots=1, boundary=FREE)
    a, b, c = (np.zeros(nz * nx, np.float32) for _ in range(3))
    works = {
        "engine": lambda: ours(velocity, survey),
        "no_layer": lambda: ours(bare, closed),
        "stencil": lambda: stencil(a, b, c, nx, survey.nt),
        "triad": lambda: triad(a, b, c, np.float32(0.5), survey.nt),
    }
    times = {name: [] for name in works}
    for turn in range(REPEATS + 1):
        for name, work in works.items():
            elapsed = seconds(work)
            if turn:
                times[name].append(elapsed)
    cells = nz * nx * survey.nt
    # The quickest turn is the limit; the engine is held to its median.
    limits = ("stencil", "triad")
    rates = {name: cells / (min(t) if name in limits else statistics.median(t)) for name, t in times.items()}
    return {
        "engine_cells_per_s": rates["engine"],
        "without_layer_cells_per_s": rates["no_layer"],
        "layer_share": 1 - rates["engine"] / rates["no_layer"],
        "stencil_cells_per_s": rates["stencil"],
        "triad_bytes_per_s": rates["triad"] * 12,
        # What a stencil can do is what the faster of the two does: the engine without its layers or the plain loop.
        "fraction_of_stencil": rates["engine"] / max(rates["stencil"], rates["no_layer"]),
        # A step reads three fields and writes one; the layers' own traffic is not counted.
        "fraction_of_triad": rates["engine"] * 16 / (rates["triad"] * 12),
    }


def main() -> None:
    threads = sorted({1, len(os.sched_getaffinity(0))})
    before = cores_used()
    velocity, survey = case()
    observed = torch.zeros(12, 300, 1000)
    both = ("geolib", "deepwave")
    forward = ratio(compare(both, velocity, survey, None, threads, FORWARD_REPEATS), "deepwave")
    gradient = ratio(compare(both, velocity, survey, observed, threads, REPEATS), "deepwave")
    networks = compare(("geolib", *ONE_SHOT), velocity, survey, observed, threads, NETWORK_REPEATS)
    eager, convolution = (ratio(networks, name) for name in ONE_SHOT)
    wall, own, everyone = (b - a for a, b in zip(before, cores_used(), strict=True))
    used = memory()
    rows = [
        row_of("forward, deepwave", forward, "deepwave", "forward"),
        row_of("gradient, deepwave", gradient, "deepwave", "gradient"),
        row_of("gradient, the chapter's recurrent network", eager, "eager", "network"),
        row_of("gradient, network with a convolution, no layer", convolution, "convolution", "network"),
        {
            "what": "peak memory of a gradient, deepwave",
            "geolib": f"{used['geolib_bytes'] / 2**20:.0f} MiB",
            "other": f"{used['deepwave_bytes'] / 2**20:.0f} MiB",
            "ratio": used["deepwave_bytes"] / used["geolib_bytes"],
            "goal": "memory",
        },
    ]
    result = {
        **machines.source(provenance()),
        "setting": "12 shots, 1000 steps, 100 x 300 cells + 20 absorbing on each side, order 2, float32",
        "rows": rows,
        "forward": forward,
        "gradient": gradient,
        "eager": eager,
        "convolution": convolution,
        "memory": {**used, "workspace_bytes_per_thread": workspace_bytes(survey)},
        "one_thread": one_thread(),
        "agreement": agreement(),
        "limit": limit(),
        "scaling": quickest(scaling(threads)),
        "cores": os.cpu_count(),
        "others_share": max(0.0, everyone - own) / (wall * (os.cpu_count() or 1)),
        "provenance": provenance(),
    }
    write(result)


def write(result) -> None:
    print(machines.write(HERE / "waves", result, table))


def earlier():
    """Return what was measured before on this processor, of which a part is measured anew."""
    device = provenance()["device"]
    return machines.of(HERE / "waves.json", device) or sys.exit(f"nothing was measured on {device} yet: run it whole")


def table(made) -> str:
    """Return the comparison as a Markdown table with what it was measured on."""
    rows = []
    for row in made["rows"]:
        target = machines.TARGETS[row["goal"]]
        verdict = "met" if row["ratio"] >= target else "**missed**"
        rows.append([row["what"], row["geolib"], row["other"], f"{row['ratio']:.2f}", f"{target:g}", verdict])
    found, limits, where = made["agreement"], made["limit"], made["provenance"]
    alone = made["one_thread"]
    sentences = [
        f"{made['setting']}.",
        f"The networks need {made['memory']['eager_bytes'] / 2**30:.1f} GiB for one shot: one is measured, times 12.",
        "In processor time on one thread, which other programs disturb least, deepwave takes",
        f"{alone['forward']:.2f} times as long forward and {alone['gradient']:.1f} times with gradient",
        f"(commit {alone['commit'][:9]}).",
        *(
            f"By that measure the target is **missed** for {row['what'].split(',')[0]}."
            for row, task in zip(made["rows"], ("forward", "gradient"), strict=False)
            if alone[task] < machines.TARGETS[row["goal"]] <= row["ratio"]
        ),
        f"Without a layer deepwave's traces and gradient differ by {found['data']:.0e} and {found['gradient']:.0e}",
        "of the largest value in float64.",
        f"Of a wave's energy geolib's layer returns {found['geolib_reflected_energy']:.0e} and deepwave's",
        f"{found['deepwave_reflected_energy']:.0e}.",
        f"One core advances {limits['engine_cells_per_s'] / 1e9:.1f} billion cells a second, layers included,",
        f"{limits['fraction_of_stencil']:.0%} of the fastest stencil without layers on fields of the same size",
        f"(its own: {limits['without_layer_cells_per_s'] / 1e9:.1f},",
        f"a plain loop: {limits['stencil_cells_per_s'] / 1e9:.1f}) and",
        f"{limits['fraction_of_triad']:.0%} of what a triad's traffic allows a step that reads three fields",
        f"and writes one; {limits['layer_share']:.0%} of its time goes to the layers.",
        f"Medians of {FORWARD_REPEATS} turns forward, {REPEATS} with gradient, {NETWORK_REPEATS} with networks,",
        f"taken in turn on {made['cores']} cores ({where['device']}), commit {where['commit'][:9]}, {where['date']};",
        f"other programs took {made['others_share']:.0%} of the cores meanwhile.",
    ]
    compared = markdown(["", "geolib", "the other", "ratio, measured", "target", ""], rows, "lrrrrl")
    return f"{compared}\n\n{' '.join(sentences)}\n"


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    if sys.argv[1:2] == ["--peak"]:
        print(peak(sys.argv[2]))
    elif sys.argv[1:2] == ["--one-thread"]:
        write(earlier() | {"one_thread": one_thread()})
    elif sys.argv[1:2] == ["--scaling"]:
        before = earlier()
        again = scaling([1, len(os.sched_getaffinity(0))])
        write(before | {"scaling": quickest(before["scaling"] + again)[: len(again)]})
    else:
        main()
