// What stands above everything: gaps, a stream that forgets soon, dead letters, warnings, and who took over.
"use strict";

const RECENTLY_SECONDS = 3600;

function showAlerts(status) {
  const gaps = status.gaps.map((gap) => ({ key: JSON.stringify(gap), gap }));
  const warnings = status.warnings.map((text, at) => warningAlert(status, text, at));
  const alerts = [...gaps, ...memoryAlerts(status), ...letterAlerts(status), ...warnings, ...takeoverAlerts(status)];
  keep($("alerts"), alerts, (each) => each.key, makeAlert, fillAlert);
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

/** For an hour: otherwise the page of the new owner would look as if nothing had happened. */
function takeoverAlerts(status) {
  const since = takeoverOf(status);
  const age = since === null ? Infinity : secondsBetween(since, status.now);
  if (age > RECENTLY_SECONDS) return [];
  const why = element("strong", {}, `This process took over ${duration(Math.floor(age))} ago`);
  return [{ key: "takeover", tone: "busy", words: [why, ", at ", stamp(since), ": the one that replicated before let the lease go, or lost it. Nothing has to be done; the log of that process says why."] }];
}

const isAboutMemory = (warning) => warning.includes("hours behind");

function warningAlert(status, text, at) {
  const memory = isAboutMemory(text) ? memoryOf(status) : null;
  const end = memory === null ? [] : [". The stream's memory ends at ", ...memoryWords(memory), "."];
  return { key: `${at} ${memory === null ? text : "memory"}`, text, words: [...sentence(text), ...end] };
}

function fillAlert(alert, { words, text = "" }) {
  if (words) setWords(alert.querySelector("p"), ...words);
  if (words) setWords(alert.querySelector(".advice"), ...adviceWords(adviceOf(text)));
}

const ALERT_ICONS = { careful: "warning", busy: "ring" };

function makeAlert({ gap, tone = "careful", text = "" }) {
  if (!gap) return element("div", { className: `banner ${tone}` }, icon(ALERT_ICONS[tone]), element("div", {}, element("p"), element("p", { className: "small advice" }), ...wholeSentence(text)));
  const where = gap.shard_id ? ["Shard ", id(gap.shard_id)] : ["The whole stream"];
  const after = gap.after_sequence_number ? [", after ", id(gap.after_sequence_number)] : [];
  const words = element(
    "div",
    {},
    element("p", {}, element("strong", {}, "A gap: history is missing. "), ...sentence(gap.reason)),
    element("p", { className: "soft small" }, ...where, ...after, ". Found ", stamp(gap.detected_at), "."),
    element("p", { className: "small advice" }, ...adviceWords(adviceOf(gap.reason))),
    ...wholeSentence(gap.reason),
  );
  const mend = element("button", { type: "button", className: "change" }, "Snapshot…");
  mend.addEventListener("click", askForSnapshot);
  return element("div", { className: "banner bad" }, icon("failed"), words, mend);
}
