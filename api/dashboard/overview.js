// The status document at a glance: state, lag, throughput, queue, the last verification, gaps and warnings.
"use strict";

const BEHIND_SECONDS = 10; // a lag under this is that of a busy pipeline, which keeps up

const RETENTION_SECONDS = 86_400; // what the stream keeps

const NO_VERIFICATION = {
  Never: "Source and replica have not been compared yet.",
  unknown: "What is stored of it could not be read for a while.",
};

let behindSince = null; // this browser's seconds; null while it keeps up
let wasSeenToKeepUp = false;
let lastAnnounced = null;

function showOverview(status) {
  setText($("pipeline"), status.pipeline);
  setText($("version"), status.version);
  setText($("tables"), `${place(status.source)} → ${place(status.replica)}`);
  $("tables").title = status.source.stream_arn ?? "";
  setWords($("updated"), "Status of ", stamp(status.now));
  showState(status);
  showLag(status);
  showThroughput(status);
  showQueue(status.queue);
  showVerification(status.last_verification, status.now, status.dead_letters !== null);
  showAlerts(status);
}

const place = (table) => (table.region ? `${table.table} (${table.region})` : table.table);

function showState(status) {
  const shape = stateShape(status);
  const isGapToldAbove = status.gaps.some((gap) => gap.reason === status.reason);
  setText($("state"), shape.word);
  setIcon($("state-icon"), shape.icon);
  $("state-panel").dataset.tone = shape.tone;
  setText($("reason"), isGapToldAbove ? "History is missing; what and where is told above." : (status.reason ?? ""));
  setWords($("state-advice"), ...(isGapToldAbove ? [] : adviceWords(stateAdvice(status, shape.tone))));
  setText($("role"), status.role === "standby" ? `standby: ${status.active ?? "no process that is known"} replicates` : status.role);
  $("paused-row").hidden = status.paused_since === null;
  setWords($("paused-since"), ...(status.paused_since === null ? [] : pauseWords(status)));
  const memory = memoryOf(status);
  $("memory-row").hidden = memory === null;
  setWords($("memory"), ...(memory === null ? [] : memoryWords(memory)));
  setText($("uptime"), duration(secondsBetween(status.started_at, status.now)));
  setIdle($("pause"), status.state === "paused" || status.refused?.pause !== undefined);
  setIdle($("resume"), ["running", "snapshotting"].includes(status.state) || status.refused?.resume !== undefined);
  const behind = status.lag.seconds === null || status.lag.caught_up ? "" : `, ${duration(status.lag.seconds)} behind`;
  document.title = `${shape.word}${behind} · ${status.pipeline}`;
  if (lastAnnounced !== shape.word) announce(`State: ${shape.word}. ${status.reason ?? ""}`);
  lastAnnounced = shape.word;
}

function pauseWords({ paused_since, paused_by, now }) {
  const by = paused_by ? `, by ${paused_by}` : "";
  return [stamp(paused_since), `, ${duration(secondsBetween(paused_since, now))} ago${by}`];
}

/** A reason is something that a person must see to, whatever else goes on; but not where another process goes on. */
function stateShape({ state, reason, active }) {
  const shape = shapeOf(STATES, state);
  return reason && (shape.tone === "good" || (state === "standby" && !active)) ? { word: `${shape.word}, in trouble`, icon: "warning", tone: "bad" } : shape;
}

/** Of what its reason says, or else of its state, where that is nobody's wish. */
function stateAdvice({ state, reason }, tone) {
  const found = reason ? adviceOf(reason) : null;
  return found ?? (tone === "good" || (reason && state !== "failed") ? null : STATE_ADVICE[state]);
}

/**
 * How long the stream still keeps the oldest change that is needed; null while nobody has to ask. It is as old as the lag;
 * where that is not known, no older than the pause.
 */
function memoryOf({ lag, paused_since, now, state, gaps }) {
  const age = lag.seconds ?? (paused_since === null ? null : secondsBetween(paused_since, now));
  const isAsked = age !== null && (state === "paused" || paused_since !== null || age >= RETENTION_SECONDS / 2);
  if (!isAsked || gaps.length) return null;
  return { left: RETENTION_SECONDS - age, end: Date.parse(now) + (RETENTION_SECONDS - age) * 1000 };
}

function memoryWords({ left, end }) {
  return [stamp(1000 * Math.round(end / 1000)), left > 0 ? `: ${duration(left)} left` : ": it may be lost already"];
}

