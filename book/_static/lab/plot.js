/* What the laboratories draw with: the book's colours, axes with few ticks, images.

   geolab.ink()      {text, muted, soft, line, paper, dark, blue, vermilion, green, orange, purple, sky, violet}:
                     geolib.plots.style's colours, moved just far enough from the background to be
                     read (4.5 : 1), in light and dark mode
   geolab.axes(pen, {x: [a, b], y: [a, b], xlabel, ylabel, xlog, ylog, grid, ticks, yticks,
     legend: [[text, color], ...]})
                     axes of a panel; y: [b, a] turns the axis upside down; the legend stands in a line
                     above it; grid, ticks or yticks false leaves them out. Returns {X, Y, left, top,
                     right, bottom, invX(px), invY(py), line(xs, ys, color, {width, dash}),
                     fill(xs, ys, color), dots(xs, ys, color, radius), rule({x | y}, color, text, {dash, align, dy}),
                     label(text, x, y, color, {align, dx, dy})}; line, fill and dots are clipped
   geolab.image(pen, frame, values, [rows, columns], map, [low, high])
                     values as colours of the map "velocity", "signed", "facies" or "wave" (a veil of
                     white and black, clear at the middle) in the frame {left, top, right, bottom};
                     NaN is left open
   geolab.fade(color, share)  a colour of rgb() with that opacity                                       */
