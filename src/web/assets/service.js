// The technician's page: reads, and changes nothing.
import { Part, ask, el, live, onChange, svg, t } from "/common.js";

const LOOK_EVERY_MS = 2000;
const HOURS = 24;
// The coordinates of a plot; it grows with its place.
const PLOT = { width: 360, height: 110, left: 22, bottom: 14, top: 6 };

const parts = Object.fromEntries(
  ["machine", "facts", "slots", "orders", "vends", "line", "events"].map((id) => [id, new Part(document.getElementById(id))]),
);
let seen = null;

function duration(seconds) {
  const [d, h, m] = [Math.floor(seconds / 86400), Math.floor(seconds / 3600) % 24, Math.floor(seconds / 60) % 60];
  return d > 0 ? `${d} d ${h} h` : h > 0 ? `${h} h ${m} min` : m > 0 ? `${m} min` : `${seconds} s`;
}

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
    [t("fact_differ"), String(it.differences), tone(it.differences === 0)],
  ];
  return el("dl", {}, rows.flatMap(([name, value, kind]) => [el("dt", {}, name), el("dd", { class: kind }, value)]));
}

function slot(it) {
  const tone = it.locked || it.condition !== "well" ? "bad" : it.count === 0 ? "odd" : "good";
  const words = [t(it.condition), it.locked ? t("locked") : null, it.count === 0 ? t("sold_out") : null];
  const said = words.filter((word) => word !== null && (tone === "good" || word !== t("well"))).join(", ");
  const place = it.address === 1 ? `${it.code ?? it.slot}` : `${it.address}:${it.slot}`;
  return el(
    "li",
    { "data-tone": tone, "data-slot": `${it.address}:${it.slot}`, title: it.product ?? "" },
    el("b", {}, place),
    ` ${it.count}${it.capacity === null ? "" : `/${it.capacity}`}`,
    el("span", {}, it.product ?? "–"),
    el("span", { class: tone }, said),
  );
}

function slots(all) {
  return all.length === 0 ? el("p", {}, t("no_slots")) : el("ul", { class: "slots" }, all.map(slot));
}

/** What became of an order, one step a line, in the words of logs and of the tool. */
function order(it) {
  const steps = [
    ...it.units.map((unit) => `${t("unit")} ${unit.unit}: ${unit.state}${unit.outcome === null ? "" : `, ${unit.outcome}`}`),
    ...it.reports.map((report) => `${t("report")} ${report.sequence}: ${report.state}, ${report.attempts} ${t("tries")}`),
  ];
  if (it.difference) steps.push(`${t("differs")}: ${it.difference}`);
  return el(
    "li",
    { "data-order": `${it.order_id}:${it.record_id}` },
    el("code", {}, `${it.order_id}:${it.record_id}`),
    ` ${it.state}`,
    el("ol", {}, steps.map((step) => el("li", {}, step))),
  );
}

function orders(all) {
  return all.length === 0 ? el("p", {}, t("no_orders")) : el("ul", { class: "orders" }, all.map(order));
}

