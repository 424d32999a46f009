// What may be changed from this page, and what is asked before.
"use strict";

function askToPause() {
  confirmChange({
    title: "Pause replication?",
    text: "Writes to the replica stop, and stay stopped through restarts, until you resume. The stream keeps 24 hours: a longer pause loses history.",
    go: "Pause",
    act: async () => {
      showStatus(await change("POST", "/pause"));
      return "Paused. No write is in flight.";
    },
  });
}

function askToResume() {
  confirmChange({
    title: "Resume replication?",
    text: "Writes to the replica go on from where they stopped.",
    go: "Resume",
    act: async () => {
      showStatus(await change("POST", "/resume"));
      return "Resumed.";
    },
  });
}

function askForReplay() {
  confirmChange({
    title: "Replay the stream?",
    text: "Records are applied again from a place on. Items that are newer in the replica stay as they are.",
    go: "Start replay",
    fields: "replay-fields",
    prepare: (form) => {
      const follow = () => {
        for (const each of form.querySelectorAll("[data-start]")) each.hidden = each.dataset.start !== form.elements.start.value;
      };
      form.querySelector("fieldset").addEventListener("change", follow);
      follow();
    },
    act: async (form) => {
      const begun = await change("POST", "/replay", replayRequest(form.elements));
      void pollJobs();
      return `${begun.dry_run ? "Dry run" : "Replay"} ${begun.id} has begun.`;
    },
  });
}

/** The request's body. Raises an Error with what is missing. */
function replayRequest({ start, sequence_number, shard_id, from_time, dry_run }) {
  const asked = { dry_run: dry_run.checked };
  if (start.value === "from") return { ...asked, from: "trim_horizon" };
  if (start.value === "from_time") {
    if (!from_time.value) throw new Error("Give a date and a time to replay from.");
    return { ...asked, from_time: new Date(`${from_time.value}Z`).toISOString() };
  }
  const number = sequence_number.value.trim();
  if (!/^[0-9]{1,40}$/.test(number)) throw new Error("Give a sequence number: 21 to 40 digits.");
  const shard = shard_id.value.trim();
  return { ...asked, sequence_number: number, ...(shard ? { shard_id: shard } : {}) };
}

function askForSnapshot() {
  confirmChange({
    title: "Copy the whole source table?",
    text: "A snapshot reads every item of the source and writes those that the replica lacks, safely beside the stream. It costs reads and writes for the whole table.",
    go: "Start snapshot",
    act: async () => {
      const begun = await change("POST", "/snapshot");
      void pollJobs();
      return `Snapshot ${begun.id} has begun.`;
    },
  });
}

function askToVerify() {
  confirmChange({
    title: "Compare source and replica?",
    text: "Every item of both tables is read and compared. It costs reads for both whole tables.",
    go: "Start verification",
    fields: "verify-fields",
    act: async (form) => {
      const begun = await change("POST", "/verify", { repair: form.elements.repair.checked });
      void pollJobs();
      return `Verification ${begun.id} has begun.`;
    },
  });
}

const REDRIVEN_AT_ONCE = 100; // ids that one call takes

/** Null: all that there are. The outcome is told at `place`, beside what was clicked. */
function askToRedrive(letters, place) {
  const bodies = letters === null ? [{ all: true }] : chunks(letters, REDRIVEN_AT_ONCE).map((some) => ({ ids: some.map(({ id }) => id) }));
  confirmChange({
    title: letters === null ? "Redrive all dead letters?" : `Redrive ${plural(letters.length, "dead letter")}?`,
    text: `${letters === null ? "All of them are" : letterSentence(letters)} written again, unless a newer state of the item has been applied since.`,
    go: "Redrive",
    place,
    act: async () => {
      const begun = await change("POST", "/dead-letters/redrive", bodies[0]);
      const outcome = followRedrive(begun, bodies.slice(1), place);
      if (begun.state !== "running" && bodies.length === 1) return outcome;
      void outcome.then((sentence) => tell(sentence, "good", place), (error) => tell(`Redrive: ${error.message}`, "bad", place));
      return null;
    },
  });
}

/** Until it has ended, whatever it takes; then the list is true. Returns the outcome as a sentence. */
async function followRedrive(answer, bodies, place) {
  const sum = { redriven: 0, superseded: 0, failed: 0 };
  tell("Under way…", "careful", place); // and so its group is kept
  const add = (ended) => Object.keys(sum).forEach((name) => (sum[name] += ended[name]));
  try {
    for (let rest = bodies; ; rest = rest.slice(1)) {
      for (; answer.state === "running"; answer = await read(`/redrives/${encodeURIComponent(answer.id)}`)) {
        tell(`Redrive ${answer.id} goes on: ${redriveWords({ ...answer, redriven: sum.redriven + answer.redriven })}`, "careful", place);
        await new Promise((resolve) => setTimeout(resolve, 1000));
      }
      add(answer);
      if (answer.state === "failed" || answer.state === "cancelled") throw new Error(`${answer.error ?? "it was cancelled"}; ${redriveWords(sum)}`);
      if (!rest.length) return redriveWords(sum);
      answer = await change("POST", "/dead-letters/redrive", rest[0]);
    }
  } finally {
    await fetchLetters();
    pollNow();
    void pollJobs();
  }
}

