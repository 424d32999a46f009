// Questions to the person: a confirmation before every change, the token, and messages about what came of it.
"use strict";

let question = null;
let isAsked = false;

/**
 * Ask before something is changed. `act(form)` does it and returns a sentence about the outcome; what it throws is
 * shown in the dialog, which stays. `fields` is the id of a template whose controls `act` reads. The outcome is told at
 * `place`; null: `act` tells it there itself.
 */
function confirmChange({ title, text, go, fields = null, isDestructive = false, place = $("messages"), act, prepare = () => {} }) {
  if (isAsked) {
    tell(`${question.go}: still under way. Its outcome is told here.`, "careful");
    return;
  }
  question = { act, go, place };
  setText($("confirmation-title"), title);
  setText($("confirmation-text"), text);
  setText($("confirmation-go"), go);
  $("confirmation-go").classList.toggle("danger", isDestructive);
  $("confirmation-fields").replaceChildren(...(fields ? [$(fields).content.cloneNode(true)] : []));
  $("confirmation-problem").replaceChildren();
  prepare($("confirmation-form"));
  $("confirmation").showModal();
  const first = $("confirmation-fields").querySelector("input:checked, input");
  (first ?? (isDestructive ? $("confirmation-cancel") : $("confirmation-go"))).focus();
}

async function answerQuestion(event) {
  event.preventDefault();
  if (isAsked) return;
  const asked = question;
  setAsked(true);
  $("confirmation-problem").replaceChildren();
  try {
    const outcome = await asked.act($("confirmation-form"));
    $("confirmation").close();
    if (outcome !== null) tell(outcome, "good", asked.place);
  } catch (error) {
    if ($("confirmation").open) showProblem($("confirmation-problem"), error);
    else tell(`${asked.go}: ${error.message}`, "bad", asked.place);
    if (error.status === 401) connection.lost(error);
  } finally {
    setAsked(false);
  }
}

/** While a change is under way its dialog may be left, but nothing else be asked. */
function setAsked(asked) {
  isAsked = asked;
  setIdle($("confirmation-go"), asked);
  setText($("confirmation-go"), asked ? "Working…" : question.go);
  setText($("confirmation-cancel"), asked ? "Close" : "Back");
}

function showProblem(place, error) {
  place.replaceChildren(icon("failed"), element("p", {}, error.message));
  const start = $("confirmation-form").elements.sequence_number;
  if (!error.oldest || !start) return;
  const offer = element("button", { type: "button" }, `Use the oldest one left: ${error.oldest}`);
  offer.addEventListener("click", () => {
    $("confirmation-form").elements.start.value = "sequence_number";
    start.value = error.oldest;
    start.dispatchEvent(new Event("change", { bubbles: true }));
    place.replaceChildren();
    start.focus();
  });
  place.append(offer);
}

/** One message at a time and place; it stays until the next one or until it is dismissed. */
function tell(text, tone = "good", place = $("messages")) {
  const dismiss = element("button", { type: "button", className: "quiet" }, "Dismiss");
  dismiss.addEventListener("click", () => {
    place.replaceChildren();
    showLetters(); // a group may be kept for its message alone
  });
  const shape = icon({ good: "check", careful: "hourglass", bad: "failed" }[tone]);
  place.replaceChildren(element("div", { className: `banner ${tone}` }, shape, element("p", {}, text), dismiss));
}

function askForToken() {
  if ($("token-dialog").open) return;
  if ($("confirmation").open) $("confirmation").close();
  $("token").value = "";
  $("token-problem").replaceChildren();
  $("token-dialog").showModal();
  $("token").focus();
}

function useToken(event) {
  event.preventDefault();
  const given = $("token").value.trim();
  if (!/^[\x21-\x7e]+$/.test(given)) {
    $("token-problem").replaceChildren(icon("failed"), element("p", {}, "A token is made of letters, digits and signs, without spaces."));
    return;
  }
  token.value = given;
  connection.tokenGiven();
  $("token-dialog").close();
  pollNow();
}

$("confirmation-form").addEventListener("submit", answerQuestion);
$("confirmation-cancel").addEventListener("click", () => $("confirmation").close());
$("token-form").addEventListener("submit", useToken);
$("token-cancel").addEventListener("click", () => $("token-dialog").close());
$("enter-token").addEventListener("click", askForToken);
