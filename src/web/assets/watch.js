// What is looked at only when somebody wants to: the course of an order, the frames on the line, the doctor.
import { Part, ask, el, lookNow, said, t, word } from "/common.js";

// More than the daemon keeps, so that what is said of lost ones is seen.
const FRAMES_SHOWN = 400;
const HOURS_TO_BEIJING = 8;
const STATES = ["failed", "warning", "skipped", "not_applicable", "ok"];
const TONES = { failed: "bad", warning: "odd", ok: "good" };

/** Of the times of logs and of the tool: in the time of the platform, wherever the browser is. */
export function moment(ms) {
  const text = new Date(ms + HOURS_TO_BEIJING * 3600000).toISOString();
  return { day: text.slice(0, 10), time: text.slice(11, 23) };
}

/** A button that opens what stands below it. */
function opener(key, isOpen, open, ...children) {
  return el(
    "button",
    { type: "button", class: "opener", "data-key": key, "aria-expanded": String(isOpen), onclick: open },
    el("span", { class: "arrow", "aria-hidden": "true" }, isOpen ? "▾" : "▸"),
    ...children,
  );
}

/** The orders, and of those that somebody opened the whole course: what `vend order show` tells. */
export class Orders {
  constructor(place, whenNone) {
    this.part = new Part(place);
    this.whenNone = whenNone;
    this.opened = new Map();
    this.all = [];
  }

  /** The courses of the open ones that are still listed. */
  async look(all) {
    this.all = all;
    const listed = new Set(all.map((it) => `${it.order_id}:${it.record_id}`));
    for (const key of this.opened.keys()) {
      if (!listed.has(key)) this.opened.delete(key);
    }
    const course = async (key) => {
      const [order_id, record_id] = key.split(":");
      try {
        this.opened.set(key, await ask(`/api/order?order_id=${order_id}&record_id=${record_id}`));
      } catch (error) {
        if (error.refusal === undefined) throw error;
        this.opened.delete(key);
      }
    };
    await Promise.all([...this.opened.keys()].map(course));
  }

  show() {
    const data = this.all.map((it) => {
      const key = `${it.order_id}:${it.record_id}`;
      return { it, key, isOpen: this.opened.has(key), story: this.opened.get(key) ?? null };
    });
    this.part.show(data, (orders) =>
      orders.length === 0 ? el("p", {}, t(this.whenNone)) : el("ul", { class: "orders" }, orders.map((it) => this.order(it))),
    );
  }

  order({ it, key, isOpen, story }) {
    const toggle = () => {
      if (!this.opened.delete(key)) this.opened.set(key, null);
      this.show();
      lookNow();
    };
    const steps = [
      ...it.units.map((unit) => `${t("unit")} ${unit.unit}: ${unit.outcome === null ? word("order", unit.state) : word("outcome", unit.outcome)}`),
      ...it.reports.map((report) => `${t("report")} ${report.sequence}: ${word("copy", report.state)}, ${report.attempts} ${t("tries")}`),
    ];
    if (it.difference) steps.push(`${t("differs")}: ${word("difference", it.difference)}`);
    return el(
      "li",
      { "data-order": key },
      opener(`order ${key}`, isOpen, toggle, el("code", {}, key), ` ${word("order", it.state)}`),
      el("p", { class: "steps" }, steps.join(" · ")),
      story === null ? null : course(story),
    );
  }
}

function course(story) {
  const kinds = {
    journal: t("kind_journal"),
    gap: t("kind_gap"),
    message: t("kind_message"),
    state: t("kind_state"),
    frame_out: t("to_board"),
    frame_in: t("from_board"),
    report: t("report"),
    note: t("kind_note"),
  };
  let day = "";
  const rows = story.steps.flatMap((step) => {
    const at = step.trusted_ms === null ? null : moment(step.trusted_ms);
    const since = step.since_boot_ms === null ? t("not_known") : `${t("since_boot")} ${(step.since_boot_ms / 1000).toFixed(3)} ${t("unit_seconds")}`;
    const isNewDay = at !== null && at.day !== day;
    if (isNewDay) day = at.day;
    const row = el(
      "li",
      { "data-kind": step.kind },
      el("span", { class: "when" }, at === null ? since : at.time),
      el("span", { class: "kind" }, kinds[step.kind] ?? step.kind),
      step.meaning === undefined ? null : el("code", {}, step.text),
      el("span", { class: "text" }, said(step.meaning ?? { en: step.text, zh: step.text_zh }), step.times > 1 ? ` ×${step.times}` : ""),
    );
    return isNewDay ? [el("li", { class: "day" }, `${at.day} (GMT+8)`), row] : [row];
  });
  const slot = story.slot === null ? [] : [`${t("slot")} ${story.address === 1 ? story.slot : `${story.address}:${story.slot}`}`];
  const head = [...slot, ...(story.resolved_by_person ? [t("by_person")] : [])];
  return el(
    "div",
    { class: "course" },
    head.length === 0 ? null : el("p", {}, head.join(" · ")),
    el("ol", {}, rows),
  );
}

/** The frames on the line, while somebody watches. */
export class Frames {
  constructor(place) {
    this.part = new Part(place);
    this.isOn = false;
    this.next = null;
    this.lines = [];
    this.refused = null;
  }

