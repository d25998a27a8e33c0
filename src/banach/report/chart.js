"use strict";
/* One line chart: ratio on a logarithmic axis against seconds or oracle calls. */
const SVG = "http://www.w3.org/2000/svg";
const DASHES = ["", "9 4", "2.5 3", "11 3 2.5 3"];
const star = (r) => Array.from({ length: 10 }, (_, k) => {
  const reach = k % 2 ? r * 0.42 : r, turn = (k * Math.PI) / 5;
  return `${(reach * Math.sin(turn)).toFixed(2)} ${(-reach * Math.cos(turn)).toFixed(2)}`;
});
/* A plus with arms thick enough to be hollow, turned by an angle. */
const cross = (r, turn) => {
  const a = 0.45 * r, b = 1.35 * r, c = Math.cos(turn), d = Math.sin(turn);
  const outline = [[a, -b], [a, -a], [b, -a], [b, a], [a, a], [a, b], [-a, b], [-a, a], [-b, a], [-b, -a], [-a, -a], [-a, -b]];
  return `M${outline.map(([x, y]) => `${(x * c - y * d).toFixed(2)} ${(x * d + y * c).toFixed(2)}`).join("L")}z`;
};
const MARKS = [
  (r) => `M${-r} 0a${r} ${r} 0 1 0 ${2 * r} 0a${r} ${r} 0 1 0 ${-2 * r} 0z`,
  (r) => `M${-r} ${-r}h${2 * r}v${2 * r}h${-2 * r}z`,
  (r) => `M0 ${-1.25 * r}L${1.2 * r} ${r}H${-1.2 * r}z`,
  (r) => `M0 ${-1.4 * r}L${1.4 * r} 0L0 ${1.4 * r}L${-1.4 * r} 0z`,
  (r) => `M0 ${1.25 * r}L${1.2 * r} ${-r}H${-1.2 * r}z`,
  (r) => cross(r, 0),
  (r) => cross(r, Math.PI / 4),
  (r) => `M${star(1.5 * r).join("L")}z`,
];

function node(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  if (text !== undefined) made.textContent = text;
  return made;
}

function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const key in attributes) made.setAttribute(key, attributes[key]);
  made.append(...children);
  return made;
}

function show(value) {
  if (value === null || value === undefined) return "NaN";
  if (Number.isInteger(value) && Math.abs(value) < 1e7) return String(value);
  const text = Number(value.toPrecision(3));
  return Math.abs(text) >= 1e-3 && Math.abs(text) < 1e4 ? String(text) : text.toExponential().replace("+", "");
}

/* The line and marker of method i: colours repeat after 7, markers after 8. */
function look(i) {
  return { k: "k" + (i % 7), dash: DASHES[Math.floor(i / 7) % DASHES.length], mark: MARKS[i % 8] };
}

function marker(i, x, y, size, hollow) {
  const kind = `mark ${look(i).k}${hollow ? " hollow" : ""}`;
  return node("path", { class: kind, d: look(i).mark(size), transform: `translate(${x} ${y})` });
}

function sample(i) {
  const svg = node("svg", { viewBox: "0 0 44 14", "aria-hidden": "true" });
  svg.append(node("path", { class: `curve ${look(i).k}`, d: "M1 7H43", "stroke-dasharray": look(i).dash }));
  svg.append(marker(i, 22, 7, 4));
  return svg;
}

function linearTicks(low, high, count) {
  const raw = (high - low) / count || 1;
  const power = 10 ** Math.floor(Math.log10(raw));
  const step = [1, 2, 5, 10].map((m) => m * power).find((s) => s >= raw);
  const ticks = [];
  for (let t = Math.ceil(low / step) * step; t <= high * (1 + 1e-9); t += step) ticks.push(Number(t.toPrecision(12)));
  return ticks;
}

