// The status document at a glance: state, lag, throughput, queue, the last verification, gaps and warnings.
"use strict";

const RETENTION_SECONDS = 86_400; // what the stream keeps
const LONG_SECONDS = 60; // a lag that is no moment's

const NO_VERIFICATION = {
  Never: "Source and replica have not been compared yet.",
  unknown: "What is stored of it could not be read for a while.",
};

let lastAnnounced = null;

function showOverview(status) {
  noteNames(status);
  setText($("pipeline"), status.pipeline);
  setText($("version"), status.version);
  setWords($("tables"), place(status.source), " → ", place(status.replica));
  $("tables").title = status.source.stream_arn ?? "";
  setWords($("updated"), "Status of ", stamp(status.now));
  showState(status);
  showLag(status);
  showThroughput(status);
  showQueue(status.queue);
  showVerification(status.last_verification, status.now, status.dead_letters !== null);
  showAlerts(status);
}

const place = ({ table, region }) => element("span", { className: "whole" }, table, ...(region ? [" ", element("span", { className: "unbroken" }, `(${region})`)] : []));

function showState(status) {
  const shape = verdictOn(itemOf(status));
  const isGapToldAbove = status.gaps.some((gap) => gap.reason === status.reason);
  setText($("state"), shape.word);
  setIcon($("state-icon"), shape.icon);
  $("state-panel").dataset.tone = shape.tone;
  setWords($("reason"), ...(isGapToldAbove ? ["History is missing; what and where is told above."] : sentence(status.reason ?? "")));
  keep($("reason-whole"), isGapToldAbove ? [] : wholeSentence(status.reason ?? ""), (fold) => fold.textContent, (fold) => fold, () => {});
  setWords($("state-advice"), ...(isGapToldAbove ? [] : adviceWords(stateAdvice(status))));
  showProcess(status);
  $("paused-row").hidden = status.paused_since === null;
  setWords($("paused-since"), ...(status.paused_since === null ? [] : pauseWords(status)));
  const memory = memoryOf(status);
  $("memory-row").hidden = memory === null;
  setWords($("memory"), ...(memory === null ? [] : memoryWords(memory)));
  const behind = status.lag.seconds === null || status.lag.caught_up ? "" : `, ${duration(status.lag.seconds)} behind`;
  document.title = `${behind ? shape.word.replace(/, behind$/, "") : shape.word}${behind} · ${status.pipeline}`;
  if (lastAnnounced !== shape.word) announce(`State: ${shape.word}. ${status.reason ?? ""}`);
  lastAnnounced = shape.word;
}

function pauseWords({ paused_since, paused_by, now }) {
  const by = paused_by ? `, by ${paused_by}` : "";
  return [stamp(paused_since), `, ${duration(secondsBetween(paused_since, now))} ago${by}`];
}

/** An older service tells neither its own name nor since when it replicates. */
function showProcess({ role, active, process, active_since, started_at, now }) {
  const since = active && active_since ? [" since ", stamp(active_since)] : [];
  setWords($("role"), ...(role === "standby" ? [`standby: ${active ?? "no process that is known"} replicates`, ...since] : [role]));
  for (const [name, told, words] of [["process", process, id], ["active-since", role === "standby" ? null : active_since, stamp]]) {
    $(`${name}-row`).hidden = !told;
    setWords($(name), ...(told ? [words(told)] : []));
  }
  setText($("uptime"), duration(secondsBetween(started_at, now)));
}

/** Of what its reason says, or else of its state, where that is nobody's wish. */
function stateAdvice({ state, reason, active }) {
  const isCalm = state === "standby" && active; // whatever it lost: nothing has to be done
  const found = reason && !isCalm ? adviceOf(reason) : null;
  return found ?? (shapeOf(STATES, state).tone === "good" || (reason && !isCalm && state !== "failed") ? null : STATE_ADVICE[state]);
}

/**
 * How long the stream still keeps the oldest change that is needed; null while nobody has to ask. It is as old as the lag;
 * where that is not known, no older than the pause.
 */
function memoryOf(status) {
  const memory = keptUntil(status);
  const isAsked = memory !== null && (status.state === "paused" || status.paused_since !== null || memory.left <= RETENTION_SECONDS / 2);
  return isAsked ? memory : null;
}

/** Null where that is not known, or something is lost already. */
function keptUntil({ lag, paused_since, now, gaps }) {
  const age = lag.seconds ?? (paused_since === null ? null : secondsBetween(paused_since, now));
  if (age === null || gaps.length) return null;
  return { left: RETENTION_SECONDS - age, end: Date.parse(now) + (RETENTION_SECONDS - age) * 1000 };
}

function memoryWords({ left, end }) {
  return [stamp(1000 * Math.round(end / 1000)), left > 0 ? `: ${duration(left)} left` : ": it may be lost already"];
}

