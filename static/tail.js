// The live tail of the Events page: what is stored while the page is open, in the same rows as the server writes.
//
// Nothing jumps: rows come in by themselves only while the reader is at the top of the list, has not paused it, and
// neither points at it nor has the focus or a selection in it. What comes meanwhile is counted in a button.

const MOST_ROWS = 500;
const FLUSH_MILLIS = 400;
// As the server cuts them; an event's own page has all of it.
const LISTED_CHARS = 300;

const tail = document.getElementById("tail");
const rows = document.getElementById("rows");
const pattern = document.getElementById("row").content.querySelector("tr");
const state = document.getElementById("tail-state");
const fresh = document.getElementById("tail-new");
const pause = document.getElementById("tail-pause");
const older = document.querySelector("a[rel=next]");

const LEVELS = ["emergency", "alert", "critical", "error", "warning", "notice", "info", "debug"];
const DECISIONS = new Set(["BUY", "SELL", "HOLD"]);
const paths = () => new Set([...rows.querySelectorAll("a.at")].map((at) => at.pathname));
let shown = paths();

let waiting = [];
let missed = false;
let paused = false;
let pointed = false;

/** An event as a row. Everything goes in as text. */
function rowOf(event) {
  const row = pattern.cloneNode(true);
  const cell = (name) => row.querySelector(`.${name}`);
  const at = new Date(Number(event.ts) / 1000);
  const link = cell("at");
  link.href = `/events/${encodeURIComponent(event.id)}`;
  const time = link.querySelector("time");
  time.dateTime = at.toISOString();
  time.textContent = at.toISOString().replace("T", " ").replace("Z", "");
  cell("unit").textContent = event.unit.replace(/\.service$/, "");
  const level = LEVELS[Number(event.level)] ?? "info";
  const badge = cell("level").querySelector(".badge");
  badge.classList.add(level);
  badge.textContent = level;
  cell("symbol").textContent = event.symbol ?? "";
  if (DECISIONS.has(event.decision)) {
    const decision = document.createElement("span");
    decision.className = `badge ${event.decision.toLowerCase()}`;
    decision.textContent = event.decision;
    cell("decision").append(decision);
    if (typeof event.confidence === "number") {
      const confidence = document.createElement("span");
      confidence.className = "muted";
      confidence.textContent = String(Number(event.confidence.toFixed(6)));
      cell("decision").append(" ", confidence);
    }
  }
  const message = [...event.message];
  cell("message").append(message.length > LISTED_CHARS ? `${message.slice(0, LISTED_CHARS).join("")}…` : event.message);
  if (event.correlation_id !== null) {
    const path = document.createElement("a");
    path.className = "path small";
    path.textContent = "path";
    // Ids that mean something in a path are asked for in the query; the page takes both.
    path.href = `/correlations?id=${encodeURIComponent(event.correlation_id)}`;
    cell("message").append(" ", path);
  }
  row.classList.add("fresh");
  return row;
}

function held() {
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && rows.contains(selection.anchorNode);
  const atTop = rows.getBoundingClientRect().top > -8;
  return paused || pointed || selects || !atTop || rows.contains(document.activeElement) || document.hidden;
}

function insert() {
  const added = waiting.reverse().map(rowOf);
  waiting = [];
  // So much was missed that what is shown would not join on.
  if (missed) rows.replaceChildren();
  missed = false;
  rows.prepend(...added);
  while (rows.rows.length > MOST_ROWS) rows.lastElementChild.remove();
  shown = paths();
  // "Older" goes on where the list now ends.
  const last = rows.lastElementChild?.querySelector("a.at");
  if (older && last && rows.rows.length >= MOST_ROWS) {
    const address = new URL(older.href);
    address.searchParams.set("cursor", decodeURIComponent(last.pathname.split("/").pop()));
    older.href = address;
  }
  document.getElementById("nothing")?.remove();
  rows.dispatchEvent(new CustomEvent("part:replaced", { bubbles: true }));
}

function flush() {
  if (waiting.length && !held()) insert();
  const count = missed ? `more than ${MOST_ROWS}` : String(waiting.length);
  fresh.hidden = waiting.length === 0;
  fresh.textContent = `${count} new`;
}

function take(message) {
  const event = JSON.parse(message.data);
  const path = `/events/${encodeURIComponent(event.id)}`;
  if (shown.has(path)) return;
  shown.add(path);
  waiting.push(event);
  if (waiting.length > MOST_ROWS) {
    shown.delete(`/events/${encodeURIComponent(waiting.shift().id)}`);
    missed = true;
  }
}

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

const source = new EventSource(tail.dataset.stream);
const word = () => say(paused ? "Paused" : "Live");
source.addEventListener("open", word);
source.addEventListener("event", take);
source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED ? "Not live: reload the page" : "Connecting again…"));

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Resume" : "Pause";
  word();
  flush();
});
fresh.addEventListener("click", () => {
  insert();
  flush();
  rows.closest("section").scrollIntoView({ block: "start" });
  pause.focus({ preventScroll: true });
});
rows.addEventListener("pointerenter", (event) => { pointed = event.pointerType === "mouse"; });
rows.addEventListener("pointerleave", () => { pointed = false; });
// The server ends streams when it stops; a page that is left must not hold a place.
window.addEventListener("pagehide", () => source.close());
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

tail.hidden = false;
say("Connecting…");
setInterval(flush, FLUSH_MILLIS);
