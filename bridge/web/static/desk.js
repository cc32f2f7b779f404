// The desk's script: cards come and go by themselves, a ring is heard and seen, a break is told.
"use strict";

const body = document.body;
const find = (id) => document.getElementById(id);
const line = find("line");
const lost = find("lost");
const running = find("running");
const over = find("over");
const found = find("found");
const toast = find("toast");

const PATIENCE = 2.5; // beats that may be missed before the line counts as lost
const LONGEST_PAUSE_MS = 10000;
const TYPING_MS = 200;
const TOAST_MS = 8000;
const RING_EVERY_MS = 3000;
const SAMPLE_MS = 1500;
const beatMs = Number(body.dataset.beat) * 1000;
const here = `extension=${encodeURIComponent(body.dataset.extension)}`;

// The server's clock is the truth: a laptop's may be minutes off.
let ahead = Date.parse(body.dataset.now) - Date.now();
const now = () => Date.now() + ahead;

const parse = (html) => {
  const part = document.createElement("template");
  part.innerHTML = html;
  return part.content;
};

// ---------------------------------------------------------------- the line
let source = null;
let after = body.dataset.after;
let heardAt = Date.now();
let lostAt = 0;
let pauseMs = 500;
let waiting = 0;

function connect() {
  clearTimeout(waiting);
  source?.close();
  source = new EventSource(`/desk/stream?${here}&after=${encodeURIComponent(after)}`);
  for (const kind of Object.keys(told)) {
    source.addEventListener(kind, (event) => {
      after = event.lastEventId || after;
      hear();
      told[kind](JSON.parse(event.data));
    });
  }
  source.addEventListener("error", () => {
    lose();
    if (source.readyState === EventSource.CLOSED) refused();
  });
}

// The browser gives up for ever on an answer that is no stream.
async function refused() {
  try {
    const answer = await fetch(`/desk/search?${here}&q=`);
    if (answer.status === 401 || answer.status === 403) return location.reload();
  } catch {
    // nobody answers: try again below
  }
  connectLater();
}

function connectLater() {
  clearTimeout(waiting);
  waiting = setTimeout(connect, pauseMs);
  pauseMs = Math.min(pauseMs * 2, LONGEST_PAUSE_MS);
}

function hear() {
  heardAt = Date.now();
  pauseMs = 500;
  lostAt = 0;
  lost.hidden = true;
  body.classList.remove("lost");
  line.textContent = line.dataset.live;
  line.className = "live";
}

function lose() {
  if (lostAt) return;
  lostAt = heardAt;
  // As the pages write times, by a 24-hour clock.
  const time = new Date(lostAt).toLocaleTimeString(document.documentElement.lang, { hourCycle: "h23" });
  lost.textContent = body.dataset.lost.replace("{time}", time);
  lost.hidden = false;
  body.classList.add("lost");
  line.textContent = line.dataset.connecting;
  line.className = "gone";
}

const told = {
  board({ cards }) {
    const kept = new Set(cards.map((html) => put(html).id));
    for (const card of document.querySelectorAll(".card")) {
      const draft = card.querySelector("textarea")?.value;
      if (!kept.has(card.id) && !draft) card.remove();
    }
    settle();
  },
  card({ card }) {
    put(card);
    settle();
  },
  missed({ missed }) {
    swap(find("missed"), parse(missed));
  },
  beat({ now: theirs }) {
    ahead = Date.parse(theirs) - Date.now();
  },
};

// ---------------------------------------------------------------- cards
function put(html) {
  const fresh = parse(html).querySelector(".card");
  const old = find(fresh.id);
  const place = "over" in fresh.dataset ? over : running;
  const before = old?.dataset.status;
  const rings = fresh.dataset.status === "ringing";
  if (old && old.parentElement === place && (before === "ringing" || !rings)) keepHis(old, fresh, () => old.replaceWith(fresh));
  else keepHis(old, fresh, () => {
    old?.remove();
    // What rings stands first: it cannot wait.
    const first = rings || place === over ? place.firstElementChild : place.querySelector(".card:not(.ringing)");
    place.insertBefore(fresh, first);
  });
  if (before !== fresh.dataset.status) announce(fresh);
  return fresh;
}

// The stream may have told more of the call than an answer that was longer on its way.
function putAnswer(html) {
  const fresh = parse(html).querySelector(".card");
  const old = find(fresh.id);
  if (!old || Number(old.dataset.change) <= Number(fresh.dataset.change)) put(html);
}

