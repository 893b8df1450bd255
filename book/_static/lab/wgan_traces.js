/* The laboratory of the traces' GAN: one latent through the networks of several epochs, what the critic says of it, and a
   thousand draws counted. The mathematics is in wgan_traces_core.js. */
(function () {
  "use strict";
  const DRAWS = 1000, SCORED = 100, REAL = 40;
  const TIMES = Float64Array.from({ length: 499 }, (_, i) => 0.004 * i);
  const HERTZ = Float64Array.from({ length: 250 }, (_, k) => k / (499 * 0.004));

  geolab.lab("wgan_traces-epochs", {
    uses: ["networks.js", "wgan_traces_core.js"],
    async start(box) {
      const { network, ...rest } = await geolab.fetch("wgan_traces");
      const page = new Page(box, geolab.decode(rest), geolab.worker([labDecode, labNetworks, labTraces], tracesThread), network);
      await page.go(page.data.epoch);
      // The others come once the reader reaches for the laboratory, before they are asked for.
      for (const sign of ["pointerover", "pointerdown", "focusin"]) box.element.addEventListener(sign, () => page.ahead().catch(console.warn));
      return page;
    },
  });

  class Page {
    constructor(box, data, thread, network) {
      Object.assign(this, { box, data, thread, epoch: data.epoch, seed: 1, draw: 0, mix: 0, job: null });
      this.networks = {}; // by epoch: all but their weights
      this.sent = { [data.epoch]: this.send(data.epoch, network) };
      this.known = new Set(); // epochs whose networks the thread has decoded
      this.counts = {};
      this.real = Array.from({ length: REAL }, (_, n) => data.real.traces.slice(499 * n, 499 * (n + 1)));
      this.controls();
      this.panels();
      box.code(() => this.code());
      box.check(() => this.check());
    }

    // --- what is computed --------------------------------------------------------------------------

    /** Give the thread an epoch's networks once; they are loaded on demand. */
    async send(epoch, network) {
      network ??= (await geolab.fetch(`wgan_traces-${String(epoch).padStart(4, "0")}`)).network;
      const { weights, ...rest } = network;
      this.networks[epoch] = geolab.decode(rest);
      await this.thread.ask({ about: "add", epoch, weights, low: rest.latent_low });
    }

    /** See to it that the thread can use an epoch's networks; whether they are ready after `budget` ms. */
    async fetch(epoch, budget = Infinity) {
      await (this.sent[epoch] ??= this.send(epoch));
      if (!this.known.has(epoch) && (await this.thread.ask({ about: "prepare", epoch, budget }))) this.known.add(epoch);
      return this.known.has(epoch);
    }

    /** Load and decode the networks of all epochs, the nearest first, in slices while nothing else is to be done. */
    async ahead() {
      if (this.coming) return;
      this.coming = true;
      const { epochs } = this.data, here = epochs.indexOf(this.epoch), far = (e) => Math.abs(epochs.indexOf(e) - here);
      const idle = () => new Promise((go) => (window.requestIdleCallback ?? setTimeout)(go));
      for (const epoch of [...epochs].sort((a, b) => far(a) - far(b))) {
        do await idle();
        while (!(await this.fetch(epoch, 5)));
      }
    }

    /** Show the state of the controls; of many wishes in a row the last one counts. */
    async look() {
      this.wish = true;
      if (this.looking) return this.looking;
      this.looking = (async () => {
        while (this.wish) {
          this.wish = false;
          const { epoch, seed, draw, mix } = this;
          await this.fetch(epoch);
          const view = await this.thread.ask({ about: "look", epoch, seed, draw, mix });
          if (this.view && this.view.epoch !== epoch) this.before = this.view;
          this.view = { ...view, epoch };
          this.box.redraw();
          this.tell();
        }
        this.looking = null;
      })();
      return this.looking;
    }

    async go(epoch) {
      this.epoch = epoch;
      await this.look();
    }

    stop() {
      this.job = null;
      this.buttons();
    }

    async run(job, step) {
      this.stop();
      const mine = (this.turn = {}), on = () => this.job === job && this.turn === mine;
      this.job = job;
      this.buttons();
      while (on() && (await step(on)) !== false);
      if (this.turn === mine) this.stop();
      this.box.redraw();
    }

    /** What is known of the draws of an epoch, with the seed at hand. */
    tally(epoch) {
      return (this.counts[`${epoch} ${this.seed}`] ??= { n: 0, positive: 0, without: 0, spectrum: new Float64Array(250),
        scores: [], real: [], silence: null });
    }

    count() {
      if (this.job === "count") return this.stop();
      const { epoch, seed } = this, tally = this.tally(epoch);
      return this.run("count", async (on) => {
        await this.fetch(epoch);
        if (tally.silence === null) {
          tally.silence = await this.thread.ask({ about: "score", epoch, trace: new Float64Array(499) });
        } else if (tally.n < DRAWS) {
          const { signs, sum } = await this.thread.ask({ about: "count", epoch, seed, first: tally.n, end: DRAWS, budget: 40 });
          tally.n += signs.length;
          tally.positive += signs.filter((s) => s > 0).length;
          tally.without += signs.filter((s) => s === 0).length;
          sum.forEach((x, i) => { tally.spectrum[i] += x; });
          // Scores take longer than traces: one at a time, a generated and a real one in turn.
        }
        const { scores, real } = tally;
        if (scores.length < SCORED && scores.length < tally.n) {
          scores.push(await this.thread.ask({ about: "score", epoch, seed, draw: scores.length }));
          if (real.length < REAL) real.push(await this.thread.ask({ about: "score", epoch, trace: this.real[real.length] }));
        }
        this.box.redraw();
        this.tell();
        return on() && (tally.n < DRAWS || scores.length < SCORED);
      });
    }

    /** Go through the epochs with the latent kept. */
    play() {
      if (this.job === "play") return this.stop();
      const { epochs } = this.data;
      let next = epochs.indexOf(this.epoch) + 1 < epochs.length ? epochs.indexOf(this.epoch) : -1;
      return this.run("play", async (on) => {
        next += 1;
        this.slide.set(next);
        await this.go(epochs[next]);
        await new Promise((resolve) => setTimeout(resolve, 900));
        return on() && next + 1 < epochs.length;
      });
    }

    wander() {
      if (this.job === "wander") return this.stop();
      return this.run("wander", async (on) => {
        this.mix += geolab.still ? 0.2 : 0.02;
        if (this.mix >= 1) { this.mix = 0; this.draw = (this.draw + 1) % DRAWS; }
        this.settle();
        await this.look();
        await new Promise((resolve) => setTimeout(resolve, geolab.still ? 500 : 16));
        return on();
      });
    }

    // --- controls ----------------------------------------------------------------------------------

    controls() {
      const { box, data } = this, { epochs } = data, whole = (x) => String(Math.round(x));
      if (epochs.length > 1) {
        this.slide = box.slider({ label: "Networks after epoch", min: 0, max: epochs.length - 1, step: 1,
          value: epochs.indexOf(data.epoch), format: (n) => whole(epochs[Math.round(n)]),
          marks: epochs.map((e, value) => ({ value, text: String(e) })), change: (n) => {
            if (this.job === "play") this.stop();
            this.go(epochs[Math.round(n)]);
          } });
        this.playing = box.button("Play the epochs", () => { this.play(); });
        box.row();
      }
      this.drawing = box.slider({ label: "Latent: which draw", min: 0, max: DRAWS - 1, step: 1, value: 0, format: whole,
        change: (draw) => this.move({ draw: Math.round(draw) }) });
      this.mixing = box.slider({ label: "towards the next draw", min: 0, max: 1, step: 0.01, value: 0,
        format: (x) => x.toFixed(2), change: (mix) => this.move({ mix }) });
      box.slider({ label: "seed of the draws", min: 1, max: 50, step: 1, value: 1, format: whole,
        change: (seed) => { this.stop(); this.move({ seed: Math.round(seed) }); } });
      box.row();
      box.button("Another draw", () => {
        this.move({ draw: (this.draw + 1) % DRAWS, mix: 0 });
        this.settle();
      });
      this.wandering = box.button("Wander", () => { this.wander(); });
      this.counting = box.button("Count a thousand draws", () => { this.count(); }, { primary: true });
      this.beside = box.toggle({ label: "A real trace beside it" });
      this.buttons();
    }

    move(part) {
      if (this.job === "wander") this.stop();
      Object.assign(this, part);
      this.look();
    }

    settle() {
      this.drawing.set(this.draw);
      this.mixing.set(this.mix);
    }

    buttons() {
      this.playing?.text(this.job === "play" ? "Stop" : "Play the epochs");
      this.wandering.text(this.job === "wander" ? "Stand still" : "Wander");
      this.counting.text(this.job === "count" ? "Stop counting" : "Count a thousand draws");
    }

    // --- panels ------------------------------------------------------------------------------------

    panels() {
      const { box } = this;
      this.tracing = box.panel({ title: "The trace of this latent", ratio: 0.36, wide: true,
        describe: "Generated trace with its first event", draw: (pen) => this.drawTrace(pen) });
      box.panel({ title: "Amplitude spectrum", ratio: 0.7, describe: "Spectra of this trace, of the draws and of real traces",
        draw: (pen) => this.drawSpectrum(pen) });
      box.panel({ title: "The critic's scores", ratio: 0.7, describe: "Histograms of scores of generated and real traces",
        draw: (pen) => this.drawScores(pen) });
      box.panel({ title: "Share of positive first events", ratio: 0.3, wide: true, describe: "Share of positive first events by epoch",
        draw: (pen) => this.drawShares(pen) });
      // Wide panels would be flat on a phone.
      for (const { canvas } of box.panels) canvas.style.minHeight = "13rem";
    }

    drawTrace(pen) {
      if (!this.view) return;
      const { ink } = pen, { trace, event } = this.view, other = this.beside.value ? this.real[this.draw % REAL] : null;
      const size = 1.1 * Math.max(1e-6, ...trace.map(Math.abs), ...(other ?? []).map(Math.abs));
      const axes = geolab.axes(pen, { x: [0, 2], y: [-size, size], xlabel: "time, s", ylabel: "amplitude" });
      axes.rule({ y: 0 }, ink.line, "", { dash: [] });
      if (this.before) axes.line(TIMES, this.before.trace, geolab.fade(ink.purple, 0.45), { width: 1 });
      if (other) axes.line(TIMES, other, geolab.fade(ink.text, 0.8), { width: 1.5 });
      axes.line(TIMES, trace, ink.blue, { width: 1.75 });
      const rows = [[`epoch ${this.view.epoch}`, ink.blue], other && ["a real trace", ink.text],
        this.before && [`epoch ${this.before.epoch}`, ink.purple]].filter(Boolean);
      if (event.polarity) {
        const colour = event.polarity > 0 ? ink.vermilion : ink.green;
        axes.dots([event.time], [trace[event.index]], colour, 5);
        rows.push([event.polarity > 0 ? "first event: positive" : "first event: negative", colour]);
      }
      rows.forEach(([text, colour], n) => axes.note(text, axes.right - 4, axes.top + 8 + 15 * n, colour, "right"));
      this.tracing.title(`The trace of this latent; critic's score ${geolab.number(this.view.score, 4)}`);
    }

    drawSpectrum(pen) {
      if (!this.view) return;
      const { ink } = pen, tally = this.tally(this.epoch), { real } = this.data;
      const mean = tally.n ? tally.spectrum.map((x) => x / tally.n) : null;
      const top = 2 * Math.max(...this.view.spectrum, ...real.spectrum, ...(mean ?? [0]));
      const axes = geolab.axes(pen, { x: [0, HERTZ.at(-1)], y: [0.3 * Math.min(...real.spectrum), top], ylog: true,
        xlabel: "frequency, Hz", ylabel: "" });
      axes.rule({ x: 60 }, ink.muted, "60 Hz");  // above it, as the chapter tells, real traces have next to nothing
      axes.line(HERTZ, this.view.spectrum, ink.blue, { width: 1.5 });
      axes.line(HERTZ, real.spectrum, ink.text);
      if (mean) axes.line(HERTZ, mean, ink.vermilion, { dash: [5, 3] });
      [["this trace", ink.blue], [`mean of ${real.counted} real`, ink.text], mean && [`mean of ${tally.n} draws`, ink.vermilion]]
        .filter(Boolean).forEach(([text, colour], n) => axes.note(text, axes.right - 4, axes.top + 8 + 15 * n, colour, "right"));
    }

    drawScores(pen) {
      if (!this.view) return;
      const { ink } = pen, { scores, real, silence } = this.tally(this.epoch);
      const all = [this.view.score, ...scores, ...real, ...(silence === null ? [] : [silence])];
      const [low, high] = [Math.min(...all) - 0.3, Math.max(...all) + 0.3], bins = 24;
      const shares = (values) => {
        const found = new Float64Array(bins);
        for (const v of values) found[Math.min(bins - 1, Math.floor((bins * (v - low)) / (high - low)))] += 1 / values.length;
        return found;
      };
      const both = [[shares(scores), ink.blue, `${scores.length} generated`], [shares(real), ink.text, `${real.length} real`]];
      const top = 1.25 * Math.max(0.2, ...both.flatMap(([heights]) => [...heights]));
      const axes = geolab.axes(pen, { x: [low, high], y: [0, top], xlabel: "score: only differences count", ylabel: "" });
      for (const [heights, colour] of scores.length ? both : []) {
        const xs = [], ys = [];
        heights.forEach((y, n) => { xs.push(low + ((high - low) * n) / bins, low + ((high - low) * (n + 1)) / bins); ys.push(y, y); });
        axes.fill(xs, ys, geolab.fade(colour, 0.35), 0);
        axes.line(xs, ys, colour, { width: 1.25 });
      }
      const mark = (score, colour, text, height) => {
        axes.rule({ x: score }, colour, "");
        axes.label(text, score, height * top, colour, { dx: 5 });
      };
      mark(this.view.score, ink.vermilion, "this trace", 0.95);
      if (silence !== null) mark(silence, ink.purple, "silence", 0.86);
      if (!scores.length) axes.note("count draws to see their scores", (axes.left + axes.right) / 2, (axes.top + axes.bottom) / 2, ink.muted, "center");
      else both.forEach(([, colour, text], n) => axes.note(text, axes.right - 4, axes.top + 30 + 15 * n, colour, "right"));
    }

    drawShares(pen) {
      const { ink } = pen, { epochs, real } = this.data, g = pen.g;
      const axes = geolab.axes(pen, { x: [-0.5, epochs.length - 0.5], y: [0, 1], xlabel: "networks after epoch", ylabel: "", ticks: false,
        left: 46 });
      g.fillStyle = ink.muted;
      g.textBaseline = "middle";
      for (const share of [0, 0.25, 0.5, 0.75, 1]) {
        g.textAlign = "right";
        g.fillText(`${100 * share} %`, axes.left - 6, axes.Y(share));
      }
      g.textAlign = "center";
      epochs.forEach((epoch, n) => g.fillText(String(epoch), axes.X(n), axes.bottom + 10));
      axes.rule({ y: real.positive }, ink.text, `real traces: ${(100 * real.positive).toFixed(0)} %`, { align: "left" });
      epochs.forEach((epoch, n) => {
        const { n: count, positive } = this.tally(epoch);
        if (!count) return;
        const share = positive / count, error = 1.96 * Math.sqrt(Math.max(share * (1 - share), 0.25 / count) / count);
        axes.line([n, n], [Math.max(0, share - error), Math.min(1, share + error)], ink.blue);
        axes.dots([n], [share], ink.blue, epoch === this.epoch ? 5 : 3.5);
        const side = n < epochs.length - 1 ? { dx: 8 } : { dx: -8, align: "right" };  // within the panel
        axes.label(`${(100 * share).toFixed(1)} %`, n, share, ink.blue, side);
      });
      if (!this.tally(this.epoch).n) axes.note("count draws to see their share", (axes.left + axes.right) / 2, axes.top + 12, ink.muted, "center");
    }

    // --- words -------------------------------------------------------------------------------------

    tell() {
      // The networks of what is shown: those just asked for may still be on their way.
      const { epoch } = this.view, { n, positive } = this.tally(epoch), { eight_bits: off } = this.networks[epoch];
      const bits = `The page's weights have eight bits: that moves a trace by ${geolab.number(100 * off.trace, 2)} % (rms) and ` +
        `a score by ${geolab.number(off.score, 2)}, where scores spread by ${geolab.number(off.score_spread, 2)}.`;
      const shares = n ? `${positive} of ${n} draws start with a positive event (${((100 * positive) / n).toFixed(1)} %), of real ` +
        `traces ${(100 * this.data.real.positive).toFixed(0)} %. ` : "";
      this.box.say(`${shares}${bits}`);
    }

    /** Lines of Python for the same draws through the full networks. */
    code() {
      const { file } = this.networks[this.epoch] ?? {};
      return [
        "import torch",
        "from geolib.gans import wgan",
        "from geolib.metrics.samples import first_event",
        `networks = wgan.load_pretrained(wgan.weights_path().with_name("${file ?? ""}"))`,
        `latents = wgan.draw_latents(1001, torch.Generator().manual_seed(${this.seed}), networks.latent_low)`,
        `latents[0] = ${Number((1 - this.mix).toFixed(2))} * latents[${this.draw}] + ${Number(this.mix.toFixed(2))} * latents[${this.draw + 1}]`,
        "traces = networks.generator(latents).detach().numpy()  # the first is the one on the screen",
        "print(wgan.score(networks.critic, traces[:1])[0], (first_event(traces[1:], 0.004)[1] > 0).mean())",
      ].join("\n");
    }

    /** The package's numbers for one latent of each loaded network, with the same eight-bit weights. */
    async check() {
      this.stop();
      const rows = [], core = labTraces(labNetworks());
      for (const epoch of [...this.known].sort((a, b) => a - b)) {
        const { check: theirs, latent_low: low, eight_bits: off } = this.networks[epoch];
        const drawn = core.drawLatents(theirs.seed, off.draws, low).subarray(0, core.N);
        const ours = await this.thread.ask({ about: "look", epoch, seed: theirs.seed, draw: 0, mix: 0 });
        const { signs } = await this.thread.ask({ about: "count", epoch, seed: theirs.seed, first: 0, end: off.draws, budget: Infinity });
        const positive = signs.filter((s) => s > 0).length / off.draws;
        rows.push(
          compare(`epoch ${epoch}: latent`, drawn, theirs.latent, 1),
          compare("trace", ours.trace, theirs.trace, 100),
          compare("score", [ours.score], [theirs.score], 100),
          compare("spectrum", ours.spectrum, theirs.spectrum, 100),
          compare(`share of positive events, ${off.draws} draws`, [positive], [theirs.positive], 1),
        );
      }
      return rows;
    }
  }

  // Differences are allowed in units of single precision's round-off 1.2e-7, in which the package computes.
  function compare(what, ours, theirs, factor) {
    const largest = theirs.reduce((at, x, i) => (Math.abs(x) > Math.abs(theirs[at]) ? i : at), 0);
    return { what, page: ours[largest], package: theirs[largest], error: geolab.difference(ours, theirs), allowed: factor * 2 ** -23 };
  }
})();
