// Numbers, times and states as words, and the shape that stands for each state: nothing is told by colour alone.
"use strict";

const STATES = {
  starting: { word: "Starting", icon: "dots", tone: "busy" },
  snapshotting: { word: "Copying a snapshot", icon: "copy", tone: "busy" },
  running: { word: "Running", icon: "play", tone: "good" },
  paused: { word: "Paused", icon: "pause", tone: "careful" },
  standby: { word: "Standing by", icon: "ring", tone: "busy" },
  stopping: { word: "Stopping", icon: "stop", tone: "careful" },
  failed: { word: "Failed", icon: "failed", tone: "bad" },
};

const SHARD_STATES = {
  waiting_for_parent: { word: "waits for its parent", icon: "hourglass", tone: "busy" },
  reading: { word: "reading", icon: "play", tone: "good" },
  drained: { word: "drained", icon: "half", tone: "busy" },
  closed: { word: "closed", icon: "check", tone: "calm" },
  failed: { word: "failed", icon: "failed", tone: "bad" },
};

const JOB_STATES = {
  running: { word: "running", icon: "play", tone: "busy" },
  done: { word: "done", icon: "check", tone: "good" },
  failed: { word: "failed", icon: "failed", tone: "bad" },
  cancelled: { word: "cancelled", icon: "ring", tone: "calm" },
};

const UNKNOWN = { icon: "ring", tone: "calm" };

/** A state that this page does not know yet is shown by its own name. */
const shapeOf = (states, state) => states[state] ?? { ...UNKNOWN, word: String(state) };

const seconds = () => performance.now() / 1000;
const counts = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });
const tenths = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });

const count = (number) => counts.format(number);
const rate = (number) => (number < 100 ? tenths.format(number) : counts.format(number));
const plural = (number, one, many = `${one}s`) => `${count(number)} ${number === 1 ? one : many}`;

function duration(seconds) {
  if (seconds < 9.95) return `${seconds > 0 && seconds < 0.05 ? "<0.1" : Number(seconds.toFixed(1))} s`;
  const whole = Math.round(seconds);
  if (whole < 60) return `${whole} s`;
  const two = (number) => String(number).padStart(2, "0");
  const inTwo = (size, unit, part, smaller) => {
    const rest = Math.floor((whole % size) / part);
    return `${Math.floor(whole / size)} ${unit}${rest ? ` ${two(rest)} ${smaller}` : ""}`;
  };
  if (whole < 3600) return inTwo(60, "min", 1, "s");
  if (whole < 86400) return inTwo(3600, "h", 60, "min");
  return inTwo(86400, "d", 3600, "h");
}

/** Exact below a second. */
const shortDuration = (seconds) => (seconds < 1 ? `${Math.round(seconds * 1000)} ms` : duration(seconds));

function bytes(number) {
  const units = ["B", "KiB", "MiB", "GiB"];
  let at = 0;
  while (number >= 1024 && at < units.length - 1) {
    number /= 1024;
    at += 1;
  }
  return `${at && number < 100 ? Number(number.toFixed(1)) : Math.round(number)} ${units[at]}`;
}

const UTC = { timeZone: "UTC", hourCycle: "h23" };
const SECOND = { day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second: "2-digit" };
const inUtc = new Intl.DateTimeFormat("en-GB", { ...UTC, ...SECOND });
const hereToo = new Intl.DateTimeFormat("en-GB", { ...SECOND, timeZoneName: "short" });
const hourInUtc = new Intl.DateTimeFormat("en-GB", { ...UTC, hour: "2-digit", minute: "2-digit" });
const dayInUtc = new Intl.DateTimeFormat("en-GB", { ...UTC, day: "numeric", month: "short" });

/** `23 Nov 2026, 10:15:00 UTC`, of an ISO time or of milliseconds. */
const utcTime = (time) => `${inUtc.format(new Date(time))} UTC`;

/** The same as an element, which tells the reader's own time when it is pointed at. */
function stamp(time) {
  const then = new Date(time);
  return element("time", { dateTime: then.toISOString(), title: `${hereToo.format(then)}, your time` }, utcTime(time));
}

/** For an axis. */
function axisTime(time, isWithDay, isWithZone) {
  const day = isWithDay ? `${dayInUtc.format(time)} ` : "";
  return `${day}${hourInUtc.format(time)}${isWithZone ? " UTC" : ""}`;
}

const secondsBetween = (from, to) => Math.max(0, (new Date(to) - new Date(from)) / 1000);

/** A key of DynamoDB JSON for people: `pk = "key1", sk = 42`. */
function keyWords(keys) {
  if (!keys) return "unreadable record";
  const values = Object.entries(keys).map(([name, value]) => {
    const [type, content] = Object.entries(value ?? {})[0] ?? ["", ""];
    return `${name} = ${type === "N" ? content : JSON.stringify(content)}${type === "B" ? " (binary)" : ""}`;
  });
  return values.join(", ");
}
