/* The smallest laboratory: what the frame offers, once each. */
geolab.lab("demo-one", {
  data: ["demo"],
  start(box, data) {
    window.demo = { box, data, steps: 0, drawn: 0 };
    demo.slider = box.slider({ label: "Rate", min: 0.01, max: 100, value: 1, log: true,
      marks: [{ value: 10, text: "2/λ" }] });
    demo.whole = box.slider({ label: "Steps", min: 0, max: 10, value: 3, step: 1 });
    demo.select = box.select({ label: "Method", options: [["gd", "GD"], ["adam", "Adam"]], value: "adam" });
    demo.toggle = box.toggle({ label: "Noise", value: true });
    demo.loop = box.loop(() => ++demo.steps < 1000);
    box.button("Run", demo.loop.start, { primary: true });
    demo.panel = box.panel({ title: "A parabola", draw(pen) {
      demo.drawn++;
      const x = Array.from({ length: 50 }, (_, i) => i / 49), axes = geolab.axes(pen,
        { x: [0, 1], y: [1e-3, 1], ylog: true, xlabel: "x", ylabel: "y" });
      axes.line(x, x.map((v) => v * v), pen.ink.blue);
      axes.rule({ y: 0.5 }, pen.ink.vermilion, "half");
    } });
    demo.panel.pointer({ down: (p) => { demo.at = p; }, key: (event) => event.key === "a" });
    box.panel({ title: "An image", draw: (pen) => geolab.image(pen, { left: 0, top: 0, right: pen.w,
      bottom: pen.h }, data.half, data.half.shape, "signed", [-1, 1]) });
    box.code(() => `rate = ${demo.slider.value}`);
    box.check(async () => [{ what: "sum", page: 1, package: 1, error: 0, allowed: 1e-6 },
      { what: "wrong", page: 2, package: 1, error: 1, allowed: 1e-6 }]);
    box.say("Ready.");
  },
});
