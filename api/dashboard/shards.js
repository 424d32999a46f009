// The shard tree: children stand below their parents. A thousand stay usable: closed ones are folded, the list is cut.
"use strict";

const SHOWN_SHARDS = 30;
const fold = { isClosedShown: false, isAllShown: false, opened: new Set() };
let shardsSeen = [];
let pipelineSeen = {}; // its role and state

/**
 * The tree as rows, top to bottom, trees with a failed shard first. A shard that is left out hands its place to its
 * children, which tell how many are folded above them.
 */
function shardRows(shards, isShown) {
  const known = new Set(shards.map((shard) => shard.shard_id));
  const children = new Map();
  for (const shard of shards) {
    const parent = known.has(shard.parent_shard_id) ? shard.parent_shard_id : null;
    if (!children.has(parent)) children.set(parent, []);
    children.get(parent).push(shard);
  }
  for (const each of children.values()) each.sort((one, other) => (one.shard_id < other.shard_id ? -1 : 1));
  const trees = (children.get(null) ?? []).map((root) => treeRows(root, children, isShown));
  const hasFailed = (rows) => rows.some((row) => row.shard.state === "failed");
  return [...trees.filter(hasFailed), ...trees.filter((rows) => !hasFailed(rows))].flat();
}

function treeRows(root, children, isShown) {
  const rows = [];
  const waiting = [{ shard: root, depth: 0, folded: 0 }];
  while (waiting.length) {
    const { shard, depth, folded } = waiting.pop();
    const shown = isShown(shard);
    const born = children.get(shard.shard_id)?.length ?? 0;
    if (shown) rows.push({ shard, depth, folded, born });
    const below = { depth: depth + (shown ? 1 : 0), folded: shown ? 0 : folded + 1 };
    for (const child of [...(children.get(shard.shard_id) ?? [])].reverse()) waiting.push({ shard: child, ...below });
  }
  return rows;
}

function showShards(shards, pipeline) {
  shardsSeen = shards;
  pipelineSeen = pipeline;
  const closed = shards.filter((shard) => shard.state === "closed").length;
  const opened = ancestorsOf(shards, fold.opened);
  const rows = shardRows(shards, (shard) => fold.isClosedShown || shard.state !== "closed" || opened.has(shard.shard_id));
  const shown = fold.isAllShown ? rows : rows.slice(0, SHOWN_SHARDS);
  keep($("shards"), shown, (row) => row.shard.shard_id, makeShardRow, fillShardRow);
  $("shard-table").hidden = !shards.length;
  setWords($("shards-text"), ...shardWords(shards));
  foldButton($("closed-shards"), fold.isClosedShown, closed, `Show ${count(closed)} closed`, "Fold closed");
  const rest = rows.length - SHOWN_SHARDS;
  foldButton($("more-shards"), fold.isAllShown, rest > 0, `Show all ${count(rows.length)}`, `Show the first ${SHOWN_SHARDS}`);
}

/** The closed ones above those shards whose history somebody has unfolded. */
function ancestorsOf(shards, ids) {
  const parents = new Map(ids.size ? shards.map((shard) => [shard.shard_id, shard.parent_shard_id]) : []);
  const found = new Set();
  for (const id of ids) for (let at = parents.get(id); at && !found.has(at); at = parents.get(at)) found.add(at);
  return found;
}

function foldButton(button, isOpen, isNeeded, open, close) {
  button.hidden = !isNeeded;
  button.setAttribute("aria-expanded", String(isOpen));
  setText(button, isOpen ? close : open);
}

function shardWords(shards) {
  if (!shards.length) return [pipelineSeen.role === "standby" ? "The process that replicates knows them" : "None known yet"];
  const states = Object.keys(SHARD_STATES).map((state) => [state, shards.filter((shard) => shard.state === state).length]);
  const parts = states.filter(([, number]) => number).map(([state, number]) => `${count(number)} ${isIdle(state) ? "not read now" : state.replaceAll("_", " ")}`);
  const worst = shards.reduce((most, shard) => (shard.lag_seconds > most.lag_seconds ? shard : most));
  const behind = worst.lag_seconds >= BEHIND_SECONDS ? [". Most behind: ", id(worst.shard_id), `, ${duration(worst.lag_seconds)}`] : [];
  return [`${count(shards.length)}: ${parts.join(", ")}`, ...behind];
}

/** An open one of a pipeline that does not read. */
const isIdle = (state) => state === "reading" && ["paused", "failed"].includes(pipelineSeen.state);

function makeShardRow({ shard }) {
  const cell = (className = "") => element("td", { className, role: "cell" });
  const above = element("button", { type: "button", className: "quiet small" });
  const name = element("td", { className: "name", role: "cell" }, element("span", { className: "id" }), " ", element("span", { className: "soft small" }), " ", above);
  const state = element("td", { className: "status", role: "cell" }, icon("ring"), element("span"));
  above.addEventListener("click", () => {
    fold.opened.add(shard.shard_id);
    showShards(shardsSeen, pipelineSeen);
  });
  return element("tr", { role: "row" }, name, state, cell("right lag"), cell("right read"), cell("right applied"), cell("wide"));
}

function fillShardRow(row, { shard, depth, folded, born }) {
  const [name, state, lag, read, applied, checkpoint] = row.children;
  const shape = isIdle(shard.state) ? { word: "not read now", icon: "pause", tone: "careful" } : shapeOf(SHARD_STATES, shard.state);
  row.dataset.tone = shape.tone;
  name.style.setProperty("--depth", Math.min(depth, 6));
  name.classList.toggle("is-child", depth > 0);
  name.title = shard.parent_shard_id ? `Child of ${shard.parent_shard_id}` : "";
  setText(name.firstChild, shard.shard_id);
  setText(name.children[1], born > 1 ? `split into ${count(born)}` : born ? "continued by one" : "");
  setText(name.lastChild, `after ${count(folded)} closed`);
  name.lastChild.hidden = !folded;
  setIcon(state.firstChild.firstChild, shape.icon);
  setText(state.lastChild, shape.word);
  setText(lag, shard.state === "closed" ? "–" : duration(shard.lag_seconds));
  setText(read, count(shard.records_read));
  setText(applied, count(shard.records_applied));
  setText(checkpoint, shard.checkpoint ?? "–");
}

$("closed-shards").addEventListener("click", () => {
  fold.opened.clear();
  fold.isClosedShown = !fold.isClosedShown;
  showShards(shardsSeen, pipelineSeen);
});
$("more-shards").addEventListener("click", () => {
  fold.isAllShown = !fold.isAllShown;
  showShards(shardsSeen, pipelineSeen);
});
