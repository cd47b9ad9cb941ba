// The customer's screen: what is sold, and one sale from the choice to its end.
import { Part, ask, currentLanguage, el, live, lookNow, onChange, remember, remembered, svg, t, yuan } from "/common.js";

const LOOK_EVERY_MS = 1000;
// Who has taken the goods leaves; the next one finds the grid.
const END_SHOWN_MS = 20000;
const NOTICE_SHOWN_MS = 8000;

const main = new Part(document.getElementById("main"));
const machine = new Part(document.getElementById("machine"));
const notice = new Part(document.getElementById("notice"));
let screen = null;
// The sale that began here. Of others that have ended nobody at this screen wants to know.
let followed = Number(remembered("sale", sessionStorage)) || null;
let ended = null;
let told = null;

function follow(sale) {
  followed = sale;
  ended = null;
  remember("sale", sale ?? "", sessionStorage);
}

function message(title, ...rest) {
  return el("section", { class: "message" }, el("h1", {}, title), ...rest);
}

function offer(offer) {
  const price = yuan(offer.price_fen);
  const shown = offer.text === null ? price : t(offer.text);
  return el(
    "li",
    {},
    el(
      "button",
      {
        type: "button",
        class: "offer",
        "data-key": `${offer.address}:${offer.slot}`,
        "data-state": offer.state,
        disabled: offer.state !== "for_sale",
        "aria-label": `${t("slot")} ${offer.label}: ${offer.name}, ${offer.text === null ? price : `${price}, ${shown}`}`,
        onclick: () => tell("/api/sale", { address: offer.address, slot: offer.slot }),
      },
      el("span", { class: "label" }, offer.label),
      el("span", { class: "name" }, offer.name),
      el("span", { class: "price" }, shown),
    ),
  );
}

function grid(offers) {
  if (offers.length === 0) return message(t("nothing_on_sale"));
  return [el("h1", {}, t("choose")), el("ul", { class: "grid" }, offers.map(offer))];
}

function outOfOrder(text) {
  return message(t(text), text === "out_of_order" ? el("p", { class: "quiet" }, t("out_of_order_more")) : null);
}

// A sign beside the words, for whoever reads neither language.
const MARKS = {
  thanks: ["good", "M5 13l4 4 10-11"],
  refund: ["good", "M9 7 4 12l5 5M4 12h11a5 5 0 0 1 0 10"],
  owed: ["doubt", "M9 7 4 12l5 5M4 12h11a5 5 0 0 1 0 10"],
  doubt: ["doubt", "M8 9a4 4 0 1 1 5.5 3.7c-1 .5-1.5 1-1.5 2.3M12 19v.1"],
  settled: ["good", "M5 13l4 4 10-11"],
  expired: ["doubt", "M12 6v7l4 2M12 2a10 10 0 1 0 .1 0"],
  cancelled: ["doubt", "M6 6l12 12M18 6 6 18"],
  not_sold: ["doubt", "M6 6l12 12M18 6 6 18"],
};

function mark(step) {
  if (!(step in MARKS)) return el("div", { class: "waiting", "aria-hidden": "true" }, el("i"), el("i"), el("i"));
  const [tone, path] = MARKS[step];
  return svg("svg", { class: `mark ${tone}`, viewBox: "0 0 24 24", "aria-hidden": "true" }, svg("path", { d: path }));
}

function code({ size, path }) {
  return svg(
    "svg",
    { class: "qr", viewBox: `0 0 ${size} ${size}`, role: "img", "aria-label": t("to_pay"), "shape-rendering": "crispEdges" },
    svg("path", { fill: "#fff", d: `M0 0h${size}v${size}H0z` }),
    svg("path", { fill: "#000", d: path }),
  );
}

function saleShown(sale) {
  return message(
    t(sale.text),
    sale.qr === null ? mark(sale.step) : code(sale.qr),
    sale.more === null ? null : el("p", {}, t(sale.more)),
    el("div", { class: "what" }, el("p", { class: "name" }, sale.name), el("p", { class: "price" }, yuan(sale.price_fen))),
    sale.qr === null ? null : el("p", { class: "quiet", role: "timer", "aria-live": "off" }, `${t("time_left")} `, el("span", { id: "left" })),
    button(sale),
  );
}

function button(sale) {
  if (sale.may_cancel) {
    return el("button", { type: "button", "data-key": "cancel", onclick: () => tell("/api/sale/cancel", {}) }, t("cancel"));
  }
  if (sale.attended) return null;
  return el("button", { type: "button", "data-key": "done", onclick: leave }, t("done"));
}

function leave() {
  follow(null);
  show();
}

function minutes(seconds) {
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
}

/** Has the daemon do something, and looks at once at what became of it. */
async function tell(path, body) {
  try {
    const answer = await ask(path, body);
    follow(answer.sale);
    told = null;
  } catch (error) {
    told = { text: error.refusal?.text ?? "not_now", until: Date.now() + NOTICE_SHOWN_MS };
  }
  lookNow();
}

/** The sale that this screen shows, if any. */
function shownSale() {
  const sale = screen.sale;
  if (sale !== null && sale.attended && sale.sale !== followed) follow(sale.sale);
  if (sale === null || sale.sale !== followed) return null;
  if (sale.attended) return sale;
  ended ??= Date.now() + END_SHOWN_MS;
  if (Date.now() < ended) return sale;
  follow(null);
  return null;
}

function show() {
  if (screen === null) return;
  if (told !== null && Date.now() > told.until) told = null;
  notice.show(told?.text ?? null, (text) => (text === null ? "" : t(text)));
  notice.place.hidden = told === null;
  document.body.dataset.service = screen.service;
  machine.show(screen.machine_no, (number) => `${t("machine")} ${number}`);
  document.title = `${t("machine")} ${screen.machine_no} (${currentLanguage()})`;
  const sale = shownSale();
  document.body.dataset.step = sale?.step ?? "";
  if (sale !== null) {
    main.show({ ...sale, expires_in_s: null }, saleShown);
    const left = document.getElementById("left");
    if (left !== null) left.textContent = minutes(sale.expires_in_s ?? 0);
  } else if (screen.text === null) {
    main.show(screen.offers, grid);
  } else {
    main.show(screen.text, outOfOrder);
  }
}

onChange(show);
live(LOOK_EVERY_MS, async () => {
  screen = await ask("/api/screen");
  show();
});
