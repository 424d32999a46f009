// Sentences of the service and of docs/troubleshooting.md, as this page says them: with its buttons, and short names.
"use strict";

/** What the sentences call by the API or the command line stands on the page as a button or a list. */
const ON_THE_PAGE = [
  [/(POST|GET) \/pipelines\/[^/\s]+(?=\/)/g, (_, method) => `${method} `],
  [/lag\.seconds/g, () => "the lag"],
  [/(\. )?dynamirror status/g, (_, end) => (end ? ". This page" : "this page")],
  [/POST \/dead-letters\/redrive|dynamirror dead-letters redrive( --all)?/g, () => '"Redrive…"'],
  [/GET \/dead-letters/g, () => "the list below"],
  [/GET \/snapshots/g, () => "the list of jobs"],
  [/dynamirror verify --repair/g, () => '"Verify…" with repair'],
  [/(?:POST \/|dynamirror )(pause|resume|replay|snapshot|verify)\b(?! --)/g, (_, call) => `"${CALLS[call]}…"`],
];
const onThePage = (text) => ON_THE_PAGE.reduce((said, [call, button]) => said.replace(call, button), text);

/** What is not broken at its hyphens: names of AWS's resources, shards and regions, and times. */
const CODES = /\d{4}-\d\d-\d\d \d\d:\d\d:\d\d UTC|arn:aws[\w-]*:[\w-]+:[\w-]*:\d*:[\w/.:*-]*\w|shardId-[\w-]+|\b[a-z]{2}(?:-[a-z]+)+-\d\b/g;
const ARN = /^arn:(?:[^:]*:){4}(?:table.*(?=\/stream\/))?/;
const OPENING = /^(?:the|a|an|no|this|it|another|changes|guarded|items|more|nothing|records|settled|what) /;

/** As words for `setWords`: ARNs without what the page tells anyway, which is told where one points. */
function shortWords(text) {
  const words = [];
  let end = 0;
  for (const { 0: name, index } of text.matchAll(CODES)) {
    words.push(text.slice(end, index), name.endsWith(" UTC") ? stamp(name.replace(" UTC", "Z").replace(" ", "T")) : shortName(name));
    end = index + name.length;
  }
  return [...words, text.slice(end)].filter((part) => part !== "");
}

function shortName(name) {
  const short = name.replace(ARN, "…");
  return element("span", { className: "code", title: short === name ? "" : name }, short);
}

/** The same, as the beginning of a line. A name that is in lower case stays so. */
function sentence(text) {
  const said = onThePage(text);
  return shortWords(OPENING.test(said) ? said[0].toUpperCase() + said.slice(1) : said);
}

/** A fold with what `sentence` shortens; none where it is whole. */
function wholeSentence(text) {
  const isWhole = !text.match(CODES)?.some((name) => ARN.test(name));
  return isWhole ? [] : [element("details", { className: "small" }, element("summary", {}, "In full"), element("p", { className: "soft" }, text))];
}

/** The tables and regions of the pipeline that is shown, by their names in the commands of docs/troubleshooting.md. */
let shownNames = {};

function noteNames({ source, replica }) {
  shownNames = { SOURCE_TABLE: source.table, SOURCE_REGION: source.region, REPLICA_TABLE: replica.table, REPLICA_REGION: replica.region };
}

/** What docs/troubleshooting.md says of a sentence of the service: by the longest part that it knows; null: nothing. */
function adviceOf(text) {
  const parts = Object.keys(ADVICE).filter((part) => text.includes(part));
  if (!parts.length) return null;
  const [section, cause, action] = ADVICE[parts.reduce((best, part) => (part.length > best.length ? part : best))];
  const controlTable = text.match(/on the control table ([\w.-]+)/)?.[1] ?? "CONTROL_TABLE";
  return [section, cause, action.replaceAll("CONTROL_TABLE", controlTable)];
}

/** As words for `setWords`; the last of them lead to the section. */
function adviceWords(advice) {
  if (advice === null || advice === undefined) return [];
  const [section, cause, action] = advice;
  const anchor = section.toLowerCase().replace(/[^\w\- ]/g, "").replaceAll(" ", "-");
  const link = element("a", { href: `/troubleshooting#${anchor}`, target: "_blank" }, `docs/troubleshooting.md, ${section}`);
  const why = element("span", { className: "soft" }, ` Why: ${cause}. (`, link, ")");
  return [element("strong", {}, "What to do: "), ...withCommands(onThePage(action)), ".", why];
}

/** What is between backquotes is typed elsewhere: as it is, with the names of this pipeline's tables. */
function withCommands(text) {
  const filled = text.replace(/\b(?:SOURCE|REPLICA)_(?:TABLE|REGION)\b/g, (name) => shownNames[name] ?? name);
  return filled.split("`").map((part, at) => (at % 2 ? element("code", { className: "command" }, part) : part));
}
