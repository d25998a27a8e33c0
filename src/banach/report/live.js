/* Fills the page while races run. The server says when something changed; the page is read
   again, and what differs is put in its place: open rows, focus, sorting and the state of
   the charts stay as they are. */
const state = document.getElementById("live");

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

/* What tells runs apart: two of one method are told by their order. */
function keys(names) {
  const seen = new Map();
  return names.map((name) => {
    seen.set(name, (seen.get(name) || 0) + 1);
    return `${name}#${seen.get(name)}`;
  });
}

function rowKeys(rows) {
  return keys(rows.map((row) => row.cells[0].dataset.key));
}

/* Keep the focus where it was, though its element was moved or made anew. */
function focused(change) {
  const was = document.activeElement, row = was && was.closest("tbody tr");
  const key = row ? row.cells[0].dataset.key : null;
  change();
  if (!was || document.activeElement === was) return;
  if (was.isConnected) return was.focus({ preventScroll: true });
  const rows = [...document.querySelectorAll("table.verdicts tbody tr")];
  const again = rows.find((one) => one.cells[0].dataset.key === key);
  if (again) again.querySelector("summary").focus({ preventScroll: true });
}

function replaced(mine, next) {
  if (mine && next && mine.innerHTML !== next.innerHTML) mine.replaceChildren(...next.childNodes);
}

function mergeCells(mine, next) {
  [...next.cells].forEach((cell, k) => {
    const own = mine.cells[k];
    if (!own) return mine.append(cell.cloneNode(true));
    own.dataset.key = cell.dataset.key;
    const open = own.querySelector("details");
    if (open) cell.querySelector("details").open = open.open;
    if (own.innerHTML !== cell.innerHTML) own.replaceChildren(...cell.cloneNode(true).childNodes);
  });
}

function mergeTable(mine, next) {
  if (mine.tHead.rows[0].cells.length !== next.tHead.rows[0].cells.length) {
    mine.tHead.replaceWith(document.importNode(next.tHead, true));
    sortable(mine);
  }
  const body = mine.tBodies[0], rows = [...body.rows];
  const own = new Map(rowKeys(rows).map((key, k) => [key, rows[k]]));
  const wanted = [...next.tBodies[0].rows], names = rowKeys(wanted);
  const order = wanted.map((row, k) => {
    const there = own.get(names[k]);
    if (!there) return document.importNode(row, true);
    mergeCells(there, row);
    return there;
  });
  for (const row of rows) if (!order.includes(row)) row.remove();
  sorted(mine, order).forEach((row, k) => {
    if (body.rows[k] !== row) body.insertBefore(row, body.rows[k] || null);
  });
}

/* Runs keep their place among the curves, and with it their colour; new ones follow. */
function mergeRuns(race, next) {
  const names = keys(next.runs.map((run) => run.method));
  const own = keys(race.runs.map((run) => run.method));
  names.forEach((name, k) => {
    const at = own.indexOf(name);
    if (at < 0) race.runs.push(next.runs[k]);
    else if (JSON.stringify(race.runs[at]) !== JSON.stringify(next.runs[k])) race.runs[at] = next.runs[k];
  });
  Object.assign(race, { ...next, runs: race.runs });
}

function mergeArticle(mine, next, r, data) {
  replaced(mine.querySelector("h2"), next.querySelector("h2"));
  replaced(mine.querySelector(".lead"), next.querySelector(".lead"));
  replaced(mine.querySelector(".problem"), next.querySelector(".problem"));
  replaced(mine.querySelector("section > .quiet"), next.querySelector("section > .quiet"));
  mergeTable(mine.querySelector("table.verdicts"), next.querySelector("table.verdicts"));
  const made = mine.querySelector(".made"), refused = mine.querySelector(".refusals"), more = next.querySelector(".refusals");
  if (refused && !more) refused.remove();
  else if (more && !refused) mine.insertBefore(document.importNode(more, true), made);
  else replaced(refused, more);
  replaced(made, next.querySelector(".made"));
  mergeRuns(races[r], data);
  if (redraw[r]) return redraw[r]();
  const section = mine.querySelector(".charts"), none = section.querySelector(".none");
  if (none) none.remove();
  redraw[r] = wire(section, races[r], r);
}

function merge(page) {
  const data = JSON.parse(page.getElementById("race-data").textContent);
  document.title = page.title;
  replaced(document.querySelector("h1"), page.querySelector("h1"));
  replaced(document.querySelector("nav"), page.querySelector("nav"));
  focused(() => data.forEach((one, r) => {
    const mine = document.getElementById(`race-${r}`), next = page.getElementById(`race-${r}`);
    if (mine && next) mergeArticle(mine, next, r, one);
  }));
  for (const gone of [...document.querySelectorAll("article.race")].slice(data.length)) gone.remove();
  const over = !data.some((one) => one.running);
  say(over ? "All races have ended. This page stays until the program that serves it is stopped."
    : "Live: rows and curves appear as the methods run.");
}

let reading = false, changed = false;
async function read() {
  changed = true;
  if (reading) return;
  reading = true;
  try {
    while (changed) {
      changed = false;
      const answer = await fetch("/", { cache: "no-store" });
      merge(new DOMParser().parseFromString(await answer.text(), "text/html"));
    }
  } catch (error) {
    if (!(error instanceof TypeError)) throw error; // a TypeError: the server is gone
  } finally {
    reading = false;
  }
}

const events = new EventSource("/events");
events.addEventListener("message", read);
events.addEventListener("error", () => {
  say(races.some((race) => race.running)
    ? "The connection is lost: this is what was known last. It is tried again."
    : "All races have ended, and the program that served this page has too. Keep it with --html.");
});
