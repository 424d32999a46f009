// Dead letters: the changes that could not be written, grouped by their cause or their key, and what may be done about them.
"use strict";

const MOST_LETTERS = 1000; // what one answer of the API may hold
const LETTERS_SECONDS = 30; // they are asked for at once when their number changes
const SHOWN_GROUPS = 20;
const OPEN_LETTERS = 8; // so few are shown without a click
let lettersTold = 0;
let lettersSeen = [];
let areLettersCut = false;
let lettersAt = -Infinity; // this browser's seconds
let letterPolls = 0;
let areAllGroupsShown = false;

async function pollLetters() {
  if ((lettersTold || lettersSeen.length) && seconds() - lettersAt >= LETTERS_SECONDS) await fetchLetters();
}

async function fetchLetters() {
  const poll = ++letterPolls;
  lettersAt = seconds();
  try {
    const { items, cursor } = await read(`/dead-letters?limit=${MOST_LETTERS}`);
    if (poll !== letterPolls) return; // a later one knows more
    lettersSeen = items;
    areLettersCut = cursor !== null;
    showLetters();
  } catch (error) {
    setText($("letters-text"), `Not up to date: ${error.message}`);
  }
}

/** `number` is the status document's; a change of it fetches the list. Null: nobody here can tell. */
function showLetterCount(number) {
  if (number !== lettersTold) lettersAt = -Infinity;
  lettersTold = number;
  const isUnknown = number === null;
  $("letter-link").hidden = !number;
  setText($("letter-text"), isUnknown ? "What is stored of them could not be read for a while." : "");
  setText($("letter-count"), isUnknown ? "unknown" : count(number));
  setIcon($("letter-count-icon"), isUnknown ? "ring" : number ? "warning" : "check");
  $("letter-count").parentElement.dataset.tone = isUnknown ? "calm" : number ? "careful" : "good";
  showLetters();
}

function letterWords() {
  if (lettersTold === null) return "How many changes could not be written is not known; kept until redriven or discarded";
  const cut = areLettersCut ? `; the first ${count(lettersSeen.length)} of them are shown` : "";
  return `${plural(lettersTold, "change")} could not be written; kept until redriven or discarded${cut}`;
}

/** The present groups, and those that have gone and still say what became of them. */
function showLetters() {
  const groups = groupsOf(lettersSeen);
  const rows = $("letters").kept ?? new Map();
  const gone = [...rows].filter(([key, row]) => !groups.some((group) => group.key === key) && hasNotice(row.querySelector(".notice")));
  const shown = areAllGroupsShown ? groups : groups.slice(0, SHOWN_GROUPS);
  keep($("letters"), [...shown, ...gone.map(([key]) => ({ key, letters: [] }))], (group) => group.key, makeGroup, fillGroup);
  foldButton($("more-letters"), areAllGroupsShown, groups.length > SHOWN_GROUPS, `Show all ${count(groups.length)}`, `Show the first ${SHOWN_GROUPS}`);
  setText($("letters-text"), letterWords());
  const isExplained = groups.every(({ letters, isByKey }) => !isByKey && adviceOf(letters[0].error));
  setWords($("letters-advice"), ...(lettersSeen.length && !isExplained ? adviceWords(LETTER_ADVICE) : []));
  $("redrive-all").hidden = !lettersSeen.length;
  $("letters-panel").hidden = !lettersTold && !lettersSeen.length && !gone.length && !hasNotice($("letters-notice"));
}

const hasNotice = (place) => place.children.length > 0;

/** Most letters first, at first; then each keeps its place under a person's hand. Numbers in an error, such as an item's size, make no other cause: so the service counts them too. */
function groupsOf(letters) {
  const isByKey = $("by-key").checked;
  const groups = new Map();
  for (const letter of letters) {
    const key = isByKey ? `key ${keyWords(letter.keys)}` : `cause ${letter.error.replace(/\d+/g, "#")}`;
    if (!groups.has(key)) groups.set(key, { key, isByKey, letters: [] });
    groups.get(key).letters.push(letter);
  }
  const places = [...($("letters").kept ?? new Map()).keys()];
  const place = ({ key }) => (places.includes(key) ? places.indexOf(key) : places.length);
  return [...groups.values()].sort((one, other) => place(one) - place(other) || other.letters.length - one.letters.length);
}

