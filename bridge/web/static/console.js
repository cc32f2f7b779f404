// The console's script: new calls and the house's state appear by themselves.
"use strict";

const body = document.body;
const line = document.getElementById("line");
const state = document.getElementById("state");
const calls = document.getElementById("calls");
const limit = Number(body.dataset.limit);
const STATE_EVERY_MS = 30000; // ages grow although nothing happens
const STATE_AFTER_MS = 300; // several events in a row are one look

async function fetchPart(address) {
  const answer = await fetch(address);
  if (answer.status === 401) location.reload(); // the session is over: the sign-in comes
  if (!answer.ok) throw new Error(`${address}: ${answer.status}`);
  const part = document.createElement("template");
  part.innerHTML = await answer.text();
  return part.content;
}

let waiting = 0;
function lookSoon() {
  clearTimeout(waiting);
  waiting = setTimeout(look, STATE_AFTER_MS);
}

async function look() {
  try {
    const fresh = await fetchPart("/console/state");
    // What a person unfolded stays unfolded, and his keyboard stays where it was.
    for (const old of state.querySelectorAll("details[open]")) {
      const same = fresh.getElementById(old.id);
      if (same) same.open = true;
    }
    const focused = state.contains(document.activeElement) ? document.activeElement.id : "";
    state.replaceChildren(fresh);
    if (focused) document.getElementById(focused)?.focus();
  } catch {
    showLine(false);
  }
}

async function showCall(event) {
  const key = JSON.parse(event.data).key;
  try {
    const fresh = await fetchPart(`/console/rows/${encodeURIComponent(key)}`);
    const old = document.getElementById(`call-${key}`);
    if (old) {
      fresh.firstElementChild.open = old.open;
      old.replaceWith(fresh);
    } else if (event.type === "call") {
      fresh.firstElementChild.classList.add("new");
      calls.prepend(fresh);
    }
    document.getElementById("no-calls").hidden = true;
    while (calls.children.length > limit) calls.lastElementChild.remove();
  } catch {
    showLine(false);
  }
}

let lostAt = null;
function showLine(live) {
  lostAt = live ? null : (lostAt ?? new Date());
  const since = lostAt?.toLocaleTimeString(document.documentElement.lang);
  line.textContent = live ? line.dataset.live : line.dataset.lost.replace("{time}", since);
  line.className = live ? "live" : "lost";
}

const stream = new EventSource(`/api/v1/stream?after=${encodeURIComponent(body.dataset.after)}`);
stream.addEventListener("open", () => showLine(true));
stream.addEventListener("error", () => showLine(false));
stream.addEventListener("call", (event) => {
  showCall(event);
  lookSoon();
});
stream.addEventListener("call_changed", showCall);
for (const kind of ["debt", "entry", "directory", "onec", "alarm"]) stream.addEventListener(kind, lookSoon);
stream.addEventListener("gap", () => location.reload());
setInterval(look, STATE_EVERY_MS);
