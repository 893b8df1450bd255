/* A generative adversarial network that trains in the page on a density that the reader draws. */
(function () {
  "use strict";
  const LOSSES = [["non-saturating", "non-saturating"], ["minimax", "minimax"], ["wasserstein", "Wasserstein"]];
  const PYTHON = { minimax: "SATURATING", "non-saturating": "NON_SATURATING", wasserstein: "WASSERSTEIN" };
  const LOG4 = Math.log(4);

  /** Two networks, or one number each: both step, tell what they are, and can be looked at. */
  function networks(bins, { width, batch, latent }, seed) {
    const random = geolab.random(seed), sizes = [1, width, width, 1], evenly = Float64Array.from(latent);
    const drawn = (n, one) => {
      const values = new Float64Array(n);
      for (let i = 0; i < n; i++) values[i] = one();
      return values;
    };
    const players = { generator: new geolab.Dense(sizes, random), critic: new geolab.Dense(sizes, random) };
    return {
      step: (rules) => geolab.play(players, { ...rules, update: geolab.adam, real: () => bins.draw(batch, random),
        latent: () => drawn(batch, random.normal), ratios: (n) => drawn(n, random.uniform) }),
      look() {
        const made = players.generator.forward(evenly);
        const scores = players.critic.forward(bins.x), bend = players.critic.gradient();
        return { made: bins.histogram(made), mean: made.reduce((a, b) => a + b, 0) / made.length, scores, bend };
      },
    };
  }
  function numbers(bins) {
    let at = { t: 2.5, w: 0 };
    return {
      step(rules) {
        at = geolab.duel(at, { loss: rules.loss, x: bins.x, share: bins.p.map((v) => v * bins.width), mean: bins.mean,
          rate: { generator: rules.generatorRate, critic: rules.criticRate }, damping: rules.penalty.weight,
          alternating: rules.alternating });
        return { critic: at.w, generator: at.t };
      },
      look() {
        const { t, w } = at, shift = t / bins.width, whole = Math.floor(shift), part = shift - whole;
        const value = (i) => bins.p[i] ?? 0;
        return { made: bins.x.map((_, i) => (1 - part) * value(i - whole) + part * value(i - whole - 1)),
          mean: bins.mean + t, scores: bins.x.map((x) => w * (x - bins.mean)), bend: bins.x.map(() => w) };
      },
    };
  }

  function start(box, data) {
    const bins = new geolab.Bins(data.bins, data.edge), { sigmoid, softplus } = geolab;
    let players, steps, seen, trail, history, seed = 1, diverged;

    const kind = box.select({ label: "Players", options: [["networks", "two networks"],
      ["numbers", "one number each"]], change: (value) => {
        // The smallest game turns for ever under this loss alone: broad data damp the others.
        loss.set(value === "numbers" ? "wasserstein" : "non-saturating");
        chosen();
      } });
    const loss = box.select({ label: "Loss", options: LOSSES, change: chosen });
    const shape = box.select({ label: "Data", options: [...Object.keys(data.data).map((k) => [k, k]),
      ["own", "drawn by you"]], change: (name) => { if (data.data[name]) bins.fill(data.data[name]); look(); } });
    const turns = box.select({ label: "Turns", options: [["alternating", "one after the other"],
      ["simultaneous", "both at once"]] });
    const criticRate = box.slider({ label: "Discriminator's rate", min: 1e-4, max: 0.1, value: 2e-3, log: true,
      format: (v) => geolab.number(v, 2) });
    const generatorRate = box.slider({ label: "Generator's rate", min: 1e-4, max: 0.1, value: 1e-3, log: true,
      format: (v) => geolab.number(v, 2) });
    const critics = box.slider({ label: "Discriminator steps", min: 1, max: 10, value: 1, step: 1 });
    const weight = box.slider({ label: "Gradient penalty", min: 0, max: 1, value: data.r1, step: 0.01 });
    box.row();
    const train = box.button("Train", () => { loop.toggle(); label(); }, { primary: true });
    box.button("One step", () => { loop.stop(); once(); look(); label(); });
    box.button("Start again", () => { seed++; restart(); });

    const wasserstein = () => loss.value === "wasserstein";
    const judge = () => (wasserstein() ? "critic" : "discriminator");

    const densities = box.panel({ title: "", ratio: 0.36, wide: true,
      describe: "Data and generated density. Left and right move a cursor, up and down raise or lower the data there.",
      draw(pen) {
        const { ink } = pen, top = 1.15 * Math.max(0.4, ...bins.p, Math.min(1.2, Math.max(...seen.made)));
        const axes = densities.axes = geolab.axes(pen, { x: [-data.edge, data.edge], y: [-0.22 * top, top],
          xlabel: "x", ylabel: "density", grid: false,
          legend: [["data", ink.text], ["generated", ink.blue], ["push on its samples", ink.vermilion]] });
        axes.fill(bins.x, bins.p, geolab.fade(ink.text, 0.28), 0);
        axes.line(bins.x, bins.p, ink.text);
        axes.fill(bins.x, seen.made, geolab.fade(ink.blue, 0.18), 0);
        axes.line(bins.x, seen.made, ink.blue);
        axes.rule({ y: 0 }, ink.line, "", { dash: [] });
        arrows(pen, axes);
        if (cursor !== null && document.activeElement === densities.canvas) axes.rule({ x: cursor }, ink.muted);
      } });
    // The loss in play moves a sample the more, the longer its arrow; a push of 1 is 1.5 long.
    function arrows({ g, ink }, axes) {
      g.strokeStyle = g.fillStyle = ink.vermilion;
      g.lineWidth = 2;
      for (let i = 3; i < bins.x.length; i += 5) {
        if (seen.made[i] < 0.01) continue;
        const from = axes.X(bins.x[i]), length = Math.max(-1.5, Math.min(1.5, 1.5 * seen.push[loss.value][i]));
        const to = axes.X(bins.x[i] + length), y = axes.Y(0) + 0.5 * (axes.bottom - axes.Y(0));
        g.beginPath(); g.moveTo(from, y); g.lineTo(to, y); g.stroke();
        const side = Math.sign(length) * Math.min(5, Math.abs(to - from));
        g.beginPath(); g.moveTo(to, y); g.lineTo(to - side, y - 4); g.lineTo(to - side, y + 4); g.fill();
        g.beginPath(); g.arc(from, y, 1.5, 0, 7); g.fill();
      }
    }

    const judged = box.panel({ title: "", ratio: 0.62, draw(pen) {
      const { ink } = pen, both = wasserstein() ? [...seen.best, ...seen.shown] : [0, 1];
      const [low, high] = [Math.min(...both), Math.max(...both)];
      const range = wasserstein() ? [low - 0.5, high + 0.5] : [-0.03, 1.03];
      const axes = geolab.axes(pen, { x: [-data.edge, data.edge], y: range,
        xlabel: "x", legend: [[`the ${judge()}`, ink.violet], ["the best one", ink.muted]] });
      axes.line(bins.x, seen.best, ink.soft, { width: 4 });
      axes.line(bins.x, seen.shown, ink.violet);
    } });

    const value = box.panel({ title: "", ratio: 0.62, draw(pen) {
      const { ink } = pen, last = Math.max(50, history.at(-1)?.[0] ?? 0), at = (k) => history.map((row) => row[k]);
      const floor = wasserstein() ? 0 : -LOG4, all = [...at(1), ...at(2)].filter(Number.isFinite);
      const high = Math.min(6, Math.max(floor + 1.5, ...all)), low = Math.max(-4, Math.min(floor - 0.5, ...all));
      const axes = geolab.axes(pen, { x: [0, last], y: [low, high], xlabel: "generator steps",
        legend: [[`the ${judge()}'s`, ink.violet], ["the best one's", ink.muted]] });
      axes.line(at(0), at(2), ink.soft, { width: 4 });
      axes.line(at(0), at(1), ink.violet);
      axes.rule({ y: floor }, ink.vermilion, `${wasserstein() ? "0" : "−log 4"}: nothing to tell apart`,
        { dy: 10 });
    } });

    const pushes = box.panel({ title: "", ratio: 0.5, draw(pen) {
      const { ink, g } = pen, rows = wasserstein() ? ["wasserstein"] : ["minimax", "non-saturating"];
      const axes = geolab.axes(pen, { x: [1e-5, 100], xlog: true, y: [0, rows.length], yticks: false, left: 108,
        grid: false, xlabel: "push on a generated sample" });
      rows.forEach((name, i) => {
        const y = axes.Y(rows.length - i - 0.5), to = axes.X(Math.min(100, Math.max(1.2e-5, seen.strength[name])));
        g.fillStyle = name === loss.value ? ink.vermilion : geolab.fade(ink.vermilion, 0.35);
        g.fillRect(axes.left, y - 11, to - axes.left, 22);
        axes.note(LOSSES.find(([key]) => key === name)[1], axes.left - 8, y, ink.text, "right");
        axes.note(geolab.number(seen.strength[name], 2), to + 6, y, ink.text);
      });
    } });

    const circle = box.panel({ title: "", ratio: 0.5, draw(pen) {
      const { ink } = pen, x = trail.map((p) => p[0]), y = trail.map((p) => p[1]);
      const wide = 1.15 * Math.max(1, ...x.map(Math.abs)), tall = 1.15 * Math.max(0.5, ...y.map(Math.abs));
      const axes = geolab.axes(pen, { x: [-wide, wide], y: [-tall, tall],
        xlabel: "generated mean minus data mean", ylabel: "slope of the score" });
      axes.rule({ x: 0 }, ink.line, "", { dash: [] });
      axes.rule({ y: 0 }, ink.line, "", { dash: [] });
      const half = Math.floor(x.length / 2);
      axes.line(x.slice(0, half + 1), y.slice(0, half + 1), geolab.fade(ink.purple, 0.35), { width: 1.5 });
      axes.line(x.slice(half), y.slice(half), ink.purple, { width: 1.5 });
      axes.dots(x.slice(-1), y.slice(-1), ink.purple, 5);
    } });

    // --- drawing the data ------------------------------------------------------------------------
    let pressed = null, cursor = null;
    function raise({ x, y }) {
      const { axes } = densities, at = axes.invX(x), height = Math.min(2, Math.max(0, axes.invY(y)));
      const heights = bins.p.slice(), [from, to] = [pressed ?? at, at].sort((a, b) => a - b);
      bins.x.forEach((v, i) => {
        const gap = v < from ? from - v : v > to ? v - to : 0;
        heights[i] += (height - heights[i]) * Math.exp(-((gap / 0.25) ** 2));
      });
      pressed = at;
      bins.p = heights;
      shape.set("own");
    }
    const done = () => {
      if (pressed === null) return false;
      pressed = null;
      bins.set(bins.p);
      look();
      return true;
    };
    densities.pointer({
      touch: "pan-y",
      down: (p) => { pressed = null; raise(p); },
      move: (p) => (pressed === null ? false : raise(p)),
      up: done,
      key({ key }) {
        cursor ??= 0;
        if (key === "ArrowLeft" || key === "ArrowRight") {
          cursor = Math.min(6.8, Math.max(-6.8, cursor + (key === "ArrowLeft" ? -0.4 : 0.4)));
        } else if (key === "ArrowUp" || key === "ArrowDown") {
          const more = key === "ArrowUp" ? 0.06 : -0.06;
          bins.set(bins.p.map((v, i) => v + more * Math.exp(-(((bins.x[i] - cursor) / 0.4) ** 2))));
          shape.set("own");
          look();
        } else return false;
        return true;
      },
    });

    // --- training --------------------------------------------------------------------------------
    function chosen() {
      const single = kind.value === "numbers", gradient = wasserstein() && !single;
      turns.show(single);
      critics.show(!single);
      const rates = single ? [0.005, 1, 0.1] : [1e-4, 0.1];
      criticRate.range(...rates.slice(0, 2), rates[2] ?? data.rates.critic);
      generatorRate.range(...rates.slice(0, 2), rates[2] ?? data.rates.generator);
      weight.range(0, gradient ? 20 : 1, single ? 0 : gradient ? data.gradient : data.r1);
      critics.set(gradient ? 3 : 1);
      restart();
    }
    const rules = () => ({ loss: loss.value, steps: critics.value, criticRate: criticRate.value,
      generatorRate: generatorRate.value, alternating: turns.value === "alternating",
      penalty: { kind: wasserstein() && kind.value === "networks" ? "gradient" : "r1", weight: weight.value } });
    function restart() {
      loop.stop();
      loop.budget = kind.value === "numbers" ? 0 : 8;
      players = kind.value === "numbers" ? numbers(bins) : networks(bins, data, seed);
      [steps, trail, history, diverged] = [0, [], [], false];
      look();
      label();
    }
    function once() {
      const made = players.step(rules());
      steps++;
      if (kind.value === "numbers") place(players.look()); // every turn of the spiral is seen
      if (!(Math.abs(made.critic) < 1e4 && Math.abs(made.generator) < 1e4)) {
        diverged = true;
        return false;
      }
      return steps < 1e5;
    }
    function place({ made, mean, bend }) {
      trail.push([mean - bins.mean, bins.sum(made, (_, i) => bend[i]) / (bins.sum(made, () => 1) || 1)]);
      if (trail.length > 600) trail.shift();
    }
    /** Everything that the panels show of the players at this moment. */
    function look() {
      const now = players.look(), { p, width } = bins, { made, scores, bend } = now;
      const push = { minimax: bend.map((b, i) => sigmoid(scores[i]) * b),
        "non-saturating": bend.map((b, i) => sigmoid(-scores[i]) * b), wasserstein: bend };
      const strength = Object.fromEntries(Object.entries(push).map(([name, all]) =>
        [name, Math.sqrt(bins.sum(made, (_, i) => all[i] ** 2) / (bins.sum(made, () => 1) || 1))]));
      const share = (a, b) => (a + b > 1e-12 ? a / (a + b) : NaN), log = (v) => (v > 0 ? Math.log(v) : 0);
      let best, shown, game, limit, gap = 0;
      if (wasserstein()) {
        let [climb, far] = [0, 0];
        best = p.map((v, i) => {
          gap += (made[i] - v) * width;
          far += Math.abs(gap) * width;
          return (climb += Math.sign(Math.abs(gap) > 1e-9 ? gap : 0) * width);
        });
        limit = far;
        game = bins.sum(p, (_, i) => scores[i]) - bins.sum(made, (_, i) => scores[i]);
        // A critic is known but for a constant: both are shown with mean zero under the data.
        const level = (f) => { const m = bins.sum(p, (_, i) => f[i]); return f.map((v) => v - m); };
        [best, shown] = [level(best), level(scores)];
      } else {
        best = p.map((v, i) => (v + made[i] > 0.015 ? share(v, made[i]) : NaN)); // elsewhere no sample asks
        shown = scores.map(sigmoid);
        game = -bins.sum(p, (_, i) => softplus(-scores[i])) - bins.sum(made, (_, i) => softplus(scores[i]));
        limit = bins.sum(p, (_, i) => log(share(p[i], made[i]))) + bins.sum(made, (_, i) => log(share(made[i], p[i])));
      }
      seen = { ...now, push, strength, best, shown, game, limit };
      if (kind.value === "networks" || !trail.length) place(now);
      history.push([steps, game, limit]);
      if (history.length > 1500) history = history.filter((_, i) => i % 2);
      tell();
    }
    function tell() {
      const weak = seen.strength[loss.value], alone = kind.value === "numbers";
      densities.title("Draw the data with the pointer");
      judged.title(wasserstein() ? "The critic and the best critic" : "The discriminator and the best one");
      value.title(wasserstein() ? "The critic's estimate of the distance" : "The value of the game");
      const far = !wasserstein() && seen.limit > 0.3 - LOG4;
      pushes.title(steps && weak < 0.02 && far ? "The push vanishes far from the goal" : "How hard the loss pushes");
      circle.title(alone ? "The two players go round" : "Who runs after whom");
      if (diverged) {
        box.say(`Diverged after ${steps} steps: the players run away from each other. Lower a rate, or start again.`);
      } else if (!steps) {
        box.say(alone
          ? "The generator moves the data by t; the discriminator is a straight line of slope w. Press Train."
          : "Press Train. Then try data far away with the minimax loss.");
      } else {
        const name = wasserstein() ? "estimate" : "value";
        const short = (v) => geolab.number(Math.abs(v) < 1e-3 ? 0 : v);
        box.say(`Step ${steps}: ${name} ${short(seen.game)}, best possible ${short(seen.limit)}`
          + `${wasserstein() ? "" : `, −log 4 = ${geolab.number(-LOG4)}`}.`);
      }
    }
    const loop = box.loop(once, { frame: () => { look(); label(); } });
    function label() { train.text(loop.running ? "Pause" : "Train"); }
    bins.fill(data.data[shape.value]);
    chosen();

    box.code(() => (kind.value === "numbers" ? duelCode : networkCode)(bins, rules(), steps, data));
    box.check(() => compare(data));
    return { bins, loop, get seen() { return seen; }, get steps() { return steps; } };
  }

  const drawCode = (bins) => `heights = np.array([${Array.from(bins.p, (v) => Math.round(1000 * v)).join(", ")}])
edges, rng = np.linspace(${-bins.edge}, ${bins.edge}, ${bins.x.length + 1}), np.random.default_rng(1)


def draw(n):
    place = rng.choice(len(heights), n, p=heights / heights.sum())
    return torch.tensor(rng.uniform(edges[place], edges[place + 1]))[:, None]`;
  const short = (x) => Number(x.toPrecision(3));

  function networkCode(bins, rules, steps, { width, batch }) {
    const { kind, weight } = rules.penalty, gradient = kind === "gradient";
    return `import numpy as np
import torch
from geolib.gans.losses import ${PYTHON[rules.loss]}, ${gradient ? "gradient_penalty" : "r1_penalty"}
from geolib.gans.train import Game, Players, train
from geolib.gans.variants import Scores, adam, dense, initialise, leaky

${drawCode(bins)}


source = torch.Generator().manual_seed(1)
generator, body = (initialise(dense([1, ${width}, ${width}, 1], leaky), source).double() for _ in range(2))
critic = Scores(body)
rates = (
    adam(generator.parameters(), ${short(rules.generatorRate)}),
    adam(critic.parameters(), ${short(rules.criticRate)}),
)
game = Game(
    ${PYTHON[rules.loss]},
    lambda: (draw(${batch}), ()),
    lambda n, _: (torch.randn(n, 1, generator=source).double(),),
    critic_steps=${rules.steps},
    penalty=lambda judge, real, fake: ${short(weight)} * ${gradient
  ? "gradient_penalty(judge, real, fake)" : "r1_penalty(judge, real)"},
)
# Another random stream than the page's: the same game, other draws.
for step in train(Players(generator, critic, *rates), game, ${Math.max(1, steps)}):
    pass
print(step)`;
  }

  function duelCode(bins, rules, steps) {
    return `import numpy as np
import torch
from geolib.gans.losses import ${PYTHON[rules.loss]} as LOSS

${drawCode(bins)}


real = draw(10000)[:, 0]
t, w = (torch.tensor(v, dtype=torch.float64, requires_grad=True) for v in (2.5, 0.0))
for _ in range(${Math.max(1, steps)}):
    scores = [v - real.mean() for v in (real, real + t)]
    judged = LOSS.critic(w * scores[0], w * scores[1]) + ${short(rules.penalty.weight)} / 2 * w**2
    (push,) = torch.autograd.grad(judged, w, retain_graph=True)
    after = (w - ${short(rules.criticRate)} * push).detach()
    (move,) = torch.autograd.grad(LOSS.generator(${rules.alternating ? "after" : "w.detach()"} * scores[1]), t)
    t = (t - ${short(rules.generatorRate)} * move).detach().requires_grad_()
    w = after.requires_grad_()
print(t.item(), w.item())`;
  }

  async function compare({ width, rates, r1, gradient }) {
    const sent = await geolab.need("gan_101-check"), still = { uniform: () => 0 };
    const network = (weights) => {
      const made = new geolab.Dense([1, width, width, 1], still);
      made.weights.set(weights);
      return made;
    };
    const size = (a) => Math.max(...a.map(Math.abs));
    const row = (what, page, ours, allowed) => ({ what, page: size(page), package: size(ours),
      error: geolab.difference(page, ours), allowed });
    const rows = [
      row("generator's samples, largest", network(sent.generator).forward(sent.latent[0]), sent.fake, 1e-12),
      row("discriminator's scores, largest", network(sent.critic).forward(sent.real), sent.scores, 1e-12),
    ];
    for (const [loss, theirs] of Object.entries(sent.games)) {
      const players = { generator: network(sent.generator), critic: network(sent.critic) };
      const wasserstein = loss === "wasserstein", [latent, ratios] = [[...sent.latent], [...sent.ratios]];
      let made;
      for (let n = 0; n < sent.iterations; n++) {
        made = geolab.play(players, { loss, steps: 1, real: () => sent.real, latent: () => latent.shift(),
          ratios: () => ratios.shift(), update: geolab.adam, generatorRate: rates.generator,
          criticRate: rates.critic,
          penalty: { kind: wasserstein ? "gradient" : "r1", weight: wasserstein ? gradient : r1 } });
      }
      const after = `after ${sent.iterations} steps`;
      rows.push(
        { what: `${loss}: discriminator's loss with its penalty`, page: made.critic, package: theirs.critic_loss,
          error: Math.abs(made.critic / theirs.critic_loss - 1), allowed: 1e-10 },
        row(`${loss}: discriminator's weights ${after}`, players.critic.weights, theirs.critic, 1e-9),
        row(`${loss}: generator's weights ${after}`, players.generator.weights, theirs.generator, 1e-9),
      );
    }
    return rows;
  }

  geolab.lab("gan_101-game", { uses: ["game.js"], data: ["gan_101"], start });
})();
