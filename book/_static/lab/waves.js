/* The acoustic wave equation of geolib.waves at second order, its absorbing layers and its adjoint.

     u(t + dt) = v^2 dt^2 (Laplacian u(t) - s(t)) + 2 u(t) - u(t - dt)

   new geolab.Waves({shape: [nz, nx], spacing, dt, nt, source: [z, x], receivers: [[z, x], ...],
     wavelet, absorbing: {top, bottom, left, right}, width, velocity, frequency, type, ndim})
   One shot; a 1-D model is one row (shape [1, nz], ndim 1, left is the top).
     model(v)          takes the velocities of the grid, row by row
     rest()            back to rest, step() one step on; `time` counts steps
     field()           u of the padded grid with a frame of zeros, `rows` by `stride`
     traces            u at the receivers, step by step
     gradient(data)    a generator: runs misfit 1/2 |traces - data|^2 and its derivative in v, pausing
                       after every segment with {phase, done} and returning {misfit, gradient}         */
(function () {
  "use strict";
  const REFLECTION = 1e-5; // of a wave through the layer and back (geolib.waves.absorbing)

  geolab.ricker = (frequency, dt, nt, delay = 1.5 / frequency) => Float64Array.from({ length: nt }, (_, n) => {
    const a = (Math.PI * (frequency * n * dt - delay * frequency)) ** 2;
    return (1 - 2 * a) * Math.exp(-a);
  });

  /** Decay and gain of the layer's memory at a depth of 0 (grid) to 1 (outer end) in it. */
  function damping(depth, { width, spacing, velocity, frequency, dt }) {
    if (depth <= 0) return [0, 0];
    const sigma = (-1.5 * velocity * Math.log(REFLECTION) * depth ** 2) / ((width + 1) * spacing);
    const alpha = Math.PI * frequency * (1 - depth), decay = Math.exp(-(sigma + alpha) * dt);
    return [decay, (sigma / (sigma + alpha)) * (decay - 1)];
  }

  /** The layer along one side: its nodes, the half points between them, and where their memory is. */
  class Strip {
    constructor(far, width, along, across, lines, first, about) {
      Object.assign(this, { points: width + 1, along, across, lines, first, shift: far ? 1 : 0 });
      const size = width + 1, node = (i) => (far ? i : width - i) / size;
      const half = (k) => (far ? k + 0.5 : width + 0.5 - k) / size;
      const table = (place) => Array.from({ length: size }, (_, i) => damping(place(i), about));
      const columns = (rows) => [0, 1].map((c) => Float64Array.from(rows, (row) => row[c]));
      [this.decay, this.gain] = columns(table(node));
      [this.decayHalf, this.gainHalf] = columns(table(half));
      this.slope = new Float64Array(size + 2); // of one line, zero at both ends
      this.curve = new Float64Array(size + 2);
    }

    get size() { return 2 * this.points * this.lines; }

    /** Add courant times what the layer adds to the Laplacian of u to `to`; `memory` goes on by one step. */
    forward(u, to, courant, kept, memory) {
      const { points, along, lines, shift, decay, gain, decayHalf, gainHalf, slope } = this;
      const half = points * lines;
      for (let l = 0; l < lines; l++) {
        const base = this.first + l * this.across, m = l * points;
        for (let k = 0, i = base + shift * along; k < points; k++, i += along) {
          slope[k + 1] = memory[m + k] = decayHalf[k] * memory[m + k] + gainHalf[k] * (u[i] - u[i - along]);
        }
        for (let k = 0, i = base; k < points; k++, i += along) {
          const bend = slope[k + 2 - shift] - slope[k + 1 - shift];
          const second = u[i + along] - 2 * u[i] + u[i - along] + bend;
          const c = decay[k] * memory[half + m + k] + gain[k] * second;
          memory[half + m + k] = c;
          kept[i] += bend + c;
          to[i] += courant[i] * (bend + c);
        }
      }
    }

    /** The transpose of `forward`, step for step. */
    backward(p, acc, memory) {
      const { points, along, lines, shift, decay, gain, decayHalf, gainHalf, slope, curve } = this;
      const half = points * lines;
      for (let l = 0; l < lines; l++) {
        const base = this.first + l * this.across, m = l * points;
        for (let k = 0; k < points; k++) {
          const sum = memory[half + m + k] + p[base + k * along];
          memory[half + m + k] = decay[k] * sum;
          curve[k + 1] = gain[k] * sum;
        }
        for (let k = 0; k < points; k++) {
          const i = base + (k + shift) * along, extra = curve[k + shift] - curve[k + 1 + shift];
          const total = memory[m + k] + extra + p[i - along] - p[i];
          memory[m + k] = decayHalf[k] * total;
          slope[k + 1] = extra + gainHalf[k] * total;
        }
        for (let k = 0; k < points; k++) {
          acc[base + k * along] += slope[k + 1 - shift] - slope[k + 2 - shift];
        }
      }
    }
  }

  /** other = courant Laplacian(now) + 2 now - other; `kept` takes the Laplacian if it is wanted. */
  function advance(now, other, courant, kept, keep, { nz, nx, stride, ndim }) {
    const centre = -2 * ndim;
    for (let z = 1; z <= nz; z++) {
      let i = z * stride + 1, left = 0, here = now[i];
      for (const end = i + nx; i < end; i++) {
        const right = now[i + 1], sum = left + right + now[i - stride] + now[i + stride] + centre * here;
        if (keep) kept[i] = sum;
        other[i] = courant[i] * sum + 2 * here - other[i];
        left = here;
        here = right;
      }
    }
  }

  /** other = Laplacian(weighted) + 2 now - other, the transpose of `advance`. */
  function retreat(weighted, now, other, { nz, nx, stride, ndim }) {
    const centre = -2 * ndim;
    for (let z = 1; z <= nz; z++) {
      let i = z * stride + 1, left = 0, here = weighted[i];
      for (const end = i + nx; i < end; i++) {
        const right = weighted[i + 1];
        const sum = left + right + weighted[i - stride] + weighted[i + stride] + centre * here;
        other[i] = sum + 2 * now[i] - other[i];
        left = here;
        here = right;
      }
    }
  }

  function weigh(now, weighted, courant, image, kept, begin, end) {
    for (let i = begin; i < end; i++) {
      weighted[i] = courant[i] * now[i];
      image[i] += weighted[i] * kept[i];
    }
  }

  geolab.Waves = class {
    constructor(about) {
      Object.assign(this, { width: 20, ndim: 2, type: Float32Array }, about);
      const { width, type, shape: [nz, nx] } = this, side = this.absorbing;
      const [top, bottom, left, right] = ["top", "bottom", "left", "right"].map((s) => (side[s] ? width : 0));
      Object.assign(this, { pad: { top, left }, nz: nz + top + bottom, nx: nx + left + right });
      this.stride = this.nx + 2;
      this.rows = this.nz + 2;
      this.size = this.rows * this.stride;
      const at = (z, x) => (z + 1) * this.stride + x + 1, all = { ...this, width };
      this.strips = [
        left && new Strip(false, width, 1, this.stride, this.nz, at(0, 0), all),
        right && new Strip(true, width, 1, this.stride, this.nz, at(0, left + nx - 1), all),
        top && new Strip(false, width, this.stride, 1, this.nx, at(0, 0), all),
        bottom && new Strip(true, width, this.stride, 1, this.nx, at(top + nz - 1, 0), all),
      ].filter(Boolean);
      this.index = ([z, x]) => at(z + top, x + left);
      this.at = this.receivers.map(this.index);
      this.acc = new type(this.size);
      this.courant = new type(this.size);
      this.forward = this.state();
      this.traces = new type(this.nt * this.at.length);
      this.rest();
    }

    /** Two fields and the memory of every strip in one array, so that one copy keeps it all. */
    state() {
      const all = new this.type(2 * this.size + this.strips.reduce((sum, s) => sum + s.size, 0));
      let end = 2 * this.size;
      const memories = this.strips.map((s) => all.subarray(end, (end += s.size)));
      return { all, fields: [all.subarray(0, this.size), all.subarray(this.size, 2 * this.size)], memories };
    }

    model(velocity) {
      const { shape: [nz, nx], pad, courant } = this, scale = this.dt / this.spacing;
      this.velocity = velocity;
      const inside = (i, n) => Math.min(Math.max(i, 0), n - 1);
      for (let z = 0; z < this.nz; z++) {
        const row = inside(z - pad.top, nz) * nx;
        for (let x = 0; x < this.nx; x++) {
          courant[(z + 1) * this.stride + x + 1] = (velocity[row + inside(x - pad.left, nx)] * scale) ** 2;
        }
      }
      return this;
    }

    rest() {
      this.forward.all.fill(0);
      this.time = 0;
    }

    field() { return this.forward.fields[this.time % 2]; }

    /** One step; `kept` takes what v^2 dt^2 is multiplied by. */
    step(kept) {
      const { forward: { fields, memories }, time, courant } = this, acc = kept ?? this.acc;
      const now = fields[time % 2], other = fields[(time + 1) % 2], count = this.at.length;
      advance(now, other, courant, acc, kept !== undefined, this);
      for (let s = 0; s < memories.length; s++) {
        this.strips[s].forward(now, other, courant, acc, memories[s]);
      }
      const source = this.index(this.source), push = this.spacing ** 2 * this.wavelet[time];
      acc[source] -= push;
      other[source] -= courant[source] * push;
      for (let r = 0; r < count; r++) this.traces[time * count + r] = other[this.at[r]];
      this.time++;
    }

    back(adjoint, n, residual, kept, image) {
      const now = adjoint.fields[n % 2], other = adjoint.fields[(n + 1) % 2], { weighted } = this;
      for (let r = 0; r < this.at.length; r++) now[this.at[r]] += residual[n * this.at.length + r];
      weigh(now, weighted, this.courant, image, kept, this.stride, this.size - this.stride);
      retreat(weighted, now, other, this);
      for (let s = 0; s < this.strips.length; s++) {
        this.strips[s].backward(weighted, other, adjoint.memories[s]);
      }
    }

    * gradient(data, segment = Math.ceil(Math.sqrt(this.nt))) {
      const { nt, type } = this, segments = Math.ceil(nt / segment), checkpoints = [];
      this.weighted ??= new type(this.size);
      if (this.kept?.length !== segment) {
        this.kept = Array.from({ length: segment }, () => new type(this.size));
      }
      this.rest();
      const forward = (s, keep) => {
        const begin = s * segment, end = Math.min(nt, begin + segment);
        while (this.time < end) this.step(keep ? this.kept[this.time - begin] : undefined);
      };
      for (let s = 0; s < segments; s++) {
        checkpoints.push(this.forward.all.slice());
        forward(s, s === segments - 1);
        yield { phase: "forward", done: this.time / nt };
      }
      const residual = Float64Array.from(this.traces, (u, i) => u - data[i]);
      const adjoint = this.state(), image = new Float64Array(this.size);
      for (let s = segments - 1; s >= 0; s--) {
        const begin = s * segment, end = Math.min(nt, begin + segment);
        if (s < segments - 1) {
          this.forward.all.set(checkpoints[s]);
          this.time = begin;
          forward(s, true);
        }
        for (let n = end - 1; n >= begin; n--) this.back(adjoint, n, residual, this.kept[n - begin], image);
        yield { phase: "backward", done: 1 - begin / nt, image, adjoint: adjoint.fields[(begin + 1) % 2] };
      }
      const misfit = 0.5 * residual.reduce((sum, r) => sum + r * r, 0);
      return { misfit, gradient: this.fold(image), residual };
    }

    /** The derivative in the velocities of the grid: the layers continue its outermost values. */
    fold(image) {
      const { shape: [nz, nx], pad } = this, found = new Float64Array(nz * nx);
      const inside = (i, n) => Math.min(Math.max(i, 0), n - 1);
      for (let z = 0; z < this.nz; z++) {
        for (let x = 0; x < this.nx; x++) {
          const cell = inside(z - pad.top, nz) * nx + inside(x - pad.left, nx);
          found[cell] += (image[(z + 1) * this.stride + x + 1] * 2) / this.velocity[cell];
        }
      }
      return found;
    }

    /** Misfit and gradient without a pause. */
    evaluate(velocity, data, segment = this.nt) {
      const job = this.model(velocity).gradient(data, segment);
      for (;;) {
        const { value, done } = job.next();
        if (done) return value;
      }
    }
  };
})();