(function () {
  "use strict";
  const geolab = (window.geolab = window.geolab || {});

  const parse = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));
  const luminance = (rgb) => {
    const [r, g, b] = rgb.map((v) => ((v / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const contrast = (a, b) => {
    const [low, high] = [luminance(a), luminance(b)].sort((p, q) => p - q);
    return (high + 0.05) / (low + 0.05);
  };

  /** Move a colour towards black or white until it can be read on the paper. */
  function readable(color, paper) {
    const away = luminance(paper) > 0.4 ? 0 : 255;
    let rgb = parse(color);
    for (let i = 0; i < 40 && contrast(rgb, paper) < 4.5; i++) {
      rgb = rgb.map((v) => v + 0.05 * (away - v));
    }
    return `rgb(${rgb.map(Math.round).join(" ")})`;
  }

  const inks = {};
  geolab.ink = () => {
    const dark = document.documentElement.dataset.theme === "dark";
    return (inks[dark] ??= make(dark));
  };
  function make(dark) {
    const paper = dark ? [18, 18, 18] : [255, 255, 255];
    const names = Object.entries(geolab.data.style.colors).filter(([name]) => name !== "black");
    const colours = Object.fromEntries(names.map(([name, hex]) => [name, readable(hex, paper)]));
    return { ...colours, dark, paper: `rgb(${paper.join(" ")})`,
      text: dark ? "rgb(232 232 232)" : "rgb(29 31 34)", muted: dark ? "#a9adb3" : "#5b6067",
      line: dark ? "#3b3f45" : "#dcdfe3", soft: dark ? "#6b7178" : "#b4bac1" };
  }
  geolab.fade = (color, share) => color.replace(")", ` / ${share})`);

  const FONT = "12px system-ui, -apple-system, 'Segoe UI', sans-serif";

  function ticks(low, high, wanted) {
    const span = Math.abs(high - low) || 1, raw = span / wanted, size = 10 ** Math.floor(Math.log10(raw));
    const step = size * [1, 2, 5, 10].find((m) => m * size >= raw * 0.999);
    const found = [], first = Math.ceil(Math.min(low, high) / step - 1e-9);
    for (let i = first; i * step <= Math.max(low, high) + 1e-9 * span; i++) {
      found.push([i * step, Number((i * step).toPrecision(6)).toString().replace("-", "−")]);
    }
    return found;
  }
  const raised = (n) => String(n).replace(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));
  function decades(low, high) {
    const [a, b] = [Math.ceil(Math.log10(low) - 1e-9), Math.floor(Math.log10(high) + 1e-9)];
    const every = Math.max(1, Math.ceil((b - a) / 4)), found = [];
    for (let n = a; n <= b; n += every) {
      found.push([10 ** n, n === 0 ? "1" : n === 1 ? "10" : `10${raised(n)}`]);
    }
    return found;
  }

  geolab.axes = ({ g, w, h, ink }, o) => {
    const left = o.left ?? (o.ticks === false ? 8 : (o.ylog ? 44 : 38) + (o.ylabel ? 14 : 0));
    const top = o.top ?? (o.legend ? 26 : 10);
    const right = w - (o.right ?? 12), bottom = h - (o.bottom ?? (o.xlabel ? 36 : 22));
    const wide = Math.max(1, right - left), tall = Math.max(1, bottom - top);
    const scale = (range, log, from, length) => {
      const [a, b] = log ? range.map(Math.log10) : range, span = b - a || 1;
      return [(v) => from + (length * ((log ? Math.log10(v) : v) - a)) / span,
        (p) => { const v = a + ((p - from) * span) / length; return log ? 10 ** v : v; }];
    };
    const [X, invX] = scale(o.x, o.xlog, left, wide), [Y, invY] = scale(o.y, o.ylog, bottom, -tall);
    g.font = FONT;
    g.lineWidth = 1;
    g.fillStyle = ink.muted;
    g.strokeStyle = ink.line;
    const xt = o.xlog ? decades(...o.x) : ticks(...o.x, Math.max(2, wide / 80));
    const yt = o.ylog ? decades(...o.y) : ticks(...o.y, Math.max(2, tall / 45));
    g.textBaseline = "middle";
    g.textAlign = "right";
    for (const [v, text] of o.ticks === false || o.yticks === false ? [] : yt) {
      g.fillText(text, left - 6, Y(v));
      if (o.grid !== false) { g.beginPath(); g.moveTo(left, Y(v)); g.lineTo(right, Y(v)); g.stroke(); }
    }
    g.textBaseline = "top";
    g.textAlign = "center";
    for (const [v, text] of o.ticks === false ? [] : xt) {
      g.fillText(text, Math.min(X(v), w - 12), bottom + 5);
    }
    g.beginPath(); g.moveTo(left, bottom); g.lineTo(right, bottom); g.stroke();
    if (o.xlabel) g.fillText(o.xlabel, (left + right) / 2, h - 14);
    if (o.ylabel) {
      g.save();
      g.translate(10, (top + bottom) / 2);
      g.rotate(-Math.PI / 2);
      g.textBaseline = "middle";
      g.fillText(o.ylabel, 0, 0);
      g.restore();
    }
    let at0 = left;
    for (const [text, color] of o.legend ?? []) {
      label(text, at0, 10, color, "left");
      at0 += g.measureText(text).width + 14;
    }
    const frame = { left, top, right, bottom };
    const clipped = (paint) => {
      g.save();
      g.beginPath(); g.rect(left, top - 1, wide, tall + 2); g.clip();
      paint();
      g.restore();
    };
    const low = o.ylog ? Math.min(...o.y) / 1e3 : -Infinity;
    // Far outside the panel a line is cut: canvases draw garbage at coordinates of 1e20.
    const at = (v) => Math.max(-1e4, Math.min(1e4, v));
    const trace = (xs, ys) => {
      g.beginPath();
      let open = false;
      for (let i = 0; i < ys.length; i++) {
        const x = X(xs[i]), y = Y(Math.max(ys[i], low));
        if (Number.isNaN(x) || Number.isNaN(y)) { open = false; continue; }
        if (open) g.lineTo(at(x), at(y)); else g.moveTo(at(x), at(y));
        open = true;
      }
    };
    return { ...frame, X, Y, invX, invY,
      line: (xs, ys, color, { width = 2, dash = [] } = {}) => clipped(() => {
        g.strokeStyle = color; g.lineWidth = width; g.lineJoin = "round"; g.setLineDash(dash);
        trace(xs, ys);
        g.stroke();
      }),
      fill: (xs, ys, color, base = o.y[0]) => clipped(() => {
        g.fillStyle = color;
        trace(xs, ys);
        g.lineTo(X(xs[xs.length - 1]), Y(base)); g.lineTo(X(xs[0]), Y(base));
        g.fill();
      }),
      dots: (xs, ys, color, radius = 3) => clipped(() => {
        g.fillStyle = color;
        for (let i = 0; i < xs.length; i++) {
          if (!Number.isFinite(xs[i]) || !Number.isFinite(ys[i])) continue;
          g.beginPath(); g.arc(at(X(xs[i])), at(Y(ys[i])), radius, 0, 7); g.fill();
        }
      }),
      rule: ({ x, y }, color, text = "", { dash = [4, 4], align = "right", dy = -9 } = {}) => {
        g.strokeStyle = color; g.lineWidth = 1.25; g.setLineDash(dash);
        g.beginPath();
        if (y !== undefined) { g.moveTo(left, Y(y)); g.lineTo(right, Y(y)); }
        else { g.moveTo(X(x), top); g.lineTo(X(x), bottom); }
        g.stroke();
        g.setLineDash([]);
        const place = align === "right" ? right - 2 : left + 4;
        if (y !== undefined) label(text, place, Y(y) + dy, color, align);
        else label(text, X(x) + 4, top + 6, color, "left");
      },
      label: (text, x, y, color, { align = "left", dx = 0, dy = 0 } = {}) =>
        label(text, X(x) + dx, Y(y) + dy, color, align),
      note: (text, px, py, color, align = "left") => label(text, px, py, color, align) };

    function label(text, px, py, color, align) {
      if (!text) return;
      g.font = FONT;
      g.textAlign = align;
      g.textBaseline = "middle";
      const size = g.measureText(text).width;
      const before = { left: 0, center: size / 2, right: size }[align];
      const x = Math.min(Math.max(px, before + 2), w - 2 - (size - before));
      const y = Math.min(Math.max(py, 7), h - 7);
      // A halo of paper keeps a label readable on top of lines.
      g.strokeStyle = ink.paper; g.lineWidth = 4; g.lineJoin = "round";
      g.strokeText(text, x, y);
      g.fillStyle = color;
      g.fillText(text, x, y);
    }
  };

  const maps = {};
  /** The 256 colours of a map as words of pixels. */
  function palette(name, dark) {
    const key = name + (dark && name === "signed");
    if (maps[key]) return maps[key];
    const far = (i) => Math.abs(i - 127.5) / 127.5;
    if (name === "wave") {
      maps[key] = Uint32Array.from({ length: 256 }, (_, i) => ((235 * far(i)) << 24) | (i > 127 ? 0xffffff : 0));
    } else {
      const bytes = geolab.decode(geolab.data.style.maps[name]);
      // The middle of the signed map is white, which would glare in the dark: there it is clear.
      const clear = (i) => (key === name + true ? Math.min(255, 420 * far(i)) : 255);
      maps[key] = Uint32Array.from({ length: 256 }, (_, i) =>
        (clear(i) << 24) | (bytes[3 * i + 2] << 16) | (bytes[3 * i + 1] << 8) | bytes[3 * i]);
    }
    return maps[key];
  }

  let scratch;
  geolab.image = ({ g, ink }, { left, top, right, bottom }, values, [rows, columns], map, [low, high]) => {
    const colours = palette(map, ink.dark), step = 255 / (high - low || 1);
    scratch ??= document.createElement("canvas");
    if (scratch.width !== columns || scratch.height !== rows) {
      Object.assign(scratch, { width: columns, height: rows });
    }
    const to = scratch.getContext("2d"), pixels = to.createImageData(columns, rows);
    const words = new Uint32Array(pixels.data.buffer);
    for (let i = 0; i < words.length; i++) {
      const at = (values[i] - low) * step;
      words[i] = at >= 0 ? colours[at > 255 ? 255 : at | 0] : at < 0 ? colours[0] : 0;
    }
    to.putImageData(pixels, 0, 0);
    g.imageSmoothingEnabled = rows > bottom - top || columns > right - left; // many cells to a pixel
    g.imageSmoothingQuality = "high";
    g.drawImage(scratch, left, top, right - left, bottom - top);
  };
})();
