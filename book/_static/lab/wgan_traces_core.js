/* The mathematics of the traces' laboratory, free of the page: generator and critic, from a latent to trace, spectrum,
   score and polarity. It runs in a thread, and in the tests against geolib. */

function labTraces(networks) {
  "use strict";
  const N = 100, SAMPLES = 499, DT = 0.004, SLOPE = 0.2;
  /** Kernel, stride and filters of the eight transposed convolutions; table 1. */
  const LAYERS = [[3, 2, 256], [4, 1, 256], [4, 2, 128], [4, 2, 128], [3, 2, 32], [4, 2, 32], [3, 2, 16], [3, 2, 1]];

  const line = (coarse, fine, taps, step, before, channels) => ({
    coarse: [1, coarse], fine: [1, fine], taps: [1, taps], step, apart: 1, before: [0, before], channels,
  });

  /** Latent (100) to trace (499), from weights {name: {shape, values}} as geolib.gans.wgan has them; epsilon is 1e-5. */
  function generator(weights) {
    let channels = N, length = 1;
    const stages = LAYERS.map(([taps, stride, filters], s) => {
      const values = weights[`generator.${3 * s}.weight`].values, inner = channels;
      const plan = line(length, (length - 1) * stride + taps, taps, stride, 0, filters);
      const made = networks.layer(plan, inner, (tap, c, l) => values[(l * filters + c) * taps + tap], ["spread"]);
      channels = filters;
      length = plan.fine[1];
      return { layer: made, after: affine(weights, s, filters), out: networks.floats(length * filters) };
    });
    const latent = networks.floats(N);
    return (draw) => {
      latent.set(draw);
      let x = latent;
      for (const { layer, after, out } of stages) {
        layer.spread(x, out);
        after(out);
        x = out;
      }
      return x;
    };
  }

  /** What follows a transposed convolution: its bias, the batch norm with its running statistics, the leaky ReLU. */
  function affine(weights, stage, filters) {
    const bias = weights[`generator.${3 * stage}.bias`].values;
    const norm = (name) => weights[`generator.${3 * stage + 1}.${name}`]?.values;
    const factor = new Float64Array(filters).fill(1), shift = Float64Array.from(bias), last = !norm("weight");
    for (let c = 0; c < filters && !last; c++) {
      factor[c] = norm("weight")[c] / Math.sqrt(norm("running_var")[c] + 1e-5);
      shift[c] = (bias[c] - norm("running_mean")[c]) * factor[c] + norm("bias")[c];
    }
    return (x) => {
      for (let i = 0; i < x.length; i += filters)
        for (let c = 0; c < filters; c++) {
          const value = x[i + c] * factor[c] + shift[c];
          x[i + c] = last || value > 0 ? value : SLOPE * value;
        }
    };
  }

  /** Trace (499) to score. */
  function critic(weights) {
    const w = (name) => weights[`critic.${name}`].values;
    const plan = (channels) => line(SAMPLES, SAMPLES, 3, 1, 1, channels);
    const [one, two, three, four] = [0, 2, 4, 6].map((n) => w(`features.${n}.weight`));
    const layers = [
      networks.layer(plan(1), 64, (tap, _, l) => one[l * 3 + tap], ["collect"]),
      ...[two, three].map((v) => networks.layer(plan(64), 64, (tap, c, l) => v[(l * 64 + c) * 3 + tap], ["collect"])),
    ];
    // Many channels to one go as a transposed convolution with the kernel turned round.
    const last = networks.layer(plan(1), 64, (tap, _, l) => four[l * 3 + 2 - tap], ["spread"]);
    const [head, foot] = [w("head.0.weight"), w("head.2.weight")];
    const shapes = [0, 1].map(() => networks.floats(SAMPLES * 64));
    const column = networks.floats(SAMPLES), input = networks.floats(SAMPLES);
    const rise = (x, bias) => {
      for (let i = 0; i < x.length; i++) {
        const value = x[i] + bias[i % bias.length];
        x[i] = value > 0 ? value : SLOPE * value;
      }
    };
    return (trace) => {
      input.set(trace);
      let x = input;
      layers.forEach((layer, n) => {
        layer.collect(x, shapes[n % 2]);
        x = shapes[n % 2];
        rise(x, w(`features.${2 * n}.bias`));
      });
      last.spread(x, column);
      rise(column, w("features.6.bias"));
      let score = w("head.2.bias")[0];
      for (let j = 0; j < 250; j++) {
        let sum = w("head.0.bias")[j];
        for (let i = 0; i < SAMPLES; i++) sum += head[j * SAMPLES + i] * column[i];
        score += foot[j] * (sum > 0 ? sum : SLOPE * sum);
      }
      return score;
    };
  }

  const turns = Float64Array.from({ length: 2 * SAMPLES }, (_, i) => Math.cos((2 * Math.PI * (i >> 1)) / SAMPLES - (i & 1 ? Math.PI / 2 : 0)));

  /** Amplitude spectrum of a trace times the sampling interval: 250 values from 0 Hz up. */
  function spectrum(trace) {
    return Float64Array.from({ length: 250 }, (_, k) => {
      let re = 0, im = 0;
      for (let i = 0, at = 0; i < SAMPLES; i++, at = (at + k) % SAMPLES) {
        re += trace[i] * turns[2 * at];
        im -= trace[i] * turns[2 * at + 1];
      }
      return Math.hypot(re, im) * DT;
    });
  }

  const frequencies = Float64Array.from({ length: 250 }, (_, k) => k / (SAMPLES * DT));

  /** Time (s), polarity and amplitude of the first extremum that reaches half of the largest amplitude; a trace without
      one has polarity 0. The first and the last sample are no extrema, of a plateau the last one counts. */
  function firstEvent(trace) {
    let peak = 0;
    for (let i = 0; i < trace.length; i++) peak = Math.max(peak, Math.abs(trace[i]));
    for (let i = 1; i + 1 < trace.length && peak > 0; i++) {
      const size = Math.abs(trace[i]);
      if (size >= Math.abs(trace[i - 1]) && size > Math.abs(trace[i + 1]) && size >= 0.5 * peak)
        return { index: i, time: i * DT, polarity: Math.sign(trace[i]) };
    }
    return { index: -1, time: NaN, polarity: 0 };
  }

  /** `count` latents of geolib's draw_latents(..., torch.Generator().manual_seed(seed), low): torch's Mersenne twister. */
  function drawLatents(seed, count, low) {
    const key = new Uint32Array(624);
    key[0] = seed;
    for (let i = 1; i < 624; i++) key[i] = Math.imul(1812433253, key[i - 1] ^ (key[i - 1] >>> 30)) + i;
    let at = 624;
    const next = () => {
      if (at === 624) {
        for (let i = 0; i < 624; i++) {
          const y = (key[i] & 0x80000000) | (key[(i + 1) % 624] & 0x7fffffff);
          key[i] = key[(i + 397) % 624] ^ (y >>> 1) ^ (y & 1 ? 0x9908b0df : 0);
        }
        at = 0;
      }
      let y = key[at++];
      y ^= y >>> 11;
      y ^= (y << 7) & 0x9d2c5680;
      y ^= (y << 15) & 0xefc60000;
      return (y ^ (y >>> 18)) >>> 0;
    };
    // Torch keeps 24 bits for a single-precision number.
    return Float32Array.from({ length: count * N }, () => low + Math.fround((1 - low) * ((next() & 0xffffff) / 0x1000000)));
  }

  return { drawLatents, N, SAMPLES, DT, generator, critic, spectrum, frequencies, firstEvent };
}