// What a person unfolded, typed or stands on stays as it was.
function keepHis(old, fresh, change) {
  if (!old) return change();
  if (("over" in old.dataset) === ("over" in fresh.dataset)) {
    for (const part of old.querySelectorAll("details")) {
      const same = fresh.querySelector(`#${part.id}`);
      if (same) same.open = part.open;
    }
  }
  const typed = old.querySelector("textarea");
  const to = fresh.querySelector("textarea");
  if (typed?.value && to) {
    to.value = typed.value;
    to.closest("details").open = true;
  }
  const focused = old.contains(document.activeElement) ? document.activeElement : null;
  const range = focused === typed && typed ? [typed.selectionStart, typed.selectionEnd] : null;
  change();
  if (!focused) return;
  const again = find(focused.id);
  (again ?? fresh).focus({ preventScroll: true });
  if (range && again) again.setSelectionRange(...range);
}

// Who stands on a button that goes stays in its row.
function swap(place, content) {
  const focused = place.contains(document.activeElement) ? document.activeElement : null;
  const row = focused?.closest("[id]")?.id;
  place.replaceChildren(content);
  if (!focused) return;
  const again = find(focused.id) ?? (row && find(row)) ?? place;
  const stop = again.matches("button, a") ? again : again.querySelector("button, a") ?? place.querySelector("button, a");
  stop?.focus({ preventScroll: true });
}

function settle() {
  find("idle").hidden = running.childElementCount > 0;
  find("none-over").hidden = over.childElementCount > 0;
  tick();
  ring();
}

function announce(card) {
  find("aloud").textContent = card.dataset.said;
}

