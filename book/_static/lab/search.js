/* The search of geolib.inversion.search for models that fit data to their errors, free of the page: a pool from the prior,
   kernel regressions of models on their residuals, Gauss-Newton steps from a plane fit, restarts with larger pools. What it
   knows of a problem is simulate(model in (-1, 1)^d) -> residuals in standard deviations. Everything that takes long is a
   generator and pauses, so that whoever runs it stays in charge. The numbers in `constants` are the package's. */
function labSearch(constants, toUniform) {
  "use strict";
  const { widths, linear, ridges, most_components: MOST, near: NEAR, share: SHARE } = constants;

  const dot = (a, b, n = a.length) => { let sum = 0; for (let i = 0; i < n; i++) sum += a[i] * b[i]; return sum; };
  const add = (a, factor, b, n = a.length) => { for (let i = 0; i < n; i++) a[i] += factor * b[i]; };
  const subtract = (a, b) => a.map((x, i) => x - b[i]);
  const zeros = (rows, columns) => Array.from({ length: rows }, () => new Float64Array(columns));
  const distance = (a, b) => { let sum = 0; for (let i = 0; i < a.length; i++) sum += (a[i] - b[i]) ** 2; return sum; };
  const order = (values) => Array.from(values, (_, i) => i).sort((i, j) => (values[i] === values[j] ? 0 : values[i] - values[j]));
  function mean(rows) {
    const middle = new Float64Array(rows[0].length);
    for (const row of rows) add(middle, 1 / rows.length, row);
    return middle;
  }
  function median(values) {
    const sorted = Float64Array.from(values).sort(), half = sorted.length >> 1;
    return sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  }

  // --- linear algebra on arrays of rows ----------------------------------------------------------

  /** The lower triangle L of a positive definite matrix L L'. */
  function cholesky(matrix) {
    const n = matrix.length, lower = zeros(n, n);
    for (let i = 0; i < n; i++)
      for (let j = 0; j <= i; j++) {
        const rest = matrix[i][j] - dot(lower[i], lower[j], j);
        lower[i][j] = i === j ? Math.sqrt(Math.max(rest, 1e-300)) : rest / lower[j][j];
      }
    return lower;
  }

  function inverted(lower) {
    const n = lower.length, made = zeros(n, n);
    for (let i = 0; i < n; i++) {
      for (let k = 0; k < i; k++) add(made[i], -lower[i][k], made[k], k + 1);
      for (let k = 0; k < i; k++) made[i][k] /= lower[i][i];
      made[i][i] = 1 / lower[i][i];
    }
    return made;
  }

  /** The inverse of a positive definite matrix. */
  function inverse(matrix) {
    const n = matrix.length, half = inverted(cholesky(matrix)), made = zeros(n, n);
    for (const row of half) row.forEach((x, i) => add(made[i], x, row));
    return made;
  }

  /** Eigenvalues, and eigenvectors as rows, of a symmetric matrix: reflections to three diagonals, then implicit QL. */
  function* eigen(matrix) {
    const n = matrix.length, a = matrix.map((row) => Float64Array.from(row)), mirrors = [];
    for (let k = 0; k + 2 < n; k++) {
      yield null;
      mirrors.push(reflect(a, k));
    }
    const d = Float64Array.from(a, (row, i) => row[i]), e = Float64Array.from(a, (row, i) => (i + 1 < n ? row[i + 1] : 0));
    const vectors = zeros(n, n);
    vectors.forEach((row, i) => { row[i] = 1; });
    for (let k = n - 3; k >= 0; k--) {
      if (!mirrors[k]) continue;
      yield null;
      for (let i = k + 1; i < n; i++) add(vectors[i], -dot(mirrors[k], vectors[i]), mirrors[k]);
    }
    for (let l = 0; l < n; l++) {
      for (let turn = 0; turn < 60; turn++) {
        let m = l;
        while (m + 1 < n && Math.abs(e[m]) > 1.1e-16 * (Math.abs(d[m]) + Math.abs(d[m + 1]))) m++;
        if (m === l) break;
        yield null;
        chase(d, e, vectors, l, m);
      }
    }
    return { values: d, vectors };
  }

  /** Clear column `k` below its second diagonal; the reflection is 1 - v v' with the v that is returned. */
  function reflect(a, k) {
    const n = a.length, v = new Float64Array(n);
    for (let i = k + 1; i < n; i++) v[i] = a[i][k];
    const length = Math.sqrt(dot(v, v));
    if (length === 0) return null;
    const end = v[k + 1] > 0 ? -length : length;
    v[k + 1] -= end;
    const scale = Math.SQRT2 / Math.sqrt(dot(v, v));
    for (let i = k + 1; i < n; i++) v[i] *= scale;
    const w = new Float64Array(n);
    for (let i = k + 1; i < n; i++) w[i] = dot(a[i], v);
    add(w, -dot(v, w) / 2, v);
    for (let i = k + 1; i < n; i++) { add(a[i], -v[i], w); add(a[i], -w[i], v); }
    for (let i = k + 1; i < n; i++) a[i][k] = a[k][i] = i === k + 1 ? end : 0;
    return v;
  }

  function chase(d, e, vectors, l, m) {
    let g = (d[l + 1] - d[l]) / (2 * e[l]), s = 1, c = 1, p = 0;
    g = d[m] - d[l] + e[l] / (g + (g < 0 ? -1 : 1) * Math.sqrt(g * g + 1));
    for (let i = m - 1; i >= l; i--) {
      const f = s * e[i], b = c * e[i], root = Math.sqrt(f * f + g * g);
      e[i + 1] = root;
      if (root === 0) { d[i + 1] -= p; e[m] = 0; return; }
      [s, c] = [f / root, g / root];
      g = d[i + 1] - p;
      const r = (d[i] - g) * s + 2 * c * b;
      p = s * r;
      d[i + 1] = g + p;
      g = c * r - b;
      rotate(vectors[i], vectors[i + 1], c, s);
    }
    d[l] -= p; e[l] = g; e[m] = 0;
  }

  function rotate(low, high, c, s) {
    for (let k = 0; k < low.length; k++) {
      const x = low[k], y = high[k];
      low[k] = c * x - s * y;
      high[k] = s * x + c * y;
    }
  }

  // --- the parts of a round ----------------------------------------------------------------------

  /** Principal components of residuals, those that stand out of the errors, half whitened; and those of no residual. */
  function* components(residual) {
    const n = residual.length, middle = mean(residual), rows = residual.map((row) => subtract(row, middle)), gram = zeros(n, n);
    for (let i = 0; i < n; i++) {
      if (i % 8 === 0) yield null;
      for (let j = 0; j <= i; j++) gram[i][j] = gram[j][i] = dot(rows[i], rows[j]) / n;
    }
    const { values, vectors } = yield* eigen(gram);
    const largest = order(values.map((x) => -x)), scale = largest.map((i) => Math.sqrt(Math.max(values[i], 0)));
    const count = Math.min(MOST, Math.max(1, scale.filter((s) => s > 1).length));
    const known = zeros(n, count), wanted = new Float64Array(count);
    for (let k = 0; k < count; k++) {
      const axis = vectors[largest[k]], root = Math.sqrt(Math.max(scale[k], 1e-300));
      let along = 0;
      for (let i = 0; i < n; i++) {
        known[i][k] = Math.sqrt(n) * axis[i] * scale[k] / root;
        along += axis[i] * dot(rows[i], middle);
      }
      wanted[k] = -along / (Math.sqrt(n) * Math.max(scale[k], 1e-300) * root);
    }
    return { known, wanted };
  }

  /** The guess at `wanted`, and the models less what the others make of their `known`: kernel ridge regression, whose
      width, linear share and ridge have the least leave-one-out error. */
  function* regress(models, known, wanted) {
    const n = models.length, centre = mean(models), off = models.map((row) => subtract(row, centre)), all = new Float64Array(n * n);
    const product = zeros(n, n), between = zeros(n, n), squares = known.map((row) => dot(row, row));
    for (let i = 0; i < n; i++)
      for (let j = 0; j < n; j++) {
        product[i][j] = dot(known[i], known[j]);
        all[i * n + j] = between[i][j] = Math.max(squares[i] + squares[j] - 2 * product[i][j], 0);
      }
    yield null;
    const unit = median(all) || 1, away = known.map((row) => distance(row, wanted)), along = known.map((row) => dot(row, wanted));
    let least = Infinity, chosen = { guess: centre, left: off };
    for (const width of widths)
      for (const share of linear) {
        const kernel = (apart, inner) => Math.exp(-apart / (width * unit)) + (2 * share * inner) / unit;
        const matrix = between.map((row, i) => row.map((apart, j) => kernel(apart, product[i][j])));
        const close = away.map((apart, i) => kernel(apart, along[i]));
        for (const ridge of ridges) {
          yield null;
          const { weights, left, error } = ridged(matrix, ridge, off);
          if (!(error < least)) continue;
          least = error;
          const guess = centre.slice();
          weights.forEach((row, i) => add(guess, close[i], row));
          chosen = { guess, left };
        }
      }
    return chosen;
  }

  function ridged(matrix, ridge, off) {
    const n = matrix.length, d = off[0].length, raised = matrix.map((row) => row.slice());
    raised.forEach((row, i) => { row[i] += ridge; });
    const half = inverted(cholesky(raised)), weights = zeros(n, d), diagonal = new Float64Array(n);
    for (let i = 0; i < n; i++) {
      const inner = new Float64Array(d);
      for (let k = 0; k <= i; k++) add(inner, half[i][k], off[k]);
      for (let k = 0; k <= i; k++) { add(weights[k], half[i][k], inner); diagonal[k] += half[i][k] ** 2; }
    }
    const left = weights.map((row, i) => row.map((x) => x / diagonal[i]));
    return { weights, left, error: left.reduce((sum, row) => sum + dot(row, row), 0) / (n * d) };
  }

  /** The regression's guess for no residual, and that with what it left of models that predict alike. */
  function* propose(models, residual, count, permutation) {
    const { known, wanted } = yield* components(residual), { guess, left } = yield* regress(models, known, wanted);
    const alike = permutation(order(known.map((row) => distance(row, wanted))).slice(0, 2 * count)).slice(0, count - 1);
    return [guess, ...alike.map((i) => guess.map((x, k) => x + left[i][k]))];
  }

  /** Levenberg-Marquardt's models from the best one, every second with a draw of half that covariance. The Jacobian is that
      of a plane through the nearest models. */
  function* step(models, misfit, residual, count, normal) {
    const d = models[0].length, best = order(misfit)[0];
    const near = order(models.map((row) => distance(row, models[best]))).slice(0, 4 * d);
    const slope = yield* plane(near.map((i) => subtract(models[i], models[best])), near.map((i) => subtract(residual[i], residual[best])));
    const square = slope.map((a) => Float64Array.from(slope, (b) => dot(a, b)));
    square.forEach((row, i) => { row[i] += 1; });
    const downhill = slope.map((row) => dot(row, residual[best])), made = [];
    for (let number = 0; number < count; number++) {
      const damping = 1e-3 * 3000 ** (count > 1 ? number / (count - 1) : 0);
      const covariance = inverse(square.map((row, i) => row.map((x, j) => (i === j ? x * (1 + damping) : x))));
      const lower = cholesky(covariance), draws = Float64Array.from({ length: d }, normal);
      made.push(models[best].map((x, i) => x - dot(covariance[i], downhill) + (number % 2) * dot(lower[i], draws) / 2));
      yield null;
    }
    return made;
  }

  /** The least-squares solution of the least length of x slope = y, row by row; returns slope (d rows). */
  function* plane(x, y) {
    const d = x[0].length, square = zeros(d, d), right = zeros(d, y[0].length), slope = zeros(d, y[0].length);
    for (let i = 0; i < d; i++) {
      x.forEach((row, n) => { add(square[i], row[i], row); add(right[i], row[i], y[n]); });
      yield null;
    }
    const { values, vectors } = yield* eigen(square), largest = Math.max(...values);
    vectors.forEach((axis, k) => {
      if (!(values[k] > 1e-14 * d * largest)) return; // a direction in which the models do not differ
      const along = new Float64Array(y[0].length);
      for (let i = 0; i < d; i++) add(along, axis[i] / values[k], right[i]);
      for (let i = 0; i < d; i++) add(slope[i], axis[i], along);
    });
    return slope;
  }

  // --- the search --------------------------------------------------------------------------------

  /** Yields {solves, attempt} after each solve, with `latent` and `misfit` where the least misfit has fallen, and null
      between; returns why it ended. `start` (normal numbers) goes along in the first pool; `normal()` and
      `permutation(array)` are where chance comes from. */
  function* search(simulate, d, { settings, budget, normal, permutation, start }) {
    let solves = 0, least = Infinity, attempt = 0, ended = null;

    function* judge(models) {
      const misfit = [], residual = [];
      for (const model of models.slice(0, budget - solves)) {
        const latent = model.map(toUniform), gaps = simulate(latent), size = Math.sqrt(dot(gaps, gaps) / gaps.length);
        residual.push(gaps);
        misfit.push(Number.isFinite(size) ? size : Infinity);
        const fell = size < least;
        if (fell) least = size;
        solves++;
        yield fell ? { solves, attempt, latent, misfit: size } : { solves, attempt };
      }
      if (least <= settings.target) ended = "a model fits";
      else if (solves >= budget) ended = "the budget is spent";
      return { models, misfit, residual };
    }

    function* round({ models, misfit, residual }, most) {
      const kept = order(misfit).slice(0, most).filter((i) => Number.isFinite(misfit[i]));
      if (kept.length < 8) return null; // too few to learn from
      [models, misfit, residual] = [models, misfit, residual].map((all) => kept.map((i) => all[i]));
      const local = median(misfit) < NEAR * settings.target ? Math.floor(settings.proposals / SHARE) : 0;
      const proposed = yield* propose(models, residual, settings.proposals - local, permutation);
      if (local) proposed.push(...(yield* step(models, misfit, residual, local, normal)));
      const further = yield* judge(proposed);
      return { models: [...models, ...further.models], misfit: [...misfit, ...further.misfit], residual: [...residual, ...further.residual] };
    }

    for (let pool = settings.pool; ; pool *= settings.growth) {
      attempt++;
      const models = Array.from({ length: Math.trunc(pool) }, () => Float64Array.from({ length: d }, normal));
      if (start && attempt === 1) models[0] = Float64Array.from(start);
      const most = Math.max(settings.kept, models.length >> 1);
      let best = Infinity, known = yield* judge(models);
      for (let waited = 0; known && !ended && waited < settings.patience;) {
        known = yield* round(known, most);
        if (!known || ended) break;
        const middle = median(Float64Array.from(known.misfit).sort().subarray(0, most));
        waited++;
        if (middle - settings.target < 0.9 * (best - settings.target)) { best = middle; waited = 0; }
      }
      if (ended) return ended;
    }
  }

  return { search, propose, step, components, regress, eigen };
}
