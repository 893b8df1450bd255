/* The adversarial game of geolib.gans in one dimension, in double precision.

   new geolab.Dense(sizes, random)   a perceptron with leaky ReLU (slope 0.2); `weights` in torch's order
     forward(x)                      outputs of n numbers; backward(d) adds to `slopes` (of the weights;
                                     not with a second argument false) and returns the derivative in x
     gradient()                      d output / d x at the points of the last forward;
     penalise(d)                     adds to `slopes` what a penalty with derivative d in it needs
   geolab.adam(network, rate)        one step of torch's Adam with betas 0.5 and 0.999
   geolab.losses                     minimax, non-saturating, wasserstein: value and derivative in scores
   geolab.play(players, rules)       one iteration: critic steps, then a generator step
   geolab.duel({t, w}, rules)        one step of the game of one number each
   new geolab.Bins(count, edge)      a density p on bins at x between -edge and edge                    */
(function () {
  "use strict";
  const SLOPE = 0.2;

  function bend(values, signs) {
    for (let i = 0; i < values.length; i++) if (!(signs[i] > 0)) values[i] *= SLOPE;
  }

  geolab.Dense = class {
    constructor(sizes, random) {
      this.layers = [];
      let at = 0;
      for (let l = 1; l < sizes.length; l++) {
        const [inputs, outputs] = [sizes[l - 1], sizes[l]];
        this.layers.push({ inputs, outputs, at, bias: at + inputs * outputs });
        at += inputs * outputs + outputs;
      }
      this.weights = new Float64Array(at);
      this.slopes = new Float64Array(at);
      this.memory = { m: new Float64Array(at), r: new Float64Array(at), k: 0 };
      for (const { inputs, outputs, at: begin } of this.layers) { // torch's usual uniform, biases zero
        for (let i = 0; i < inputs * outputs; i++) {
          this.weights[begin + i] = (2 * random.uniform() - 1) / Math.sqrt(inputs);
        }
      }
    }

    /** Outputs of one layer for n inputs; without `biased` those of the derivative. */
    push({ inputs, outputs, at, bias }, x, n, biased) {
      const { weights } = this, z = new Float64Array(n * outputs);
      for (let s = 0; s < n; s++) {
        const from = s * inputs;
        for (let o = 0; o < outputs; o++) {
          const row = at + o * inputs;
          let sum = biased ? weights[bias + o] : 0;
          for (let i = 0; i < inputs; i++) sum += weights[row + i] * x[from + i];
          z[s * outputs + o] = sum;
        }
      }
      return z;
    }

    /** The transpose of `push`: adds to the slopes of the weights if it `learns`, returns those of the inputs. */
    pull({ inputs, outputs, at, bias }, x, dz, n, biased, learns) {
      const { weights, slopes } = this, dx = new Float64Array(n * inputs);
      for (let s = 0; s < n; s++) {
        const from = s * inputs;
        for (let o = 0; o < outputs; o++) {
          const d = dz[s * outputs + o], row = at + o * inputs;
          for (let i = 0; i < inputs; i++) dx[from + i] += d * weights[row + i];
          if (!learns) continue;
          for (let i = 0; i < inputs; i++) slopes[row + i] += d * x[from + i];
          if (biased) slopes[bias + o] += d;
        }
      }
      return dx;
    }

    // A leaky ReLU keeps the sign, so what comes out tells which side of the kink a unit is on.
    through(x, n, biased) {
      const kept = [x], last = this.layers.length - 1;
      this.layers.forEach((layer, l) => {
        const z = this.push(layer, kept[l], n, biased);
        if (l < last) bend(z, biased ? z : this.kept[l + 1]);
        kept.push(z);
      });
      return kept;
    }

    back(kept, d, n, biased, learns = true) {
      let dz = d;
      for (let l = this.layers.length - 1; l >= 0; l--) {
        dz = this.pull(this.layers[l], kept[l], dz, n, biased, learns);
        if (l) bend(dz, this.kept[l]);
      }
      return dz;
    }

    forward(x) {
      this.n = x.length;
      this.kept = this.through(x, this.n, true);
      return this.kept.at(-1);
    }

    backward(d, learns) { return this.back(this.kept, d, this.n, true, learns); }

    gradient() {
      this.tangents = this.through(new Float64Array(this.n).fill(1), this.n, false);
      return this.tangents.at(-1);
    }

    penalise(d) { this.back(this.tangents, d, this.n, false); }

    clear() { this.slopes.fill(0); }
  };

  geolab.adam = ({ weights, slopes, memory }, rate) => {
    const { m, r } = memory, k = ++memory.k, size = Math.sqrt(1 - 0.999 ** k), step = rate / (1 - 0.5 ** k);
    for (let i = 0; i < weights.length; i++) {
      m[i] += 0.5 * (slopes[i] - m[i]);
      r[i] = 0.999 * r[i] + 0.001 * slopes[i] * slopes[i];
      weights[i] -= (step * m[i]) / (Math.sqrt(r[i]) / size + 1e-8);
    }
  };

  const sigmoid = (s) => 1 / (1 + Math.exp(-s));
  const softplus = (s) => Math.max(s, 0) + Math.log1p(Math.exp(-Math.abs(s)));
  const entropy = {
    real: (s) => [softplus(-s), -sigmoid(-s)],
    fake: (s) => [softplus(s), sigmoid(s)],
  };
  // Each takes a score and returns loss and derivative: what the critic makes of a real and of a generated
  // sample, and what the generator makes of its own.
  geolab.losses = {
    minimax: { ...entropy, own: (s) => [-softplus(s), -sigmoid(s)] },
    "non-saturating": { ...entropy, own: (s) => [softplus(-s), -sigmoid(-s)] },
    wasserstein: { real: (s) => [-s, -1], fake: (s) => [s, 1], own: (s) => [-s, -1] },
  };
  Object.assign(geolab, { sigmoid, softplus });

  const normal = (x, m, s) => Math.exp(-0.5 * ((x - m) / s) ** 2) / (s * Math.sqrt(2 * Math.PI));

  /** A density on bins: draws, its mean, and its distance to another. */
  geolab.Bins = class {
    constructor(count, edge) {
      this.width = (2 * edge) / count;
      this.edge = edge;
      this.x = Float64Array.from({ length: count }, (_, i) => -edge + (i + 0.5) * this.width);
      this.p = new Float64Array(count);
    }
    fill([shares, means, scales]) {
      this.set(this.x.map((x) => shares.reduce((sum, w, k) => sum + w * normal(x, means[k], scales[k]), 0)));
    }
    set(heights) {
      const kept = heights.map((v) => Math.max(v, 0)), total = kept.reduce((a, b) => a + b, 0) * this.width;
      this.p = kept.map((v) => (total > 1e-9 ? v / total : 1 / (2 * this.edge)));
      let sum = 0;
      this.sums = this.p.map((v) => (sum += v * this.width));
      this.mean = this.sum(this.p, (x) => x);
    }
    sum(density, f) {
      let total = 0;
      for (let i = 0; i < this.x.length; i++) total += density[i] * this.width * f(this.x[i], i);
      return total;
    }
    draw(n, random) {
      return Float64Array.from({ length: n }, () => {
        const u = random.uniform() * this.sums.at(-1);
        let [low, high] = [0, this.x.length - 1];
        while (low < high) {
          const middle = (low + high) >> 1;
          if (this.sums[middle] < u) low = middle + 1; else high = middle;
        }
        return this.x[low] + (random.uniform() - 0.5) * this.width;
      });
    }
    histogram(samples) {
      const found = new Float64Array(this.x.length), each = 1 / (samples.length * this.width);
      for (const v of samples) {
        const at = Math.floor((v + this.edge) / this.width);
        if (at >= 0 && at < found.length) found[at] += each;
      }
      return found;
    }
  };

  /** The mean loss of scores, and its derivative in each. */
  function mean(rule, scores) {
    let loss = 0;
    const slope = scores.map((s) => {
      const [value, d] = rule(s);
      loss += value / scores.length;
      return d / scores.length;
    });
    return { loss, slope };
  }

  function criticLoss(critic, real, fake, loss) {
    let total = 0;
    for (const [points, rule] of [[real, loss.real], [fake, loss.fake]]) {
      const judged = mean(rule, critic.forward(points));
      critic.backward(judged.slope);
      total += judged.loss;
    }
    return total;
  }

  /** Add the penalty's slopes: R1 at real points (half the mean square), or WGAN-GP between pairs. */
  function penalty(critic, real, fake, { kind, weight, ratios }) {
    const points = kind === "r1" ? real : real.map((v, i) => ratios[i] * v + (1 - ratios[i]) * fake[i]);
    critic.forward(points);
    const g = critic.gradient(), n = g.length;
    if (kind === "r1") {
      critic.penalise(g.map((v) => (weight * v) / n));
      return g.reduce((sum, v) => sum + (0.5 * weight * v * v) / n, 0);
    }
    critic.penalise(g.map((v) => (2 * weight * (Math.abs(v) - 1) * Math.sign(v)) / n));
    return g.reduce((sum, v) => sum + (weight * (Math.abs(v) - 1) ** 2) / n, 0);
  }

  /** One iteration of geolib.gans.train.train. */
  geolab.play = ({ generator, critic }, rules) => {
    const loss = geolab.losses[rules.loss], made = {};
    for (let step = 0; step < rules.steps; step++) {
      const real = rules.real(), fake = generator.forward(rules.latent());
      critic.clear();
      made.critic = criticLoss(critic, real, fake, loss);
      if (rules.penalty?.weight) {
        made.critic += penalty(critic, real, fake, { ...rules.penalty, ratios: rules.ratios?.(real.length) });
      }
      rules.update(critic, rules.criticRate);
    }
    generator.clear();
    const judged = mean(loss.own, critic.forward(generator.forward(rules.latent())));
    generator.backward(critic.backward(judged.slope, false));
    rules.update(generator, rules.generatorRate);
    made.generator = judged.loss;
    return made;
  };

  /** The smallest game: the data moved by t against the score w (x - mean), by plain gradient steps. */
  geolab.duel = ({ t, w }, { loss: name, x, share, mean: middle, rate, damping, alternating }) => {
    const loss = geolab.losses[name];
    let dw = damping * w, dt = 0;
    const slopes = (move, score) => {
      let sum = 0;
      for (let i = 0; i < x.length; i++) sum += share[i] * score(x[i] - middle, x[i] + move - middle);
      return sum;
    };
    dw += slopes(t, (at, moved) => at * loss.real(w * at)[1] + moved * loss.fake(w * moved)[1]);
    const after = w - rate.critic * dw, judge = alternating ? after : w;
    dt = slopes(t, (_, moved) => judge * loss.own(judge * moved)[1]);
    return { t: t - rate.generator * dt, w: after };
  };
})();
