// Replays, snapshots, verifications and redrives: those that run with their progress, then the latest ones with their results.
"use strict";

const SHOWN_JOBS = 4;
const JOB_LISTS = { Replay: "/replays", Snapshot: "/snapshots", Verification: "/verifications", Redrive: "/redrives" };
const STARTED_BY = { admin: "by an admin", schedule: "by its settings", gap: "to mend a gap" };
let jobsSeen = [];
let areAllJobsShown = false;

/** Ask for the lists. What can't be had is said in the panel; the lists seen before stay. */
async function pollJobs() {
  const names = Object.keys(JOB_LISTS);
  try {
    const lists = await Promise.all(names.map((name) => read(JOB_LISTS[name])));
    jobsSeen = lists.flatMap((list, at) => list.items.map((job) => ({ ...job, kind: names[at] })));
    showJobs();
  } catch (error) {
    setText($("jobs-text"), `Not up to date: ${error.message}`);
  }
}

function showJobs() {
  const isRunning = (job) => job.state === "running";
  const newest = [...jobsSeen].sort((one, other) => (one.started_at < other.started_at ? 1 : -1));
  const ordered = [...newest.filter(isRunning), ...newest.filter((job) => !isRunning(job))];
  const running = newest.filter(isRunning).length;
  const shown = areAllJobsShown ? ordered : ordered.slice(0, Math.max(SHOWN_JOBS, running));
  keep($("jobs"), shown, (job) => `${job.kind} ${job.id}`, makeJob, fillJob);
  setText($("jobs-text"), running ? `${count(running)} running` : ordered.length ? "None running" : "None yet");
  const isCut = areAllJobsShown || shown.length < ordered.length;
  foldButton($("more-jobs"), areAllJobsShown, isCut, `Show all ${count(ordered.length)}`, "Show fewer");
}

function makeJob(job) {
  return element(
    "li",
    { className: "job" },
    element("p", { className: "job-name" }, icon("ring"), element("strong"), " ", element("span")),
    cancelButton(job),
    element("p", { className: "job-when soft small" }),
    element("progress", { max: 1, "aria-label": `${job.kind} ${job.id}` }),
    element("p", { className: "job-counts small" }),
    element("p", { className: "job-error" }),
    element("details", { className: "small" }, element("summary"), element("ul", { className: "keys" })),
  );
}

function cancelButton(job) {
  const button = element("button", { type: "button", className: "change", "aria-label": `Cancel ${job.kind.toLowerCase()} ${job.id}` }, "Cancel…");
  button.addEventListener("click", () => askToCancel(job));
  return button;
}

function fillJob(row, job) {
  const [name, cancel, when, progress, numbers, error, keys] = row.children;
  cancel.hidden = job.state !== "running" || job.needed === true || isStandby;
  const shape = jobShape(job);
  row.dataset.tone = shape.tone;
  setIcon(name.children[0].firstChild, shape.icon);
  setText(name.children[1], job.kind);
  setWords(name.children[2], shape.word, ...jobWords(job));
  setWords(when, ...jobTimes(job));
  showProgress(progress, job);
  setText(numbers, jobNumbers(job));
  setWords(error, ...(job.error ? [`${job.error} `, ...adviceWords(adviceOf(job.error))] : []));
  const [lines, what] = job.failures ? [job.failures, "refused letter"] : [job.differing_keys ?? [], "differing key"];
  keys.hidden = !lines.length;
  setText(keys.children[0], plural(lines.length, what));
  const line = (entry) => element("li", {}, ...(job.failures ? [id(entry.id), `: ${entry.error}`] : [`${entry.kind}: ${keyWords(entry.key)}`]));
  keep(keys.children[1], lines, (entry) => JSON.stringify(entry), line, () => {});
}

/** A job that is done and leaves something for a person is no good news: its shape and its words say so. */
function jobShape(job) {
  const shape = shapeOf(JOB_STATES, job.state);
  const left = job.state === "done" ? leftWords(job) : "";
  return left ? { word: `${shape.word}, ${left}`, icon: "warning", tone: "careful" } : shape;
}

function leftWords(job) {
  if (job.kind === "Verification") {
    const left = job.missing + job.extra + job.different - job.repaired;
    return left > 0 ? `${plural(left, "difference")} left` : "";
  }
  if (job.kind === "Redrive") return job.failed > 0 ? `${count(job.failed)} refused again` : "";
  const left = job.kind === "Replay" ? job.records_read - job.records_applied - job.records_unchanged : 0;
  return left > 0 ? `${plural(left, "record")} not applied` : "";
}

function jobWords(job) {
  const words = [];
  if (job.sequence_number) words.push(", from ", id(job.sequence_number));
  if (job.from_time) words.push(", from ", stamp(job.from_time));
  if (job.from) words.push(", from the trim horizon");
  if (job.dry_run) words.push(", dry run");
  if (job.repair) words.push(", with repair");
  if (job.needed) words.push(", which the replica needs: it can't be cancelled, a pause stops it");
  if (job.sample) words.push(`, a sample of ${Number((100 * job.sample).toFixed(2))} %`);
  return words;
}

function jobTimes(job) {
  const took = job.finished_at ? `, took ${duration(secondsBetween(job.started_at, job.finished_at))}` : "";
  return [id(job.id), ` began ${STARTED_BY[job.started_by] ?? ""} `, stamp(job.started_at), `${took}${paceWords(job)}`];
}

const doneOf = (job) => job.items_scanned ?? job.items_read ?? job.records_read ?? job.redriven + job.superseded + job.failed;

function paceWords({ per_second, seconds_left }) {
  if (per_second === null || per_second === undefined) return "";
  return `, ${rate(per_second)}/s${seconds_left === null ? "" : `, about ${duration(Math.ceil(seconds_left))} left`}`;
}

/** A bar while it runs: how far it is, or, where the end is not known, only that it goes on. */
function showProgress(progress, job) {
  const estimated = job.items_estimated ?? job.letters ?? 0;
  const done = doneOf(job);
  progress.hidden = job.state !== "running";
  if (isEstimated(done, estimated)) progress.value = Math.min(0.99, done / estimated);
  else progress.removeAttribute("value");
}

function jobNumbers(job) {
  if (job.kind === "Replay") {
    const would = job.dry_run ? "would apply" : "applied";
    return `${count(job.records_read)} read · ${count(job.records_applied)} ${would} · ${count(job.records_unchanged)} unchanged`;
  }
  if (job.kind === "Snapshot") {
    const part = job.state === "running" ? partWords(job.items_scanned, job.items_estimated) : "";
    return `${count(job.items_scanned)} scanned${part} · ${count(job.items_written)} written`;
  }
  if (job.kind === "Redrive") {
    return `${count(job.redriven)} written · ${count(job.superseded)} superseded · ${count(job.failed)} refused again`;
  }
  const part = job.state === "running" ? partWords(job.items_read ?? 0, job.items_estimated) : "";
  const kinds = ["missing", "extra", "different", "repaired"].map((kind) => `${count(job[kind])} ${kind}`);
  return `${count(job.items_compared)} compared${part} · ${kinds.join(" · ")}`;
}

/** DynamoDB's own count is up to six hours old: what has been passed already tells nothing. */
const isEstimated = (done, estimated) => estimated > 0 && done <= estimated;

const partWords = (done, estimated) =>
  isEstimated(done, estimated) ? ` (about ${Math.min(99, Math.floor((100 * done) / estimated))} %)` : "";

$("more-jobs").addEventListener("click", () => {
  areAllJobsShown = !areAllJobsShown;
  showJobs();
});
