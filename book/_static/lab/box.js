/* The box of one laboratory: controls, panels, the line that speaks, code and check. What it offers is
   listed in lab.js. */
(function () {
  "use strict";
  function make(tag, className, parent, text) {
    const element = document.createElement(tag);
    if (className) element.className = className;
    if (text !== undefined) element.textContent = text;
    parent?.append(element);
    return element;
  }

  let count = 0;
  geolab.Box = class {
    constructor(element, name) {
      this.element = element;
      this.name = name;
      this.panels = [];
      element.replaceChildren();
      this.head = make("div", "gl-head", element);
      this.row();
      this.grid = make("div", "gl-panels", element);
      this.status = make("p", "gl-say", element);
      this.status.setAttribute("role", "status");
      this.foot = make("div", "gl-foot", element);
    }

    row() { this.controls = make("div", "gl-controls", this.head); }

    field(label, className, kind, input) {
      const element = make("div", `gl-field ${className}`, this.controls);
      const text = make("label", "", element, label);
      input.id = `gl-${this.name}-${++count}`;
      text.htmlFor = input.id;
      if (kind) input.type = kind;
      const show = (on) => { element.hidden = !on; };
      return { element, text, show };
    }

    changed(change, value) {
      change?.(value);
      this.redraw();
    }

    slider({ label, min, max, value, step, log, marks = [], format, change }) {
      format ??= step ? (v) => v.toFixed(Math.max(0, Math.ceil(-Math.log10(step) - 1e-9)))
        : geolab.number;
      const input = make("input");
      let [low, high] = log ? [Math.log(min), Math.log(max)] : [min, max];
      const { element, text, show } = this.field(label, "gl-slider", "range", input);
      const shown = make("output", "", text);
      shown.setAttribute("for", input.id);
      Object.assign(input, { min: 0, max: 1, step: step && !log ? step / (max - min) : 1 / 400 });
      const place = (v) => ((log ? Math.log(v) : v) - low) / (high - low);
      const control = { value, element, show };
      const write = () => {
        shown.textContent = format(control.value);
        input.setAttribute("aria-valuetext", `${format(control.value)}`);
      };
      control.set = (v) => {
        control.value = Math.min(max, Math.max(min, v));
        input.value = place(control.value);
        write();
      };
      input.addEventListener("input", () => {
        const at = low + Number(input.value) * (high - low);
        const rounded = step ? min + Math.round((at - min) / step) * step : at;
        control.value = log ? Number(Math.exp(at).toPrecision(3)) : rounded;
        write();
        this.changed(change, control.value);
      });
      element.append(input);
      const track = make("div", "gl-marks", element);
      track.setAttribute("aria-hidden", "true");
      control.marks = (list) => {
        track.replaceChildren();
        for (const mark of list.filter((m) => m.value >= min && m.value <= max)) {
          const at = place(mark.value), tick = make("span", "", track, mark.text);
          tick.style.left = `calc(${at * 100}% + ${8 - 16 * at}px)`; // the thumb is 16 px wide
          tick.style.setProperty("--shift", `${-100 * Math.min(1, Math.max(0, at * 1.6 - 0.3))}%`);
        }
      };
      control.range = (from, to, at) => {
        [min, max] = [from, to];
        [low, high] = log ? [Math.log(min), Math.log(max)] : [min, max];
        control.set(at);
      };
      control.marks(marks);
      control.set(value);
      return control;
    }

    select({ label, options, value, change }) {
      const input = make("select"), { element, show } = this.field(label, "gl-select", null, input);
      for (const [key, text] of options) make("option", "", input, text).value = key;
      element.append(input);
      const control = { value, element, show, set: (v) => { input.value = control.value = v; } };
      input.addEventListener("change", () => {
        control.value = input.value;
        this.changed(change, control.value);
      });
      control.set(value ?? options[0][0]);
      return control;
    }

    toggle({ label, value = false, change }) {
      const input = make("input"), { element, show } = this.field(label, "gl-toggle", "checkbox", input);
      element.prepend(input);
      const control = { value, element, show, set: (v) => { input.checked = control.value = v; } };
      input.addEventListener("change", () => {
        control.value = input.checked;
        this.changed(change, control.value);
      });
      control.set(value);
      return control;
    }

    button(text, press, { primary = false } = {}) {
      const element = make("button", primary ? "gl-primary" : "", this.controls, text);
      element.type = "button";
      element.addEventListener("click", () => { press(); this.redraw(); });
      return { element, text: (t) => { element.textContent = t; },
        enable: (on) => { element.disabled = !on; } };
    }

    panel({ title, ratio = 0.62, wide = false, describe = title, draw }) {
      const figure = make("figure", `gl-panel${wide ? " gl-wide" : ""}`, this.grid);
      const caption = make("figcaption", "", figure, title), canvas = make("canvas", "", figure);
      canvas.setAttribute("role", "img");
      canvas.setAttribute("aria-label", describe);
      canvas.style.aspectRatio = `1 / ${ratio}`;
      const panel = { canvas, draw, stale: true, redraw: () => { panel.stale = true; this.ask(); },
        title: (t) => {
          if (caption.textContent !== t) caption.textContent = t;
          if (!describe) canvas.setAttribute("aria-label", t);
        },
        pointer: (handlers) => pointer(canvas, handlers, () => this.redraw()) };
      new ResizeObserver(panel.redraw).observe(canvas);
      this.panels.push(panel);
      return panel;
    }

    say(text) { if (this.status.textContent !== text) this.status.textContent = text; }

    code(text) {
      const output = make("pre", "", this.details("Run this with geolib", () => this.writeCode()));
      output.tabIndex = 0;
      this.writeCode = () => { if (output.offsetParent) output.textContent = text(); };
    }

    check(compare) {
      const body = this.details("Check against the package", async () => {
        body.replaceChildren(make("p", "", null, "Comparing …"));
        try {
          body.replaceChildren(table(await compare()));
        } catch (error) {
          body.replaceChildren(make("p", "", null, `Not compared: ${error.message}`));
        }
      });
    }

    details(title, opened) {
      const element = make("details", "", this.foot);
      make("summary", "", element, title);
      element.addEventListener("toggle", () => { if (element.open) opened?.(); });
      return make("div", "", element);
    }

    redraw() {
      for (const panel of this.panels) panel.stale = true;
      this.ask();
    }

    ask() {
      this.asked ??= requestAnimationFrame(() => {
        this.asked = null;
        this.paint();
      });
    }

    paint() {
      this.writeCode?.();
      for (const panel of this.panels.filter((p) => p.stale)) {
        const { canvas } = panel, w = canvas.clientWidth, h = canvas.clientHeight;
        if (!w || !h) continue;
        panel.stale = false;
        const dots = Math.min(window.devicePixelRatio || 1, 3);
        const [width, height] = [Math.round(w * dots), Math.round(h * dots)];
        if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
        const g = canvas.getContext("2d");
        g.setTransform(dots, 0, 0, dots, 0, 0);
        g.clearRect(0, 0, w, h);
        panel.draw({ g, w, h, ink: geolab.ink() });
      }
    }

    loop(step, { budget = 12, frame } = {}) {
      // With reduced motion the work is the same and the picture changes twice a second.
      const pause = geolab.still ? 500 : 0;
      let last = 0;
      const turn = () => {
        if (!loop.running) return;
        const begin = performance.now();
        do {
          if (step() === false) loop.stop();
        } while (loop.running && performance.now() - begin < loop.budget);
        if (begin - last >= pause || !loop.running) {
          last = begin;
          frame?.();
          this.redraw();
        }
        if (loop.running) requestAnimationFrame(turn);
      };
      const loop = { running: false, budget,
        start: () => { if (!loop.running) { loop.running = true; requestAnimationFrame(turn); } },
        stop: () => { loop.running = false; },
        toggle: () => (loop.running ? loop.stop() : loop.start()) };
      return loop;
    }
  };

  function pointer(canvas, { down, move, up, key, touch = "none" }, after) {
    const at = (event) => {
      const box = canvas.getBoundingClientRect();
      return { x: event.clientX - box.left, y: event.clientY - box.top, w: box.width, h: box.height,
        shift: event.shiftKey };
    };
    const hear = (name, handler) => handler && canvas.addEventListener(name, (event) => {
      if (name === "pointerdown") canvas.setPointerCapture?.(event.pointerId);
      if (handler(at(event)) !== false) after();
    });
    canvas.classList.add("gl-touch");
    canvas.style.touchAction = touch;
    hear("pointerdown", down);
    hear("pointermove", move);
    hear("pointerup", up);
    hear("pointercancel", up);
    if (key) {
      canvas.tabIndex = 0;
      canvas.setAttribute("role", "application");
      canvas.addEventListener("keydown", (event) => {
        if (key(event, { w: canvas.clientWidth, h: canvas.clientHeight }) !== false) {
          event.preventDefault();
          after();
        }
      });
    }
  }

  function table(rows) {
    const element = make("table", "gl-check"), head = make("tr", "", make("thead", "", element));
    for (const name of ["", "here", "geolib", "difference", "allowed"]) make("th", "", head, name);
    const body = make("tbody", "", element);
    for (const { what, page, package: ours, error, allowed } of rows) {
      const row = make("tr", error <= allowed ? "" : "gl-off", body);
      make("th", "", row, what);
      for (const value of [page, ours, error, allowed]) {
        make("td", "", row, typeof value === "string" ? value : geolab.number(value));
      }
      row.lastChild.append(error <= allowed ? " ✓ agrees" : " ✗ differs");
    }
    return element;
  }
})();
