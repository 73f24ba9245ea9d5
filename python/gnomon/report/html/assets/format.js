// Numbers, sizes and times in words. Times are UTC, as in every other form of the report.

const UTC = { timeZone: "UTC" };
const DAY_FORMAT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  ...UTC,
});
const LONG_DAY = new Intl.DateTimeFormat("en-GB", { dateStyle: "long", ...UTC });
const SHORT_DAY = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", ...UTC });
const TIME_FORMAT = new Intl.DateTimeFormat("en-GB", {
  day: "numeric",
  month: "short",
  year: "numeric",
  hour: "2-digit",
  minute: "2-digit",
  ...UTC,
});
const NUMBER_FORMAT = new Intl.NumberFormat("en");
const ONE_DIGIT = new Intl.NumberFormat("en", { minimumFractionDigits: 1, maximumFractionDigits: 1 });
const SHORT_NUMBER = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
const LIST_FORMAT = new Intl.ListFormat("en", { type: "conjunction" });

const number = (value) => (typeof value === "number" ? NUMBER_FORMAT.format(value) : "–");
const shortNumber = (value) => SHORT_NUMBER.format(value);
const plural = (count, one, many = `${one}s`) => `${number(count)} ${count === 1 ? one : many}`;
const sentenceList = (items) => LIST_FORMAT.format(items);

/** Thousands, as network and disk makers count: `281 bytes`, `12.3 kB`. As `bytes_in_words` in gnomon/text.py says it. */
function bytes(count) {
  if (typeof count !== "number") return "–";
  if (count < 1000) return plural(count, "byte");
  const units = ["kB", "MB", "GB", "TB"];
  let unit = 1000;
  const tenths = () => Math.floor((10 * count + unit / 2) / unit);
  while (tenths() >= 10_000 && units.length > 1) {
    unit *= 1000;
    units.shift();
  }
  return `${ONE_DIGIT.format(tenths() / 10)} ${units[0]}`;
}

/** The time that an ISO text says, in UTC where it names no zone; `null` where it says none. */
function moment(text) {
  if (!text) return null;
  const zoned = /[zZ]$|[+-]\d\d:?\d\d$/.test(text) || text.length <= 10 ? text : `${text}Z`;
  const time = new Date(zoned.replace(" ", "T"));
  return Number.isNaN(time.getTime()) ? null : time;
}

const said = (format) => (text) => {
  const time = moment(text);
  return time ? format.format(time) : text ? clean(text) : "–";
};
const day = said(DAY_FORMAT);
const longDay = said(LONG_DAY);
const shortDay = said(SHORT_DAY);
const time = said(TIME_FORMAT);

/** From the first to the last day. */
function period(first, last) {
  const [from, to] = [moment(first), moment(last)];
  return from && to ? LONG_DAY.formatRange(from, to) : "no records";
}

/** The first few, and how many there are besides. */
function few(items, most = 3) {
  const rest = items.length - most;
  return rest > 0 ? `${items.slice(0, most).join(", ")} and ${number(rest)} more` : items.join(", ");
}