function showLag({ lag, state }) {
  setText($("lag"), lag.seconds === null ? "unknown" : duration(lag.seconds));
  $("lag-tag").hidden = lag.seconds === null;
  const [word, shape, tone] = behindWords(lag, state);
  setText($("lag-word"), word);
  setIcon($("lag-icon"), shape);
  $("lag-tag").dataset.tone = tone;
  const oldest = lag.oldest_unapplied_at ? [", the oldest from ", stamp(lag.oldest_unapplied_at)] : [];
  const known = lag.unapplied_records
    ? [`${plural(lag.unapplied_records, "record")} read and not applied`, ...oldest]
    : ["Nothing that was read is unapplied"];
  const told = lag.seconds === null ? "No process has told it" : "As the process that replicates told it last";
  setWords($("lag-text"), ...(lag.unapplied_records === null ? [told] : known));
}

/** For how long it has been behind: since this page saw it keep up, or at least since the page was opened. */
function behindWords(lag, state) {
  if (lag.seconds === null || lag.seconds < BEHIND_SECONDS) {
    wasSeenToKeepUp = lag.seconds !== null;
    behindSince = null;
    if (lag.caught_up) return ["caught up", "check", "good"];
    if (lag.unapplied_records === null) return ["as told last", "dots", "busy"];
    const isAtWork = ["running", "snapshotting"].includes(state);
    return isAtWork ? ["keeping up", "dots", "busy"] : ["not caught up", "hourglass", "careful"];
  }
  behindSince ??= seconds();
  const since = duration(Math.floor(seconds() - behindSince));
  return [`behind for ${wasSeenToKeepUp ? "" : "over "}${since}`, "hourglass", "careful"];
}

/** Where another process replicates, what this one reads and writes says nothing of the pipeline. */
function showThroughput({ rates, totals, role }) {
  const told = (number) => (role === "standby" ? "–" : rate(number));
  setText($("read-rate"), told(rates.records_read_per_second));
  setText($("applied-rate"), told(rates.records_applied_per_second));
  const names = ["records_read", "records_applied", "items_written", "records_coalesced", "records_skipped", "retries"];
  const make = (name) => element("div", {}, element("dt", {}, name.replace(/^(records|items)_/, "")), element("dd"));
  keep($("totals"), names, (name) => name, make, (row, name) => setText(row.lastChild, count(totals[name])));
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

function showAlerts(status) {
  const gaps = status.gaps.map((gap) => ({ key: JSON.stringify(gap), gap }));
  const warnings = status.warnings.map((text, at) => warningAlert(status, text, at));
  keep($("alerts"), [...gaps, ...memoryAlerts(status), ...letterAlerts(status), ...warnings], (each) => each.key, makeAlert, fillAlert);
}

/** From half of the stream's memory on; the service's own warning comes later, and is told with the time that is left. */
function memoryAlerts(status) {
  const memory = memoryOf(status);
  if (memory === null || memory.left > RETENTION_SECONDS / 2 || status.warnings.some(isAboutMemory)) return [];
  const isPaused = status.paused_since !== null;
  const why = element("strong", {}, isPaused ? `Paused for ${duration(secondsBetween(status.paused_since, status.now))}. ` : "Far behind. ");
  const what = isPaused ? "Resume it before that" : "Find out what slows it down";
  return [{ key: "memory", words: [why, "The stream's memory ends at ", ...memoryWords(memory), `. ${what}: what is older is lost.`] }];
}

/** They may be far below, and the state is a good one. */
function letterAlerts({ dead_letters }) {
  if (!dead_letters) return [];
  const link = element("a", { href: "#letters-panel" }, "see them and their causes");
  return [{ key: "letters", words: [`${plural(dead_letters, "change")} could not be written: `, link, "."] }];
}

const isAboutMemory = (warning) => warning.includes("hours behind");

function warningAlert(status, text, at) {
  const memory = isAboutMemory(text) ? memoryOf(status) : null;
  const end = memory === null ? [] : [". The stream's memory ends at ", ...memoryWords(memory), "."];
  return { key: `${at} ${memory === null ? text : "memory"}`, text, words: [text, ...end] };
}

function fillAlert(alert, { words, text = "" }) {
  if (words) setWords(alert.querySelector("p"), ...words);
  if (words) setWords(alert.querySelector(".advice"), ...adviceWords(adviceOf(text)));
}

function makeAlert({ gap }) {
  if (!gap) return element("div", { className: "banner careful" }, icon("warning"), element("div", {}, element("p"), element("p", { className: "soft small advice" })));
  const where = gap.shard_id ? `Shard ${gap.shard_id}` : "The whole stream";
  const after = gap.after_sequence_number ? `, after ${gap.after_sequence_number}` : "";
  const words = element(
    "div",
    {},
    element("p", {}, element("strong", {}, "A gap: history is missing. "), gap.reason),
    element("p", { className: "soft small" }, `${where}${after}. Found `, stamp(gap.detected_at), "."),
    element("p", { className: "soft small advice" }, ...adviceWords(adviceOf(gap.reason))),
  );
  const mend = element("button", { type: "button", className: "change" }, "Snapshot…");
  mend.addEventListener("click", askForSnapshot);
  return element("div", { className: "banner bad" }, icon("failed"), words, mend);
}
