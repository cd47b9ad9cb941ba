// The last 24 hours as small drawings, made of numbers.
import { el, svg, t } from "/common.js";

const HOURS = 24;
// The coordinates of a plot; it grows with its place.
const PLOT = { width: 360, height: 110, left: 22, bottom: 14, top: 6 };

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
    svg("text", { x: left, y: height - 2 }, `−${HOURS} ${t("unit_hours")}`),
    svg("text", { x: width, y: height - 2, "text-anchor": "end" }, `0 ${t("unit_hours")}`),
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
    el("details", {}, el("summary", { "data-key": `numbers ${name}` }, t("as_numbers")), el("div", { class: "scroll" }, el("table", {}, el("tr", {}, head), rows))),
  ];
}

export function vends(hours) {
  const kinds = [
    { key: "dispensed", css: "dispensed", text: t("vends_dispensed") },
    { key: "failed", css: "failed", text: t("vends_failed") },
    { key: "unknown", css: "unknown", text: t("vends_unknown") },
  ];
  return plot(t("vends_title"), kinds, null, hours);
}

export function line(hours) {
  const faults = [{ key: "faults", css: "failed", text: t("line_faults") }];
  return plot(t("line_title"), faults, { key: "trip", css: "trips", text: t("round_trip") }, hours);
}

/** What was wrong on the line in an hour, and how fast the board answered. */
export function lineHour({ hours_ago, counts }) {
  const faults = counts.bad_checks + counts.noise + counts.unexpected + counts.time_outs;
  const trip = counts.round_trips === 0 ? null : Math.floor(counts.round_trips_ms / counts.round_trips);
  return { ago: hours_ago, faults, trip };
}