function makeGroup() {
  const list = element("ul", { className: "rows" });
  const more = element("button", { type: "button", className: "quiet", hidden: true });
  const summary = element("summary", {}, icon("warning"), element("strong"), " ", element("span"));
  const fold = element("details", { open: lettersSeen.length <= OPEN_LETTERS }, summary);
  const advice = element("p", { className: "small advice" });
  const row = element("li", { className: "letter-group" }, fold, element("div", { className: "buttons change" }), advice, element("div", { className: "notice", role: "status" }), list, more);
  const redrive = element("button", { type: "button", "data-call": "redrive" });
  showIfRefused(redrive);
  const discard = element("button", { type: "button" });
  redrive.addEventListener("click", () => askToRedrive(row.group.letters, row.querySelector(".notice")));
  discard.addEventListener("click", () => askToDiscard(row.group.letters, row.querySelector(".notice")));
  row.querySelector(".buttons").append(redrive, discard);
  row.shown = OPEN_LETTERS;
  fold.addEventListener("toggle", () => fillGroup(row, row.group));
  more.addEventListener("click", () => {
    row.shown *= 5;
    fillGroup(row, row.group);
  });
  return row;
}

function fillGroup(row, group) {
  row.group = group;
  const [fold, buttons, advice, , list, more] = row.children;
  const summary = fold.firstChild;
  const { letters, isByKey } = group;
  fold.hidden = buttons.hidden = advice.hidden = list.hidden = more.hidden = !letters.length;
  if (!letters.length) return;
  setText(summary.children[1], isByKey ? keyWords(letters[0].keys) : plural(letters.length, "change"));
  setText(summary.children[2], isByKey ? plural(letters.length, "cause") : letters[0].error);
  setWords(advice, ...(isByKey ? [] : adviceWords(adviceOf(letters[0].error))));
  const some = letters.length > 1 ? ` all ${count(letters.length)}` : "";
  setText(buttons.children[0], `Redrive${some}…`);
  setText(buttons.children[1], `Discard${some}…`);
  const shown = fold.open ? letters.slice(0, row.shown) : [];
  keep(list, shown, (letter) => `${letter.id} ${letter.attempts}`, makeLetter, (child, letter) => {
    child.classList.toggle("is-alone", letters.length === 1);
    child.querySelector(".letter-error").hidden = !isByKey && letter.error === letters[0].error; // the heading tells it
  });
  more.hidden = !fold.open || letters.length <= row.shown;
  setText(more, `Show more of ${count(letters.length)}`);
}

function makeLetter(letter) {
  const redrive = element("button", { type: "button", "data-call": "redrive", "aria-label": `Redrive ${keyWords(letter.keys)}` }, "Redrive…");
  showIfRefused(redrive); // it may be made long before the next status
  const discard = element("button", { type: "button", "aria-label": `Discard ${keyWords(letter.keys)}` }, "Discard…");
  const row = element(
    "li",
    { className: "letter" },
    element(
      "div",
      {},
      element("p", {}, element("strong", {}, letter.event_name), " ", element("code", {}, keyWords(letter.keys))),
      element("p", { className: "letter-error" }, letter.error),
      element("p", { className: "soft small" }, `${plural(letter.attempts, "try", "tries")}, last `, stamp(letter.failed_at)),
      element("p", { className: "soft small" }, "ID ", id(letter.id), " of ", id(letter.shard_id)),
    ),
    element("div", { className: "buttons change" }, redrive, discard),
  );
  const place = () => row.closest(".letter-group").querySelector(".notice");
  redrive.addEventListener("click", () => askToRedrive([letter], place()));
  discard.addEventListener("click", () => askToDiscard([letter], place()));
  return row;
}

$("by-cause").addEventListener("change", showLetters);
$("by-key").addEventListener("change", showLetters);
$("more-letters").addEventListener("click", () => {
  areAllGroupsShown = !areAllGroupsShown;
  showLetters();
});
