// What both pages share: texts in two languages, the token, asking the daemon, making elements.
"use strict";

// The daemon answers in milliseconds; what takes longer is a network that went away.
const ANSWER_MS_MAX = 6000;
const LANGUAGES = { en: "en", zh: "zh-Hans" };

let texts = null;
let language = chosenLanguage();
let token = takeToken();
const listeners = [];

/** The language that was chosen here before, else the browser's. */
function chosenLanguage() {
  const kept = remembered("language", localStorage);
  if (kept in LANGUAGES) return kept;
  return navigator.languages.some((name) => name.toLowerCase().startsWith("zh")) ? "zh" : "en";
}

/** A kiosk has the token behind the # of its address, where it never leaves the browser; others enter it. */
function takeToken() {
  const given = new URLSearchParams(location.hash.slice(1)).get("token");
  if (given !== null) {
    remember("token", given, sessionStorage);
    history.replaceState(null, "", location.pathname);
  }
  return given ?? remembered("token", sessionStorage);
}

/** Storage may be switched off in a browser; then nothing is remembered. */
export function remembered(name, storage) {
  try {
    return storage.getItem(`vend-${name}`);
  } catch {
    return null;
  }
}

export function remember(name, value, storage) {
  try {
    storage.setItem(`vend-${name}`, value);
  } catch {
    // See above.
  }
}

/** A text by its key. */
export function t(key) {
  return texts[language][key] ?? key;
}

export function currentLanguage() {
  return language;
}

/** A word of a document, by what it is about; one that nobody knows as it is. */
export function word(about, said) {
  return texts[language][`${about}.${said}`] ?? said;
}

/** What a document says in both languages. */
export function said(both) {
  return both[language];
}

/** So many seconds, in the two largest units. */
export function duration(seconds) {
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  const [days, hours, minutes] = [`${d} ${t("unit_days")}`, `${h} ${t("unit_hours")}`, `${m} ${t("unit_minutes")}`];
  return d > 0 ? `${days} ${hours}` : h > 0 ? `${hours} ${minutes}` : m > 0 ? minutes : `${seconds} ${t("unit_seconds")}`;
}

/** An element: attributes, and children that are elements or texts. */
export function el(name, attributes = {}, ...children) {
  return fill(document.createElement(name), attributes, children);
}

/** The same for drawings. */
export function svg(name, attributes = {}, ...children) {
  return fill(document.createElementNS("http://www.w3.org/2000/svg", name), attributes, children);
}

function fill(element, attributes, children) {
  for (const [key, value] of Object.entries(attributes)) {
    if (key.startsWith("on")) element.addEventListener(key.slice(2), value);
    else if (value !== null && value !== false) element.setAttribute(key, value === true ? "" : value);
  }
  element.append(...children.flat().filter((child) => child !== null));
  return element;
}

/** Money in fen, without ever being a fraction. */
export function yuan(fen) {
  const digits = String(fen).padStart(3, "0");
  return `¥${digits.slice(0, -2)}.${digits.slice(-2)}`;
}

/** Something that only changes when what it is made of does: who reads it keeps the place, and the focus. */
export class Part {
  constructor(place) {
    this.place = place;
    this.shown = null;
  }

  show(data, make) {
    const now = JSON.stringify([language, data]);
    if (now === this.shown) return;
    this.shown = now;
    const focused = this.place.contains(document.activeElement) ? document.activeElement.dataset.key : undefined;
    this.place.replaceChildren(...[make(data)].flat());
    if (focused === undefined) return;
    for (const element of this.place.querySelectorAll("[data-key]")) {
      if (element.dataset.key === focused) element.focus();
    }
  }
}

export class TokenWanted extends Error {}

/** The daemon's document at a path; with a body it is told to do something. */
export async function ask(path, body) {
  const headers = token === null ? {} : { Authorization: `Bearer ${token}` };
  const options = { headers, signal: AbortSignal.timeout(ANSWER_MS_MAX), cache: "no-store" };
  if (body !== undefined) {
    options.method = "POST";
    options.body = JSON.stringify(body);
    headers["Content-Type"] = "application/json";
  }
  const answer = await fetch(path, options);
  if (answer.status === 401) throw new TokenWanted();
  const document = await answer.json();
  if (!answer.ok) throw Object.assign(new Error(document.error), { refusal: document });
  return document;
}

/** Has the page show itself anew, in a language or after something that was done. */
export function onChange(listener) {
  listeners.push(listener);
}

function changed() {
  document.documentElement.lang = LANGUAGES[language];
  for (const element of document.querySelectorAll("[data-text]")) element.textContent = t(element.dataset.text);
  for (const button of document.querySelectorAll("[data-language]")) {
    button.setAttribute("aria-pressed", String(button.dataset.language === language));
  }
  for (const listener of listeners) listener();
}

let wake = () => {};

/** Until the time is over, or somebody wants to see what became of a touch. */
function wait(ms) {
  return new Promise((resolve) => {
    wake = resolve;
    setTimeout(resolve, ms);
  });
}

/** Looks again at once. */
export function lookNow() {
  wake();
}

/**
 * Shows the page over and over, so many ms apart unless `look`, which asks and shows, says another number. It never gives
 * up: a screen has nobody who presses reload.
 */
export async function live(every_ms, look) {
  for (const button of document.querySelectorAll("[data-language]")) {
    button.addEventListener("click", () => {
      language = button.dataset.language;
      remember("language", language, localStorage);
      if (texts !== null) changed();
    });
  }
  const offline = document.getElementById("offline");
  for (;;) {
    let pause_ms = every_ms;
    try {
      if (texts === null) {
        texts = await ask("/api/texts");
        changed();
      }
      pause_ms = (await look()) ?? every_ms;
      offline.hidden = true;
    } catch (error) {
      if (error instanceof TokenWanted) {
        await askForToken();
        continue;
      }
      // Before the texts came there is nothing to say it with.
      offline.hidden = texts === null;
      if (texts !== null) offline.textContent = t("offline");
    }
    await wait(pause_ms);
  }
}

/** Waits until a person has entered a token. */
function askForToken() {
  return new Promise((resolve) => {
    const dialog = document.getElementById("token");
    const field = el("input", { id: "token-field", type: "password", autocomplete: "current-password" });
    const form = el(
      "form",
      {
        onsubmit: (event) => {
          event.preventDefault();
          token = field.value;
          remember("token", token, sessionStorage);
          dialog.replaceChildren();
          dialog.hidden = true;
          resolve();
        },
      },
      el("p", {}, t("token_wanted")),
      el("label", { for: "token-field" }, t("token_label")),
      field,
      el("button", {}, t("token_enter")),
    );
    dialog.replaceChildren(form);
    dialog.hidden = false;
    field.focus();
  });
}
