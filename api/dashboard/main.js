// The polls, and what they tell of the connection: old numbers are never shown as if they were new.
"use strict";

const STATUS_SECONDS = 1;
const LISTS_SECONDS = 3;
const FLEET_SECONDS = 2;
const REFUSED_SECONDS = 10; // a wrong token is not tried every second

const connection = {
  kind: "none", // then good, token, or lost
  goodAt: null, // this browser's seconds
  lastState: null,
  wasTokenGood: false,

  good(word) {
    if (this.kind === "lost" || this.kind === "token") announce("The service answers again.");
    this.kind = "good";
    this.goodAt = seconds();
    this.lastState = word;
    this.wasTokenGood = token.value !== null;
    document.body.className = "is-good";
    $("connection").hidden = true;
    document.body.dataset.access = mayChange ? "change" : "read";
    $("read-only").hidden = mayChange;
    $("change-token").hidden = token.value === null;
    if ($("token-dialog").open) $("token-dialog").close();
  },

  lost(error) {
    const kind = error.status === 401 ? "token" : "lost";
    const isNews = this.kind !== kind;
    this.kind = kind;
    const [title, text] = this.words(error);
    document.body.className = this.goodAt === null ? "is-unknown" : "is-stale";
    setText($("connection-title"), title);
    setText($("connection-text"), text);
    setIcon($("connection").querySelector("use"), kind === "token" ? "key" : "lost");
    $("connection").hidden = false;
    $("enter-token").hidden = kind !== "token";
    $("change-token").hidden = token.value === null;
    setText($("state"), title.replace(/\.$/, ""));
    setIcon($("state-icon"), kind === "token" ? "key" : "lost");
    setText($("reason"), this.lastState ? `Last known: ${this.lastState.toLowerCase()}.` : "");
    $("state-panel").dataset.tone = "bad";
    document.title = `${title} dynamirror`;
    lastAnnounced = null;
    this.tick();
    if (isNews) announce(`${title} ${text}`);
    if (isNews && kind === "token") this.prompt(text);
  },

  words(error) {
    if (error.status !== 401) {
      const title = error.status ? `The service answers ${error.status}.` : "Unreachable.";
      return [title, error.message];
    }
    if (token.value === null) return ["A token is needed.", "This service shows its status only with a bearer token."];
    if (this.wasTokenGood) return ["The token has expired.", "It was accepted before, and is not any more. Enter the present one."];
    return ["Wrong token.", "The service does not know this token."];
  },

  prompt(text) {
    setText($("token-text"), text);
    askForToken();
  },

  /** A new token is judged anew. */
  tokenGiven() {
    this.kind = "none";
    this.wasTokenGood = false;
  },

  tick() {
    if (this.kind !== "token" && this.kind !== "lost") return;
    const age = this.goodAt === null ? "" : duration(Math.floor(seconds() - this.goodAt));
    const again = this.kind === "lost" ? " Trying again…" : "";
    setText($("connection-age"), `${age ? `The last good status is ${age} old; what is dimmed is from then.` : "There has been no status yet."}${again}`);
  },
};

function showStatus(status) {
  connection.good(shapeOf(STATES, status.state).word);
  delete document.body.dataset.shows;
  $("fleet-panel").hidden = true;
  showOverview(status);
  sampleStatus(status);
  showShards(status.shards, status);
  showLetterCount(status.dead_letters);
  showRefused(status);
}

let statusTimer = null;
let polls = 0;
let isFleet = !PREFIX; // until the list has only one

async function pollStatus() {
  const poll = ++polls;
  let wait = STATUS_SECONDS;
  try {
    if (isFleet) {
      const list = await readPipelines();
      if (poll !== polls) return;
      isFleet = list.items.length !== 1;
      wait = isFleet ? FLEET_SECONDS : 0;
      if (isFleet) {
        connection.good(fleetWords(list.items));
        if (servedAt) clockOffset = servedAt - Date.now();
        showFleet(list);
      }
    } else {
      const status = await read("/status");
      if (poll === polls) showStatus(status);
    }
  } catch (error) {
    if (!(error instanceof Refusal || error instanceof Unreachable)) throw error;
    if (error.status === 401) wait = REFUSED_SECONDS;
    if (error.status === 404 && !PREFIX && !isFleet) {
      isFleet = true; // a reload has added others
      wait = 0;
    } else if (poll === polls) connection.lost(error);
  } finally {
    if (poll === polls) statusTimer = setTimeout(pollStatus, wait * 1000);
  }
}

/** Ask at once; an answer that is still on its way is not waited for, nor shown. */
function pollNow() {
  clearTimeout(statusTimer);
  void pollStatus();
}

async function pollLists() {
  if (connection.kind === "good" && !isFleet) await Promise.all([pollJobs(), pollLetters()]);
  setTimeout(pollLists, (connection.kind === "none" ? STATUS_SECONDS : LISTS_SECONDS) * 1000);
}

async function pollCharts() {
  if (connection.kind === "good" && !isFleet) await pollHistory();
  else drawCharts();
  const wait = connection.kind !== "good" ? STATUS_SECONDS : isHistoryServed ? HISTORY_SECONDS : UNSERVED_SECONDS;
  setTimeout(pollCharts, wait * 1000);
}

$("change-token").addEventListener("click", () => {
  token.value = null;
  location.reload(); // what it showed goes with it
});
document.addEventListener("visibilitychange", () => {
  if (!document.hidden) pollNow();
});
$("to-all").hidden = !PREFIX;
setInterval(() => connection.tick(), 1000);
void pollStatus().then(() => {
  void pollLists();
  void pollCharts();
});
