/* The generator of channel images, geolib.gans.sgan's, from its weights {name: {shape, values}}:
   images, and gradients backwards. */
function labChannels(networks, weights) {
  "use strict";
  const LATENT = [5, 3], N = 15;
  const width = weights["merge.weight"].shape[0];
  const channels = [1, 8 * width, 4 * width, 2 * width, width, 1];
  const sizes = [LATENT];
  for (let s = 0; s < 5; s++) sizes.push(sizes[s].map((n) => 2 * n - 1));
  const up = channels.slice(1).map((fine, s) => {
    const w = weights[`up.${s}.weight`].values;
    return networks.layer(plan(sizes[s], sizes[s + 1], 2, 1, 2, fine), channels[s],
      (tap, c, l) => w[(l * fine + c) * 25 + tap], ["spread", "collect"]);
  });
  const last = sizes[5], pixels = last[0] * last[1];
  const wide = weights["widen.weight"].values, merging = weights["merge.weight"].values;
  // One channel to many goes as a convolution with the kernel turned round.
  const widen = networks.layer(plan(last, last, 1, 3, 6, 1), width, (tap, _, l) => wide[l * 25 + 24 - tap],
    ["spread", "collect"]);
  const merge = networks.layer(plan(last, last, 1, 5, 10, 1), width, (tap, _, l) => merging[l * 25 + tap],
    ["spread", "collect"]);
  const count = sizes.map(([rows, columns]) => rows * columns);
  const { floats } = networks;
  const features = channels.map((c, s) => floats(count[s] * c));
  const inner = floats(pixels * width);
  const slopes = channels.map((c, s) => floats(count[s] * (s ? c : 8)));
  const slope = floats(pixels * width);
  const norms = [...channels.slice(1, 5).map(normalisation), normalisation(width)];
  const kept = [...features.slice(1, 5), inner].map((values) => new Uint8Array(values.length));
  const open = new Uint8Array(pixels);
  const image = floats(pixels);

  /** Fill `image` with pixels in (-1, 1) of a latent of fifteen numbers. */
  function forward(latent) {
    features[0].set(latent);
    for (let s = 0; s < 4; s++) {
      up[s].spread(features[s], features[s + 1]);
      rectify(features[s + 1], kept[s]);
      norms[s].apply(features[s + 1]);
    }
    up[4].spread(features[4], features[5]);
    rectify(features[5], open);
    widen.collect(features[5], inner);
    rectify(inner, kept[4]);
    norms[4].apply(inner);
    merge.spread(inner, image);
    for (let i = 0; i < pixels; i++) image[i] = 1 - 2 / (Math.exp(2 * image[i]) + 1);
    return image;
  }

  /** The gradient in the latent of the last `forward` of what has the gradient `change` in its image; spends it. */
  function backward(change) {
    for (let i = 0; i < pixels; i++) change[i] *= 1 - image[i] * image[i];
    merge.collect(change, slope);
    norms[4].differentiate(inner, slope);
    mask(slope, kept[4]);
    widen.spread(slope, slopes[5]);
    mask(slopes[5], open);
    for (let s = 4; s >= 0; s--) {
      up[s].collect(slopes[s + 1], slopes[s]);
      if (!s) break;
      norms[s - 1].differentiate(features[s], slopes[s]);
      mask(slopes[s], kept[s - 1]);
    }
    // A single channel comes out in wider rows.
    return Float64Array.from({ length: N }, (_, i) => slopes[0][up[0].width * i]);
  }

  function plan(coarse, fine, step, apart, before, channels) {
    return { coarse, fine, taps: [5, 5], step, apart, before: [before, before], channels };
  }

  function rectify(values, open) {
    for (let i = 0; i < open.length; i++) {
      const value = values[i];
      open[i] = value > 0 ? 1 : 0;
      values[i] = value > 0 ? value : 0;
    }
  }

  function mask(values, open) {
    for (let i = 0; i < open.length; i++) values[i] *= open[i];
  }

  /** Instance normalisation over the pixels of each of `channels`, and its derivative, which is its own adjoint. */
  function normalisation(channels) {
    const scale = new Float64Array(channels), sum = new Float64Array(channels), dot = new Float64Array(channels);
    return {
      apply(x) {
        const n = x.length / channels, size = x.length;
        sum.fill(0); dot.fill(0);
        for (let i = 0; i < size; i += channels) {
          for (let c = 0; c < channels; c++) sum[c] += x[i + c];
        }
        for (let c = 0; c < channels; c++) sum[c] /= n;
        for (let i = 0; i < size; i += channels) {
          for (let c = 0; c < channels; c++) {
            const gap = x[i + c] - sum[c];
            dot[c] += gap * gap;
          }
        }
        for (let c = 0; c < channels; c++) scale[c] = 1 / Math.sqrt(dot[c] / n + 1e-5);
        for (let i = 0; i < size; i += channels) {
          for (let c = 0; c < channels; c++) x[i + c] = (x[i + c] - sum[c]) * scale[c];
        }
      },
      differentiate(y, slope) {
        const n = y.length / channels, size = y.length;
        sum.fill(0); dot.fill(0);
        for (let i = 0; i < size; i += channels)
          for (let c = 0; c < channels; c++) {
            sum[c] += slope[i + c];
            dot[c] += slope[i + c] * y[i + c];
          }
        for (let c = 0; c < channels; c++) { sum[c] /= n; dot[c] /= n; }
        for (let i = 0; i < size; i += channels)
          for (let c = 0; c < channels; c++) slope[i + c] = scale[c] * (slope[i + c] - sum[c] - y[i + c] * dot[c]);
      },
    };
  }

  return { forward, backward, image, change: floats(pixels), columns: last[1] };
}
