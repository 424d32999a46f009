// What is worst about a pipeline: the same word, shape and tone in the list and on its own page.
"use strict";

const BEHIND_SECONDS = 10; // a lag under this is that of a busy pipeline, which keeps up
const RANKS = ["failed", "in trouble", "paused", "behind", "not ready yet", "with dead letters", "with warnings"];
const RANK_SHAPES = [["failed", "bad"], ["warning", "bad"], ["pause", "careful"], ["hourglass", "careful"], ["dots", "busy"], ["warning", "careful"], ["warning", "careful"]];
const PASSING = ["starting", "stopping"]; // states that nobody has to end

/** A place in RANKS; past its end there is nothing. Takes an item of GET /pipelines. */
function rankOf({ state, ready, lag_seconds, dead_letters, warnings }) {
  const found = [
    state === "failed",
    !ready && !PASSING.includes(state),
    state === "paused",
    lag_seconds !== null && lag_seconds >= BEHIND_SECONDS,
    !ready,
    Boolean(dead_letters),
    Boolean(warnings.length),
  ];
  return found.includes(true) ? found.indexOf(true) : RANKS.length;
}

/**
 * A status document as such an item. A reason is something that a person must see to, whatever else goes on; but not
 * where another process goes on.
 */
function itemOf({ state, reason, active, lag, dead_letters, warnings }) {
  const ready = !reason || (state === "standby" && Boolean(active));
  return { state, ready, lag_seconds: lag.seconds, dead_letters, warnings };
}

/** Only what is good news by its state becomes worse by a lag, by dead letters or warnings. */
function verdictOn(item) {
  const shape = shapeOf(STATES, item.state);
  const rank = rankOf(item);
  const [icon, tone] = RANK_SHAPES[rank] ?? [];
  if (RANKS[rank] === "in trouble") return { word: `${shape.word}, in trouble`, icon, tone };
  if (icon === undefined || shape.tone !== "good") return shape;
  return { word: RANKS[rank] === "behind" ? `${shape.word}, behind` : shape.word, icon, tone };
}
