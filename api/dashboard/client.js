// The API's client. The token is kept for this tab alone, and travels in a header: never in an address.
"use strict";

/** The service said no. `status` is HTTP's; the text is the problem's detail; `oldest` is what a 410 offers instead. */
class Refusal extends Error {
  constructor(status, problem) {
    super(problem.detail || problem.title || `The service answered ${status}.`);
    this.status = status;
    this.oldest = problem.oldest_sequence_number ?? null;
  }
}

/** No answer came, in time or at all. */
class Unreachable extends Error {}

const READ_SECONDS = 5;
const CHANGE_SECONDS = 65; // the service ends a request after 60
const TOKEN_AT = "dynamirror-token";

/** What stands before each call on a pipeline's own page; empty at /, where the process has one, or shows all. */
const PREFIX = location.pathname.replace(/\/$/, "");

const token = {
  kept: null,
  get value() {
    try {
      return sessionStorage.getItem(TOKEN_AT) ?? this.kept;
    } catch {
      return this.kept; // storage is forbidden: it lasts until the page is left
    }
  },
  set value(text) {
    this.kept = text;
    try {
      if (text === null) sessionStorage.removeItem(TOKEN_AT);
      else sessionStorage.setItem(TOKEN_AT, text);
    } catch {
      return;
    }
  },
};

/** What the service said last of the token; an older one says nothing, and refuses. */
let mayChange = true;
let servedAt = NaN; // when it answered last (milliseconds, whole seconds); NaN: it did not say

async function request(method, path, body, seconds) {
  const headers = {};
  if (token.value !== null) headers.authorization = `Bearer ${token.value}`;
  if (body !== undefined) headers["content-type"] = "application/json";
  const options = { method, headers, cache: "no-store", credentials: "omit", redirect: "error" };
  if (body !== undefined) options.body = JSON.stringify(body);
  let answer, text;
  try {
    answer = await fetch(path, { ...options, signal: AbortSignal.timeout(seconds * 1000) });
    text = await answer.text();
  } catch (error) {
    const cause = error.name === "TimeoutError" ? `There was no answer within ${seconds} s.` : "The connection failed.";
    throw new Unreachable(cause);
  }
  mayChange = answer.headers.get("dynamirror-access") !== "read";
  servedAt = Date.parse(answer.headers.get("date"));
  const content = parsed(text);
  if (!answer.ok) throw new Refusal(answer.status, content ?? {});
  if (text && content === null) throw new Unreachable("The answer is not this service's.");
  return content;
}

function parsed(text) {
  try {
    return JSON.parse(text);
  } catch {
    return null; // such as a page of a proxy in between
  }
}

const readPipelines = () => request("GET", "/pipelines", undefined, READ_SECONDS);
const read = (path) => request("GET", PREFIX + path, undefined, READ_SECONDS);
const change = (method, path, body) => request(method, PREFIX + path, body, CHANGE_SECONDS);
