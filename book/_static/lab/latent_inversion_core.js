/* The mathematics of the latent inversion's laboratory, free of the page: rays through generated
   images, and searches for the latent behind 576 traveltimes. It runs in a thread, and in the tests
   against geolib. */
function labLatent() {
  "use strict";
  const SHAPE = [125, 60], CELLS = 7500, N = 15;
  const LOW = 1 / 0.08, HIGH = 1 / 0.06; // slowness outside and inside channels, ns/m

  /** The lengths in m of 24 x 24 rays in 125 x 60 cells of 10 cm, as geolib's ray_matrix: row starts, cells, lengths. */
  function rays(order) {
    const starts = new Int32Array(577), cells = [], lengths = [];
    for (let source = 0, ray = 0; source < 24; source++)
      for (let receiver = 0; receiver < 24; receiver++) {
        cut([0.5 * (source + 1), 0.01], [0.5 * (receiver + 1), 5.99], cells, lengths);
        starts[++ray] = cells.length;
      }
    if (order === "as_published") {
      // The released code numbers cells across while its model runs down the columns.
      for (let i = 0; i < cells.length; i++) cells[i] = (cells[i] % SHAPE[0]) * SHAPE[1] + Math.floor(cells[i] / SHAPE[0]);
    }
    return { starts, cells: Int32Array.from(cells), lengths: Float32Array.from(lengths) };
  }

  function cut(start, stop, cells, lengths) {
    const a = start.map((x) => x / 0.1), b = stop.map((x) => x / 0.1), at = [0, 1];
    for (let axis = 0; axis < 2; axis++) {
      if (a[axis] === b[axis]) continue;
      const [low, high] = [Math.min(a[axis], b[axis]), Math.max(a[axis], b[axis])];
      for (let line = Math.ceil(low); line <= Math.floor(high); line++)
        at.push(Math.min(1, Math.max(0, (line - a[axis]) / (b[axis] - a[axis]))));
    }
    at.sort((p, q) => p - q);
    const length = Math.hypot(b[0] - a[0], b[1] - a[1]) * 0.1;
    for (let i = 1; i < at.length; i++) {
      const piece = (at[i] - at[i - 1]) * length;
      if (!(piece > 1e-12)) continue;
      const [row, column] = [0, 1].map((axis) => {
        const middle = a[axis] + 0.5 * (at[i] + at[i - 1]) * (b[axis] - a[axis]), near = Math.round(middle);
        // What is a round-off away from a grid line lies on it, and belongs to the cell before.
        const cell = Math.ceil(Math.abs(middle - near) < 1e-9 ? near : middle) - 1;
        return Math.min(SHAPE[axis] - 1, Math.max(0, cell));
      });
      cells.push(row * SHAPE[1] + column);
      lengths.push(piece);
    }
  }

  /** Latent to traveltimes: a generator and rays in one cell order; `kind` is continuous, binary or surrogate. */
  function physics(network, order, kind) {
    const { starts, cells, lengths } = rays(order);
    const model = new Float64Array(CELLS), slowness = new Float64Array(CELLS), times = new Float64Array(576);
    const { change } = network;

    function cut_out(each) {
      for (let row = 0, cell = 0; row < SHAPE[0]; row++)
        for (let column = 0; column < SHAPE[1]; column++, cell++)
          each(cell, (row + 2) * network.columns + column + 3);
    }

    function travel(field, result) {
      for (let ray = 0; ray < 576; ray++) {
        let sum = 0;
        for (let i = starts[ray]; i < starts[ray + 1]; i++) sum += lengths[i] * field[cells[i]];
        result[ray] = sum;
      }
      return result;
    }

    /** Return the 576 traveltimes (ns) of a latent; the model in [0, 1] is left in `model`. */
    function simulate(latent) {
      const image = network.forward(latent);
      cut_out((cell, pixel) => { model[cell] = (image[pixel] + 1) / 2; });
      for (let cell = 0; cell < CELLS; cell++) {
        const m = model[cell];
        if (kind === "continuous") slowness[cell] = 1 / (0.06 + 0.02 * (1 - m));
        else slowness[cell] = LOW + (HIGH - LOW) * (kind === "binary" ? (m >= 0.5 ? 1 : 0) : m);
      }
      return travel(slowness, times);
    }

    // The threshold passes slopes as if it were not there: the published adjoint.
    const steepness = (cell) => (kind === "continuous" ? 0.02 * slowness[cell] ** 2 : HIGH - LOW);

    /** Return the gradient in the latent of the last `simulate` of half the sum of squares of `residual`. */
    function gradient(residual) {
      const field = new Float64Array(CELLS);
      for (let ray = 0; ray < 576; ray++)
        for (let i = starts[ray]; i < starts[ray + 1]; i++) field[cells[i]] += lengths[i] * residual[ray];
      change.fill(0);
      cut_out((cell, pixel) => { change[pixel] = 0.5 * field[cell] * steepness(cell); });
      return network.backward(change);
    }

    return { simulate, gradient, model, times, order, kind, starts, cells };
  }

  function rms(data, times) {
    let sum = 0;
    for (let i = 0; i < times.length; i++) sum += (data[i] - times[i]) ** 2;
    return Math.sqrt(sum / times.length);
  }

  const subtract = (a, b) => Float64Array.from(a, (x, i) => x - b[i]);

  /** Solve the symmetric system (matrix) x = right by Cholesky; `matrix` is an array of rows. */
  function solve(matrix, right) {
    const n = right.length, l = matrix.map((row) => Float64Array.from(row)), x = Float64Array.from(right);
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        let sum = l[i][j];
        for (let k = 0; k < j; k++) sum -= l[i][k] * l[j][k];
        l[i][j] = i === j ? Math.sqrt(Math.max(sum, 1e-300)) : sum / l[j][j];
      }
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) x[i] -= l[i][k] * x[k];
      x[i] /= l[i][i];
    }
    for (let i = n - 1; i >= 0; i--) {
      for (let k = i + 1; k < n; k++) x[i] -= l[k][i] * x[k];
      x[i] /= l[i][i];
    }
    return x;
  }

  /* The searches are generators: they pause after every forward solve, so that whoever runs them stays in charge, and
     hand over {latent, misfit, solves} wherever they stand. */

  /** Strategy 1: Adam, every component that leaves the box drawn anew. */
  function* adam(world, data, start, { rate = 0.01, draw }) {
    const latent = Float64Array.from(start), first = new Float64Array(N), second = new Float64Array(N);
    for (let update = 1, solves = 1; ; update++, solves += 2) {
      const times = world.simulate(latent), misfit = rms(data, times);
      yield { latent: latent.slice(), misfit, solves };
      const slope = world.gradient(subtract(times, data));
      for (let i = 0; i < N; i++) {
        const g = 2 * slope[i];
        first[i] = 0.9 * first[i] + 0.1 * g;
        second[i] = 0.999 * second[i] + 0.001 * g * g;
        const root = Math.sqrt(second[i] / (1 - 0.999 ** update)) + 1e-8;
        latent[i] -= (rate * first[i]) / (1 - 0.9 ** update) / root;
        const fresh = draw();
        if (Math.abs(latent[i]) > 1) latent[i] = fresh;
      }
    }
  }

  /** Strategy 2: Gauss-Newton in standard-normal latents, the Jacobian by central differences. */
  function* gaussNewton(world, data, start, { perturbation = 0.1, damping = 1 } = {}) {
    let normal = Float64Array.from(start, toNormal), solves = 0;
    const forward = (at) => { solves++; return Float64Array.from(world.simulate(at.map(toUniform))); };
    for (;;) {
      const times = forward(normal), residual = subtract(data, times);
      yield { latent: normal.map(toUniform), misfit: rms(data, times), solves };
      const columns = yield* differences(forward, normal, perturbation);
      const target = residual.map((r, k) => r + columns.reduce((sum, column, i) => sum + column[k] * normal[i], 0));
      const matrix = squares(columns);
      for (let i = 0; i < N; i++) matrix[i][i] += damping;
      normal = solve(matrix, columns.map((column) => dot(column, target)));
    }
  }

  function* differences(forward, at, step) {
    const columns = [];
    for (let i = 0; i < N; i++) {
      const [above, below] = [step, -step].map((h) => { const moved = at.slice(); moved[i] += h; return moved; });
      const high = forward(above);
      yield null;
      const low = forward(below);
      yield null;
      columns.push(high.map((x, k) => (x - low[k]) / (2 * step)));
    }
    return columns;
  }

  const dot = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i++) sum += a[i] * b[i]; return sum; };
  const squares = (columns) => columns.map((a) => columns.map((b) => dot(a, b)));

  /** Uniform in (-1, 1) of standard normal: the error function of x / sqrt 2, to double precision. */
  function toUniform(normal) {
    const x = Math.abs(normal) / Math.SQRT2;
    let value;
    if (x < 2.5) {
      let term = x, sum = x;
      for (let n = 1; Math.abs(term) > 1e-17 * sum; n++) { term *= (2 * x * x) / (2 * n + 1); sum += term; }
      value = (2 / Math.sqrt(Math.PI)) * Math.exp(-x * x) * sum;
    } else {
      let tail = x;
      for (let n = 60; n > 0; n--) tail = x + n / 2 / tail;
      value = 1 - Math.exp(-x * x) / tail / Math.sqrt(Math.PI);
    }
    return Math.sign(normal) * Math.min(1, value);
  }

  /** Standard normal of uniform in (-1, 1), by Newton's method on `toUniform`; the very ends are taken just inside. */
  function toNormal(uniform) {
    const aim = Math.min(Math.abs(uniform), 1 - 1e-6);
    let low = 0, high = 6, x = aim;
    for (let n = 0; n < 80; n++) {
      const value = toUniform(x) - aim;
      if (value > 0) high = x; else low = x;
      const step = value / (Math.sqrt(2 / Math.PI) * Math.exp((-x * x) / 2));
      const next = x - step;
      if (next === x || Math.abs(step) < 1e-15) break;
      x = next > low && next < high ? next : (low + high) / 2;
    }
    return Math.sign(uniform) * x;
  }

  return {
    N, SHAPE, rays, physics, rms, adam, gaussNewton, toUniform, toNormal,
  };
}

