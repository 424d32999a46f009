// All pipelines of the process, worst first: the page at / where it has several. Each leads to a page of its own.
"use strict";

const SHOWN_PIPELINES = 50;
const RANK_WORDS = {
  "with dead letters": "changes could not be written; its page has their causes",
};
const GAP = "a snapshot mends it"; // the sentence begins with where it is, and may be cut before this
const GAP_WORDS = "history is missing, a snapshot mends it";
let fleetSeen = { items: [], left_out: [] };
let isFleetShownWhole = false;

/** Only what is behind is ordered by its lag: rows that keep up do not change places all the time. */
function worstFirst(items) {
  const order = (item) => [rankOf(item), item.lag_seconds >= BEHIND_SECONDS ? -item.lag_seconds : 0, -(item.dead_letters ?? 0)];
  const ordered = items.map((item) => ({ item, keys: order(item) }));
  ordered.sort((one, other) => {
    const at = one.keys.findIndex((key, index) => key !== other.keys[index]);
    return at >= 0 ? one.keys[at] - other.keys[at] : one.item.name.localeCompare(other.item.name);
  });
  return ordered.map(({ item }) => item);
}

function showFleet(list) {
  fleetSeen = list;
  document.body.dataset.shows = "fleet";
  $("fleet-panel").hidden = false;
  const wanted = $("fleet-search").value.trim().toLowerCase();
  const found = worstFirst(list.items).filter((item) => isWanted(item, wanted));
  const shown = isFleetShownWhole ? found : found.slice(0, SHOWN_PIPELINES);
  keep($("fleet"), shown, (item) => item.name, makePipelineRow, fillPipelineRow);
  $("fleet-table").hidden = !shown.length;
  setText($("pipeline"), plural(list.items.length, "pipeline"));
  setText($("tables"), fleetWords(list.items));
  setText($("fleet-text"), wanted ? `${count(found.length)} of ${count(list.items.length)}` : "Worst first");
  setWords($("updated"), "As of ", stamp(1000 * Math.round(serverNow() / 1000)));
  foldButton($("more-fleet"), isFleetShownWhole, found.length > SHOWN_PIPELINES, `Show all ${count(found.length)}`, `Show the first ${SHOWN_PIPELINES}`);
  $("left-out-fold").hidden = !list.left_out.length;
  setText($("left-out-text"), `${plural(list.left_out.length, "discovered table")} without a pipeline`);
  const line = (each) => element("li", {}, `${each.table}: ${each.reason}`);
  keep($("left-out"), list.left_out, (each) => `${each.table} ${each.reason}`, line, () => {});
  document.title = `${fleetWords(list.items)} · dynamirror`;
}

/** By its name, its state, or what is wrong with it. */
function isWanted(item, wanted) {
  return `${item.name} ${verdictOn(item).word} ${item.reason ?? ""} ${RANKS[rankOf(item)] ?? ""}`.toLowerCase().includes(wanted);
}

function fleetWords(items) {
  const counts = RANKS.map((word, at) => [items.filter((item) => rankOf(item) === at).length, word]);
  const parts = counts.filter(([number]) => number).map(([number, word]) => `${count(number)} ${word}`);
  return parts.length ? parts.join(", ") : "All is well";
}

function makePipelineRow(item) {
  const cell = (className = "") => element("td", { className, role: "cell" });
  const link = element("a", { href: `/pipelines/${encodeURIComponent(item.name)}/` }, item.name);
  const name = element("td", { className: "name", role: "cell" }, link);
  const state = element("td", { className: "status", role: "cell" }, icon("ring"), element("span"));
  const why = element("td", { className: "why", role: "cell" }, element("p"));
  return element("tr", { role: "row" }, name, state, cell("right lag"), cell("right letters"), why);
}

function fillPipelineRow(row, item) {
  const [, state, lag, letters, why] = row.children;
  const shape = verdictOn(item);
  row.dataset.tone = shape.tone;
  setIcon(state.firstChild.firstChild, shape.icon);
  setText(state.lastChild, shape.word);
  setText(lag, item.lag_seconds === null ? "unknown" : duration(item.lag_seconds));
  setText(letters, item.dead_letters === null ? "unknown" : count(item.dead_letters));
  const told = whyWords(item);
  setWords(why.firstChild, ...shortWords(told));
  why.title = told;
}

/** All of it stands on the pipeline's own page. */
function whyWords(item) {
  const told = item.reason ?? item.warnings[0];
  const words = told === undefined ? [RANK_WORDS[RANKS[rankOf(item)]]] : [told.includes(GAP) ? GAP_WORDS : null, onThePage(told)];
  return [item.state === "paused" ? pausedFor(item) : null, ...words].filter(Boolean).join("; ");
}

/** An older service does not tell since when. */
function pausedFor({ paused_since, lag_seconds }) {
  const paused = paused_since ? secondsBetween(paused_since, serverNow()) : null;
  const age = lag_seconds ?? paused;
  if (age === null) return "paused";
  const left = RETENTION_SECONDS - age;
  const since = paused === null ? "paused" : `paused ${duration(paused)} ago`;
  return `${since}, ${left > 0 ? `${duration(left)} left` : "history may be lost already"}`;
}

$("fleet-search").addEventListener("input", () => showFleet(fleetSeen));
$("more-fleet").addEventListener("click", () => {
  isFleetShownWhole = !isFleetShownWhole;
  showFleet(fleetSeen);
});
