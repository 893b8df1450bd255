/* The descents of geolib.inversion.descent.

   geolab.descent(method, rate, bounds)  {update(model, gradient)}: the next model of "gd", "momentum",
                                         "momentum_b", "adagrad", "rmsprop", "adam"
   geolab.lbfgs(objective, bounds, memory) {step()}: one evaluation of L-BFGS with a line search of its
                                         own (geolib calls scipy's, which takes other trial steps)     */
(function () {
  "use strict";
  const RULES = {
    gd: (s, g) => g,
    momentum: (s, g, i) => (s.m[i] = s.k === 1 ? g : 0.9 * s.m[i] + g),
    momentum_b: (s, g, i) => (s.m[i] = 0.9 * s.m[i] + 0.1 * g) / (1 - 0.9 ** s.k),
    adagrad: (s, g, i) => g / Math.sqrt((s.r[i] += g * g) + 1e-8),
    rmsprop: (s, g, i) => g / (Math.sqrt((s.r[i] = 0.9 * s.r[i] + 0.1 * g * g) / (1 - 0.9 ** s.k)) + 1e-8),
    adam: (s, g, i) => {
      s.m[i] = 0.9 * s.m[i] + 0.1 * g;
      s.r[i] = 0.999 * s.r[i] + 0.001 * g * g;
      return s.m[i] / (1 - 0.9 ** s.k) / (Math.sqrt(s.r[i] / (1 - 0.999 ** s.k)) + 1e-8);
    },
  };
  const clip = (v, [low, high]) => Math.min(Math.max(v, low), high);

  geolab.descent = (method, rate, bounds) => {
    const state = { k: 0 };
    return {
      update(model, gradient, step = rate) {
        state.m ??= new Float64Array(model.length);
        state.r ??= new Float64Array(model.length);
        state.k++;
        return Float64Array.from(model, (v, i) => clip(v - step * RULES[method](state, gradient[i], i), bounds));
      },
    };
  };

  const dot = (a, b) => a.reduce((sum, v, i) => sum + v * b[i], 0);

  geolab.lbfgs = (objective, bounds, memory = 10) => {
    const pairs = [];
    let at = null, direction, length, slope;
    function aim() {
      // Where a bound holds a cell back, the cell stays out of the direction.
      const free = (i) => !((at.x[i] <= bounds[0] && at.g[i] > 0) || (at.x[i] >= bounds[1] && at.g[i] < 0));
      const q = at.g.map((v, i) => (free(i) ? v : 0)), back = [];
      for (const { s, y, rho } of [...pairs].reverse()) {
        const a = rho * dot(s, q);
        back.push(a);
        for (let i = 0; i < q.length; i++) q[i] -= a * y[i];
      }
      const newest = pairs[pairs.length - 1], size = newest ? dot(newest.s, newest.y) / dot(newest.y, newest.y) : 0;
      for (let i = 0; i < q.length; i++) q[i] *= newest ? size : 1;
      for (const { s, y, rho } of pairs) {
        const b = back.pop() - rho * dot(y, q);
        for (let i = 0; i < q.length; i++) q[i] += b * s[i];
      }
      direction = q.map((v, i) => (free(i) ? -v : 0));
      slope = dot(direction, at.g);
      if (!(slope < 0)) {
        direction = at.g.map((v, i) => (free(i) ? -v : 0));
        slope = dot(direction, at.g);
        pairs.length = 0;
      }
      // The first step is of a length that no model minds: 10 m/s in its largest cell.
      length = pairs.length ? 1 : 10 / Math.max(...direction.map(Math.abs), 1e-300);
    }
    return {
      /** Evaluate one trial; return {misfit, model, taken}. */
      step(model) {
        if (!at) {
          at = { x: Float64Array.from(model), ...objective(model) };
          at.g = at.gradient;
          aim();
          return { misfit: at.misfit, model: at.x, taken: true };
        }
        const x = at.x.map((v, i) => clip(v + length * direction[i], bounds));
        const tried = objective(x), g = tried.gradient;
        if (!(tried.misfit <= at.misfit + 1e-4 * length * slope)) {
          const bend = tried.misfit - at.misfit - length * slope; // of a parabola through the trial
          const best = bend > 0 ? (-slope * length * length) / (2 * bend) : length / 2;
          length = clip(best, [0.1 * length, 0.5 * length]);
          return { misfit: tried.misfit, model: at.x, taken: false };
        }
        const s = x.map((v, i) => v - at.x[i]), y = g.map((v, i) => v - at.g[i]), sy = dot(s, y);
        if (sy > 1e-10 * dot(y, y)) {
          pairs.push({ s, y, rho: 1 / sy });
          if (pairs.length > memory) pairs.shift();
        }
        at = { x, g, misfit: tried.misfit };
        aim();
        return { misfit: tried.misfit, model: x, taken: true };
      },
    };
  };
})();
