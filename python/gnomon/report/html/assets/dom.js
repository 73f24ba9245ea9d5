// Makes elements. The only door from data to the page: text goes in as text, links lead inside the page, and there is no
// way to give markup.

const SVG = "http://www.w3.org/2000/svg";
const MAX_LENGTH = 300;

// Too long for a column of a table, and without a place to break.
const UNBROKEN = /[^\s/]{32,}/;

// Control characters, bidirectional overrides, invisible letters, lone surrogates (bytes that were no UTF-8).
const HIDDEN = /[\p{C}\p{Zl}\p{Zp}]/gu;

/** What a watched program chose, with everything that hides or reorders letters written out, and cut in the middle. */
function clean(value, limit = MAX_LENGTH) {
  const whole = String(value);
  const half = Math.floor((limit - 1) / 2);
  const text = whole.length > limit ? `${whole.slice(0, half)}…${whole.slice(-half)}` : whole;
  return text.replace(HIDDEN, spelled);
}

function spelled(letter) {
  const number = letter.codePointAt(0);
  if (number >= 0xdc80 && number <= 0xdcff) return `\\x${(number - 0xdc00).toString(16)}`;
  const named = { 9: "\\t", 10: "\\n", 13: "\\r" }[number];
  if (named) return named;
  const [sign, width] = number < 0x100 ? ["x", 2] : number < 0x10000 ? ["u", 4] : ["U", 8];
  return `\\${sign}${number.toString(16).padStart(width, "0")}`;
}

/** An element. Attributes that start with `on` are listeners, `vars` are CSS variables, the rest are attributes. */
function el(tag, attributes, ...children) {
  return filled(document.createElement(tag), attributes, children);
}

/** The same for SVG. */
function svg(tag, attributes, ...children) {
  return filled(document.createElementNS(SVG, tag), attributes, children);
}

function filled(element, attributes, children) {
  for (const [name, value] of Object.entries(attributes ?? {})) set(element, name, value);
  add(element, children);
  return element;
}

function set(element, name, value) {
  if (value === null || value === undefined || value === false) return;
  if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
  else if (name === "vars")
    for (const [key, said] of Object.entries(value)) element.style.setProperty(key, said);
  else if (name === "href") setLink(element, String(value));
  else element.setAttribute(name, value === true ? "" : clean(value, 2000));
}

/** Links lead to a place in this page and nowhere else. */
function setLink(element, value) {
  if (value.startsWith("#")) element.setAttribute("href", value);
}

function add(element, children) {
  for (const child of children.flat(Infinity)) {
    if (child === null || child === undefined || child === false) continue;
    element.append(child instanceof Node ? child : clean(child, 4000));
  }
}

/** A name that a program chose: it cannot turn the direction of what stands beside it. */
function name(value, className) {
  const shown = clean(value);
  const classes = [className, UNBROKEN.test(shown) && "unbroken"].filter(Boolean).join(" ");
  return el("bdi", { class: classes || null, title: tooLong(value) }, shown);
}

function code(value) {
  return name(value, "code");
}

function tooLong(value) {
  return String(value).length > MAX_LENGTH ? clean(value, 2000) : null;
}

function replace(parent, ...children) {
  parent.replaceChildren();
  add(parent, children);
}

function link(href, ...children) {
  return el("a", { href }, ...children);
}

function button(label, onclick, attributes) {
  return el("button", { type: "button", onclick, ...attributes }, label);
}
