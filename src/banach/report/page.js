/* Wires the page: sortable verdicts, the charts' controls, and the data behind them. */
function sortable(table) {
  const heads = [...table.querySelectorAll("thead th")];
  for (const head of heads) {
    head.querySelector("button").addEventListener("click", () => {
      const up = head.getAttribute("aria-sort") !== "ascending";
      for (const other of heads) other.removeAttribute("aria-sort");
      head.setAttribute("aria-sort", up ? "ascending" : "descending");
      table.tBodies[0].append(...sorted(table, [...table.tBodies[0].rows]));
    });
  }
}

/* Rows in the order of the column that the table is sorted by; as they are without one. */
function sorted(table, rows) {
  const head = table.querySelector("thead th[aria-sort]");
  if (!head) return rows;
  const up = head.getAttribute("aria-sort") === "ascending";
  const numeric = head.querySelector("button").dataset.numeric === "yes";
  const keyed = rows.map((row) => ({ row, key: row.cells[head.cellIndex].dataset.key }));
  keyed.sort((a, b) => {
    if (a.key === "" || b.key === "") return (a.key === "") - (b.key === "");
    const order = numeric ? Number(a.key) - Number(b.key) : a.key.localeCompare(b.key);
    return up ? order : -order;
  });
  return keyed.map((item) => item.row);
}

function choice(name, value, text, checked, change) {
  const input = element("input", { type: "radio", name, value });
  input.checked = checked;
  input.addEventListener("change", change);
  return element("label", {}, input, text);
}

function tick(text, checked, change) {
  const input = element("input", { type: "checkbox" });
  input.checked = checked;
  input.addEventListener("change", () => change(input.checked));
  return element("label", {}, input, text);
}

function panel(title, help, controls) {
  const plot = element("div", { class: "plot", tabindex: "0", role: "application",
    "aria-label": `${title}. Left and right arrows walk along a curve, up and down change the curve.` });
  const note = element("span");
  const figure = element("figure", {}, element("h4", {}, title), element("div", { class: "controls" }, ...controls), plot,
    element("figcaption", {}, help, note));
  const tell = (above) => {
    note.textContent = above.length ? ` Beyond the upper edge, and drawn on it: ${above.join(", ")}.` : "";
  };
  return { figure, plot, tell };
}

/* Logarithmic when the ends of the curves lie more than thirtyfold apart. */
function spread(ends) {
  const seen = ends.filter((v) => v > 0);
  return seen.length > 1 && Math.max(...seen) > 30 * Math.min(...seen);
}

function last(list) {
  return list && list.length ? list[list.length - 1] : 0;
}

function shifted(span, by) {
  return span ? { ...span, x: span.x.map((v) => v + by) } : null;
}

function timeChart(race, r, hidden) {
  const wide = () => spread(race.runs.map((run) => run.compile + last(run.trace.seconds)));
  const state = { compile: true, log: wide(), chosen: false };
  let chart = null;
  const set = (change) => { Object.assign(state, change); chart.draw(); };
  const box = element("fieldset", {}, element("legend", {}, "Time"),
    choice(`time-${r}`, "all", "compile + run", true, () => set({ compile: true })),
    choice(`time-${r}`, "run", "run only", false, () => set({ compile: false })));
  const log = tick("log axis", state.log, (on) => set({ log: on, chosen: true }));
  const update = () => {
    if (!state.chosen) state.log = log.querySelector("input").checked = wide();
    chart.draw();
  };
  const { figure, plot, tell } = panel("Against seconds",
    "Shade: compiling; the darker, the more methods still compile. Filled end mark: certified; hollow: not. On a log axis, zero sits on the left edge.", [box, log]);
  chart = new Chart(plot, {
    runs: race.runs, tol: race.tol, hidden, tell,
    x: (run, k) => (run.trace.seconds[k] === null ? null : run.trace.seconds[k] + (state.compile ? run.compile : 0)),
    band: (run) => (state.compile ? run.compile : null),
    quartiles: (run) => shifted(run.quartiles && run.quartiles.seconds, state.compile ? run.compile : 0),
    xlabel: () => (state.compile ? "seconds, compile (shaded) + run" : "seconds, run only"),
    label: () => `${race.quantity} relative to its scale against seconds. The numbers are in the table below.`,
    logarithmic: () => state.log,
  });
  return { figure, chart, update };
}

