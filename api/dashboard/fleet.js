// All pipelines of the process, worst first: the page at / where it has several. Each leads to a page of its own.
"use strict";

const SHOWN_PIPELINES = 50;
const RANKS = ["failed", "not ready", "paused", "behind", "with dead letters", "with warnings"];
const RANK_ICONS = ["failed", "warning", "pause", "hourglass", "warning", "warning"];
const RANK_WORDS = {
  paused: "somebody paused it; what the stream has for over 24 hours is lost",
  "with dead letters": "changes could not be written; its page has their causes",
};
let fleetSeen = { items: [], left_out: [] };
let isFleetShownWhole = false;

/** What is worst about a pipeline, as a place in RANKS; past its end there is nothing. */
function rankOf(item) {
  const found = [
    item.state === "failed",
    !item.ready,
    item.state === "paused",
    item.lag_seconds !== null && item.lag_seconds >= BEHIND_SECONDS,
    Boolean(item.dead_letters),
    Boolean(item.warnings.length),
  ];
  return found.includes(true) ? found.indexOf(true) : RANKS.length;
}

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
  setWords($("updated"), "As of ", stamp(Date.now()));
  foldButton($("more-fleet"), isFleetShownWhole, found.length > SHOWN_PIPELINES, `Show all ${count(found.length)}`, `Show the first ${SHOWN_PIPELINES}`);
  $("left-out-fold").hidden = !list.left_out.length;
  setText($("left-out-text"), `${plural(list.left_out.length, "discovered table")} without a pipeline`);
  const line = (each) => element("li", {}, `${each.table}: ${each.reason}`);
  keep($("left-out"), list.left_out, (each) => `${each.table} ${each.reason}`, line, () => {});
  document.title = `${fleetWords(list.items)} · dynamirror`;
}

/** By its name, its state, or what is wrong with it. */
function isWanted(item, wanted) {
  return `${item.name} ${shapeOf(STATES, item.state).word} ${item.reason ?? ""} ${RANKS[rankOf(item)] ?? ""}`.toLowerCase().includes(wanted);
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
  return element("tr", { role: "row" }, name, state, cell("right lag"), cell("right letters"), cell("why"));
}

function fillPipelineRow(row, item) {
  const [, state, lag, letters, why] = row.children;
  const shape = shapeOf(STATES, item.state);
  const rank = rankOf(item);
  row.dataset.tone = rank <= 1 ? "bad" : rank < RANKS.length ? "careful" : shape.tone;
  setIcon(state.firstChild.firstChild, RANK_ICONS[rank] ?? shape.icon);
  setText(state.lastChild, item.ready || item.state === "failed" ? shape.word : `${shape.word}, not ready`);
  setText(lag, item.lag_seconds === null ? "unknown" : duration(item.lag_seconds));
  setText(letters, item.dead_letters === null ? "unknown" : count(item.dead_letters));
  setText(why, item.reason ?? item.warnings[0] ?? RANK_WORDS[RANKS[rank]] ?? "");
}

$("fleet-search").addEventListener("input", () => showFleet(fleetSeen));
$("more-fleet").addEventListener("click", () => {
  isFleetShownWhole = !isFleetShownWhole;
  showFleet(fleetSeen);
});