/** What the laboratory's thread does: one question, one answer, none longer than its budget. */
function tracesThread(question) {
  const state = (tracesThread.state ??= { lab: labTraces(labNetworks()), networks: {}, drawn: {} }), { lab } = state;
  return { add, prepare, look, count, score }[question.about](question);

  function add({ epoch, weights, low }) {
    state.networks[epoch] = { low, steps: build(weights) };
    return null;
  }

  /** Go on with an epoch's networks for `budget` ms; whether they can be used. */
  function prepare({ epoch, budget }) {
    const end = performance.now() + budget, network = state.networks[epoch];
    do Object.assign(network, network.steps?.next().value);
    while (!network.judge && performance.now() < end);
    return Boolean(network.judge);
  }

  function* build(encoded) {
    const weights = {};
    for (const [name, entry] of Object.entries(encoded)) {
      weights[name] = { shape: entry.shape, values: labDecode(entry) };
      yield null;
    }
    yield { generate: lab.generator(weights) };
    yield { judge: lab.critic(weights), steps: null };
  }

  function latent({ seed, low }, draw) {
    const key = `${seed} ${low}`;
    if (state.key !== key) Object.assign(state, { key, drawn: lab.drawLatents(seed, 1001, low) });
    return state.drawn.subarray(draw * lab.N, (draw + 1) * lab.N);
  }

  /** A trace on the way from a draw to the next, with all that is said of it. */
  function look({ epoch, seed, draw, mix }) {
    const { generate, judge, low } = state.networks[epoch], next = latent({ seed, low }, draw + 1);
    const at = latent({ seed, low }, draw).map((x, i) => (1 - mix) * x + mix * next[i]);
    const trace = Float64Array.from(generate(at));
    return { trace, latent: at, score: judge(trace), spectrum: lab.spectrum(trace), event: lab.firstEvent(trace) };
  }

  /** Signs of first events of draws from `first` on, and the sum of the spectra, as many as there is time for. */
  function count({ epoch, seed, first, end, budget }) {
    const begin = performance.now(), { generate, low } = state.networks[epoch], signs = [];
    const sum = new Float64Array(250);
    for (let n = first; n < end && (n === first || performance.now() - begin < budget); n++) {
      const trace = generate(latent({ seed, low }, n));
      signs.push(lab.firstEvent(trace).polarity);
      lab.spectrum(trace).forEach((x, i) => { sum[i] += x; });
    }
    return { signs, sum };
  }

  /** The critic's score of a given trace, or of a draw. */
  function score({ epoch, seed, trace, draw }) {
    const { generate, judge, low } = state.networks[epoch];
    return judge(trace ?? generate(latent({ seed, low }, draw)));
  }
}
