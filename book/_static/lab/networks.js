/* Convolutions for the laboratories: matrix products over typed arrays. One function, so that a
   thread can be given its text. Features lie pixel by pixel with their channels side by side, in
   single precision, as in the package. */
function labNetworks(plain) {
  "use strict";
  const BYTES = 64 << 20; // room for networks and features; a browser commits what is used

  // --- memory and the kernel ---------------------------------------------------------------------

  let memory = null, used = 0, kernel = null;

  /** Return `n` zeros that the kernel can reach. */
  function floats(n) {
    if (!memory) {
      memory = new WebAssembly.Memory({ initial: BYTES >> 16, maximum: BYTES >> 16 });
      // A browser without vector instructions takes plain loops.
      const module = Uint8Array.from(assemble());
      if (!plain && WebAssembly.validate(module)) {
        const made = new WebAssembly.Module(module);
        kernel = new WebAssembly.Instance(made, { lab: { memory } }).exports.rows;
      }
    }
    if (used + 4 * n > BYTES) throw new Error(`networks need ${used + 4 * n} bytes of ${BYTES}`);
    const array = new Float32Array(memory.buffer, used, n);
    used += 16 * Math.ceil(n / 4);
    return array;
  }

  /* The kernel: four rows of a times all panels of eight rows of b, by vectors of four numbers,
       rows(a0, a1, a2, a3, b, end of b, bytes of a row of a, out0, out1, out2, out3)
     in WebAssembly's binary form, put together here so that it can be read. */
  function assemble() {
    const whole = (n) => (n < 128 ? [n] : [(n & 127) | 128, ...whole(n >> 7)]);
    const section = (id, bytes) => [id, ...whole(bytes.length), ...bytes];
    const text = (s) => [s.length, ...[...s].map((c) => c.charCodeAt(0))];
    const get = (n) => [0x20, n], set = (n) => [0x21, n], number = (n) => [0x41, n];
    const add = [0x6a], below = [0x49], loop = [0x03, 0x40], again = [0x0d, 0], end = [0x0b];
    const vector = (op, offset) => [0xfd, op, 2, offset]; // aligned to four bytes
    const load = (offset) => vector(0x00, offset), spread = vector(0x09, 0);
    const store = (offset) => vector(0x0b, offset);
    const plus = [0xfd, 0xe4, 1], times = [0xfd, 0xe6, 1];
    const zero = [0xfd, 0x0c, ...new Array(16).fill(0)];
    const step = (n, by) => [...get(n), ...number(by), ...add, ...set(n)];
    const [B, STOP, LENGTH, OUT, L] = [4, 5, 6, 7, 11], [SUM, W, X] = [12, 20, 22];
    const four = [0, 1, 2, 3];
    const body = [
      ...loop,
      ...four.flatMap((r) => [...zero, ...set(SUM + 2 * r), ...zero, ...set(SUM + 2 * r + 1)]),
      ...number(0), ...set(L),
      ...loop,
      ...get(B), ...load(0), ...set(W), ...get(B), ...load(16), ...set(W + 1),
      ...four.flatMap((r) => [
        ...get(r), ...get(L), ...add, ...spread, ...set(X),
        ...[0, 1].flatMap((h) => [
          ...get(SUM + 2 * r + h), ...get(X), ...get(W + h), ...times, ...plus, ...set(SUM + 2 * r + h),
        ]),
      ]),
      ...step(B, 32), ...step(L, 4),
      ...get(L), ...get(LENGTH), ...below, ...again, ...end,
      ...four.flatMap((r) => [
        ...get(OUT + r), ...get(SUM + 2 * r), ...store(0),
        ...get(OUT + r), ...get(SUM + 2 * r + 1), ...store(16),
        ...step(OUT + r, 32),
      ]),
      ...get(B), ...get(STOP), ...below, ...again, ...end,
    ];
    const code = [2, 1, 0x7f, 11, 0x7b, ...body, ...end]; // locals: one integer, eleven vectors
    const pages = BYTES >> 16;
    return [
      0, 0x61, 0x73, 0x6d, 1, 0, 0, 0,
      ...section(1, [1, 0x60, 11, ...new Array(11).fill(0x7f), 0]),
      ...section(2, [1, ...text("lab"), ...text("memory"), 2, 1, ...whole(pages), ...whole(pages)]),
      ...section(3, [1, 0]),
      ...section(7, [1, ...text("rows"), 0, 0]),
      ...section(10, [1, ...whole(code.length), ...code]),
    ];
  }

  // --- products ----------------------------------------------------------------------------------

  /** Weights, `rows` x `inner` numbers, as panels of eight rows, filled up with zeros. */
  function pack(rows, inner, weight) {
    const panels = Math.ceil(rows / 8), packed = floats(panels * inner * 8);
    for (let row = 0; row < rows; row++) {
      for (let l = 0; l < inner; l++) {
        packed[((row >> 3) * inner + l) * 8 + (row & 7)] = weight(row, l);
      }
    }
    return { packed, inner, stride: panels * 8 };
  }

  /** out[i, j] = sum over l of a[i, l] weights[j, l] for `count` rows of a, `across` apart; rows of
      out are `stride` apart. */
  function product(a, across, { packed, inner, stride }, out, count) {
    if (!kernel) return plainly(a, across, { packed, inner, stride }, out, count);
    const first = packed.byteOffset, last = first + packed.byteLength;
    const from = a.byteOffset, to = out.byteOffset, hop = 4 * across, far = 4 * stride;
    for (let i = 0; i < count; i += 4) {
      // What is missing to four rows is the last one again.
      const j = Math.min(i + 1, count - 1), k = Math.min(i + 2, count - 1);
      const l = Math.min(i + 3, count - 1);
      kernel(from + hop * i, from + hop * j, from + hop * k, from + hop * l, first, last, 4 * inner,
        to + far * i, to + far * j, to + far * k, to + far * l);
    }
    return out;
  }

  function plainly(a, across, { packed: b, inner, stride }, out, count) {
    for (let i = 0; i < count; i++) {
      for (let j = 0, r = 0; j < stride; j += 8) {
        let [s0, s1, s2, s3, s4, s5, s6, s7] = [0, 0, 0, 0, 0, 0, 0, 0];
        for (let l = i * across, end = l + inner; l < end; l++, r += 8) {
          const x = a[l];
          s0 += x * b[r]; s1 += x * b[r + 1]; s2 += x * b[r + 2]; s3 += x * b[r + 3];
          s4 += x * b[r + 4]; s5 += x * b[r + 5]; s6 += x * b[r + 6]; s7 += x * b[r + 7];
        }
        out.set([s0, s1, s2, s3, s4, s5, s6, s7], i * stride + j);
      }
    }
    return out;
  }

  // --- convolutions ------------------------------------------------------------------------------

  /* How taps lie: tap (r, c) of position (i, j) of the coarse grid is pixel
     (step i + apart r - before, ...) of the fine one, where there is such a pixel. Folding adds the
     taps of all positions up into pixels; unfolding, its adjoint, reads those of each position. */
  function fold(taps, width, plan, pixels) {
    pixels.fill(0);
    walk(taps, width, plan, pixels, plan.channels === 1 ? addOne : addMany);
  }

  function unfold(pixels, plan, taps, width) {
    taps.fill(0, 0, plan.coarse[0] * plan.coarse[1] * width);
    walk(taps, width, plan, pixels, plan.channels === 1 ? readOne : readMany);
  }

  // One tap along a row: `count` positions, taps `width` and pixels `far` apart.
  function addOne(taps, tap, width, pixels, pixel, far, count) {
    for (; count > 0; count--, tap += width, pixel += far) pixels[pixel] += taps[tap];
  }
  function readOne(taps, tap, width, pixels, pixel, far, count) {
    for (; count > 0; count--, tap += width, pixel += far) taps[tap] = pixels[pixel];
  }
  function addMany(taps, tap, width, pixels, pixel, far, count, channels) {
    for (; count > 0; count--, tap += width, pixel += far) {
      for (let l = 0; l < channels; l++) pixels[pixel + l] += taps[tap + l];
    }
  }
  function readMany(taps, tap, width, pixels, pixel, far, count, channels) {
    for (; count > 0; count--, tap += width, pixel += far) {
      for (let l = 0; l < channels; l++) taps[tap + l] = pixels[pixel + l];
    }
  }

  function walk(taps, width, plan, pixels, line) {
    const { step, apart, channels } = plan, [rows, columns] = plan.coarse, far = step * channels;
    const [high, wide] = plan.fine, [above, left] = plan.before, [down, across] = plan.taps;
    for (let i = 0; i < rows; i++) {
      for (let r = 0; r < down; r++) {
        const row = step * i + apart * r - above;
        if (row < 0 || row >= high) continue;
        for (let c = 0; c < across; c++) {
          const shift = apart * c - left, first = Math.max(0, Math.ceil(-shift / step));
          const last = Math.min(columns - 1, Math.floor((wide - 1 - shift) / step));
          const tap = (i * columns + first) * width + (r * across + c) * channels;
          const pixel = (row * wide + step * first + shift) * channels;
          line(taps, tap, width, pixels, pixel, far, last - first + 1, channels);
        }
      }
    }
  }

  /** A linear layer between the channels of a coarse grid and the taps of a fine one, both ways.
      `spread` (coarse to fine) is a transposed convolution, `collect` (fine to coarse) a
      convolution; each is the other's adjoint. `weight(tap, fine channel, coarse channel)` is a
      number; `wanted` names the ways that will be used. What `collect` fills has rows of `width`. */
  function layer(plan, inner, weight, wanted) {
    const { channels } = plan, rows = plan.taps[0] * plan.taps[1] * channels;
    const at = (row, l) => weight(Math.floor(row / channels), row % channels, l);
    const out = wanted.includes("spread") && pack(rows, inner, at);
    const back = wanted.includes("collect") && pack(inner, rows, (l, row) => at(row, l));
    const width = out ? out.stride : rows, count = plan.coarse[0] * plan.coarse[1];
    const taps = floats(count * width);
    return {
      width: back ? back.stride : inner,
      spread(x, y) {
        product(x, inner, out, taps, count);
        fold(taps, width, plan, y);
      },
      collect(y, x) {
        unfold(y, plan, taps, width);
        product(taps, width, back, x, count);
      },
    };
  }

  return { layer, floats };
}
