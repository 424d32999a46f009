// Lag over the last ten minutes, as far as this page has seen it: kept in memory, one sample for each status.
"use strict";

const SPANS = [60, 120, 300, 600]; // seconds; the shortest that holds what was seen
const HIGHS = [1, 2, 5, 10, 20, 30, 60, 120, 300, 600, 1200, 1800, 3600, 7200, 14400, 28800, 43200, 86400, 172800];

/** `lag` is null where none was known: the line breaks there. Times are this browser's, in seconds. */
const samples = [];
const seconds = () => performance.now() / 1000;

function sampleLag(lag, isPaused = false) {
  const at = seconds();
  if (lag === null && samples.at(-1)?.lag === null) samples.pop();
  samples.push({ at, lag, isPaused });
  while (samples[0].at < at - SPANS.at(-1)) samples.shift();
  drawChart();
}

function drawChart() {
  const now = seconds();
  const age = now - samples[0].at;
  const span = SPANS.find((each) => each >= age) ?? SPANS.at(-1);
  const highest = Math.max(0, ...samples.map((each) => each.lag ?? 0));
  const high = HIGHS.find((each) => each >= highest) ?? highest;
  const x = (at) => Math.max(0, 1000 * (1 - (now - at) / span)).toFixed(1);
  const y = (lag) => (99.5 - 99 * (lag / high)).toFixed(1);
  const runs = splitRuns((each) => each.lag !== null);
  const line = runs.map((run) => `M${run.map((each) => `${x(each.at)} ${y(each.lag)}`).join("L")}`);
  $("line").setAttribute("d", line.map((path) => `${path}h.1`).join(""));
  $("area").setAttribute("d", line.map((path, at) => `${path}V99.5H${x(runs[at][0].at)}Z`).join(""));
  drawPauses(splitRuns((each) => each.isPaused), x);
  setText($("y-high"), duration(high));
  setText($("y-middle"), duration(high / 2));
  setText($("x-start"), `${span / 60} min ago`);
  setText($("x-middle"), span > 60 ? `${span / 120} min` : "30 s");
  describeChart(highest, age);
}

/** The stretches of neighbouring samples for which `holds` is true. */
function splitRuns(holds) {
  const runs = [];
  let isGoing = false;
  for (const sample of samples) {
    if (!holds(sample)) isGoing = false;
    else if (isGoing) runs.at(-1).push(sample);
    else {
      runs.push([sample]);
      isGoing = true;
    }
  }
  return runs;
}

function drawPauses(runs, x) {
  const bands = runs.map((run) => {
    const band = document.createElementNS("http://www.w3.org/2000/svg", "rect");
    const start = x(run[0].at);
    const sizes = { x: start, y: 0, width: Math.max(2, x(run.at(-1).at) - start), height: 100, class: "paused-time" };
    for (const [name, value] of Object.entries(sizes)) band.setAttribute(name, value);
    return band;
  });
  $("paused-times").replaceChildren(...bands);
}

function describeChart(highest, age) {
  const latest = samples.at(-1).lag;
  const seen = `the last ${duration(Math.round(Math.min(age, SPANS.at(-1))))}`;
  const isKnown = samples.some((each) => each.lag !== null);
  const shaded = samples.some((each) => each.isPaused) ? " Shaded: paused." : "";
  const summary = isKnown ? `Highest ${duration(highest)} in ${seen}.${shaded}` : "Nothing is known yet.";
  if ($("cursor").hidden) setText($("chart-text"), summary);
  const label = `Lag over time: now ${latest === null ? "unknown" : duration(latest)}, highest ${duration(highest)} in ${seen}`;
  $("chart").setAttribute("aria-label", label);
}

function showSampleAt(event) {
  const plot = $("line").ownerSVGElement.getBoundingClientRect();
  const now = seconds();
  const span = SPANS.find((each) => each >= now - (samples[0]?.at ?? now)) ?? SPANS.at(-1);
  const wanted = now - span * (1 - (event.clientX - plot.left) / plot.width);
  const known = samples.filter((each) => each.lag !== null);
  if (!known.length) return;
  const nearest = known.reduce((best, each) => (Math.abs(each.at - wanted) < Math.abs(best.at - wanted) ? each : best));
  const part = 1 - (now - nearest.at) / span;
  $("cursor").hidden = false;
  $("cursor").style.left = `${(100 * Math.max(0, part)).toFixed(2)}%`;
  setText($("chart-text"), `${duration(nearest.lag)} behind, ${duration(now - nearest.at)} ago${nearest.isPaused ? ", paused" : ""}.`);
}

$("chart").addEventListener("pointermove", showSampleAt);
$("chart").addEventListener("pointerleave", () => ($("cursor").hidden = true));
