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
      const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
      setText(form.querySelector("[data-zone]"), `Time (${zone})`);
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
    return { ...asked, from_time: new Date(from_time.value).toISOString() };
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

function askToRedrive(letter) {
  confirmChange({
    title: letter ? "Redrive this dead letter?" : "Redrive all dead letters?",
    text: `${letter ? `${letter.event_name} ${keyWords(letter.keys)} is` : "They are"} written again, unless a newer state of the item has been applied since.`,
    go: letter ? "Redrive" : "Redrive all",
    act: async () => {
      const asked = letter ? { ids: [letter.id] } : { all: true };
      const { id, state, redriven, superseded, failed } = await change("POST", "/dead-letters/redrive", asked);
      void pollLetters();
      void pollJobs();
      if (state === "running") return `The redrive ${id} goes on; ${count(redriven)} written so far.`;
      return `${count(redriven)} written, ${count(superseded)} not needed any more, ${count(failed)} refused again.`;
    },
  });
}

function askToDiscard(letter) {
  confirmChange({
    title: "Discard this dead letter?",
    text: `${letter.event_name} ${keyWords(letter.keys)} is given up for good: the replica keeps what it has.`,
    go: "Discard",
    isDestructive: true,
    act: async () => {
      await change("DELETE", `/dead-letters/${encodeURIComponent(letter.id)}`);
      void pollLetters();
      return `Discarded ${keyWords(letter.keys)}.`;
    },
  });
}

const ACTIONS = {
  pause: askToPause,
  resume: askToResume,
  replay: askForReplay,
  snapshot: askForSnapshot,
  verify: askToVerify,
  "redrive-all": () => askToRedrive(null),
};
for (const [id, ask] of Object.entries(ACTIONS)) {
  $(id).addEventListener("click", () => {
    if ($(id).getAttribute("aria-disabled") !== "true") ask();
  });
}
