// The report's data: one block that every screen needs, and the scripts' passports, parsed when looked at.

const report = JSON.parse(document.getElementById("report").textContent);
for (const name of Object.keys(report)) report[name] = unfolded(report[name]);
const { scripts, summary } = report;
scripts.forEach((script, order) => (script.order = order));

const scriptById = new Map(scripts.map((script) => [script.script, script]));
const scriptByName = uniqueBy(scripts, (script) => script.name);
const allFindings = [...report.findings, ...report.suppressed];
const findingById = new Map(allFindings.map((finding) => [finding.finding, finding]));
const findingsByScript = groupBy(allFindings, (finding) => finding.script ?? "");
const flowsByScript = groupBy(report.flows, (flow) => flow.script);

// Parsed blocks of passports by their number, and passports that are unfolded.
const blocks = new Map();
const passports = new Map();

/** A list that travelled by columns as objects; anything else as it is. */
function unfolded(value) {
  const { columns, rows } = value ?? {};
  if (!Array.isArray(columns) || !Array.isArray(rows)) return value;
  return rows.map((row) => {
    const object = {};
    for (let index = 0; index < columns.length; index++) object[columns[index]] = row[index];
    return object;
  });
}

function groupBy(items, key) {
  const groups = new Map();
  for (const item of items) {
    const found = groups.get(key(item));
    if (found) found.push(item);
    else groups.set(key(item), [item]);
  }
  return groups;
}

/** Items by a key that only one of them has. */
function uniqueBy(items, key) {
  const groups = groupBy(items, key);
  return new Map(
    [...groups].filter(([, found]) => found.length === 1).map(([said, found]) => [said, found[0]]),
  );
}

/** A script as others refer to it: by its id, or by a name that only one has. */
function scriptOf(reference) {
  return scriptById.get(reference) ?? scriptByName.get(reference);
}

/** A script's whole passport, or `undefined`. */
function passport(id) {
  const script = scriptById.get(id);
  if (script && !passports.has(id))
    passports.set(
      id,
      unfoldedPage(block(Math.floor(script.order / report.block))[script.order % report.block]),
    );
  return passports.get(id);
}

function unfoldedPage(page) {
  return Object.fromEntries(Object.entries(page).map(([name, value]) => [name, unfolded(value)]));
}

function block(number) {
  if (!blocks.has(number))
    blocks.set(number, JSON.parse(document.getElementById(`pages-${number}`).textContent));
  return blocks.get(number);
}

/** What an object of ours says of a word of theirs, which may be `constructor`. */
const own = (object, key) => (Object.hasOwn(object, key) ? object[key] : undefined);

const list = (value) => (Array.isArray(value) ? value : []);

/** Every different value that the rows have, sorted. */
function distinct(rows, values) {
  return [...new Set(rows.flatMap(values))]
    .filter((value) => value !== null && value !== undefined && value !== "")
    .sort(byText);
}

const COLLATOR = new Intl.Collator("en", { numeric: true, sensitivity: "base" });
const byText = (one, other) => COLLATOR.compare(String(one), String(other));

/** The sum of what `value` says of each row. */
const total = (rows, value) => rows.reduce((sum, row) => sum + (value(row) ?? 0), 0);
