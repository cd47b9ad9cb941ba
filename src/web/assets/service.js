// The technician's page: reads, and changes nothing.
import { Part, ask, duration, el, live, onChange, said, t, word } from "/common.js";
import { line, lineHour, vends } from "/plots.js";
import { Findings, Frames, Orders } from "/watch.js";

const LOOK_EVERY_MS = 2000;
// While frames are watched: the daemon keeps those of some seconds.
const WATCH_EVERY_MS = 1000;

const place = (id) => document.getElementById(id);
const parts = Object.fromEntries(
  ["machine", "facts", "slots", "vends", "line", "since", "events"].map((id) => [id, new Part(place(id))]),
);
const orders = new Orders(place("orders"), "no_orders");
const settled = new Orders(place("settled"), "no_settled");
const frames = new Frames(place("frames"));
const findings = new Findings(place("findings"));
let seen = null;

/** What is known by name, and in which tone it is said. */
function facts(it) {
  const tone = (isGood, bad = "bad") => (isGood ? "good" : bad);
  const yes = (is) => [is ? t("yes") : t("no"), tone(is, "odd")];
  const rows = [
    [t("fact_phase"), t(it.phase), tone(it.phase === "running")],
    [t("fact_broker"), it.broker_connected ? t("connected") : t("away"), tone(it.broker_connected)],
    [t("fact_board"), it.board_identity === null ? it.board : `${it.board} · ${it.board_identity}`, ""],
    [t("fact_line"), t(it.line), tone(!["closed", "settling"].includes(it.line))],
    [t("fact_time"), ...yes(it.time_trusted)],
    [t("fact_disk"), ...yes(it.has_space)],
    [t("fact_uptime"), it.uptime, ""],
    [t("fact_open"), String(it.orders_open), ""],
    [t("fact_unsent"), String(it.reports_open), tone(it.reports_open === 0, "odd")],
    [t("fact_oldest"), it.oldest ?? "–", tone(it.oldest === null, "odd")],
    [t("fact_doubt"), it.doubt, tone(it.doubt === "0", "odd")],
    [t("fact_differ"), String(it.differences), tone(it.differences === 0)],
    ...it.troubles.map(({ why, why_zh }) => [t("fact_trouble"), said({ en: why, zh: why_zh }), "bad"]),
  ];
  return el("dl", {}, rows.flatMap(([name, value, kind]) => [el("dt", {}, name), el("dd", { class: kind }, value)]));
}

function slot(it) {
  const tone = it.locked || it.condition !== "well" ? "bad" : it.count === 0 ? "odd" : "good";
  const isWell = it.condition === "well";
  const words = [
    it.turning ? t("turning") : null,
    isWell && tone !== "good" ? null : word("slot", it.condition),
    it.locked ? t("locked") : null,
    it.count === 0 ? t("sold_out") : null,
  ];
  const state = words.filter((it) => it !== null).join(", ");
  const place = it.address === 1 ? `${it.code ?? it.slot}` : `${it.address}:${it.slot}`;
  return el(
    "li",
    { "data-tone": tone, "data-turning": it.turning === true, "data-slot": `${it.address}:${it.slot}`, title: it.product ?? "" },
    el("b", {}, it.turning ? `↻ ${place}` : place),
    ` ${it.count}${it.capacity === null ? "" : `/${it.capacity}`}`,
    el("span", {}, it.product ?? "–"),
    el("span", { class: tone }, state),
  );
}

function slots(all) {
  return all.length === 0 ? el("p", {}, t("no_slots")) : el("ul", { class: "slots" }, all.map(slot));
}

function events(all) {
  const tones = { warn: "odd", error: "bad" };
  const newest = [...all].reverse();
  return el("ul", { class: "events" }, newest.map((it) =>
    el("li", {}, el("span", { class: tones[it.level] ?? "" }, word("level", it.level)), " ", el("code", {}, it.what), ` ${it.text}`),
  ));
}

function show() {
  if (seen === null) return;
  const { status } = seen;
  document.getElementById("main").hidden = false;
  document.title = `${t("service_title")} ${status.machine_no}`;
  parts.machine.show(status.machine_no, (number) => number);
  const uptime = duration(status.line_quality.counted_for_s);
  const oldest = status.oldest_unsent_s === null ? null : duration(status.oldest_unsent_s);
  const { orders_in_doubt, in_doubt } = status;
  const doubt = [String(orders_in_doubt), ...in_doubt].join(" ");
  const { phase, broker_connected, board, board_identity, time_trusted, has_space, orders_open, reports_open, differences, troubles } = status;
  const shown = { phase, broker_connected, board, board_identity, line: status.line, time_trusted, has_space, orders_open, reports_open, differences, troubles, doubt, uptime, oldest };
  parts.facts.show(shown, facts);
  parts.slots.show(seen.slots, slots);
  orders.show();
  settled.show();
  frames.show();
  findings.show();
  parts.vends.show(status.vend_hours.map((hour) => ({ ago: hour.hours_ago, ...hour.counts })), vends);
  parts.line.show(status.line_quality.hours.map(lineHour), line);
  parts.since.show(uptime, () => `${t("counted_since")}: ${uptime}`);
  parts.events.show(status.recent, events);
}

onChange(show);

/** Until somebody sees the page: one that nobody sees asks nothing. */
async function watched() {
  while (document.hidden) await new Promise((resolve) => document.addEventListener("visibilitychange", resolve, { once: true }));
}

live(LOOK_EVERY_MS, async () => {
  await watched();
  const [status, slots, all] = await Promise.all([ask("/api/status"), ask("/api/slots"), ask("/api/orders")]);
  await Promise.all([orders.look(all.orders), settled.look(all.settled), frames.look(), findings.look()]);
  seen = { status, slots: slots.slots };
  show();
  return frames.isOn ? WATCH_EVERY_MS : LOOK_EVERY_MS;
});