// A call that rings for minutes without a word is asked about; what is long over goes.
function tick() {
  const moment = now();
  for (const ticks of document.querySelectorAll(".ticks")) {
    const seconds = Math.max(0, Math.floor((moment - Date.parse(ticks.dataset.from)) / 1000));
    ticks.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
  for (const card of running.children) {
    const waits = ["ringing", "passed", "calling"].includes(card.dataset.status);
    if (!waits || moment <= Date.parse(card.dataset.silentAt)) continue;
    ask(card);
    if (!card.dataset.hushed) {
      card.dataset.hushed = "yes";
      ring();
    }
  }
  for (const card of [...over.children]) {
    const kept = card.contains(document.activeElement) || card.querySelector("textarea")?.value;
    if (!kept && moment > Date.parse(card.dataset.goneAt)) card.remove();
  }
}

async function ask(card) {
  if (card.dataset.asked) return;
  card.dataset.asked = "yes";
  try {
    const answer = await fetch(`/desk/calls/${card.dataset.key}?${here}`);
    if (answer.ok) putAnswer(await answer.text());
    else if (answer.status === 404) card.remove();
    settle();
  } catch {
    delete card.dataset.asked;
  }
}

// ---------------------------------------------------------------- the ring
const plainTitle = document.title;
const rung = new Set();
let ringer = 0;
let flash = 0;

// No telephone rings for minutes, also where the bridge is away and cannot be asked.
function ringing() {
  return [...running.children].filter((card) => card.dataset.status === "ringing" && !card.dataset.hushed);
}

function ring() {
  const cards = ringing();
  for (const card of cards) {
    if (rung.has(card.id)) continue;
    rung.add(card.id);
    notify(card);
    play();
  }
  clearInterval(flash);
  document.title = cards.length ? `☎ ${cards[0].dataset.name}` : plainTitle;
  if (!cards.length) {
    clearInterval(ringer);
    ringer = 0;
    return rest();
  }
  ringer ||= setInterval(play, RING_EVERY_MS);
  if (document.hidden) {
    flash = setInterval(() => {
      const plain = document.title === plainTitle;
      document.title = plain ? `☎ ${cards[0].dataset.name}` : plainTitle;
    }, 1000);
  }
}

// Sound is made here, of two tones; a browser lets it out after the first click or key alone.
const sound = find("sound");
const isMute = () => localStorage.getItem("desk-sound") === "off";
let audio = null;
let allowed = false;

// Some browsers trust a page that was listened to before, without a click.
function openSound() {
  if (!window.AudioContext) return;
  audio ??= new AudioContext();
  audio.resume();
  audio.onstatechange = () => {
    if (audio.state !== "running") return;
    allowed = true;
    showSound();
    setTimeout(() => { if (!ringing().length) rest(); }, SAMPLE_MS);
  };
  showSound();
}

function showSound() {
  sound.hidden = !window.AudioContext;
  const words = isMute() ? "soundOff" : allowed ? "soundOn" : "soundBlocked";
  sound.textContent = body.dataset[words];
  sound.setAttribute("aria-pressed", String(!isMute() && allowed));
}

async function play() {
  // What is played while the browser forbids it would all be heard at once, later.
  if (isMute() || !allowed) return;
  await audio.resume();
  const start = audio.currentTime;
  [[660, 0], [880, 0.18], [660, 0.5], [880, 0.68]].forEach(([tone, at]) => {
    const voice = audio.createOscillator();
    const loud = audio.createGain();
    voice.frequency.value = tone;
    loud.gain.setValueAtTime(0.0001, start + at);
    loud.gain.exponentialRampToValueAtTime(0.2, start + at + 0.02);
    loud.gain.exponentialRampToValueAtTime(0.0001, start + at + 0.17);
    voice.connect(loud).connect(audio.destination);
    voice.start(start + at);
    voice.stop(start + at + 0.18);
  });
}

// A sound card that is kept awake all day is a battery that is not.
function rest() {
  if (audio?.state === "running") audio.suspend();
}

sound.addEventListener("click", async () => {
  if (sound.getAttribute("aria-pressed") === "true") localStorage.setItem("desk-sound", "off");
  else localStorage.removeItem("desk-sound");
  showSound();
  await audio.resume();
  allowed = true;
  showSound();
  play(); // so that he hears what a ring will be
});

// The button itself is left alone: opened before its click, the click would turn it off again.
const GESTURES = ["pointerdown", "keydown"];
function firstGesture(event) {
  if (sound.contains(event.target)) return;
  for (const gesture of GESTURES) document.removeEventListener(gesture, firstGesture, true);
  openSound();
}
for (const gesture of GESTURES) document.addEventListener(gesture, firstGesture, true);

// ---------------------------------------------------------------- notifications
const notifier = find("notify");
function showNotify() {
  notifier.hidden = !window.Notification || !isSecureContext || Notification.permission !== "default";
}
notifier.addEventListener("click", async () => {
  await Notification.requestPermission();
  showNotify();
});

function notify(card) {
  const seen = !document.hidden && document.hasFocus();
  if (seen || !window.Notification || Notification.permission !== "granted") return;
  try {
    const note = new Notification(card.dataset.name, { body: card.dataset.said, tag: card.id });
    note.onclick = () => { window.focus(); note.close(); };
  } catch {
    // telephones let only a service worker notify: the sound has to do
  }
}

// ---------------------------------------------------------------- search and buttons
let typing = 0;
let asking = null;
find("q").addEventListener("input", () => {
  clearTimeout(typing);
  typing = setTimeout(search, TYPING_MS);
});
find("search").addEventListener("submit", (event) => {
  event.preventDefault();
  search();
});

async function search() {
  clearTimeout(typing);
  asking?.abort();
  asking = new AbortController();
  try {
    const words = encodeURIComponent(find("q").value);
    const answer = await fetch(`/desk/search?${here}&q=${words}`, { signal: asking.signal });
    if (!answer.ok) return complain(await problem(answer));
    found.replaceChildren(parse(await answer.text()));
  } catch (error) {
    if (error.name !== "AbortError") lose();
  }
}

document.addEventListener("submit", async (event) => {
  const form = event.target;
  if (!("live" in form.dataset)) return;
  event.preventDefault();
  const button = form.querySelector("button");
  if (button.getAttribute("aria-busy") === "true") return; // a double click is one wish
  button.setAttribute("aria-busy", "true");
  try {
    const answer = await fetch(form.action, {
      method: "POST",
      headers: { Accept: "application/json" },
      body: new URLSearchParams(new FormData(form)),
    }).catch(() => null);
    if (!answer) return complain(body.dataset.away);
    if (!answer.ok) return complain(await problem(answer));
    const { words, card, missed, found: hits } = await answer.json();
    if (card) putAnswer(card);
    if (missed !== undefined) swap(find("missed"), parse(missed));
    // He may have searched for somebody else meanwhile.
    if (hits !== undefined && form.isConnected) swap(found, parse(hits));
    if (card) settle();
    say(words);
    if ("empties" in form.dataset) {
      // The card may have been written anew meanwhile, with what was typed.
      const written = find(form.closest(".card")?.id ?? "") ?? form;
      for (const text of written.querySelectorAll("textarea")) text.value = "";
    }
  } finally {
    button.removeAttribute("aria-busy");
  }
});

async function problem(answer) {
  if (answer.status === 401) return body.dataset.signedOut;
  let words = String(answer.status);
  try {
    words = (await answer.json()).error;
  } catch {
    // not ours: the number has to do
  }
  return body.dataset.failed.replace("{words}", words);
}

let hush = 0;
function say(words) {
  clearTimeout(hush);
  toast.textContent = words;
  toast.className = "";
  toast.hidden = false;
  hush = setTimeout(() => { toast.hidden = true; }, TOAST_MS);
}

function complain(words) {
  say(words);
  toast.className = "bad";
}

// ---------------------------------------------------------------- begin
setInterval(() => {
  tick();
  if (Date.now() - heardAt > beatMs * PATIENCE) {
    lose();
    heardAt = Date.now();
    connect();
  }
}, 1000);
addEventListener("offline", lose);
addEventListener("online", connect);
document.addEventListener("visibilitychange", ring);
openSound();
showNotify();
showSound();
settle();
connect();