function decadeTicks(low, high, count) {
  const first = Math.ceil(Math.log10(low) - 1e-9), last = Math.floor(Math.log10(high) + 1e-9);
  const every = Math.max(1, Math.ceil((last - first + 1) / count));
  const ticks = [];
  for (let e = last; e >= first; e -= every) ticks.unshift(Number("1e" + e));
  return ticks.length > 1 ? ticks : linearTicks(low, high, count).filter((t) => t >= low);
}

/* Axis from value to pixel; on a logarithmic one, values at or below `low` sit on its edge. */
function axis(low, high, from, to, logarithmic) {
  const f = logarithmic ? Math.log10 : (v) => v;
  const a = f(low), b = f(high);
  return (v) => from + ((f(Math.min(high, Math.max(low, v))) - a) / (b - a || 1)) * (to - from);
}

/* Limits of the ratio axis: a diverging run may not flatten all others. */
function ratioRange(runs, tol) {
  const all = runs.flatMap((r) => r.trace.ratio).filter((v) => v !== null && v > 0);
  const starts = runs.map((r) => r.trace.ratio.find((v) => v !== null && v > 0)).filter((v) => v !== undefined);
  const reach = starts.length ? Math.max(...starts) * 1e3 : tol * 10;
  const high = Math.max(tol * 3, all.reduce((m, v) => Math.max(m, Math.min(v, reach)), 0));
  const low = Math.max(1e-20, all.reduce((m, v) => Math.min(m, v), tol / 3));
  return [low / 1.6, high * 1.6];
}

/*
 * view: { runs, tol, quantity, hidden:Set, x(run, k) -> number|null, band(run) -> number|null,
 *         quartiles(run) -> {x, low, middle, high}|null, over the seeds of a stochastic method,
 *         xlabel, logarithmic, label, tell(methods drawn on the upper edge) }
 */
class Chart {
  constructor(host, view) {
    this.host = host;
    this.view = view;
    this.active = null;
    this.live = element("div", { class: "tip", role: "status", "aria-live": "polite", hidden: "" });
    host.append(this.live);
    host.addEventListener("keydown", (event) => this.key(event));
    host.addEventListener("focus", () => this.focus());
    host.addEventListener("blur", () => this.leave());
    host.addEventListener("pointermove", (event) => this.point(event));
    host.addEventListener("pointerleave", () => this.leave());
    this.width = 0;
    new ResizeObserver(() => {
      if (Math.abs(host.clientWidth - this.width) > 1) this.draw();
    }).observe(host);
  }