const redriveWords = ({ redriven, superseded, failed }) => `${count(redriven)} written, ${count(superseded)} not needed any more, ${count(failed)} refused again.`;

function askToDiscard(letters, place) {
  confirmChange({
    title: `Discard ${plural(letters.length, "dead letter")}?`,
    text: `${letterSentence(letters)} given up for good: the replica keeps what it has.`,
    go: "Discard",
    isDestructive: true,
    place,
    act: async () => {
      try {
        for (const { id } of letters) await discard(id);
        tell("Discarded.", "good", place); // and so its group is kept
      } finally {
        await fetchLetters();
        pollNow();
      }
      return letters.length === 1 ? `Discarded ${keyWords(letters[0].keys)}.` : `Discarded ${count(letters.length)}.`;
    },
  });
}

/** One that is gone meanwhile is discarded. */
async function discard(id) {
  try {
    await change("DELETE", `/dead-letters/${encodeURIComponent(id)}`);
  } catch (error) {
    if (error.status !== 404) throw error;
  }
}

function letterSentence(letters) {
  const [{ event_name, keys }] = letters;
  return letters.length === 1 ? `${event_name} ${keyWords(keys)} is` : `${plural(letters.length, "change")} are`;
}

function chunks(items, size) {
  return Array.from({ length: Math.ceil(items.length / size) }, (_, at) => items.slice(at * size, (at + 1) * size));
}

function askToCancel(job) {
  const name = job.kind.toLowerCase();
  confirmChange({
    title: `Cancel this ${name}?`,
    text: `${job.kind} ${job.id} ends, and is never taken up again. What it has written stays.`,
    go: `Cancel the ${name}`,
    isDestructive: true,
    place: $("jobs-notice"),
    act: async () => {
      try {
        await change("DELETE", `${JOB_LISTS[job.kind]}/${encodeURIComponent(job.id)}`);
      } catch (error) {
        if (error.status !== 409 && error.status !== 404) throw error;
        const ended = await endedMeanwhile(job);
        if (!ended) throw error;
        return `${job.kind} ${job.id} had ended already: ${ended}.`;
      }
      await pollJobs();
      return `${job.kind} ${job.id} is cancelled.`;
    },
  });
}

/** How, or null while it runs. Somebody else may have cancelled it at the same moment. */
async function endedMeanwhile(job) {
  await pollJobs();
  const found = jobsSeen.find(({ kind, id }) => kind === job.kind && id === job.id);
  return found && found.state !== "running" ? shapeOf(JOB_STATES, found.state).word : null;
}

const CALLS = { pause: "Pause", resume: "Resume", replay: "Replay", snapshot: "Snapshot", verify: "Verify", redrive: "Redrive" };
let refusedSeen = {};
let isStandby = false;

/** What the service would refuse, or what would do nothing, is not offered, and the reason stands beside it. */
function showRefused({ refused, role, active, state, reason, paused_since }) {
  refusedSeen = Object.fromEntries(Object.entries(refused ?? {}).map(([call, why]) => [call, why.replace(`: ${reason}`, "")])); // told above
  isStandby = role === "standby";
  const failed = state === "failed" ? "it has failed, and writes nothing" : undefined;
  const isKnown = ["running", "snapshotting"].includes(state) || (state === "standby" && active && !reason); // that it is not paused
  const idle = {
    pause: failed ?? (state === "paused" || paused_since ? "it is paused" : undefined),
    resume: paused_since ? undefined : (failed ?? (isKnown ? "it is not paused" : undefined)),
  };
  for (const button of document.querySelectorAll("[data-call]")) showIfRefused(button, idle[button.dataset.call]);
  const names = new Map(); // by their reason
  for (const [call, reason] of Object.entries(refusedSeen)) names.set(reason, [...(names.get(reason) ?? []), CALLS[call] ?? call]);
  $("refused").hidden = !names.size;
  setWords($("refused"), ...[...names].flatMap(([why, calls]) => [`${calls.join(", ")}: `, ...shortWords(why), ". "]));
}

function showIfRefused(button, idle) {
  const reason = refusedSeen[button.dataset.call] ?? idle;
  setIdle(button, reason !== undefined);
  button.title = reason ?? "";
}

/** Before any other listener: also of buttons that are made later. */
document.addEventListener("click", (event) => {
  if (event.target.closest?.("button[aria-disabled=true]")) event.stopImmediatePropagation();
}, true);

const ACTIONS = {
  pause: askToPause,
  resume: askToResume,
  replay: askForReplay,
  snapshot: askForSnapshot,
  verify: askToVerify,
  "redrive-all": () => askToRedrive(null, $("letters-notice")),
};
for (const [id, ask] of Object.entries(ACTIONS)) {
  $(id).addEventListener("click", ask);
}
