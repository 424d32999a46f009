// Lag, throughput and latency over time: what GET /history tells, kept as steps, drawn in three charts and as a table.
"use strict";

const HISTORY_SECONDS = 5;
const WHOLE_MS = 540_000; // asked for anew before its finest steps are gone from the service
const UNSERVED_SECONDS = 60;
const DAY_MS = 86_400_000;
const TABLE_ROWS = 12;

/** The status now: the end of the charts, which the history tells up to five seconds late. */
let present = null;
let tookOverAt = null;
/** Oldest first: {start, end (milliseconds), at, state, lag, read, applied, mean, longest}; null: not known. */
let steps = [];
let wholeAt = -Infinity; // by this browser's clock
let isHistoryServed = true;
let clockOffset = 0; // the service's clock less this browser's
let pointedAt = null;
let rangeMs = 3_600_000;

const serverNow = () => Date.now() + clockOffset;

const told = (number) => number ?? null;
const charts = [
  ["lag-chart", { label: "Lag over time", lines: [{ word: "lag", of: (step) => step.lag }], words: duration, nice: (highest) => niceDuration(Math.max(1, highest)) }],
  ["rate-chart", {
    label: "Throughput over time",
    lines: [{ word: "applied", of: (step) => step.applied }, { word: "read", of: (step) => step.read }],
    words: (number) => `${rate(number)}/s`,
    nice: niceCount,
    isKnown: isHere,
  }],
  ["latency-chart", {
    label: "Latency over time",
    lines: [{ word: "mean", of: (step) => step.mean }, { word: "longest", of: (step) => step.longest }],
    words: shortDuration,
    nice: niceDuration,
    isKnown: isHere,
  }],
].map(([id, options]) => new Chart($(id), { ...options, onPoint: pointAt }));

/** A standby knows nothing of what the process that replicates reads and writes. */
function isHere(step) {
  return step.state !== "standby";
}

function stepOf(item) {
  const start = Date.parse(item.at);
  const step = { at: item.at, start, end: start + item.seconds * 1000, state: item.state, lag: told(item.lag_seconds) };
  const flow = isHere(step)
    ? { read: item.records_read_per_second, applied: item.records_applied_per_second, mean: told(item.latency_mean_seconds), longest: told(item.latency_max_seconds) }
    : { read: null, applied: null, mean: null, longest: null };
  return { ...step, ...flow };
}

/** Ask for what is new, and from time to time for all of it: the service keeps what is older in longer steps. */
async function pollHistory() {
  const isWhole = !steps.length || Date.now() - wholeAt > WHOLE_MS;
  try {
    const { items } = await read(isWhole ? "/history" : `/history?since=${encodeURIComponent(steps.at(-1).at)}`);
    isHistoryServed = true;
    if (isWhole) wholeAt = Date.now();
    addSteps(items.map(stepOf));
  } catch (error) {
    if (error.status === 404) isHistoryServed = false; // an older service: the page remembers what it sees
    else if (!(error instanceof Refusal || error instanceof Unreachable)) throw error;
  }
  drawCharts();
}

/** What is told now replaces what was known of the same time. A restart of the service leaves what was seen before it. */
function addSteps(found) {
  const start = found[0]?.start ?? Infinity;
  const oldest = serverNow() - DAY_MS - 600_000;
  steps = [...steps.filter((step) => step.start < start), ...found].filter((step) => step.end > oldest);
}

function sampleStatus(status) {
  clockOffset = Date.parse(status.now) - Date.now();
  const item = { ...status.rates, at: status.now, seconds: STATUS_SECONDS, state: status.state, lag_seconds: status.lag.seconds };
  present = stepOf(item);
  tookOverAt = takeoverOf(status);
  if (!isHistoryServed) addSteps([present]);
  drawCharts();
}

/** The history, and what has been since its last step. */
function stepsUntilNow() {
  const last = steps.at(-1);
  const isNews = last && present?.start > last.end;
  return isNews ? [...steps, { ...present, start: Math.max(last.end, present.start - HOLE_MS), end: present.start }] : [...steps];
}

/** Since when this process replicates, if it stood by before; null otherwise. */
function takeoverOf({ role, active_since }) {
  const stoodBy = (step) => step.state === "standby" && step.start < Date.parse(active_since);
  return role === "active" && active_since && steps.some(stoodBy) ? active_since : null;
}

/** Since when (milliseconds) the lag has been this high without a break; `isWhole`: and was not before. */
function highLagSince(least) {
  let since = null;
  for (const step of stepsUntilNow().reverse()) {
    if (step.lag === null || (since !== null && since - step.end >= HOLE_MS)) break;
    if (step.lag < least) return { since, isWhole: true };
    since = step.start;
  }
  return { since, isWhole: false };
}

function drawCharts() {
  const to = serverNow();
  const from = to - rangeMs;
  const known = stepsUntilNow();
  const pointed = pointedAt === null ? null : stepAt(known, pointedAt, from);
  for (const chart of charts) chart.draw(known, from, to, pointed, Date.parse(tookOverAt));
  showLatency(steps.at(-1));
  if ($("history-table").open) showTable(from, to);
}

/** The step of a time, or the nearest one to it. */
function stepAt(known, time, from) {
  const distance = (step) => Math.max(step.start - time, time - step.end, 0);
  const nearest = (best, step) => (best === null || distance(step) < distance(best) ? step : best);
  return known.filter((step) => step.end > from).reduce(nearest, null);
}

function pointAt(time) {
  pointedAt = time;
  drawCharts();
}

function showLatency(latest) {
  const known = (number) => (number === undefined || number === null ? "–" : shortDuration(number));
  setText($("latency-mean"), known(latest?.mean));
  setText($("latency-longest"), known(latest?.longest));
}

/** The same as the charts, for who reads rather than looks: newest first. */
function showTable(from, to) {
  const width = (to - from) / TABLE_ROWS;
  const slots = Array.from({ length: TABLE_ROWS }, (_, at) => from + (TABLE_ROWS - 1 - at) * width);
  const rows = slots.map((start) => rowOf(start, steps.filter((step) => step.start >= start && step.start < start + width)));
  $("history-rows").replaceChildren(...rows.map((cells) => element("tr", { role: "row" }, ...cells)));
}

function rowOf(start, found) {
  const known = (name) => found.filter((step) => step[name] !== null);
  const highest = (name, words) => (known(name).length ? words(Math.max(...known(name).map((step) => step[name]))) : "unknown");
  const mean = (name) => {
    const sum = (of) => known(name).reduce((total, step) => total + of(step) * (step.end - step.start), 0);
    return known(name).length ? rate(sum((step) => step[name]) / sum(() => 1)) : "unknown";
  };
  const states = [...new Set(found.map((step) => shapeOf(STATES, step.state).word))];
  const cell = (name, text) => element("td", { role: "cell", "data-name": name }, text);
  return [
    element("td", { role: "cell" }, stamp(start)),
    cell("lag", highest("lag", duration)),
    cell("applied/s", mean("applied")),
    cell("read/s", mean("read")),
    cell("latency", highest("longest", shortDuration)),
    element("td", { role: "cell" }, states.join(", ") || "not known here"),
  ];
}

$("history-range").addEventListener("change", (event) => {
  rangeMs = Number(event.target.value) * 1000;
  drawCharts();
});
$("history-table").addEventListener("toggle", drawCharts);
