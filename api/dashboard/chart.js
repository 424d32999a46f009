// One chart of the history: steps of time as a staircase, with its axes, shaded times, a cursor and what it says in words.
"use strict";

const HOLE_MS = 12_000; // between two steps: more than a late one
const SHADES = { paused: "paused", failed: "failed", stopping: "stopping", starting: "starting" };
const KINDS = { unknown: "hatched: not known here", takeover: "line: this process took over" };
const DURATIONS = [0.05, 0.1, 0.2, 0.5, 1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800];

const niceDuration = (highest) => DURATIONS.find((each) => each >= highest) ?? highest;

function niceCount(highest) {
  const power = 10 ** Math.floor(Math.log10(Math.max(1, highest)));
  return [1, 2, 5, 10].map((each) => each * power).find((each) => each >= highest);
}

/**
 * `lines` are [{word, of}]: what each is called, and its value in a step, null where none is known. `words(value)` is a
 * value in words, `nice(highest)` the top of the scale. A step that has no first value because this process can't know
 * it (`isKnown`) is shaded, as a time without a step is. `onPoint(time)` is told where a person points; null: nowhere.
 */
class Chart {
  constructor(figure, { label, lines, words, nice, isKnown = () => true, onPoint }) {
    Object.assign(this, { label, lines, words, nice, isKnown, onPoint });
    const part = (name, ...children) => element("span", { className: name }, ...children);
    this.high = part("");
    this.middle = part("");
    this.times = [0, 1, 2].map(() => part(""));
    this.shades = part("shades");
    this.cursor = part("cursor");
    this.paths = lines.map((_, at) => vector("path", { class: `line line-${at}` }));
    this.area = vector("path", { class: "area" });
    const grid = vector("path", { class: "grid", d: "M0 .5H1000M0 50H1000M0 99.5H1000" });
    const svg = vector("svg", { viewBox: "0 0 1000 100", preserveAspectRatio: "none", "aria-hidden": "true" });
    svg.append(grid, this.area, ...[...this.paths].reverse());
    this.plot = element("div", { className: "plot", tabIndex: 0, role: "slider", "aria-label": label, "aria-valuemin": 0 }, this.shades, svg, this.cursor);
    this.caption = element("figcaption", { className: "soft small" });
    const yAxis = element("div", { className: "y-axis", "aria-hidden": "true" }, this.high, this.middle, part("", "0"));
    const xAxis = element("div", { className: "x-axis", "aria-hidden": "true" }, ...this.times);
    figure.replaceChildren(yAxis, this.plot, xAxis, this.caption);
    this.plot.addEventListener("pointermove", (event) => onPoint(this.timeAt(event.clientX)));
    this.plot.addEventListener("pointerleave", () => onPoint(null));
    this.plot.addEventListener("blur", () => onPoint(null));
    this.plot.addEventListener("keydown", (event) => this.move(event));
  }

  /** `steps` are oldest first; times are milliseconds. `pointed` is the step that a person points at, or null. `takeover` may be NaN. */
  draw(steps, from, to, pointed, takeover) {
    Object.assign(this, { steps: steps.filter((step) => step.end > from), from, to, pointed });
    const values = this.steps.flatMap((step) => this.lines.map((line) => line.of(step))).filter((value) => value !== null);
    const high = this.nice(Math.max(0, ...values));
    this.y = (value) => (99.5 - 99 * (value / high)).toFixed(1);
    const runs = this.lines.map((line) => this.stairs(line.of));
    this.paths.forEach((path, at) => path.setAttribute("d", runs[at].map((run) => run.path).join("")));
    this.area.setAttribute("d", runs[0].map((run) => `${run.path}V99.5H${run.start}Z`).join(""));
    setText(this.high, this.words(high));
    setText(this.middle, this.words(high / 2));
    this.times.forEach((time, at) => setText(time, axisTime(from + ((to - from) * at) / 2, at !== 1 && to - from > 6 * 3_600_000, at === 2)));
    const shades = this.shaded();
    if (takeover > from) shades.push({ kind: "takeover", start: takeover, end: takeover });
    keep(this.shades, shades, (each) => `${each.kind} ${each.start}`, ({ kind }) => element("span", { className: `shade ${kind}` }), (span, each) => {
      span.style.left = `${this.part(each.start)}%`;
      span.style.width = `${this.part(each.end) - this.part(each.start)}%`;
    });
    this.describe(new Set(shades.map((each) => each.kind)));
  }

