/* The frame of all laboratories: data, controls, panels, a loop in slices, code and check boxes.

   A page holds  <div class="geolab" data-lab="NAME-part">text for readers without scripts</div>;
   the build adds lab.css, lab.js, box.js and plot.js to such a page (geolib.book.labs.attach), and this script
   loads NAME.js when the reader comes near. NAME.js calls

     geolab.lab("NAME-part", {
       uses: ["waves.js"],             // scripts beside this one, loaded first
       data: ["NAME"],                 // loaded from data/NAME.js first (geolab.need)
       start(box, data) { ... },       // builds it; data = what the first of them holds; what it
                                       // returns is geolab.labs[name], for tests
     });

   box.slider({label, min, max, value, step, log, marks: [{value, text}], format, change})
   box.select({label, options: [[value, text], ...], value, change})
   box.toggle({label, value, change})
     each returns {value, set(v), show(bool), element}; set does not call change; a logarithmic
     slider has three digits.
     slider also has marks([...]) to move its marks and range(min, max, value).
   box.button(text, press, {primary})  returns {text(t), enable(bool), element}
   box.row()                           the next controls go to a new row
   box.panel({title, ratio, wide, describe, draw(pen)})
                                       returns {redraw(), title(t), canvas, pointer(handlers)}
     pen = {g, w, h, ink}: a 2-D context in CSS pixels, its size, the colours of the mode (plot.js);
     pointer({down(p), move(p), up(p), key(event, p)}): p = {x, y, w, h} in CSS pixels; the canvas
     takes the keyboard too when key is given; touch: "pan-y" lets a finger scroll the page
   box.say(text)                       one line under the panels, read out by screen readers
   box.code(() => text)                "Run this with geolib", for the state on the screen
   box.check(async () => rows)         "Check against the package"; a row is
                                       {what, page, package, error, allowed}, error relative
   box.redraw()                        all panels and the code, in the next frame
   box.loop(step, {budget, frame})     {start(), stop(), toggle(), running, budget}: calls step() and
                                       again for `budget` ms of each frame (at least once) until it returns false;
                                       frame() is called after each slice; panels are drawn then
   geolab.need(name)                   promise of data/NAME.js with its arrays decoded
   geolab.fetch(name)                  promise of data/NAME.js as it is; labDecode, which may go to a thread, decodes
   geolab.worker(functions, main)      {ask(message), end()}: named functions in a thread of their own
   geolab.number(x, digits)            text of a number; never NaN
   geolab.random(seed)                 {uniform(), normal(), integer(n)}
   geolab.still                        true if the reader asked for reduced motion
   geolab.ready(name)                  promise of the box of a started laboratory (starts it)
   window.geolabReady                  true once every laboratory near the screen has started        */