function callChart(race, r, hidden) {
  const called = () => Object.keys(race.names).concat(race.runs.flatMap((run) => Object.keys(run.trace.calls)))
    .filter((kind, at, all) => all.indexOf(kind) === at && race.runs.some((run) => kind in run.trace.calls));
  const users = (kind) => race.runs.filter((run) => kind in run.trace.calls).length;
  const most = () => called().reduce((best, kind) => (best === null || users(kind) > users(best) ? kind : best), null);
  const name = (kind) => race.names[kind] || kind;
  const ends = (kind) => race.runs.map((run) => last(run.trace.calls[kind]));
  const first = most();
  const state = { kind: first, log: first !== null && spread(ends(first)), chosen: false };
  const select = element("select", {});
  const log = tick("log axis", state.log, (on) => { state.log = on; state.chosen = true; chart.draw(); });
  const absent = element("p", { class: "quiet absent" });
  let chart = null;
  function tellAbsent() {
    const without = race.runs.filter((run) => !(state.kind in run.trace.calls)).map((run) => run.method);
    absent.textContent = without.length ? `No ${name(state.kind)}: ${without.join(", ")}.` : "";
  }
  function fill() {
    const kinds = called();
    if (kinds.length !== select.options.length) {
      select.replaceChildren(...kinds.map((kind) => element("option", { value: kind }, name(kind))));
    }
    select.value = state.kind;
  }
  function update() {
    if (state.kind === null) state.kind = most();
    if (!state.chosen && state.kind !== null) state.log = log.querySelector("input").checked = spread(ends(state.kind));
    fill();
    tellAbsent();
    chart.draw();
  }
  select.addEventListener("change", () => {
    state.kind = select.value;
    state.chosen = true;
    state.log = spread(ends(state.kind));
    log.querySelector("input").checked = state.log;
    tellAbsent();
    chart.draw();
  });
  const { figure, plot, tell } = panel("Against oracle calls", "Calls of one kind, counted from the start of the run.",
    [element("label", {}, "Calls of", select), log]);
  figure.append(absent);
  chart = new Chart(plot, {
    runs: race.runs, tol: race.tol, hidden, tell,
    x: (run, k) => (run.trace.calls[state.kind] || [])[k],
    band: () => null,
    quartiles: (run) => (run.quartiles && run.quartiles.calls[state.kind]) || null,
    xlabel: () => (state.kind === null ? "calls" : name(state.kind)),
    label: () => `${race.quantity} relative to its scale against calls. The numbers are in the table below.`,
    logarithmic: () => state.log,
  });
  fill();
  tellAbsent();
  return { figure, chart, update };
}

function legend(race, hidden, charts) {
  const list = element("ul", { class: "legend", "aria-label": "Curves shown" });
  const buttons = [];
  function add(run, i) {
    const button = element("button", { type: "button", "aria-pressed": "true" }, sample(i), run.method);
    const emphasise = (on) => { for (const c of charts) c.emphasise(on && !hidden.has(i) ? i : null); };
    button.addEventListener("focus", () => emphasise(true));
    button.addEventListener("blur", () => emphasise(false));
    button.addEventListener("pointerenter", () => emphasise(true));
    button.addEventListener("pointerleave", () => emphasise(false));
    button.addEventListener("click", () => { toggle(i, hidden.has(i)); refresh(); emphasise(true); });
    const item = element("li", {}, button);
    if (all) list.insertBefore(item, all);
    else list.append(item);
    buttons.push(button);
  }
  function toggle(i, on) {
    if (on) hidden.delete(i);
    else hidden.add(i);
    buttons[i].setAttribute("aria-pressed", String(on));
  }
  function refresh() {
    for (const c of charts) c.draw();
  }
  let all = null;
  race.runs.forEach(add);
  for (const [text, on] of [["show all", true], ["hide all", false]]) {
    const button = element("button", { type: "button" }, text);
    button.addEventListener("click", () => { race.runs.forEach((_, i) => toggle(i, on)); refresh(); });
    const item = element("li", {}, button);
    list.append(item);
    if (!all) all = item;
  }
  return { list, update: () => { for (let i = buttons.length; i < race.runs.length; i += 1) add(race.runs[i], i); } };
}

