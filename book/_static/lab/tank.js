/* The wave tank of rnn_fwi: paint rock, shoot, and see what the gradient of that shot makes of it.
   The data come from the painted model; the gradient is taken at the model without paint. */
(function () {
  "use strict";
  const SLOW = 1500, FAST = 4500;
  const clip = (v, low, high) => Math.min(Math.max(v, low), high);

  /** A stroke of the brush: [row, column, radius in cells, wanted change in m/s]. */
  function stroke(change, { shape: [, nx] }, [z0, x0, radius, wanted]) {
    for (let i = 0; i < change.length; i++) {
      const far = (Math.floor(i / nx) - z0) ** 2 + ((i % nx) - x0) ** 2;
      change[i] += (wanted - change[i]) * Math.exp(-far / (2 * radius ** 2));
    }
    return change;
  }

  const blank = ({ shape: [nz, nx] }) => new Float64Array(nz * nx);

  /** Velocities: a gradient in depth and the paint on it. */
  const rock = ({ shape: [nz, nx], top, bottom }, change) => Float32Array.from(change, (more, i) =>
    clip(top + ((bottom - top) * Math.floor(i / nx)) / (nz - 1) + more, SLOW, FAST));

  const waves = (tank, source) => new geolab.Waves({ ...tank, source,
    wavelet: geolab.ricker(tank.frequency, tank.dt, tank.nt),
    absorbing: { left: true, right: true, bottom: true } });

  /** The grid's part of a padded field. */
  function inner({ shape: [nz, nx], stride, pad }, field) {
    const to = new Float32Array(nz * nx);
    for (let z = 0; z < nz; z++) {
      const begin = (z + pad.top + 1) * stride + pad.left + 1;
      to.set(field.subarray(begin, begin + nx), z * nx);
    }
    return to;
  }

  function largest(values, where = () => true) {
    let most = 0;
    for (let i = 0; i < values.length; i++) if (where(i)) most = Math.max(most, Math.abs(values[i]));
    return most || 1;
  }

  geolab.tank = (box, tank) => {
    const { shape: [nz, nx], nt, dt, spacing, lens } = tank, km = spacing / 1000;
    const flat = rock(tank, blank(tank));
    const first = [lens.z, lens.x, lens.radius, lens.velocity];
    let strokes = [first], paint = stroke(blank(tank), tank, first);
    let velocity = rock(tank, paint), source = tank.source, cursor = null;
    let engine, shot, job, gradient, observed, residual, wave, phase = "rest", rates = [];

    const mode = box.select({ label: "The pointer", options: [["paint", "paints rock"], ["wipe", "wipes it off"],
      ["source", "moves the source"]] });
    const change = box.slider({ label: "Painted rock", min: -800, max: 1200, value: 800, step: 50,
      format: (v) => `${v > 0 ? "+" : v < 0 ? "−" : ""}${Math.abs(v)} m/s` });
    const brush = box.slider({ label: "Brush", min: 40, max: 250, value: 100, step: 10, format: (v) => `${v} m` });
    const speed = box.slider({ label: "Steps a frame", min: 1, max: 60, value: 30, step: 1 });
    box.row();
    box.button("Shoot", shoot, { primary: true });
    const invert = box.button("Gradient of this shot", back);
    const pause = box.button("Pause", () => { loop.toggle(); tell(); });
    box.button("Wipe all paint", () => {
      [strokes, paint] = [[], blank(tank)];
      repaint();
    });

    const frame = (pen, more) => geolab.axes(pen, { x: [0, nx * km], y: [nz * km, 0], grid: false,
      xlabel: "distance, km", ylabel: "depth, km", ...more });
    const view = box.panel({ title: "", ratio: 0.42, wide: true,
      describe: "The wave tank. Arrow keys move a cursor, p paints there, s sets the source, Enter shoots.",
      draw(pen) {
        const { g, ink } = pen, axes = view.axes = frame(pen);
        geolab.image(pen, axes, velocity, [nz, nx], "velocity", [1500, 4000]);
        if (wave) geolab.image(pen, axes, wave, [nz, nx], "wave", [-wave.size, wave.size]);
        for (const [z, x] of tank.receivers.filter((_, i) => i % 5 === 2)) {
          g.fillStyle = "#fff";
          const [px, py] = [axes.X(x * km), axes.Y(z * km)];
          g.beginPath(); g.moveTo(px - 4, py - 3); g.lineTo(px + 4, py - 3); g.lineTo(px, py + 4); g.fill();
        }
        star(g, axes.X(source[1] * km), axes.Y(source[0] * km));
        if (cursor && document.activeElement === view.canvas) {
          g.strokeStyle = "#fff"; g.lineWidth = 2;
          const radius = (brush.value / 1000) * (axes.X(1) - axes.X(0));
          g.beginPath(); g.arc(axes.X(cursor[1] * km), axes.Y(cursor[0] * km), radius, 0, 7); g.stroke();
        }
        if (wave) axes.note(`${(engine.time * dt).toFixed(2)} s`, axes.right - 6, axes.bottom - 12, ink.text, "right");
      } });
    const gather = box.panel({ title: "", ratio: 0.8, draw(pen) {
      const shown = residual ?? shot ?? new Float32Array(nt * tank.receivers.length);
      const axes = geolab.axes(pen, { x: [0, nx * km], y: [nt * dt, 0], grid: false,
        xlabel: "receiver, km", ylabel: "time, s" });
      const size = (residual ? 0.5 : 0.12) * gather.size;
      geolab.image(pen, axes, shown, [nt, tank.receivers.length], "signed", [-size, size]);
      if (phase === "shot") axes.rule({ y: engine.time * dt }, pen.ink.orange);
    } });
    const image = box.panel({ title: "", ratio: 0.8, draw(pen) {
      const axes = frame(pen);
      if (!gradient) {
        pen.g.textAlign = "center";
        axes.note("press “Gradient of this shot”", (axes.left + axes.right) / 2, (axes.top + axes.bottom) / 2,
          pen.ink.muted, "center");
        return;
      }
      geolab.image(pen, axes, gradient, [nz, nx], "signed", [-gradient.size, gradient.size]);
      star(pen.g, axes.X(source[1] * km), axes.Y(source[0] * km));
    } });

    function star(g, x, y) {
      g.beginPath();
      for (let i = 0; i < 10; i++) {
        const radius = i % 2 ? 3.5 : 9, angle = (Math.PI * (i - 2.5)) / 5;
        g.lineTo(x + radius * Math.cos(angle), y + radius * Math.sin(angle));
      }
      g.closePath();
      g.fillStyle = "#f0e442"; g.strokeStyle = "#000"; g.lineWidth = 1;
      g.fill(); g.stroke();
    }

    // --- painting --------------------------------------------------------------------------------
    const cell = ({ x, y }) => [clip(Math.round(view.axes.invY(y) / km), 0, nz - 1),
      clip(Math.round(view.axes.invX(x) / km), 0, nx - 1)];
    let pressed = false, last;
    function press(at) {
      if (mode.value === "source") { moveSource(at); return; }
      const radius = brush.value / spacing;
      if (last && Math.hypot(at[0] - last[0], at[1] - last[1]) < radius / 2) return;
      last = at;
      strokes.push([...at, radius, mode.value === "wipe" ? 0 : change.value]);
      stroke(paint, tank, strokes.at(-1));
      repaint();
    }
    function moveSource(at) {
      source = at;
      rest();
    }
    function repaint() {
      velocity = rock(tank, paint);
      observed = gradient = residual = null;
      if (phase === "shot" && engine) engine.model(velocity); // the rock changes under the wave
      else rest();
    }
    view.pointer({
      down: (p) => { pressed = true; last = null; press(cell(p)); },
      move: (p) => (pressed ? press(cell(p)) : false),
      up: () => { pressed = false; },
      key(event) {
        const steps = { ArrowUp: [-3, 0], ArrowDown: [3, 0], ArrowLeft: [0, -3], ArrowRight: [0, 3] };
        cursor ??= [...source];
        if (steps[event.key]) {
          const [dz, dx] = steps[event.key];
          cursor = [clip(cursor[0] + dz, 0, nz - 1), clip(cursor[1] + dx, 0, nx - 1)];
        } else if (event.key === "p") { last = null; mode.set("paint"); press(cursor); }
        else if (event.key === "s") moveSource([...cursor]);
        else if (event.key === "Enter") shoot();
        else return false;
        return true;
      },
    });

    // --- shooting --------------------------------------------------------------------------------
    function rest() {
      loop.stop();
      engine = waves(tank, source).model(velocity);
      shot = wave = gradient = observed = residual = job = null;
      phase = "rest";
      tell();
    }
    function shoot() {
      rest();
      [phase, shot] = ["shot", engine.traces];
      loop.start();
    }
    function back() {
      // Without whole data of the model on the screen the shot is fired first, as fast as it goes.
      if (!observed) {
        shoot();
        phase = "data";
        return;
      }
      engine = waves(tank, source).model(flat);
      job = engine.gradient(observed, Math.ceil(Math.sqrt(nt) * 0.8));
      gradient = residual = null;
      phase = "forward";
      loop.start();
    }
    function turn() {
      if (phase === "shot" || phase === "data") {
        for (let n = 0; n < (phase === "data" ? 60 : speed.value) && engine.time < nt; n++) engine.step();
        wave = inner(engine, engine.field());
        gather.size = largest(engine.traces);
        wave.size = 0.4 * largest(wave);
        if (engine.time < nt) return;
        observed = engine.traces.slice();
        wave = null;
        if (phase === "data") back();
        else [phase, shot] = ["done", observed];
      } else if (job) {
        const { value, done } = job.next();
        if (done) {
          residual = Float32Array.from(value.residual);
          gather.size = largest(residual);
          show(value.gradient);
          [phase, job, wave] = ["gradient", null, null];
          return;
        }
        phase = value.phase;
        if (phase === "backward") show(engine.fold(value.image));
        wave = inner(engine, phase === "forward" ? engine.field() : value.adjoint);
        wave.size = 0.4 * largest(wave);
      }
    }
    function show(g) {
      gradient = Float32Array.from(g, (v) => -v);
      // Beside source and receivers it is largest and says least: the colours are those of what lies below.
      const away = (i) => i > 12 * nx && Math.hypot(Math.floor(i / nx) - source[0], (i % nx) - source[1]) > 15;
      gradient.size = 0.8 * largest(gradient, away);
    }
    const TITLES = {
      rest: ["Paint rock with the pointer, then shoot", "The shot gather", "The gradient"],
      shot: ["The wave on its way", "The shot gather fills", "The gradient"],
      data: ["First the data of the painted model", "The shot gather fills", "The gradient"],
      done: ["The shot is over", "The shot gather of 100 receivers", "The gradient"],
      forward: ["The same shot where nothing is painted", "The data", "The gradient"],
      backward: ["The residual runs back from the receivers", "The data", "Where both waves meet, it grows"],
      gradient: ["Does the gradient see it?", "", "It wants faster rock in red, slower in blue"],
    };
    // What there is beside the gradient in depth: the lens, until it is wiped off, and the reader's own paint.
    const there = () => {
      const own = strokes.some((each) => each !== first && each[3]);
      return [strokes.includes(first) ? "the lens" : "", own ? "your paint" : ""].filter(Boolean).join(" and ");
    };
    function tell() {
      const names = TITLES[phase];
      [view, gather, image].forEach((panel, i) => panel.title(names[i] || `The residual: what ${there() || "no rock"} did`));
      const over = ["rest", "done", "gradient"].includes(phase);
      pause.text(loop.running || over ? "Pause" : "Go on");
      pause.enable(!over);
      const now = performance.now();
      rates = [...rates.filter((t) => now - t < 1000), now];
      const pace = loop.running && rates.length > 5 ? `, ${rates.length} frames a second` : "";
      if (phase === "rest" && !there()) box.say("Nothing is painted: the gradient would have nothing to find.");
      else if (phase === "rest") box.say(`Then press “Gradient of this shot” and see whether it finds ${there()}.`);
      else if (phase === "shot" || phase === "data") box.say(`Step ${engine.time} of ${nt}${pace}.`);
      else if (phase === "done") box.say("Now press “Gradient of this shot”, or move the source and shoot again.");
      else if (phase === "gradient") {
        box.say(there() ? `The gradient paints the whole way of the wave to ${there()} and back.`
          : "Nothing was painted: there is no residual, and no gradient.");
      }
      else if (phase === "forward") box.say("The starting model has neither lens nor paint.");
      else box.say("The residual of all receivers, played backwards.");
    }
    const loop = box.loop(() => {
      turn();
      return Boolean(job) || phase === "shot" || phase === "data";
    }, { budget: 0, frame: tell });
    rest();
    invert.element.title = "Runs the shot twice: forward in the unpainted model, and its residual backward.";

    box.code(() => `import numpy as np
import torch
from geolib.waves import Boundary, Grid, Survey, misfit_and_gradient, propagate, ricker

start = np.repeat(np.linspace(${tank.top}.0, ${tank.bottom}.0, ${nz})[:, None], ${nx}, axis=1)
change, (z, x) = np.zeros_like(start), np.indices(start.shape)
for row, column, radius, wanted in ${JSON.stringify(strokes)}:
    change += (wanted - change) * np.exp(-((z - row) ** 2 + (x - column) ** 2) / (2 * radius**2))
truth = np.clip(start + change, ${SLOW}, ${FAST})
wavelet = ricker(${tank.frequency}, ${dt}, ${nt}, dtype=torch.float64).expand(1, 1, -1)
receivers = [[[2, 3 * i + 1] for i in range(100)]]
boundary = Boundary(width=${tank.width}, velocity=${tank.velocity}, frequency=${tank.frequency})
survey = Survey(Grid(start.shape, ${spacing}), ${dt}, ${nt}, [[[${source}]]], receivers, wavelet, boundary)
observed = propagate(torch.from_numpy(truth), survey)
misfit, gradient = misfit_and_gradient(torch.from_numpy(start), survey, observed)`);
    box.check(() => compare(tank));
    return { get state() { return { phase, strokes, source, velocity, observed, gradient, engine }; } };
  };

  async function compare(tank) {
    const sent = await geolab.need("rnn_fwi-tank"), { lens, shape: [nz, nx] } = tank;
    const engine = waves(tank, tank.source), breathe = () => new Promise(requestAnimationFrame);
    engine.model(rock(tank, stroke(blank(tank), tank, [lens.z, lens.x, lens.radius, lens.velocity])));
    let field;
    while (engine.time < tank.nt) {
      engine.step();
      if (engine.time === sent.step) field = inner(engine, engine.field());
      if (engine.time % 40 === 0) await breathe();
    }
    const data = engine.traces.slice(), job = engine.model(rock(tank, blank(tank))).gradient(data);
    let found = job.next();
    for (; !found.done; found = job.next()) await breathe();
    const { misfit, gradient } = found.value, every = (values, columns, dz, dx) =>
      Array.from(values).filter((_, i) => Math.floor(i / columns) % dz === 0 && (i % columns) % dx === 0);
    const row = (what, page, ours, allowed) => ({ what, page: largest(page), package: largest(ours),
      error: geolab.difference(page, ours), allowed });
    return [
      row(`wavefield at step ${sent.step}, largest value`, every(field, nx, 2, 2), sent.field, 1e-4),
      row("shot gather, largest value", every(data, tank.receivers.length, 1, 2), sent.gather, 1e-4),
      { what: "misfit of the model without the lens", page: misfit, package: sent.misfit,
        error: Math.abs(misfit / sent.misfit - 1), allowed: 1e-4 },
      row("gradient, largest value", every(gradient, nx, 2, 2), sent.gradient, 1e-3),
    ];
  }
})();
