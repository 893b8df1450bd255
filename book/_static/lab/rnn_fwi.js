/* The four-layer profile of Sun et al. (2020), trained in the page by the true wave equation and its
   adjoint in double precision: the learning rate against the line 2 / lambda_max. */
(function () {
  "use strict";
  const METHODS = [["gd", "gradient descent"], ["momentum", "momentum"], ["adagrad", "Adagrad"],
    ["rmsprop", "RMSprop"], ["adam", "Adam"], ["lbfgs", "L-BFGS (no rate)"]];
  // Rates of methods that divide by the gradient's size are m/s; those of the others have the line.
  const RANGES = { gd: [0.02, 5, 0.4], momentum: [0.02, 5, 0.4], adagrad: [0.4, 1000, 40],
    rmsprop: [0.1, 1000, 4], adam: [0.1, 1000, 40] };
  const LIMIT = 1000; // evaluations, as many as the paper's

  function problem({ spacing, dt, nt, index, frequency, velocity, truth }) {
    const waves = new geolab.Waves({ shape: [1, truth.length], ndim: 1, spacing, dt, nt, frequency, velocity,
      source: [0, index], receivers: [[0, index]], wavelet: geolab.ricker(frequency, dt, nt, 1 / frequency),
      absorbing: { right: true }, type: Float64Array });
    waves.model(truth);
    while (waves.time < nt) waves.step();
    const observed = waves.traces.slice();
    return {
      observed,
      objective(model) {
        const found = waves.evaluate(model, observed);
        return { ...found, trace: waves.traces.slice() };
      },
      error: (model) => Math.sqrt(model.reduce((sum, v, i) => sum + (v - truth[i]) ** 2, 0) / truth.length),
    };
  }

  /** A descent that goes on by one evaluation at a time and keeps its history. */
  function descent({ objective, error }, method, rate, bounds, start) {
    const search = method === "lbfgs" ? geolab.lbfgs(objective, bounds) : geolab.descent(method, rate, bounds);
    const run = { model: Float64Array.from(start), misfit: [], errors: [] };
    let last;
    run.step = (now = rate) => {
      if (method === "lbfgs") {
        last = search.step(run.model);
        Object.assign(run, { model: last.model });
        if (last.taken || !run.misfit.length) run.lowest = last.misfit;
        run.misfit.push(run.lowest);
      } else {
        // The gradient of the last model makes the next one; the first evaluation is the start's.
        if (last) run.model = search.update(run.model, last.gradient, now);
        last = objective(run.model);
        run.misfit.push(last.misfit);
        run.trace = last.trace;
      }
      run.errors.push(error(run.model));
    };
    return run;
  }

  function start(box, { line }) {
    const setting = problem(line), { truth, bounds, limit } = line;
    const depth = Array.from(truth, (_, i) => i * line.spacing / 1000);
    let run, initial, drawn = false;

    const method = box.select({ label: "Optimiser", options: METHODS, change: chosen });
    const from = box.select({ label: "Start", options: [["smooth6", "smoothed, 60 m"],
      ["smooth10", "smoothed, 100 m"], ["linear", "a straight line"]], change: restart });
    const rate = box.slider({ label: "Learning rate", min: 0.02, max: 5, value: 0.4, log: true });
    box.row();
    const train = box.button("Train", () => toggle(), { primary: true });
    box.button("One step", () => { loop.stop(); once(); label(); });
    box.button("Back to the start", restart);

    const velocities = (v) => Array.from(v, (x) => x / 1000);
    const shape = box.panel({ title: "The model", ratio: 0.95, draw(pen) {
      const { ink } = pen, axes = geolab.axes(pen,
        { x: [1.5, 6], y: [2, 0], xlabel: "velocity, km/s — drag to draw a start", ylabel: "depth, km" });
      shape.axes = axes;
      axes.line(velocities(truth), depth, ink.soft, { width: 5 });
      axes.line(velocities(initial), depth, ink.muted, { width: 1.5, dash: [5, 4] });
      axes.line(velocities(run.model), depth, ink.blue);
      axes.note("truth", axes.X(5) + 6, axes.Y(1.85), ink.muted);
      axes.note("start", axes.left + 12, axes.bottom - 46, ink.muted);
      axes.note(`after ${Math.max(0, run.misfit.length - 1)} steps`, axes.left + 12, axes.bottom - 28, ink.blue);
    } });
    shape.pointer({ down: draw, move: (p) => (drawn ? draw(p) : false), up: () => { drawn = false; } });

    const fall = box.panel({ title: "", ratio: 0.95, draw(pen) {
      const { ink } = pen, n = run.misfit.length, steps = run.misfit.map((_, i) => i);
      const [j, e] = [run.misfit, run.errors].map((all) => all.map((v) => v / all[0]));
      const lowest = Math.min(...j, 0.01), highest = Math.max(...j, 1);
      const axes = geolab.axes(pen, { x: [0, Math.max(40, n - 1)], xlabel: "evaluations",
        y: [10 ** Math.floor(Math.log10(lowest)), highest * 1.5], ylog: true, ylabel: "relative to the start",
        legend: [["misfit", ink.blue], ["model error", ink.vermilion]] });
      axes.line(steps, j, ink.blue);
      axes.line(steps, e, ink.vermilion);
    } });
    const traces = box.panel({ title: "What the receiver hears", ratio: 0.3, wide: true,
      draw(pen) {
        const { ink } = pen, time = Array.from(setting.observed, (_, i) => i * line.dt);
        // The direct wave, which knows nothing of the depth, is let out of the frame.
        const late = setting.observed.reduce((most, u, i) => (i > 400 ? Math.max(most, Math.abs(u)) : most), 0);
        const axes = geolab.axes(pen, { x: [0.3, time.at(-1)], y: [-1.3 * late, 1.3 * late], ticks: true,
          xlabel: "time, s", ylabel: "u", left: 46 });
        axes.line(time, setting.observed, ink.soft, { width: 4 });
        if (run.trace) axes.line(time, run.trace, ink.blue, { width: 1.5 });
        axes.note("observed", axes.right - 4, axes.top + 8, ink.muted, "right");
        axes.note("from the model", axes.right - 74, axes.top + 8, ink.blue, "right");
      } });

    function chosen() {
      const range = RANGES[method.value];
      rate.show(Boolean(range));
      if (range) {
        rate.range(...range);
        // Momentum of 0.9 is stable up to 2 (1 + 0.9) / kappa.
        const line = { gd: [limit, "2/κ"], momentum: [1.9 * limit, "1.9 · 2/κ"] }[method.value];
        rate.marks(line ? [{ value: line[0], text: `${line[1]} = ${geolab.number(line[0], 2)}` }] : []);
      }
      restart();
    }
    function restart() {
      loop.stop();
      initial = from.value === "own" ? initial : line.starts[from.value];
      run = descent(setting, method.value, rate.value, bounds, initial);
      label();
      tell();
    }
    // The reader's own start: what is dragged over the model panel.
    function draw({ y, x }) {
      drawn = true;
      const { axes } = shape, centre = axes.invY(y) / depth[1];
      const wanted = Math.min(Math.max(1000 * axes.invX(x), 1500), 6000);
      // Whole metres per second: the code below the panels then starts from the very same model.
      initial = Float64Array.from(initial, (v, i) =>
        Math.round(v + (wanted - v) * Math.exp(-((i - centre) ** 2) / 50)));
      from.own();
      restart();
    }
    function once() {
      if (run.misfit.length > LIMIT) return false;
      run.step(rate.value);
      tell();
      return run.misfit.length <= LIMIT;
    }
    function tell() {
      const n = run.misfit.length - 1, j = run.misfit[n] / run.misfit[0], e = run.errors[n] / run.errors[0];
      const height = Math.max(...run.misfit.slice(-20)) / run.misfit[0];
      if (n < 1) {
        fall.title("Press Train");
        box.say("Raise the rate past the line, or compare the misfit with the model error.");
      } else if (!(height < 3 && e < 3)) {
        fall.title("Diverged: the steps are too long");
        box.say(`Diverged: after ${n} steps the misfit is ${geolab.number(j, 2)} and the model error `
          + `${geolab.number(e, 2)} times the start's. Only the bounds of 1 to 8 km/s hold the model.`);
      } else {
        const bouncing = run.misfit.slice(-20).filter((v, i, all) => i && v > all[i - 1]).length > 5;
        fall.title(bouncing ? "It bounces: the rate is too high"
          : `Misfit ${geolab.number(100 * j, 2)} %, model error ${geolab.number(100 * e, 2)} %`);
        box.say(`Step ${n}: misfit ${geolab.number(100 * j, 3)} % of the start's, `
          + `model error ${geolab.number(run.errors[n], 3)} m/s (start ${geolab.number(run.errors[0], 3)} m/s).`);
      }
    }
    const loop = box.loop(() => once(), { frame: label });
    function label() { train.text(loop.running ? "Pause" : "Train"); }
    function toggle() { loop.toggle(); label(); }

    from.own = () => {
      if (!from.element.querySelector("option[value=own]")) {
        from.element.querySelector("select").add(new Option("drawn by you", "own"));
      }
      from.set("own");
    };
    chosen();

    box.code(() => `import numpy as np
from geolib.inversion import descent
from geolib.studies.rnn_fwi.problems import problem_1d
from geolib.studies.rnn_fwi.descents import BOUNDS

problem = problem_1d(${{ smooth6: "smoothing=6.0", smooth10: "smoothing=10.0",
    linear: 'start="linear"', own: "" }[from.value]})
start = ${from.value === "own" ? `np.array([${Array.from(initial, Math.round).join(", ")}], float)` : "problem.start"}
found = descent.minimize(
    problem.objective,
    start,
    "${method.value}",
    iterations=${Math.max(1, run.misfit.length - 1)},${method.value === "lbfgs" ? "" : `\n    rate=${rate.value},`}
    bounds=BOUNDS,
)
print(found.misfit[-1], problem.error(found.model))`);
    box.check(() => compare(setting, line));
    return { setting, line, get run() { return run; }, loop };
  }

  async function compare(setting, { starts, bounds }) {
    const sent = await geolab.need("rnn_fwi-line");
    const { misfit, gradient } = setting.objective(starts.smooth6);
    const size = (g) => Math.max(...g.map(Math.abs));
    const rows = [
      { what: "trace of the true model, largest value", page: size(setting.observed), package: size(sent.trace),
        error: geolab.difference(setting.observed, sent.trace), allowed: 1e-10 },
      { what: "misfit at the start", page: misfit, package: sent.misfit,
        error: Math.abs(misfit / sent.misfit - 1), allowed: 1e-10 },
      { what: "gradient at the start, largest value", page: size(gradient), package: size(sent.gradient),
        error: geolab.difference(gradient, sent.gradient), allowed: 1e-10 },
    ];
    for (const [name, rate] of Object.entries(sent.rates)) {
      const run = descent(setting, name, rate, bounds, starts.smooth6);
      for (let n = 0; n <= sent.updates; n++) {
        run.step();
        await new Promise(requestAnimationFrame); // the page stays alive
      }
      rows.push({ what: `${name}, ${sent.updates} updates: model error, m/s`, page: setting.error(run.model),
        package: setting.error(sent.models[name]), error: geolab.difference(run.model, sent.models[name]),
        allowed: 1e-8 });
    }
    return rows;
  }

  geolab.lab("rnn_fwi-tank", { uses: ["waves.js", "tank.js"], data: ["rnn_fwi"],
    start: (box, data) => geolab.tank(box, data.tank) });
  geolab.lab("rnn_fwi-train", { uses: ["waves.js", "descent.js"], data: ["rnn_fwi"], start });
})();