/** A plot of the day: a pile of bars for each hour, and a line above them, each with its own scale. */
function plot(name, kinds, line, hours) {
  const { width, height, left, bottom, top } = PLOT;
  const wide = (width - left) / HOURS;
  const high = height - bottom - top;
  const most = Math.max(1, ...hours.map((hour) => kinds.reduce((sum, kind) => sum + hour[kind.key], 0)));
  const x = (ago) => left + (HOURS - 1 - ago) * wide;
  const bars = hours.flatMap((hour) => {
    let floor = height - bottom;
    return kinds.map((kind) => {
      const tall = (hour[kind.key] / most) * high;
      floor -= tall;
      return svg("rect", { class: kind.css, x: x(hour.ago) + 1, y: floor, width: wide - 2, height: tall });
    });
  });
  const drawn = [
    svg("line", { class: "axis", x1: left, x2: width, y1: height - bottom, y2: height - bottom }),
    svg("text", { x: 0, y: top + 8 }, String(most)),
    svg("text", { x: 0, y: height - bottom }, "0"),
    svg("text", { x: left, y: height - 2 }, `−${HOURS} h`),
    svg("text", { x: width, y: height - 2, "text-anchor": "end" }, "0 h"),
    ...bars,
  ];
  const keys = kinds.map((kind) => el("span", { class: kind.css }, el("i"), kind.text));
  if (line !== null) {
    const with_value = hours.filter((hour) => hour[line.key] !== null);
    const tallest = Math.max(1, ...with_value.map((hour) => hour[line.key]));
    const points = with_value.map((hour) => `${x(hour.ago) + wide / 2},${height - bottom - (hour[line.key] / tallest) * high}`);
    drawn.push(svg("polyline", { class: line.css, points: points.join(" ") }));
    keys.push(el("span", { class: line.css }, el("i"), `${line.text} (≤ ${tallest})`));
  }
  const columns = line === null ? kinds : [...kinds, line];
  const head = [el("th", { scope: "col" }, t("hours_ago")), ...columns.map((it) => el("th", { scope: "col" }, it.text))];
  const rows = hours.map((hour) =>
    el("tr", {}, el("td", {}, String(hour.ago)), columns.map((it) => el("td", {}, hour[it.key] === null ? "–" : String(hour[it.key])))),
  );
  return [
    svg("svg", { class: "plot", viewBox: `0 0 ${width} ${height}`, role: "img", "aria-label": name }, drawn),
    el("p", { class: "legend" }, keys),
    el("details", {}, el("summary", {}, t("as_numbers")), el("div", { class: "scroll" }, el("table", {}, el("tr", {}, head), rows))),
  ];
}

function vends(hours) {
  const kinds = [
    { key: "dispensed", css: "dispensed", text: t("vends_dispensed") },
    { key: "failed", css: "failed", text: t("vends_failed") },
    { key: "unknown", css: "unknown", text: t("vends_unknown") },
  ];
  return plot(t("vends_title"), kinds, null, hours);
}

function line(hours) {
  const faults = [{ key: "faults", css: "failed", text: t("line_faults") }];
  return plot(t("line_title"), faults, { key: "trip", css: "trips", text: t("round_trip") }, hours);
}

/** What was wrong on the line in an hour, and how fast the board answered. */
function lineHour({ hours_ago, counts }) {
  const faults = counts.bad_checks + counts.noise + counts.unexpected + counts.time_outs;
  const trip = counts.round_trips === 0 ? null : Math.floor(counts.round_trips_ms / counts.round_trips);
  return { ago: hours_ago, faults, trip };
}

function events(all) {
  const tones = { warn: "odd", error: "bad" };
  const newest = [...all].reverse();
  return el("ul", { class: "events" }, newest.map((it) =>
    el("li", {}, el("span", { class: tones[it.level] ?? "" }, it.level), " ", el("code", {}, it.what), ` ${it.text}`),
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
  const { phase, broker_connected, board, board_identity, time_trusted, has_space, orders_open, reports_open, differences } = status;
  const shown = { phase, broker_connected, board, board_identity, line: status.line, time_trusted, has_space, orders_open, reports_open, differences, uptime, oldest };
  parts.facts.show(shown, facts);
  parts.slots.show(seen.slots, slots);
  parts.orders.show(seen.orders, orders);
  parts.vends.show(status.vend_hours.map((hour) => ({ ago: hour.hours_ago, ...hour.counts })), vends);
  parts.line.show(status.line_quality.hours.map(lineHour), line);
  parts.events.show(status.recent, events);
}

onChange(show);
live(LOOK_EVERY_MS, async () => {
  const [status, slots, orders] = await Promise.all([ask("/api/status"), ask("/api/slots"), ask("/api/orders")]);
  seen = { status, slots: slots.slots, orders: orders.orders };
  show();
});