  async look() {
    if (!this.isOn) return;
    try {
      const passed = await ask(this.next === null ? "/api/frames" : `/api/frames?after=${this.next}`);
      this.next = passed.next;
      if (passed.lost > 0) this.lines.push({ way: "lost", lost: passed.lost, hex: "", meaning: "", meaning_zh: "" });
      this.lines.push(...passed.frames);
      this.lines.splice(0, this.lines.length - FRAMES_SHOWN);
      this.refused = null;
    } catch (error) {
      if (error.refusal === undefined) throw error;
      this.refused = error.message;
    }
  }

  show() {
    const { isOn, lines, refused } = this;
    this.part.show({ isOn, lines, refused }, () => this.made());
    const box = this.part.place.querySelector(".frames");
    // The newest is below, unless somebody reads further up.
    if (box !== null && this.isAtEnd !== false) box.scrollTop = box.scrollHeight;
  }

  made() {
    const toggle = () => {
      this.isOn = !this.isOn;
      if (this.isOn) [this.next, this.lines] = [null, []];
      this.show();
      lookNow();
    };
    const button = el("button", { type: "button", "data-key": "frames", "aria-pressed": String(this.isOn), onclick: toggle }, this.isOn ? t("frames_stop") : t("frames_start"));
    if (this.refused !== null) return [button, el("p", { class: "odd" }, t("frames_refused"))];
    if (!this.isOn && this.lines.length === 0) return [button, el("p", { class: "quiet" }, t("frames_hint"))];
    if (this.lines.length === 0) return [button, el("p", { class: "quiet" }, t("frames_none"))];
    const list = el("ol", {}, this.lines.map(frame));
    const watchEnd = () => {
      this.isAtEnd = box.scrollTop + box.clientHeight >= box.scrollHeight - 4;
    };
    const box = el("div", { class: "frames", tabindex: "0", role: "log", "aria-label": t("frames_title"), "data-key": "frames box", onscroll: watchEnd }, list);
    return [button, box];
  }
}

function frame(line) {
  if (line.way === "lost") return el("li", { class: "odd" }, `${line.lost} ${t("frames_lost")}`);
  const isOut = line.way === "to_board";
  return el(
    "li",
    { "data-way": line.way },
    el("span", { class: "when" }, moment(line.wall_ms).time),
    el("span", { class: "kind" }, isOut ? `→ ${t("to_board")}` : `← ${t("from_board")}`),
    el("code", {}, line.hex),
    el("span", { class: "text" }, said({ en: line.meaning, zh: line.meaning_zh })),
  );
}

/** What the doctor found, when somebody has it look. */
export class Findings {
  constructor(place) {
    this.part = new Part(place);
    this.found = null;
    this.at = null;
    this.showsAll = false;
  }

  async look() {
    if (this.found === null || this.found.looking) this.heard(await ask("/api/doctor"));
  }

  heard(found) {
    this.found = found;
    this.at = found.age_s === null ? null : moment(Date.now() - found.age_s * 1000).time.slice(0, 8);
  }

  show() {
    this.part.show({ found: this.found, showsAll: this.showsAll }, () => this.made());
  }

  made() {
    const found = this.found;
    if (found === null) return [];
    const look = async () => {
      this.found = { ...found, looking: true };
      this.show();
      try {
        this.heard(await ask("/api/doctor", {}));
      } catch {
        // The page says itself that the machine cannot be reached, and asks again what became of it.
      }
      this.show();
      lookNow();
    };
    const isFree = !found.looking;
    const button = el("button", { type: "button", "data-key": "doctor", "aria-disabled": String(!isFree), onclick: () => (isFree ? look() : null) }, found.looking ? t("doctor_looking") : t("doctor_look"));
    const when = found.looking || this.at === null ? null : el("p", { class: "quiet", role: "status" }, `${t("doctor_at")} ${this.at}`);
    if (found.error !== null) return [button, el("p", { class: "bad" }, `${t("doctor_error")} ${said({ en: found.error, zh: found.error_zh })}`)];
    if (found.report === null) return [button, el("p", { class: "quiet" }, t("doctor_hint"))];
    const count = (state) => found.report.findings.filter((it) => it.state === state).length;
    const summary = STATES.filter((state) => count(state) > 0).map((state) =>
      el("span", { class: TONES[state] ?? "" }, `${count(state)} ${t(`state_${state}`)}`),
    );
    const rank = (it) => STATES.indexOf(it.state);
    const all = [...found.report.findings].sort((a, b) => rank(a) - rank(b));
    const wrong = all.filter((it) => it.state === "failed" || it.state === "warning");
    const toggle = () => {
      this.showsAll = !this.showsAll;
      this.show();
    };
    return [
      button,
      when,
      el("p", { class: "summary" }, summary),
      wrong.length === 0 ? el("p", { class: "good" }, t("doctor_well")) : el("ul", { class: "findings" }, wrong.map(finding)),
      opener("doctor all", this.showsAll, toggle, t("doctor_all")),
      this.showsAll ? el("ul", { class: "findings" }, all.filter((it) => !wrong.includes(it)).map(finding)) : null,
      el("p", { class: "quiet" }, t("doctor_outside")),
    ].filter((it) => it !== null);
  }
}

function finding(it) {
  return el(
    "li",
    { "data-check": it.id, "data-state": it.state },
    el("b", {}, it.id),
    " ",
    el("span", { class: TONES[it.state] ?? "" }, t(`state_${it.state}`)),
    ` ${said(it.title)}`,
    el("p", {}, said(it.saw)),
    it.fix === null ? null : el("p", { class: "fix" }, `→ ${said(it.fix)}`),
  );
}