function showLag(status) {
  const { lag, state, role, active, now } = status;
  setText($("lag"), lag.seconds === null ? "unknown" : duration(lag.seconds));
  $("lag-tag").hidden = lag.seconds === null;
  const [word, shape, tone] = behindWords(lag, state, Date.parse(now));
  setText($("lag-word"), word);
  setIcon($("lag-icon"), shape);
  $("lag-tag").dataset.tone = tone;
  const oldest = lag.oldest_unapplied_at ? [", the oldest from ", stamp(lag.oldest_unapplied_at)] : [];
  const known = lag.unapplied_records
    ? [`${plural(lag.unapplied_records, "record")} read and not applied`, ...oldest]
    : [state === "paused" ? "Nothing is read during a pause" : "Nothing that was read is unapplied"];
  const doubt = lag.keys_in_doubt ? [`; ${plural(lag.keys_in_doubt, "key")} in doubt: a write of each was given up that may still take effect; they are looked at again by themselves`] : [];
  const last = active ? "As the process that replicates told it last" : "As the process that replicated told it last, and growing";
  const here = role === "active" ? "And growing: this process has the pipeline, and reads nothing" : last;
  const told = lag.seconds === null ? "No process has told it" : here;
  setWords($("lag-text"), ...(lag.unapplied_records === null ? [told] : [...known, ...doubt]), ...lossWords(status));
}

/** From when on something would be lost, where that is not told above. */
function lossWords(status) {
  const memory = keptUntil(status);
  if (memory === null || status.lag.seconds < LONG_SECONDS || memoryOf(status) !== null) return [];
  return [". Nothing is lost before ", stamp(1000 * Math.round(memory.end / 1000)), ", when the oldest change is 24 hours old"];
}

/** For how long it has been behind: at least as long as the oldest change waits, and as the history tells. */
function behindWords(lag, state, now) {
  if (lag.seconds === null || lag.seconds < BEHIND_SECONDS) {
    if (lag.caught_up) return ["caught up", "check", "good"];
    if (lag.unapplied_records === null) return ["as told last", "dots", "busy"];
    const isAtWork = ["running", "snapshotting"].includes(state);
    return isAtWork ? ["keeping up", "dots", "busy"] : ["not caught up", "hourglass", "careful"];
  }
  const { since, isWhole } = highLagSince(BEHIND_SECONDS);
  const longest = Math.max(lag.seconds, (now - (since ?? now)) / 1000);
  return [`behind for ${isWhole ? "" : "over "}${duration(longest)}`, "hourglass", "careful"];
}

/** Where another process replicates, what this one reads and writes says nothing of the pipeline. */
function showThroughput({ rates, totals, role, lag }) {
  const told = (number) => (role === "standby" ? "–" : rate(number));
  setText($("read-rate"), told(rates.records_read_per_second));
  setText($("applied-rate"), told(rates.records_applied_per_second));
  const { shown, applied } = sumsOf(totals, lag);
  showFacts($("totals"), shown);
  showFacts($("applied-totals"), applied);
  $("applied-row").hidden = !totals.records_applied;
}

/** What was read is the sum of the next four; what was applied, of its own. An older service tells fewer. */
function sumsOf(totals, { unapplied_records, keys_in_doubt }) {
  const shown = {
    read: totals.records_read,
    applied: totals.records_applied,
    unapplied: unapplied_records,
    skipped: totals.records_skipped,
    "dead letters": totals.records_dead_lettered,
    "keys in doubt": keys_in_doubt || null,
    retries: totals.retries,
  };
  const applied = {
    written: totals.items_written,
    coalesced: totals.records_coalesced,
    unchanged: totals.records_unchanged ?? null,
    stale: totals.records_stale ?? null,
  };
  return { shown, applied };
}

function showFacts(list, facts) {
  const known = Object.keys(facts).filter((name) => facts[name] !== null);
  const make = (name) => element("div", {}, element("dt", {}, name), element("dd"));
  keep(list, known, (name) => name, make, (row, name) => setText(row.lastChild, count(facts[name])));
}

function showQueue(queue) {
  gauge("queue-records", queue.records, queue.max_records, count);
  gauge("queue-bytes", queue.bytes, queue.max_bytes, bytes);
  const isFull = queue.records >= queue.max_records || queue.bytes >= queue.max_bytes;
  setText($("queue-text"), isFull ? "Full: the reads wait until there is room." : "A full queue stops the reads.");
}

function gauge(id, value, most, words) {
  const part = most > 0 ? Math.min(1, value / most) : 0;
  $(id).value = part;
  $(id).classList.toggle("is-full", part >= 0.9);
  setText($(`${id}-text`), `${words(value)} of ${words(most)} · ${Math.round(100 * part)} %`);
}

/** Without a last one there never was any, or, where `isKnown` is false, nobody here can tell. */
function showVerification(found, now, isKnown) {
  const differences = found ? found.missing + found.extra + found.different : 0;
  const left = found ? differences - found.repaired : 0;
  const isGood = found && found.state === "done" && left === 0;
  const good = differences ? "All mended" : "All equal";
  const never = isKnown ? "Never" : "unknown";
  const word = !found ? never : found.state === "done" ? (isGood ? good : plural(left, "difference")) : found.state;
  setText($("verification"), word);
  setIcon($("verification-icon"), !found ? "ring" : isGood ? "check" : "warning");
  $("verification").parentElement.dataset.tone = !found ? "calm" : isGood ? "good" : "careful";
  setText($("verification-text"), found ? verificationWords(found, now) : NO_VERIFICATION[never]);
}

function verificationWords(found, now) {
  const when = found.finished_at ? `, ${duration(secondsBetween(found.finished_at, now))} ago` : "";
  const kinds = ["missing", "extra", "different", "repaired"].filter((kind) => found[kind]);
  const parts = kinds.map((kind) => `${count(found[kind])} ${kind}`);
  return `${plural(found.items_compared, "item")} compared${when}${parts.length ? `: ${parts.join(", ")}` : ""}.`;
}
