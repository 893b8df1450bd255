/* The laboratory of the latent inversion: move about in a generator's latent space, see the image, what its rays say
   against the data, and send searches off from where you stand. The mathematics is in latent_inversion_core.js. */
(function () {
  "use strict";
  const N = 15, ANTENNAS = 24, FINE = 24;
  const NAMES = { adam: "Adam", gauss_newton: "Gauss-Newton", ours: "our search" };
  const ROMAN = { 1: "I", 2: "II" };

  geolab.lab("latent_inversion-search", {
    uses: ["networks.js", "channels.js", "search.js", "latent_inversion_core.js", "latent_inversion_panels.js"],
    data: ["latent_inversion"],
    async start(box, data) {
      const page = new Page(box, await begin(data), data);
      await page.look();
      return page;
    },
  });

  /** A thread that knows the generator and the experiment. */
  async function begin(data) {
    const parts = [`const random = ${geolab.random};`, labNetworks, labChannels, labSearch, labLatent];
    const thread = geolab.worker(parts, latentThread);
    const weights = Object.fromEntries(Object.entries(data.weights).map(([name, values]) =>
      [name, { shape: values.shape, values }]));
    await thread.ask({ about: "begin", weights, truths: data.truths, errors: data.errors,
      ours: data.ours });
    return thread;
  }

  class Page {
    constructor(box, thread, data) {
      Object.assign(this, { box, thread, data, names: NAMES });
      this.setup = { order: "consistent", kind: "binary", model: 1, noise: 1 };
      this.latent = Float32Array.from(data.check.latent);
      this.axes = [0, 1];
      this.ray = 10 * ANTENNAS + 3;
      const { rays } = labLatent();
      this.rays = { consistent: rays("consistent"), as_published: rays("as_published") };
      this.runs = [];
      this.seed = 1;
      this.job = null; // "walk", "search" or "map"
      this.controls();
      this.panels();
      box.code(() => this.code());
      box.check(() => this.check());
    }

    // --- what is computed ------------------------------------------------------------------------

    /** Show the latent at hand; of many wishes in a row the last one counts. */
    async look() {
      this.wish = true;
      if (this.looking) return this.looking;
      this.looking = (async () => {
        while (this.wish) {
          this.wish = false;
          this.take(await this.thread.ask({ about: "view", setup: this.setup, latent: Array.from(this.latent) }));
        }
        this.looking = null;
      })();
      return this.looking;
    }

    take(view) {
      this.view = view;
      this.box.redraw();
      this.tell();
    }

    /** The reader moved, or changed the experiment: a search would go on from somewhere else, so it ends. */
    move(latent) {
      if (this.job !== "walk") this.stop();
      this.latent = Float32Array.from(latent, (x) => (Number.isFinite(x) ? Math.max(-1, Math.min(1, x)) : 0));
      this.settle();
      this.look();
    }

    change(part) {
      this.stop();
      Object.assign(this.setup, part);
      this.runs = [];
      this.settle();
      this.look();
    }

    settle() {
      this.sliders.forEach((slider, i) => slider.set(this.latent[i]));
    }

    stop() {
      this.job = null;
      this.buttons();
      this.box.redraw();
    }

    /** Do `step` again and again until it returns false or the reader wants something else. */
    async run(job, step) {
      this.stop();
      const mine = (this.turn = {});
      this.job = job;
      this.buttons();
      while (this.job === job && this.turn === mine) {
        if ((await step(() => this.job === job && this.turn === mine)) === false) break;
      }
      if (this.turn === mine) this.stop();
    }

    async search(name) {
      this.stop();
      const start = Array.from(this.latent), setup = { ...this.setup };
      const run = { name, x: [], y: [], start, state: "runs", solves: 0, seed: this.seed++ };
      this.runs = [...this.runs.slice(-3), run];
      this.current = run;
      await this.thread.ask({ about: "search", name, setup, latent: start, seed: run.seed });
      await this.run("search", async (on) => {
        const { view, solves, attempt, done } = await this.thread.ask({ about: "slice", budget: 40 });
        if (!on()) return false;
        Object.assign(run, { solves: solves ?? run.solves, attempt: attempt ?? run.attempt });
        if (view) {
          run.x.push(solves);
          run.y.push(view.wrmse);
          this.latent = Float32Array.from(view.latent);
          this.settle();
          judge(run, this.latent);
          this.take(view);
        } else if (solves) {
          this.box.redraw();
          this.tell();
        }
        if (!done && !(solves > MOST[name])) return true;
        run.state = run.best <= this.enough(name) ? "found" : "over";
        this.latent = run.at;
        this.settle();
        await this.look();
        return false;
      });
      this.tell();
    }

    /** The WRMSE at which a search has found what it looks for. */
    enough(name) {
      return name === "ours" ? this.data.ours.settings.target : 1;
    }

    walk() {
      if (this.job === "walk") return this.stop();
      const { normal } = geolab.random(1000 + this.seed++), speed = new Float64Array(N);
      return this.run("walk", async (on) => {
        const next = Array.from(this.latent, (x, i) => {
          speed[i] = 0.93 * speed[i] + 0.012 * normal();
          if (Math.abs(x + speed[i]) > 1) speed[i] *= -1;
          return x + speed[i];
        });
        this.move(next);
        await this.look();
        // A reader who asked for less motion gets two images a second.
        await new Promise((resolve) => setTimeout(resolve, geolab.still ? 500 : 16));
        return on();
      });
    }

    map() {
      if (this.job === "map") return this.stop();
      const points = order(), setup = { ...this.setup }, axes = [...this.axes], latent = Array.from(this.latent);
      this.chart = { key: this.key(), values: new Float64Array(FINE * FINE).fill(NaN), done: 0 };
      const { chart } = this, place = (n) => -1 + (2 * n + 1) / FINE;
      return this.run("map", async (on) => {
        const next = points.slice(chart.done, chart.done + 40);
        const asked = next.map(([i, j]) => [place(j), place(i)]);
        const values = await this.thread.ask({ about: "map", setup, latent, axes, points: asked, budget: 60 });
        values.forEach((value, n) => paint(chart.values, next[n], value));
        chart.done += values.length;
        this.box.redraw();
        return on() && chart.done < points.length;
      });
    }

    /** What a map of the misfit holds for: the experiment, the two components, and all the others. */
    key() {
      const others = Array.from(this.latent).filter((_, i) => !this.axes.includes(i));
      return JSON.stringify([this.setup, this.axes, others]);
    }

    // --- controls --------------------------------------------------------------------------------

    controls() {
      const { box } = this;
      const orders = [["consistent", "true rays"], ["as_published", "scrambled, as released"]];
      this.orders = box.select({ label: "Rays", options: orders, value: "consistent",
        change: (order) => this.change({ order }) });
      box.select({ label: "Cells", options: [["binary", "two velocities"], ["continuous", "as generated"]], value: "binary",
        change: (kind) => this.change({ kind }) });
      const scenes = [[1, 1], [1, 2], [2, 1], [2, 2]];
      box.select({ label: "Truth and errors", options: scenes.map((s) => [s.join(), `model ${ROMAN[s[0]]}, noise ${ROMAN[s[1]]}`]),
        value: "1,1", change: (pair) => {
          const [model, noise] = pair.split(",").map(Number);
          this.change({ model, noise });
        } });
      this.reveal = box.toggle({ label: "Show the truth", change: () => {} });
      box.row();
      box.button("Start somewhere else", () => this.elsewhere());
      this.walking = box.button("Wander", () => { this.walk(); });
      this.searching = Object.fromEntries(Object.entries(NAMES).map(([name, text]) =>
        [name, box.button(text[0].toUpperCase() + text.slice(1), () => { this.search(name); }, { primary: true })]));
      this.stopping = box.button("Stop", () => this.stop());
      this.returning = box.button("Back to its start", () => this.back());
      box.row();
      const components = Array.from({ length: N }, (_, i) => [i, `component ${i + 1}`]);
      ["Drag across", "Drag up"].forEach((label, k) => box.select({ label, options: components, value: k,
        change: (i) => { this.axes[k] = Number(i); } }));
      this.mapping = box.button("Map the misfit", () => { this.map(); });
      const all = document.createElement("details"), summary = document.createElement("summary");
      summary.textContent = "All fifteen components";
      all.append(summary);
      box.row();
      const inside = box.controls;
      this.sliders = Array.from({ length: N }, (_, i) => box.slider({ label: `component ${i + 1}`, min: -1, max: 1,
        value: this.latent[i], step: 0.01, format: (x) => x.toFixed(2).replace("-", "−"), change: (x) => {
          const latent = Array.from(this.latent);
          latent[i] = x;
          this.move(latent);
        } }));
      inside.replaceWith(all);
      all.append(inside);
      this.buttons();
    }

    elsewhere() {
      const { uniform } = geolab.random(this.seed++);
      this.move(Array.from({ length: N }, () => 2 * uniform() - 1));
    }

    back() {
      const run = this.runs.at(-1);
      if (run) this.move(run.start);
    }

    buttons() {
      this.walking.text(this.job === "walk" ? "Stand still" : "Wander");
      this.mapping?.text(this.job === "map" ? "Stop mapping" : "Map the misfit");
      this.stopping.enable(this.job !== null);
      this.returning.enable(this.runs.length > 0);
    }

    // --- panels ----------------------------------------------------------------------------------

    panels() {
      const { box } = this;
      this.earth = box.panel({ title: "The earth of this latent", ratio: 1.0,
        describe: "Image of the generated cells with the cells of the chosen ray", draw: (pen) => geolab.latentPanels.earth(this, pen) });
      const pad = box.panel({ title: "Drag here: two of fifteen components", ratio: 1.0,
        describe: "Pad for two components of the latent; arrow keys move", draw: (pen) => geolab.latentPanels.pad(this, pen) });
      pad.pointer({ down: (p) => { this.held = true; this.drag(p); }, move: (p) => this.held && this.drag(p),
        up: () => { this.held = false; }, key: (event) => this.nudge(event) });
      this.rest = box.panel({ title: "Point at a ray", ratio: 0.85,
        describe: "Residuals of all rays, sources down and receivers across; arrow keys choose a ray",
        draw: (pen) => geolab.latentPanels.residual(this, pen) });
      this.rest.pointer({ down: (p) => this.point(p), move: (p) => this.point(p), key: (event) => this.step(event),
        touch: "pan-y" });
      this.curve = box.panel({ title: "WRMSE", ratio: 0.85, describe: "Misfit of the searches against solves",
        draw: (pen) => geolab.latentPanels.curve(this, pen) });
    }

    // --- pointer and keys --------------------------------------------------------------------------

    drag({ x, y }) {
      if (!this.padAxes) return;
      const latent = Array.from(this.latent);
      latent[this.axes[0]] = this.padAxes.invX(x);
      latent[this.axes[1]] = this.padAxes.invY(y);
      this.move(latent);
    }

    nudge({ key }) {
      const by = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, 1], ArrowDown: [0, -1] }[key];
      if (!by) return false;
      const latent = Array.from(this.latent);
      this.axes.forEach((axis, k) => { latent[axis] += 0.05 * by[k]; });
      this.move(latent);
      return true;
    }

    point({ x, y }) {
      if (!this.restAxes) return;
      const cell = (at, low, high) => Math.max(0, Math.min(ANTENNAS - 1, Math.floor((ANTENNAS * (at - low)) / (high - low))));
      const { left, right, top, bottom } = this.restAxes;
      this.ray = cell(y, top, bottom) * ANTENNAS + cell(x, left, right);
    }

    step({ key }) {
      const by = { ArrowLeft: [0, -1], ArrowRight: [0, 1], ArrowUp: [-1, 0], ArrowDown: [1, 0] }[key];
      if (!by) return false;
      const clamp = (n) => Math.max(0, Math.min(ANTENNAS - 1, n));
      this.ray = clamp(Math.floor(this.ray / ANTENNAS) + by[0]) * ANTENNAS + clamp((this.ray % ANTENNAS) + by[1]);
      return true;
    }

    // --- words -------------------------------------------------------------------------------------

    tell() {
      const now = `WRMSE ${geolab.number(this.view.wrmse, 4)}`, run = this.runs.at(-1);
      if (!run?.x.length) {
        return this.box.say(`${now}: with the truth's own image the errors of the data leave 1. Send a search off from here.`);
      }
      const name = NAMES[run.name][0].toUpperCase() + NAMES[run.name].slice(1), { solves } = run;
      const lowest = geolab.number(run.best, 3), attempt = run.attempt > 1 ? `, attempt ${run.attempt}` : "";
      this.box.say({
        found: `${name} fits the data: a WRMSE of ${geolab.number(run.best, 4)}, where the truth leaves 1, after ${solves} solves.`,
        stuck: `${name} is stuck: no better than ${lowest} for ${solves - run.since} of ${solves} solves.`,
        over: `${name} has ended at ${lowest} after ${solves} solves, above 1: stuck in a valley that is not the truth's.`,
        runs: this.job === "search" ? `${name}: ${run.name === "ours" ? "at best " : ""}${now} after ${solves} solves${attempt}.`
          : `${now}. ${name} was stopped after ${solves} solves${attempt}.`,
      }[run.state]);
    }

    /** Lines of Python that print the WRMSE of the state on the screen, and run the last search from its start. */
    code() {
      const { order, kind, model, noise } = this.setup, run = this.runs.at(-1);
      const tensor = (latent) => `torch.tensor([[${Array.from(latent, (x) => Number(Math.fround(x).toPrecision(9))).join(", ")}]])`;
      const lines = [
        "import torch",
        "from geolib.studies.latent_inversion.config import LatentConfig",
        "from geolib.studies.latent_inversion.world import World",
        "world = World(LatentConfig(width=16))",
        `data, rms = world.observed("${order}", "${kind}", ${model}, ${noise})`,
        `def simulate(latents): return world.simulate("${order}", "${kind}", latents)`,
        `latent = ${tensor(this.latent)}`,
        "print(float((simulate(latent) - data).square().mean().sqrt()) / rms)",
      ];
      if (run) lines.push("", ...SEARCHES[run.name](tensor(run.start), run));
      return lines.join("\n");
    }

    /** The package's numbers for the latent that the build has chosen, and the thread's. */
    async check() {
      this.stop();
      const { latent, model, cases } = this.data.check, rows = [];
      for (const [name, theirs] of Object.entries(cases)) {
        const [order, kind] = name.split(" "), setup = { order, kind, model: 1, noise: 1 };
        const ours = await this.thread.ask({ about: "check", setup, latent: Array.from(latent) });
        if (!rows.length) rows.push(compare("image, 7500 cells", ours.model, model, ROUND.image));
        const where = `, ${order === "consistent" ? "true rays" : "scrambled"}, ${kind}`;
        for (const [key, what] of Object.entries(CHECKED))
          if (key in theirs) rows.push(compare(what + where, ours[key], theirs[key], ROUND[key]));
      }
      const { models, ...theirs } = this.data.check.ours;
      const ours = await this.thread.ask({ about: "proposed", models, count: theirs.proposals.shape[0], local: theirs.steps.shape[0] });
      rows.push(compare("our search: the regression's proposals", ours.proposals, theirs.proposals, ROUND.ours),
        compare("our search: steps from the best", ours.steps, theirs.steps, ROUND.ours));
      return rows;
    }
  }

  const CHECKED = { times: "576 traveltimes", wrmse: "WRMSE", gradient: "gradient", adam: "three updates of Adam",
    gauss_newton: "an update of Gauss-Newton" };
  // Differences allowed, in units of single precision's round-off 1.2e-7, in which the package computes; the page has
  // double precision. Gauss-Newton divides differences of times by a step of 0.1.
  const ROUND = { image: 200, times: 50, wrmse: 50, gradient: 200, adam: 100, gauss_newton: 20000, ours: 2000 };
  function compare(what, ours, theirs, factor) {
    const [a, b] = [ours, theirs].map((x) => (typeof x === "number" ? [x] : x));
    const largest = b.reduce((at, x, i) => (Math.abs(x) > Math.abs(b[at]) ? i : at), 0);
    return { what, page: a[largest], package: b[largest], error: geolab.difference(a, b), allowed: factor * 2 ** -23 };
  }

  // What the package makes of a search from the same start; its draws are its own.
  const SEARCHES = {
    adam: (start, { x, seed }) => [
      "# Adam from where it began; a component that leaves the box gets other draws than in the page",
      "from geolib.inversion import latent as latents",
      `draws = torch.rand(1, ${Math.max(1, x.length)}, 15, generator=torch.Generator().manual_seed(${seed})) * 2 - 1`,
      `found = latents.adam(simulate, data, ${start}, draws)`,
      "print(float(found.misfit.min()) / rms)",
    ],
    gauss_newton: (start, { x }) => [
      "# Gauss-Newton from where it began",
      "from geolib.inversion import gauss_newton, latent as latents",
      "linearise = gauss_newton.central_differences(lambda z: simulate(latents.to_uniform(z)), 0.1)",
      `found = gauss_newton.gauss_newton(linearise, data, latents.to_normal(${start}.clamp(-1 + 1e-6, 1 - 1e-6)), ${Math.max(1, x.length)})`,
      "print(float(found.misfit.min()) / rms)",
    ],
    ours: (start, { seed }) => [
      "# our search from where it began, with draws of its own",
      "import numpy as np",
      "from geolib import search_models",
      "found = search_models(lambda z: simulate(torch.from_numpy(z).float()).numpy(), data[0].numpy(), 15,",
      `                      sigma=rms, rng=np.random.default_rng(${seed}), start=${start}.numpy())`,
      "print(found.misfit, found.solves)",
    ],
  };

  // A search is called stuck once its best misfit has not fallen by one per cent for so many solves, and given up after
  // so many; ours comes to its own end.
  const PATIENCE = { adam: 200, gauss_newton: 200, ours: Infinity };
  const MOST = { adam: 4000, gauss_newton: 4000, ours: Infinity };
  function judge(run, latent) {
    const n = run.y.length - 1, best = run.best ?? Infinity;
    if (run.y[n] < 0.99 * best) run.since = run.x[n];
    if (run.y[n] < best) Object.assign(run, { best: run.y[n], at: latent });
    run.state = run.x[n] - run.since >= PATIENCE[run.name] ? "stuck" : "runs";
  }

  /** The points of a map, coarse ones first. */
  function order() {
    const points = [];
    for (const [step, coarser] of [[8, 0], [4, 8], [2, 4], [1, 2]])
      for (let i = 0; i < FINE; i += step)
        for (let j = 0; j < FINE; j += step)
          if (!coarser || i % coarser || j % coarser) points.push([i, j]);
    return points;
  }

  /** Put a value where it stands, and over the finer points that nobody has computed yet. */
  function paint(values, [i, j], value) {
    const step = [8, 4, 2, 1].find((s) => i % s === 0 && j % s === 0);
    for (let a = i; a < Math.min(FINE, i + step); a++)
      for (let b = j; b < Math.min(FINE, j + step); b++) values[a * FINE + b] = value;
  }
})();
