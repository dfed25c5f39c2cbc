// On every page: the viewer's own time on each instant, and parts of a page that keep themselves fresh.
//
// A page says with <div id="…" data-refresh="5"> which part of it is to be fetched anew every so many seconds. It
// fetches itself and takes that element from the answer, so there is no second way to render anything.

const local = new Intl.DateTimeFormat(undefined, { dateStyle: "full", timeStyle: "long" });

/** Gives each <time> below `root` the viewer's own time as its title. */
function localTimes(root) {
  for (const time of root.querySelectorAll("time[datetime]:not([title])")) {
    const at = new Date(time.dateTime);
    if (!Number.isNaN(at.getTime())) time.title = `${local.format(at)} (your time)`;
  }
}

/** Whether replacing `part` would take something away from who is using it. */
function inUse(part) {
  const selection = document.getSelection();
  const selects = selection && !selection.isCollapsed && part.contains(selection.anchorNode);
  const focused = part.contains(document.activeElement) && document.activeElement.matches("input, select, textarea");
  return selects || focused;
}

/** What was open stays open, and the focus stays where it was. */
function replace(part, fresh) {
  for (const details of part.querySelectorAll("details[id]")) {
    const same = fresh.querySelector(`#${CSS.escape(details.id)}`);
    if (same) same.open = details.open;
  }
  const focused = part.contains(document.activeElement) ? document.activeElement : null;
  const place = focused ? [...part.querySelectorAll("a, summary, button")].indexOf(focused) : -1;
  part.replaceChildren(...fresh.childNodes);
  if (place >= 0) part.querySelectorAll("a, summary, button")[place]?.focus({ preventScroll: true });
  part.dispatchEvent(new CustomEvent("part:replaced", { bubbles: true }));
}

async function refresh(part) {
  const stale = document.getElementById(`${part.id}-stale`);
  try {
    const answer = await fetch(location.href, { headers: { accept: "text/html" }, redirect: "error" });
    if (!answer.ok) throw new Error(`status ${answer.status}`);
    const page = new DOMParser().parseFromString(await answer.text(), "text/html");
    const fresh = page.getElementById(part.id);
    if (fresh && !inUse(part)) replace(part, fresh);
    if (stale) stale.hidden = true;
  } catch {
    // Signed out, or the daemon is away: what is shown is old, and says so.
    if (stale) stale.hidden = false;
  }
}

function keepFresh(part) {
  const seconds = Number(part.dataset.refresh);
  const again = async () => {
    if (!document.hidden) await refresh(part);
    setTimeout(again, seconds * 1000);
  };
  setTimeout(again, seconds * 1000);
  document.addEventListener("visibilitychange", () => document.hidden || refresh(part));
}

localTimes(document);
// On a narrow screen the navigation is one line: what is marked in it should be seen.
document.querySelector("nav.pages [aria-current]")?.scrollIntoView({ block: "nearest", inline: "center" });
document.addEventListener("part:replaced", (event) => localTimes(event.target));
for (const part of document.querySelectorAll("[data-refresh][id]")) keepFresh(part);
