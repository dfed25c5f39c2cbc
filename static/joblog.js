// The log of a job while it runs: what its programs write, as lines below those that the server put on the page.
//
// The view follows the end while the reader is there, and stays where it is once the reader scrolls up, selects or pauses.

const MOST_LINES = 5000;
// As near to the end as this counts as being there.
const NEAR_PIXELS = 40;

const live = document.getElementById("log-live");
const lines = document.getElementById("log-lines");
const state = document.getElementById("log-state");
const pause = document.getElementById("log-pause");

let paused = false;
let waiting = [];

function say(text) {
  if (state.textContent !== text) state.textContent = text;
}

/** A line as the server writes it. Everything goes in as text. */
function lineOf(line) {
  const span = document.createElement("span");
  if (line.stream === "note") span.className = "note";
  const clock = line.at ? line.at.slice(11, 23) : "";
  span.textContent = `${clock} ${line.stream.padEnd(4)} ${line.text}`;
  return span;
}

function selects() {
  const selection = document.getSelection();
  return selection && !selection.isCollapsed && lines.contains(selection.anchorNode);
}

function show() {
  if (!waiting.length || paused || selects()) return;
  const atEnd = lines.scrollHeight - lines.scrollTop - lines.clientHeight < NEAR_PIXELS;
  const part = document.createDocumentFragment();
  for (const line of waiting.slice(-MOST_LINES)) part.append(lineOf(line), "\n");
  waiting = [];
  lines.append(part);
  const more = lines.childElementCount - MOST_LINES;
  for (let at = 0; at < more; at += 1) {
    lines.firstElementChild.remove();
    while (lines.firstChild && lines.firstChild.nodeType === Node.TEXT_NODE) lines.firstChild.remove();
  }
  document.getElementById("log-nothing")?.remove();
  if (atEnd) lines.scrollTop = lines.scrollHeight;
}

const source = new EventSource(live.dataset.stream);
const word = () => say(paused ? "Paused" : "Live");
source.addEventListener("open", word);
source.addEventListener("lines", (message) => {
  waiting.push(...JSON.parse(message.data).slice(-MOST_LINES));
  if (waiting.length > MOST_LINES) waiting.splice(0, waiting.length - MOST_LINES);
  show();
});
source.addEventListener("gap", (message) => {
  waiting.push({ at: "", stream: "note", text: `${JSON.parse(message.data).skipped} bytes are not kept` });
  show();
});
source.addEventListener("end", (message) => {
  source.close();
  paused = false;
  show();
  pause.hidden = true;
  say(JSON.parse(message.data).in_words);
});
source.addEventListener("error", () => say(source.readyState === EventSource.CLOSED ? "Not live: reload the page" : "Connecting again…"));

pause.addEventListener("click", () => {
  paused = !paused;
  pause.setAttribute("aria-pressed", String(paused));
  pause.textContent = paused ? "Resume" : "Pause";
  word();
  show();
});
document.addEventListener("selectionchange", show);
// The server ends streams when it stops; a page that is left must not hold a place.
window.addEventListener("pagehide", () => source.close());
window.addEventListener("pageshow", (event) => { if (event.persisted) location.reload(); });

live.hidden = false;
lines.scrollTop = lines.scrollHeight;
say("Connecting…");