  part(time) {
    return Math.min(100, Math.max(0, (100 * (time - this.from)) / (this.to - this.from)));
  }

  /** Each unbroken run of known values as a path; a value holds for the whole of its step. */
  stairs(of) {
    const runs = [];
    let former = null;
    for (const step of this.steps) {
      const value = of(step);
      if (value === null) {
        former = null;
        continue;
      }
      const [start, end, height] = [10 * this.part(step.start), 10 * this.part(step.end), this.y(value)];
      if (former && step.start - former.end < HOLE_MS) runs.at(-1).path += `H${start.toFixed(1)}V${height}`;
      else runs.push({ start: start.toFixed(1), path: `M${start.toFixed(1)} ${height}` });
      runs.at(-1).path += `H${end.toFixed(1)}`;
      former = step;
    }
    return runs;
  }

  /** Times of a state that explains the line, and those of which nothing is known here. */
  shaded() {
    const found = [];
    const add = (kind, start, end) => {
      const last = found.at(-1);
      if (last?.kind === kind && start - last.end < HOLE_MS) last.end = end;
      else found.push({ kind, start, end });
    };
    let known = this.from;
    for (const step of this.steps) {
      if (step.start - known >= HOLE_MS) add("unknown", known, step.start);
      if (!this.isKnown(step)) add("unknown", step.start, step.end);
      else if (SHADES[step.state]) add(step.state, step.start, step.end);
      known = step.end;
    }
    if (this.to - known >= HOLE_MS) add("unknown", known, this.to);
    return found;
  }

  describe(kinds) {
    const summary = this.summary(kinds);
    const text = this.pointed ? this.valueWords(this.pointed) : summary;
    setText(this.caption, text);
    this.plot.setAttribute("aria-valuetext", this.pointed ? text : `${summary} Arrow keys read single values.`);
    this.plot.setAttribute("aria-valuemax", Math.max(0, this.steps.length - 1));
    this.plot.setAttribute("aria-valuenow", Math.max(0, this.pointed ? this.steps.indexOf(this.pointed) : this.steps.length - 1));
    this.cursor.hidden = !this.pointed;
    if (this.pointed) this.cursor.style.left = `${this.part((this.pointed.start + this.pointed.end) / 2)}%`;
  }

  summary(kinds) {
    const highest = this.lines.map(({ word, of }) => {
      const top = this.steps.reduce((best, step) => ((of(step) ?? -1) > (best ? of(best) : -1) ? step : best), null);
      return top && `${word} ${this.words(of(top))} at ${utcTime(top.start)}`;
    });
    const known = highest.filter(Boolean);
    const shades = [...kinds].map((kind) => KINDS[kind] ?? `shaded: ${SHADES[kind]}`);
    const text = known.length ? `Highest: ${known.join(", ")}` : "Nothing is known of this time";
    return `${[text, ...shades].join("; ")}.`;
  }

  valueWords(step) {
    const values = this.lines.map(({ word, of }) => `${word} ${of(step) === null ? "unknown" : this.words(of(step))}`);
    return `${utcTime(step.start)}, for ${duration((step.end - step.start) / 1000)}: ${values.join(", ")}; ${shapeOf(STATES, step.state).word.toLowerCase()}.`;
  }

  timeAt(clientX) {
    const box = this.plot.getBoundingClientRect();
    return this.from + ((clientX - box.left) / box.width) * (this.to - this.from);
  }

  move(event) {
    const last = this.steps.length - 1;
    const at = this.pointed ? this.steps.indexOf(this.pointed) : last + 1;
    const places = { ArrowLeft: at - 1, ArrowDown: at - 1, ArrowRight: at + 1, ArrowUp: at + 1, PageUp: at + 12, PageDown: at - 12, Home: 0, End: last };
    if (event.key === "Escape") this.onPoint(null);
    if (!(event.key in places) || last < 0) return;
    event.preventDefault();
    const step = this.steps[Math.min(last, Math.max(0, places[event.key]))];
    this.onPoint((step.start + step.end) / 2);
  }
}