  draw() {
    const { view } = this;
    this.width = this.host.clientWidth || 600;
    const width = this.width, height = Math.round(Math.min(400, Math.max(280, width * 0.62)));
    const box = { left: 50, right: width - 16, top: 10, bottom: height - 44 };
    this.curves = view.runs.map((run, i) => ({ run, i, points: this.points(run) }))
      .filter((c) => !view.hidden.has(c.i) && c.points.length);
    const spans = new Map(this.curves.map((c) => [c.i, view.quartiles(c.run)]));
    const xs = this.curves.flatMap((c) => c.points.map((p) => p.x).concat(spans.get(c.i)?.x ?? []));
    const positive = xs.filter((v) => v > 0);
    const log = view.logarithmic() && positive.length > 0;
    const xhigh = (positive.length ? Math.max(...positive) : 1) * (log ? 1.25 : 1.04);
    const xlow = log ? Math.min(...positive) / 1.25 : 0;
    const [ylow, yhigh] = ratioRange(view.runs, view.tol);
    const X = axis(xlow, xhigh, box.left, box.right, log);
    const Y = axis(ylow, yhigh, box.bottom, box.top, true);
    const svg = node("svg", { viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": view.label() });
    this.bands(svg, box, X);
    const clipped = this.curves.filter((c) => c.points.some((p) => p.y > yhigh)).map((c) => c.run.method);
    view.tell(clipped);
    const ticks = log ? decadeTicks(xlow, xhigh, width / 70) : linearTicks(0, xhigh, width / 90);
    for (const t of ticks) {
      svg.append(node("line", { class: "grid", x1: X(t), x2: X(t), y1: box.top, y2: box.bottom }));
      svg.append(node("text", { x: Math.min(X(t), width - 4 * show(t).length), y: box.bottom + 17, "text-anchor": "middle" }, show(t)));
    }
    for (const t of decadeTicks(ylow, yhigh, 8)) {
      svg.append(node("line", { class: "grid", x1: box.left, x2: box.right, y1: Y(t), y2: Y(t) }));
      svg.append(node("text", { x: box.left - 6, y: Y(t) + 4, "text-anchor": "end" }, t.toExponential().replace("+", "")));
    }
    svg.append(node("text", { class: "strong", x: (box.left + box.right) / 2, y: height - 7, "text-anchor": "middle" }, view.xlabel()));
    svg.append(node("path", { class: "frame", d: `M${box.left} ${box.top}V${box.bottom}H${box.right}` }));
    svg.append(node("line", { class: "tol", x1: box.left, x2: box.right, y1: Y(view.tol), y2: Y(view.tol) }));
    svg.append(node("text", { class: "strong", x: box.right - 4, y: Y(view.tol) - 5, "text-anchor": "end" }, "tol " + show(view.tol)));
    for (const curve of this.curves) this.quartiles(svg, curve.i, spans.get(curve.i), X, (v) => Y(v === null ? yhigh : v));
    for (const curve of this.curves) {
      for (const p of curve.points) if (p.y !== null) [p.px, p.py] = [X(p.x), Y(p.y)];
      svg.append(this.curve(curve));
    }
    if (!this.curves.length) {
      svg.append(node("text", { class: "strong", x: width / 2, y: height / 2, "text-anchor": "middle" }, "No curve is shown."));
    }
    svg.append(node("circle", { class: "cursor", r: 7, cx: -50, cy: -50 }));
    if (this.svg) this.svg.remove();
    this.host.prepend(svg);
    this.svg = svg;
    this.box = box;
    const was = this.active, curve = was && this.curves.find((c) => c.i === was.i);
    if (curve) this.select(curve, was.k);
    else this.leave();
  }

  points(run) {
    return run.trace.ratio.map((y, k) => ({ x: this.view.x(run, k), y, k })).filter((p) => p.x !== null && p.x !== undefined);
  }

  /* Each method shades its own compile time, so the shade counts the methods still compiling. */
  bands(svg, box, X) {
    for (const { run, i } of this.curves) {
      const end = this.view.band(run);
      if (!end) continue;
      svg.append(node("rect", {
        class: "band", "data-run": i, x: box.left, y: box.top, width: Math.max(0, X(end) - box.left),
        height: box.bottom - box.top, "fill-opacity": (0.45 / this.curves.length).toFixed(4),
      }));
    }
  }

  /* Half of the seeds lie in the band; the thin line is their median. */
  quartiles(svg, i, span, X, Y) {
    if (!span) return;
    const along = (ys) => span.x.map((x, k) => `${X(x).toFixed(1)} ${Y(ys[k]).toFixed(1)}`);
    const group = node("g", { "data-run": i });
    const outline = [...along(span.low), ...along(span.high).reverse()];
    group.append(node("path", { class: `quartiles ${look(i).k}`, d: `M${outline.join("L")}z` }));
    group.append(node("path", { class: `median ${look(i).k}`, d: `M${along(span.middle).join("L")}` }));
    svg.append(group);
  }

  curve({ run, i, points }) {
    const group = node("g", { "data-run": i });
    let d = "", pen = "M", last = null, marked = null;
    const marks = [];
    for (const p of points) {
      if (p.y === null) { pen = "M"; continue; }
      d += `${pen}${p.px.toFixed(1)} ${p.py.toFixed(1)}`;
      pen = "L";
      last = p;
      if (marked === null || Math.hypot(p.px - marked.px, p.py - marked.py) > 70) { marks.push(p); marked = p; }
    }
    group.append(node("path", { class: `curve ${look(i).k}`, d, "stroke-dasharray": look(i).dash }));
    for (const p of marks) if (p !== last) group.append(marker(i, p.px, p.py, 3.2));
    if (last) group.append(marker(i, last.px, last.py, 5.2, run.status !== "certified"));
    return group;
  }

  emphasise(i) {
    for (const part of this.svg.querySelectorAll("g[data-run]")) {
      part.classList.toggle("dim", i !== null && part.dataset.run !== String(i));
    }
    for (const part of this.svg.querySelectorAll("rect[data-run]")) {
      const mine = part.dataset.run === String(i);
      part.setAttribute("fill-opacity", mine ? 0.3 : (i === null ? 0.45 : 0.15) / this.curves.length);
    }
  }

  select(curve, k) {
    const seen = curve.points.filter((p) => p.y !== null);
    if (!seen.length) return this.leave();
    const p = seen[Math.min(seen.length - 1, Math.max(0, k))];
    this.active = { i: curve.i, k: seen.indexOf(p) };
    this.emphasise(curve.i);
    const ring = this.svg.querySelector(".cursor");
    ring.setAttribute("cx", p.px);
    ring.setAttribute("cy", p.py);
    const t = curve.run.trace;
    const calls = Object.keys(t.calls).map((kind) => `${kind} ${show(t.calls[kind][p.k])}`).join(", ");
    const said = [
      element("b", {}, curve.run.method), ` (${curve.run.status})`,
      ...(curve.run.quartiles ? [element("span", {}, `${curve.run.quartiles.seeds} seeds certified`)] : []),
      element("span", {}, `ratio ${show(p.y)} at step ${show(t.step[p.k])}`),
      element("span", {}, `${show(curve.run.compile)} s compile + ${show(t.seconds[p.k])} s run`),
      element("span", {}, calls),
    ];
    // What is drawn anew and says the same is not announced again.
    const text = said.map((part) => part.textContent ?? part).join("");
    if (text !== this.live.textContent) this.live.replaceChildren(...said);
    this.live.hidden = false;
    const w = this.live.offsetWidth, h = this.live.offsetHeight;
    const left = p.px + 14 + w > this.width ? p.px - 14 - w : p.px + 14;
    this.live.style.left = `${Math.max(0, Math.min(this.width - w, left))}px`;
    this.live.style.top = `${p.py - h - 10 < 0 ? p.py + 14 : p.py - h - 10}px`;
  }

  leave() {
    this.active = null;
    this.live.hidden = true;
    this.emphasise(null);
    this.svg.querySelector(".cursor").setAttribute("cx", -50);
  }

  focus() {
    if (!this.active && this.curves.length) this.select(this.curves[0], Infinity);
  }

  key(event) {
    const at = this.curves.findIndex((c) => this.active && c.i === this.active.i);
    const count = this.curves.length;
    const moves = { ArrowRight: [0, 1], ArrowLeft: [0, -1], ArrowDown: [1, 0], ArrowUp: [-1, 0], Home: [0, -Infinity], End: [0, Infinity] };
    if (event.key === "Escape") return this.leave();
    if (!count || !(event.key in moves)) return;
    event.preventDefault();
    const [turn, walk] = moves[event.key];
    const next = at < 0 ? 0 : (at + turn + count) % count;
    this.select(this.curves[next], turn || at < 0 ? Infinity : this.active.k + walk);
  }

  point(event) {
    const frame = this.svg.getBoundingClientRect();
    const x = event.clientX - frame.left, y = event.clientY - frame.top;
    let best = null, reach = 40;
    for (const curve of this.curves) {
      curve.points.filter((p) => p.y !== null).forEach((p, k) => {
        const far = Math.hypot(p.px - x, p.py - y);
        if (far < reach) { reach = far; best = [curve, k]; }
      });
    }
    if (best) this.select(...best);
    else this.leave();
  }
}