/** What the laboratory's thread does: one question, one answer. Searches run in slices, so that the reader can always
    step in. Needs `random` of lab.js beside the functions. */
function latentThread(question) {
  const state = (latentThread.state ??= {});
  if (question.about === "begin") {
    const lab = labLatent(), network = labChannels(labNetworks(), question.weights);
    Object.assign(state, question, { lab, network, worlds: {}, scenes: {} });
    return null;
  }
  return { view, search, slice, map, check, proposed }[question.about](question);

  function world(order, kind) {
    return (state.worlds[`${order} ${kind}`] ??= state.lab.physics(state.network, order, kind));
  }

  /** The data of a scenario: what the truth's rays take, and errors. */
  function scene({ order, kind, model, noise }) {
    return (state.scenes[[order, kind, model, noise]] ??= (() => {
      const truth = world(order, kind), errors = state.errors[noise];
      const data = Float64Array.from(truth.simulate(state.truths[model]), (t, i) => t + errors[i]);
      return { data, truth: Float32Array.from(truth.model), rms: state.lab.rms(errors, new Float64Array(576)) };
    })());
  }

  function shown(setup, latent, times) {
    const { data, truth, rms } = scene(setup), { model } = world(setup.order, setup.kind);
    return { latent: Float64Array.from(latent), model: Float32Array.from(model), truth,
      residual: Float64Array.from(data, (d, i) => d - times[i]), wrmse: state.lab.rms(data, times) / rms };
  }

  function view({ setup, latent }) {
    scene(setup); // may simulate the truth, so first
    return shown(setup, latent, world(setup.order, setup.kind).simulate(latent));
  }

  function search({ name, setup, latent, seed }) {
    const { data, rms } = scene(setup), judge = world(setup.order, setup.kind), { lab, ours } = state;
    const { uniform, normal, integer } = random(seed), draw = () => 2 * uniform() - 1;
    state.setup = setup;
    state.steps = {
      adam: () => until(lab.adam(judge, data, latent, { draw }), rms),
      gauss_newton: () => until(lab.gaussNewton(judge, data, latent), rms),
      ours: () => labSearch(ours.constants, lab.toUniform).search(
        (at) => Float64Array.from(judge.simulate(at), (t, i) => (t - data[i]) / rms), lab.N,
        { ...ours, normal, permutation: (all) => shuffled(all, integer), start: latent.map(lab.toNormal) }),
    }[name]();
    return null;
  }

  /** Steps until a misfit is `enough`. */
  function* until(steps, enough) {
    for (const report of steps) {
      yield report;
      if (report && report.misfit <= enough) return;
    }
  }

  function shuffled(all, integer) {
    for (let i = all.length - 1; i > 0; i--) {
      const j = integer(i + 1);
      [all[i], all[j]] = [all[j], all[i]];
    }
    return all;
  }

  /** As much of a search as there is time for, or until it has a model to show. */
  function slice({ budget }) {
    const end = performance.now() + budget;
    let counted = {};
    while (performance.now() < end) {
      const next = state.steps.next();
      if (next.done) return { ...counted, done: true };
      if (!next.value) continue;
      const { latent, solves, attempt } = next.value;
      counted = { solves, attempt };
      // Each search hands over what it simulated last.
      if (latent) return { ...counted, done: false, view: shown(state.setup, latent, world(state.setup.order, state.setup.kind).times) };
    }
    return { ...counted, done: false };
  }

  /** Misfits of the points [x, y] that two components of a latent are moved to, as many as there is time for. */
  function map({ setup, latent, axes, points, budget }) {
    const begin = performance.now(), { data, rms } = scene(setup), { simulate } = world(setup.order, setup.kind);
    const values = [], at = latent.slice();
    for (let n = 0; n < points.length && (!n || performance.now() - begin < budget); n++) {
      axes.forEach((axis, k) => { at[axis] = points[n][k]; });
      values.push(state.lab.rms(data, simulate(at)) / rms);
    }
    return values;
  }

  /** What our search makes of given models (standard-normal numbers): true rays, cells as generated, no chance. */
  function proposed({ models, count, local }) {
    const { data, rms } = scene({ order: "consistent", kind: "continuous", model: 1, noise: 1 }), { lab, ours } = state;
    const rows = Array.from({ length: models.length / lab.N }, (_, n) => Float64Array.from(models.slice(n * lab.N, (n + 1) * lab.N)));
    const parts = labSearch(ours.constants, lab.toUniform), here = world("consistent", "continuous");
    const residual = rows.map((row) => Float64Array.from(here.simulate(row.map(lab.toUniform)), (t, i) => (t - data[i]) / rms));
    const misfit = residual.map((row) => lab.rms(row, new Float64Array(row.length)));
    const finished = (steps) => { for (;;) { const { value, done } = steps.next(); if (done) return value; } };
    return { proposals: finished(parts.propose(rows, residual, count, (all) => all)).flatMap((x) => [...x]),
      steps: finished(parts.step(rows, misfit, residual, local, () => 1)).flatMap((x) => [...x]) };
  }

  /** What the package's numbers are held against: times, gradient, three updates of Adam and one of Gauss-Newton. */
  function check({ setup, latent }) {
    const { data } = scene(setup), found = view({ setup, latent });
    const here = world(setup.order, setup.kind), times = Float64Array.from(here.times);
    const half = here.gradient(times.map((t, i) => t - data[i]));
    const nth = (steps, n) => {
      for (const report of steps) if (report && n-- === 0) return report.latent;
    };
    const adam = nth(state.lab.adam(here, data, latent, { draw: () => 0 }), 3);
    const newton = setup.kind === "continuous" && nth(state.lab.gaussNewton(here, data, latent), 1);
    return { model: found.model, wrmse: found.wrmse, times, gradient: half.map((g) => 2 * g), adam, gauss_newton: newton };
  }
}
