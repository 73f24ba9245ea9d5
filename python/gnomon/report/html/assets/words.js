// Small pieces that many screens use: a severity, a script's link, a list of names.

const SEVERITIES = ["high", "medium", "low"];
const SEVERITY_WORDS = { high: "High", medium: "Medium", low: "Low", critical: "Critical" };
const RANKS = { critical: 4, high: 3, medium: 2, low: 1 };

const rank = (severity) => own(RANKS, severity) ?? 0;

/** A word and a shape, so that it needs no colour. */
function severityMark(severity) {
  if (!severity) return el("span", { class: "severity none" }, "None");
  const known = rank(severity) ? severity : "low";
  return el("span", { class: `severity ${known}` }, shape(known), own(SEVERITY_WORDS, severity) ?? severity);
}

function shape(severity) {
  const paths = {
    critical: "M6 0 12 12H0z",
    high: "M6 0 12 12H0z",
    medium: "M6 0 12 6 6 12 0 6z",
    low: "M6 1a5 5 0 1 1 0 10A5 5 0 0 1 6 1z",
  };
  return svg(
    "svg",
    { viewBox: "0 0 12 12", class: "shape", "aria-hidden": "true" },
    svg("path", { d: paths[severity] }),
  );
}

/** A script's name, leading to its page where it has one. */
function scriptLink(reference, shown) {
  const script = scriptOf(reference);
  if (!script) return name(shown ?? reference);
  return link(scriptHref(script.script), name(shown ?? script.name));
}

const scriptHref = (id) => `#/script/${encodeURIComponent(wellFormed(id))}`;
const findingHref = (id) => `#/finding/${encodeURIComponent(wellFormed(id))}`;
const wellFormed = (text) => String(text).replace(/\p{Cs}/gu, "\ufffd");

/** The first few as links, and how many besides. */
function scriptLinks(references, most = 3) {
  return several(references, (reference) => scriptLink(reference), most);
}

function names(values, most = 3) {
  return several(values, (value) => name(value), most);
}

function several(values, made, most) {
  const items = list(values);
  if (!items.length) return el("span", { class: "quiet" }, "–");
  const shown = items.slice(0, most);
  const last = shown.length - 1;
  const rest = items.length - shown.length;
  return el(
    "span",
    {},
    shown.map((value, index) => [el("span", { class: "item" }, made(value), index < last && ","), " "]),
    rest > 0 && el("span", { class: "quiet" }, `and ${number(rest)} more`),
  );
}

function tag(text, className) {
  return el("span", { class: `tag ${className ?? ""}` }, text);
}

/** What stands where there is nothing to show. */
function empty(sentence) {
  return el("p", { class: "empty" }, prose(sentence));
}

/** A sentence in which what stands between backticks is code. */
function prose(sentence) {
  const parts = clean(sentence, 2000).split("`");
  const isPaired = parts.length % 2 === 1;
  return isPaired ? parts.map((part, index) => (index % 2 ? el("code", {}, part) : part)) : parts.join("`");
}

function section(title, ...children) {
  const id = `s-${title.toLowerCase().replace(/[^a-z]+/g, "-")}`;
  return el("section", { "aria-labelledby": id }, el("h2", { id }, title), ...children);
}

/** Terms and what they are; those without a value are left out. */
function facts(pairs) {
  const known = pairs.filter(([, value]) => value !== null && value !== undefined && value !== "");
  return el(
    "dl",
    { class: "facts" },
    known.map(([term, value]) => el("div", {}, el("dt", {}, term), el("dd", {}, value))),
  );
}

const yesNo = (value) => (value === true ? "yes" : value === false ? "no" : "not known");

/** Of nothing, nothing can be said. */
const nothingFound = () =>
  report.first
    ? "No rule found anything that a person should look at."
    : "Nothing was recorded, so there was nothing to look at.";
