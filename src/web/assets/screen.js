// The customer's screen.
import { Part, ask, currentLanguage, el, live, onChange, t, yuan } from "/common.js";

const LOOK_EVERY_MS = 1000;

const main = new Part(document.getElementById("main"));
const machine = new Part(document.getElementById("machine"));
let screen = null;

function message(title, ...rest) {
  return el("section", { class: "message" }, el("h1", {}, title), ...rest);
}

function offer(offer) {
  const price = yuan(offer.price_fen);
  const told = offer.text === null ? price : t(offer.text);
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
        "aria-label": `${t("slot")} ${offer.label}: ${offer.name}, ${offer.text === null ? price : `${price}, ${told}`}`,
      },
      el("span", { class: "label" }, String(offer.label)),
      el("span", { class: "name" }, offer.name),
      el("span", { class: "price" }, told),
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

function show() {
  if (screen === null) return;
  document.body.dataset.service = screen.service;
  machine.show(screen.machine_no, (number) => `${t("machine")} ${number}`);
  if (screen.text === null) main.show(screen.offers, grid);
  else main.show(screen.text, outOfOrder);
  document.title = `${t("machine")} ${screen.machine_no} (${currentLanguage()})`;
}

onChange(show);
live(LOOK_EVERY_MS, async () => {
  screen = await ask("/api/screen");
  show();
});
