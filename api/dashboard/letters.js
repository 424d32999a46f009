// Dead letters: the changes that could not be written, each with its cause, and what may be done about it.
"use strict";

const MOST_LETTERS = 1000; // what one answer of the API may hold
let lettersWanted = 5;
let lettersTold = 0;

/** Ask for the list, if there is anything to show or to take away. */
async function pollLetters() {
  if (!lettersTold && !$("letters").children.length) return;
  try {
    const page = await read(`/dead-letters?limit=${lettersWanted}`);
    keep($("letters"), page.items, (letter) => `${letter.id} ${letter.attempts}`, makeLetter, () => {});
    $("more-letters").hidden = page.cursor === null || lettersWanted >= MOST_LETTERS;
    showLetterCount(lettersTold);
  } catch (error) {
    setText($("letters-text"), `Not up to date: ${error.message}`);
  }
}

/** `number` is the status document's; a change of it fetches the list. Null: nobody here can tell. */
function showLetterCount(number) {
  const isNews = number !== lettersTold;
  lettersTold = number;
  const isUnknown = number === null;
  const words = isUnknown ? "How many changes could not be written is not known" : plural(number, "change") + " could not be written";
  setText($("letters-text"), `${words}; kept until redriven or discarded`);
  $("letters-panel").hidden = number === 0;
  $("letter-link").hidden = number === 0;
  setText($("letter-count"), isUnknown ? "unknown" : count(number));
  setIcon($("letter-count-icon"), isUnknown ? "ring" : number ? "warning" : "check");
  $("letter-count").parentElement.dataset.tone = isUnknown ? "calm" : number ? "careful" : "good";
  if (isNews) void pollLetters();
}

function makeLetter(letter) {
  const redrive = element("button", { type: "button", "aria-label": `Redrive ${keyWords(letter.keys)}` }, "Redrive…");
  const discard = element("button", { type: "button", "aria-label": `Discard ${keyWords(letter.keys)}` }, "Discard…");
  redrive.addEventListener("click", () => askToRedrive(letter));
  discard.addEventListener("click", () => askToDiscard(letter));
  const tries = `${plural(letter.attempts, "try", "tries")}, last `;
  const where = `${letter.shard_id}${letter.sequence_number ? ` · ${letter.sequence_number}` : ""}`;
  return element(
    "li",
    { className: "letter" },
    element(
      "div",
      {},
      element("p", {}, icon("warning"), element("strong", {}, letter.event_name), " ", element("code", {}, keyWords(letter.keys))),
      element("p", {}, letter.error),
      element("p", { className: "soft small" }, tries, stamp(letter.failed_at), " · ", element("span", { className: "mono" }, where)),
    ),
    element("div", { className: "buttons" }, redrive, discard),
  );
}

$("more-letters").addEventListener("click", () => {
  lettersWanted = Math.min(MOST_LETTERS, lettersWanted * 5);
  void pollLetters();
});
