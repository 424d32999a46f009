// The page's elements: found, made and kept. Text only ever becomes text nodes, never markup.
"use strict";

const $ = (id) => document.getElementById(id);

/** Make an element. `properties` are DOM properties, or attributes where the name has a dash or is `role`. */
function element(name, properties = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key.includes("-") || key === "role") made.setAttribute(key, value);
    else made[key] = value;
  }
  made.append(...children);
  return made;
}

/** The same for a drawing. */
function vector(name, attributes = {}) {
  const made = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

/** An id or a sequence number, which is never broken into lines. */
const id = (text) => element("span", { className: "id" }, text);

function icon(name) {
  const svg = vector("svg", { class: "icon", "aria-hidden": "true" });
  svg.append(vector("use", { href: `#icon-${name}` }));
  return svg;
}

function setIcon(use, name) {
  if (use.getAttribute("href") !== `#icon-${name}`) use.setAttribute("href", `#icon-${name}`);
}

/** Leaves the DOM alone where nothing changes: selections and screen readers keep their place. */
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}

/** The same for words with times in them: strings and elements, in order. */
function setWords(node, ...parts) {
  const text = parts.map((part) => part.textContent ?? part).join("");
  if (node.textContent !== text) node.replaceChildren(...parts);
}

/**
 * Show one child for each item, in order. A child lives as long as its key, so focus, open folds and selections last.
 * `make(item)` gives the child, `update(child, item)` fills it.
 */
function keep(parent, items, keyOf, make, update) {
  const known = parent.kept ?? new Map();
  const kept = new Map(items.map((item) => [keyOf(item), item]));
  for (const [key, child] of known) if (!kept.has(key)) child.remove(); // first, so that nobody else has to move
  let before = parent.firstChild;
  for (const [key, item] of kept) {
    const child = known.get(key) ?? make(item);
    kept.set(key, child);
    update(child, item);
    if (child === before) before = before.nextSibling;
    else parent.insertBefore(child, before);
  }
  parent.kept = kept;
}

/** A button that says why it does nothing keeps its focus, unlike a disabled one. */
function setIdle(button, isIdle) {
  button.setAttribute("aria-disabled", String(isIdle));
}

/** Tells a screen reader, once. */
function announce(text) {
  setText($("announcement"), text);
}