(function () {
  "use strict";
  const here = new URL(".", document.currentScript.src).href;
  const geolab = (window.geolab = window.geolab || {});
  geolab.data = geolab.data || {};
  geolab.labs = {};
  geolab.still = matchMedia("(prefers-reduced-motion: reduce)").matches;

  // --- scripts and data --------------------------------------------------------------------------
  const loaded = {};
  function load(address) {
    loaded[address] ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = here + address;
      script.onload = resolve;
      script.onerror = () => reject(new Error(`${address} is not there; build the book again.`));
      document.head.append(script);
    });
    return loaded[address];
  }

  const decoded = {};
  geolab.fetch = async (name) => {
    await load(`data/${name}.js`);
    return geolab.data[name];
  };
  geolab.need = async (name) => (decoded[name] ??= geolab.decode(await geolab.fetch(name)));
  geolab.decode = labDecode;

  // --- numbers -----------------------------------------------------------------------------------
  geolab.number = (x, digits = 3) => {
    if (x === undefined || x === null || !Number.isFinite(x)) return "–";
    const size = Math.abs(x);
    if (size !== 0 && (size >= 1e5 || size < 1e-3)) {
      const [mantissa, exponent] = x.toExponential(digits - 1).split("e");
      return `${mantissa.replace("-", "−")} × 10${superscript(Number(exponent))}`;
    }
    const places = size === 0 ? 0 : Math.max(0, digits - 1 - Math.floor(Math.log10(size)));
    return x.toFixed(Math.min(places, 8)).replace("-", "−");
  };
  const superscript = (n) => String(n).replace(/[-\d]/g, (c) => (c === "-" ? "⁻" : "⁰¹²³⁴⁵⁶⁷⁸⁹"[c]));

  geolab.random = (seed) => {
    let state = seed >>> 0;
    const uniform = () => { // mulberry32
      state = (state + 0x6d2b79f5) >>> 0;
      let t = Math.imul(state ^ (state >>> 15), 1 | state);
      t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
      return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
    };
    const normal = () =>
      Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
    return { uniform, normal, integer: (n) => Math.floor(n * uniform()) };
  };

  /** A thread made of named functions; `main(message, post)` answers one question after the other,
      in the order in which they are asked. */
  geolab.worker = (functions, main) => {
    const text = [...functions, main].map(String).join("\n") +
      `\nonmessage = async ({data}) => postMessage({done: true, answer: ` +
      `await ${main.name}(data, (part) => postMessage({part}))});`;
    const address = URL.createObjectURL(new Blob([text], { type: "text/javascript" }));
    const thread = new Worker(address);
    const put = (message, part) => new Promise((resolve, reject) => {
      thread.onmessage = ({ data }) => (data.done ? resolve(data.answer) : part?.(data.part));
      thread.onerror = (event) => reject(new Error(event.message));
      thread.postMessage(message);
    });
    let last = Promise.resolve();
    return {
      ask(message, part) {
        const answer = last.then(() => put(message, part));
        last = answer.catch(() => null);
        return answer;
      },
      end() { thread.terminate(); URL.revokeObjectURL(address); },
    };
  };

  /** Return the largest difference of two arrays over the largest value of the second. */
  geolab.difference = (a, b) => {
    let gap = 0, size = 0;
    for (let i = 0; i < b.length; i++) {
      const d = Math.abs(a[i] - b[i]);
      gap = d >= gap || Number.isNaN(d) ? d : gap;
      size = Math.max(size, Math.abs(b[i]));
    }
    return gap / (size || 1);
  };

  // --- starting ----------------------------------------------------------------------------------
  const registered = {}, started = {};
  geolab.lab = (name, about) => { registered[name] = about; };

  geolab.ready = (name) => (started[name] ??= begin(name));

  async function begin(name) {
    const element = document.querySelector(`[data-lab="${name}"]`);
    element.dataset.state = "loading";
    try {
      await geolab.need("style");
      await load(`${name.split("-")[0]}.js`);
      const about = registered[name];
      for (const script of about.uses ?? []) await load(script);
      const data = await Promise.all((about.data ?? []).map(geolab.need));
      const box = new geolab.Box(element, name);
      geolab.labs[name] = await about.start(box, ...data);
      box.redraw();
      element.dataset.state = "ready";
      return box;
    } catch (error) {
      element.dataset.state = "failed";
      const told = document.createElement("p");
      told.className = "gl-failed";
      told.textContent = `This laboratory did not start: ${error.message}`;
      element.append(told);
      console.warn(error);
      throw error;
    }
  }

  function watch() {
    const all = [...document.querySelectorAll(".geolab[data-lab]")];
    const near = new IntersectionObserver((entries) => {
      const names = entries.filter((e) => e.isIntersecting).map((e) => e.target.dataset.lab);
      Promise.allSettled(names.map(geolab.ready)).then(() => { window.geolabReady = true; });
    }, { rootMargin: "400px" });
    for (const element of all) near.observe(element);
    new MutationObserver(() => {
      for (const box of Object.values(started)) box.then((b) => b.redraw(), () => {});
    }).observe(document.documentElement, { attributeFilter: ["data-theme", "data-mode"] });
  }
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
})();

/** Return an entry with every {type, shape, data} in it as a typed array that has a `shape`. */
function labDecode(entry) {
  "use strict";
  const TYPES = { f8: Float64Array, f4: Float32Array, f2: Uint16Array, i1: Int8Array, u1: Uint8Array,
    i2: Int16Array, i4: Int32Array };

  function decode(entry) {
    if (entry === null || typeof entry !== "object") return entry;
    if (Array.isArray(entry)) return entry.map(decode);
    if (!("type" in entry && "data" in entry)) {
      return Object.fromEntries(Object.entries(entry).map(([k, v]) => [k, decode(v)]));
    }
    const text = atob(entry.data), bytes = new Uint8Array(text.length);
    for (let i = 0; i < bytes.length; i++) bytes[i] = text.charCodeAt(i); // ten times as fast as `from`
    let values = new TYPES[entry.type](bytes.buffer);
    if (entry.type === "f2") values = Float32Array.from(values, half);
    if (entry.scale) values = scaled(values, entry.shape, decode(entry.scale), entry.axis);
    values.shape = entry.shape;
    return values;
  }

  function half(bits) {
    const sign = bits & 0x8000 ? -1 : 1, exponent = (bits >> 10) & 31, fraction = bits & 1023;
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent ? sign * 2 ** (exponent - 15) * (1 + fraction / 1024) : sign * fraction * 2 ** -24;
  }

  // Eight-bit numbers times the scale of their channel along `axis`.
  function scaled(values, shape, scale, axis) {
    const inner = shape.slice(axis + 1).reduce((a, b) => a * b, 1), result = new Float32Array(values.length);
    for (let i = 0, n = 0; i < result.length; n++) {
      for (const end = i + inner, by = scale[n % shape[axis]]; i < end; i++) result[i] = values[i] * by;
    }
    return result;
  }

  return decode(entry);
}
