// A passport's lists as tables: rows as the views have them, with the columns that any of them fills.

// What the views call the columns of a passport's lists. One that is not named here is shown under its own name.
const KNOWN = {
  severity: "Severity",
  label: "May hold",
  verdict: "Verdict",
  distribution: "Library",
  host: "Host",
  path: "File",
  command: "Command",
  kind: "What",
  target: "On",
  rule: "Rule",
  version: "Version",
  state: "State",
  advisories: "Advisories",
  fixed: "Fixed in",
  package_index: "Package index",
  protocol: "Protocol",
  service: "AI service",
  category: "What it is",
  count: "Times",
  runs: "Runs",
  requests: "Requests",
  reads: "Reads",
  writes: "Writes",
  deletes: "Deletes",
  bytes_out: "Sent",
  bytes_in: "Received",
  bytes_read: "Bytes read",
  bytes_written: "Bytes written",
  denied: "Denied",
  failed: "Failed",
  is_stopped: "Stopped",
  is_observed: "Only observed",
  reason: "Reason",
  silent_because: "Left no record, because",
  attack: "ATT&CK",
  caused_by: "Where in the code",
  last_seen: "Last seen",
  evidence: "Evidence",
};
const UNTOLD = new Set([
  "script",
  "script_name",
  "sensitivity",
  "machine_id",
  "service_name",
  "is_ai",
  "is_local",
  "program",
  "port",
  "modules",
  "first_seen",
  "urls",
  "connects",
]);

/** A table of plain rows: the columns that any of them fills, known ones first. */
function plainRows(caption, rows, untold = []) {
  const filled = new Set(
    rows.flatMap((row) =>
      Object.keys(row).filter(
        (key) => isFilled(row[key]) && row[key] !== 0 && !UNTOLD.has(key) && !untold.includes(key),
      ),
    ),
  );
  const keys = [
    ...Object.keys(KNOWN).filter((key) => filled.has(key)),
    ...[...filled].filter((key) => !Object.hasOwn(KNOWN, key)),
  ];
  const lead = LEADS.find((key) => filled.has(key)) ?? keys[0];
  return { caption, rows, columns: keys.map((key) => plainColumn(key, key === lead)) };
}

const isFilled = (value) =>
  value !== null && value !== undefined && value !== false && !(Array.isArray(value) && !value.length);

// What gives way where there is no room for it.
const SPARE = new Set(["attack", "failed", "bytes_in", "bytes_read", "bytes_written", "evidence", "runs"]);

const LEADS = ["distribution", "host", "path", "command", "target"];

function plainColumn(key, isHead) {
  const label = own(KNOWN, key) ?? key.replace(/^is_/, "").replaceAll("_", " ");
  return column(key, label, {
    isHead,
    wide: isHead,
    isWhole: key === "last_seen",
    isLong: ["evidence", "caused_by"].includes(key),
    isSpare: SPARE.has(key),
    cell: (row) => plainCell(key, row[key], row),
  });
}

const SPECIAL = {
  severity: severityMark,
  state: (value) => (value === "vulnerable" ? tag("vulnerable", "warned") : value),
  verdict: (value) => (value === "deny" ? tag("deny", "warned") : value),
  service: (value) => tag(value, "ai"),
  host: (value, row) => [
    hostCell(row),
    list(row.urls)
      .slice(0, 3)
      .map((url) => el("span", { class: "under" }, code(url))),
  ],
  caused_by: (value) => code(value.line ? `${value.file}:${value.line}` : (value.file ?? "")),
  evidence: (value) => code(`${value.process} ${value.seq}`),
  last_seen: day,
};
const CODED = new Set(["path", "command", "version", "target"]);

function plainCell(key, value, row) {
  if (!isFilled(value) || (value === 0 && key !== "count")) return null;
  if (own(SPECIAL, key)) return SPECIAL[key](value, row);
  if (key.startsWith("bytes_")) return bytes(value);
  if (typeof value === "number") return number(value);
  if (value === true) return "yes";
  if (Array.isArray(value)) return names(value, 4);
  if (typeof value === "object") return code(JSON.stringify(value));
  return CODED.has(key) ? code(value) : name(value);
}