function dataTable(run) {
  const kinds = Object.keys(run.trace.calls);
  const heads = ["step", "compile + run s", "run s", "ratio", ...kinds];
  const body = run.trace.ratio.map((ratio, k) => {
    const second = run.trace.seconds[k];
    const total = second === null ? null : second + run.compile;
    const row = [run.trace.step[k], total, second, ratio, ...kinds.map((kind) => run.trace.calls[kind][k])];
    return element("tr", {}, ...row.map((value) => element("td", { class: "n" }, show(value))));
  });
  return element("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": `Trace of ${run.method}` },
    element("table", {},
      element("thead", {}, element("tr", {}, ...heads.map((head) => element("th", { scope: "col", class: "n" }, head)))),
      element("tbody", {}, ...body)));
}

/* The text alternative; a table is built when it is first opened. */
function dataSection(race) {
  const all = element("details", { class: "data" }, element("summary", {}, "Data behind the charts"));
  const parts = [];
  function add(i) {
    const one = element("details", {}, element("summary", {}));
    one.addEventListener("toggle", () => {
      if (one.open && one.childElementCount === 1) one.append(dataTable(race.runs[i]));
    });
    all.append(one);
    parts.push({ one, run: null });
  }
  function update() {
    race.runs.forEach((run, i) => {
      if (i === parts.length) add(i);
      const { one } = parts[i];
      if (parts[i].run === run) return;
      parts[i].run = run;
      one.firstChild.textContent = `${run.method} (${run.status})`;
      if (one.childElementCount > 1) one.lastChild.remove();
      if (one.open) one.append(dataTable(run));
    });
  }
  update();
  return { all, update };
}

function printing() {
  let opened = [];
  addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll(".verdicts details:not([open])")];
    for (const item of opened) item.open = true;
  });
  addEventListener("afterprint", () => { for (const item of opened) item.open = false; });
}

/* Charts, legend and data of one race; returns what draws them anew from `race`. */
function drawn(section, race, r) {
  const hidden = new Set();
  const time = timeChart(race, r, hidden);
  const calls = callChart(race, r, hidden);
  const charts = [time.chart, calls.chart];
  const shown = legend(race, hidden, charts);
  const data = dataSection(race);
  const told = element("p", { class: "quiet" });
  const tell = () => {
    told.textContent = `${race.quantity} relative to its scale, on a logarithmic axis; dashed: the tolerance. The buttons show and hide curves in both charts.`
      + (race.runs.some((run) => run.quartiles) ? " A curve with a band ran over several seeds: half of them lie in the band, the thin line is their median, the curve is the run in the middle." : "");
  };
  tell();
  section.append(told, shown.list, element("div", { class: "pair" }, time.figure, calls.figure), data.all);
  for (const chart of charts) chart.draw();
  return () => { for (const part of [{ update: tell }, shown, time, calls, data]) part.update(); };
}

/* Draws the charts of a section where there are runs, else says that there are none. */
function wire(section, race, r) {
  if (race.runs.length) return drawn(section, race, r);
  section.append(element("p", { class: "quiet none" }, race.running ? "Curves appear with the first run." : "No method ran, so there is nothing to draw."));
  return null;
}

const races = JSON.parse(document.getElementById("race-data").textContent);
const redraw = [];
for (const table of document.querySelectorAll("table.verdicts")) sortable(table);
for (const section of document.querySelectorAll(".charts")) {
  const r = Number(section.dataset.race);
  redraw[r] = wire(section, races[r], r);
}
printing();
