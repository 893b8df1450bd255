/* The panels of the latent inversion's laboratory; `page` is its state (latent_inversion.js). */
(function () {
  "use strict";
  const SHAPE = [125, 60], ANTENNAS = 24, FINE = 24;
  const COLOURS = { adam: "blue", gauss_newton: "vermilion", ours: "green" };

  function earth(page, pen) {
    if (!page.view) return;
    const { g, w, h, ink } = pen, both = page.reveal.value, gap = 26;
    const high = h - 22, wide = Math.min((high * 60) / 125, (w - gap * (both ? 2 : 1) - 8) / (both ? 2 : 1));
    const tall = (wide * 125) / 60, left = (w - (both ? 2 * wide + gap : wide)) / 2;
    const frame = (n) => ({ left: left + n * (wide + gap), top: 18, right: left + n * (wide + gap) + wide, bottom: 18 + tall });
    const values = page.setup.kind === "binary" ? (model) => model.map((m) => (m >= 0.5 ? 1 : 0)) : (model) => model;
    const models = both ? [page.view.model, page.view.truth] : [page.view.model];
    models.forEach((model, n) => {
      geolab.image(pen, frame(n), values(model), SHAPE, "facies", [0, 1]);
      ray(page, g, frame(n), ink);
      g.fillStyle = ink.muted;
      g.font = "12px system-ui, sans-serif";
      g.textAlign = "center";
      g.textBaseline = "middle";
      g.fillText(n ? "the truth" : both ? "this latent" : "6 m across, 12.5 m deep", left + n * (wide + gap) + wide / 2, 8);
    });
    const [source, receiver] = pair(page);
    page.earth.title(`The earth; ray from ${source} m to ${receiver} m`);
  }

  function pair(page) {
    return [Math.floor(page.ray / ANTENNAS), page.ray % ANTENNAS].map((n) => 0.5 * (n + 1));
  }

  function ray(page, g, frame, ink) {
    const { starts, cells } = page.rays[page.setup.order], [source, receiver] = pair(page);
    const size = (frame.right - frame.left) / 60, x = (m) => frame.left + m * 10 * size, y = (m) => frame.top + m * 10 * size;
    g.fillStyle = "#d55e00";
    for (let i = starts[page.ray]; i < starts[page.ray + 1]; i++) {
      const row = Math.floor(cells[i] / 60), column = cells[i] % 60;
      g.fillRect(frame.left + column * size, frame.top + row * size, Math.max(size, 1.5), Math.max(size, 1.5));
    }
    g.strokeStyle = "#fff";
    g.lineWidth = 1;
    g.setLineDash([3, 3]);
    g.beginPath(); g.moveTo(x(0.01), y(source)); g.lineTo(x(5.99), y(receiver)); g.stroke();
    g.setLineDash([]);
    for (let n = 1; n <= ANTENNAS; n++)
      for (const [side, on] of [[-1, n * 0.5 === source], [1, n * 0.5 === receiver]]) {
        g.fillStyle = on ? ink.vermilion : ink.muted;
        g.beginPath();
        g.arc(side < 0 ? frame.left - 5 : frame.right + 5, y(0.5 * n), on ? 3.5 : 1.5, 0, 7);
        g.fill();
      }
  }

  function pad(page, pen) {
    const { g, ink } = pen, [i, j] = page.axes;
    const axes = geolab.axes(pen, { x: [-1, 1], y: [-1, 1], xlabel: `component ${i + 1}`, ylabel: `component ${j + 1}` });
    page.padAxes = axes;
    const known = page.chart && page.chart.key === page.key();
    if (known) {
      const seen = page.chart.values.filter(Number.isFinite), logs = page.chart.values.map(Math.log);
      geolab.image(pen, axes, upright(logs), [FINE, FINE], "velocity", [Math.log(Math.min(...seen)), Math.log(Math.max(...seen))]);
    }
    const truth = page.data.truths[page.setup.model];
    if (page.reveal.value) ring(g, axes.X(truth[i]), axes.Y(truth[j]), ink.paper, ink.green, "");
    const [x, y] = [axes.X(page.latent[i]), axes.Y(page.latent[j])];
    ring(g, x, y, ink.paper, ink.vermilion, "full");
    if (!known) return;
    const seen = page.chart.values.filter(Number.isFinite);
    if (seen.length) axes.note(`WRMSE from ${geolab.number(Math.min(...seen), 2)} (dark) to ${geolab.number(Math.max(...seen), 2)}`,
      axes.left + 6, axes.top + 10, ink.text);
  }

  function residual(page, pen) {
    if (!page.view) return;
    const { g, w, h, ink } = pen, { residual } = page.view;
    const axes = geolab.axes(pen, { x: [0, 12], y: [12, 0], xlabel: "receiver, m", ylabel: "source, m", right: 12, grid: false });
    const sorted = Float64Array.from(residual, Math.abs).sort(), top = Math.max(3, sorted[560]);
    geolab.image(pen, axes, residual, [ANTENNAS, ANTENNAS], "signed", [-top, top]);
    page.restAxes = axes;
    const wide = (axes.right - axes.left) / ANTENNAS, tall = (axes.bottom - axes.top) / ANTENNAS;
    g.strokeStyle = ink.text;
    g.lineWidth = 2;
    g.strokeRect(axes.left + (page.ray % ANTENNAS) * wide, axes.top + Math.floor(page.ray / ANTENNAS) * tall, wide, tall);
    axes.note(`colours: ±${geolab.number(top, 2)} ns`, axes.right - 4, axes.bottom - 10, ink.text, "right");
    page.rest.title(`Point at a ray: residual ${geolab.number(residual[page.ray], 3)} ns`);
  }

  function curve(page, pen) {
    const { ink } = pen, ends = page.runs.flatMap((run) => [run.solves || 1]);
    const high = Math.max(20, ...page.runs.flatMap((run) => run.y));
    const axes = geolab.axes(pen, { x: [0, Math.max(60, ...ends)], y: [0.8, 1.15 * high], ylog: true, xlabel: "forward solves", ylabel: "" });
    axes.rule({ y: 1 }, ink.muted, "as good as the truth", { align: "left" });
    if (page.view && page.view.wrmse > 0.8) axes.rule({ y: page.view.wrmse }, ink.line, "");
    for (const [n, run] of page.runs.filter((each) => each.x.length).entries()) {
      const colour = ink[COLOURS[run.name]], text = `${page.names[run.name]}: ${geolab.number(run.y.at(-1), 3)}`;
      // Our search reports where its best falls, and stays at that until the next.
      const steps = run.name === "ours", x = steps ? [...run.x.flatMap((at, k) => (k ? [at, at] : [at])), run.solves] : run.x;
      const y = steps ? run.y.flatMap((value) => [value, value]) : run.y;
      axes.line(x, y, colour);
      axes.dots([x.at(-1)], [y.at(-1)], colour);
      axes.note(text, axes.right - 4, axes.top + 8 + 15 * n, colour, "right");
    }
    page.curve.title(`WRMSE: ${geolab.number(page.view?.wrmse, 4)} here`);
  }

  /** Rows from the bottom up, as an axis that points up wants them. */
  function upright(values) {
    return Float64Array.from(values, (_, n) => values[(FINE - 1 - Math.floor(n / FINE)) * FINE + (n % FINE)]);
  }

  function ring(g, x, y, paper, colour, full) {
    g.beginPath();
    g.arc(x, y, 8, 0, 7);
    g.lineWidth = 5; g.strokeStyle = paper; g.stroke();
    g.lineWidth = 2.5; g.strokeStyle = colour; g.stroke();
    if (full) { g.fillStyle = colour; g.beginPath(); g.arc(x, y, 3, 0, 7); g.fill(); }
  }

  geolab.latentPanels = { earth, pad, residual, curve };
})();
