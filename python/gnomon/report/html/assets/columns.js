// The report's tables: which columns each has, what it can be searched for, and by what it is filtered.

const column = (key, label, more) => ({ key, label, value: (row) => row[key], ...more });
const numbers = (key, label, more) =>
  column(key, label, { end: true, cell: (row) => number(row[key]), ...more });
const sizes = (key, label, more) =>
  column(key, label, { end: true, cell: (row) => bytes(row[key]), ...more });
const days = (key, label, more) =>
  column(key, label, { down: true, isWhole: true, cell: (row) => day(row[key]), ...more });
const counted = (key, label, made, more) =>
  column(key, label, {
    value: (row) => list(row[key]).length,
    cell: (row) => made(list(row[key])),
    down: true,
    ...more,
  });
const severities = (more) =>
  column("severity", "Severity", {
    value: (row) => rank(row.severity),
    cell: (row) => severityMark(row.severity),
    down: true,
    ...more,
  });

const choice = (key, label) => ({
  key,
  label,
  options: (rows) => distinct(rows, (row) => row[key]),
  matches: (row, chosen) => row[key] === chosen,
});
const among = (key, label) => ({
  key,
  label,
  options: (rows) => distinct(rows, (row) => list(row[key])),
  matches: (row, chosen) => list(row[key]).includes(chosen),
});
const bySeverity = {
  key: "severity",
  label: "Severity",
  options: severityOptions,
  matches: (row, chosen) => (row.severity ?? "none") === chosen,
};
const facets = (label, all) => ({
  key: "show",
  label,
  options: (rows) =>
    Object.entries(all)
      .filter(([, one]) => rows.some(one.is))
      .map(([value, one]) => ({ value, label: one.label })),
  matches: (row, chosen) => own(all, chosen)?.is(row) ?? true,
});

function severityOptions(rows) {
  const found = new Set(rows.map((row) => row.severity ?? "none"));
  return ["critical", ...SEVERITIES, "none"]
    .filter((one) => found.has(one))
    .map((value) => ({ value, label: own(SEVERITY_WORDS, value) ?? "None" }));
}

function riskCell(script) {
  return el(
    "span",
    { class: `score ${script.severity ?? "none"}`, vars: { "--share": `${script.risk}%` } },
    el("b", {}, number(script.risk)),
    el("i", { "aria-hidden": "true" }),
  );
}

const scriptsTable = (rows = scripts) => ({
  caption: "Scripts",
  nouns: "scripts",
  hint: "Name, path, user, machine, AI service",
  rows,
  sort: ["risk", "down"],
  className: "scripts",
  search: (row) => [
    row.name,
    row.path ?? "",
    row.script,
    row.users,
    row.machines,
    row.ai_services,
    row.owner ?? "",
    row.schedule ?? "",
  ],
  filters: [
    bySeverity,
    among("users", "User"),
    among("machines", "Machine"),
    among("ai_services", "AI service"),
    scriptFacets,
  ],
  columns: [
    column("risk", "Risk", { cell: riskCell, down: true }),
    severities(),
    column("name", "Script", { isHead: true, wide: true, cell: scriptCell }),
    counted("users", "Users", names),
    counted("machines", "Machines", names, { extra: true }),
    numbers("runs", "Runs"),
    counted("ai_services", "AI services", names, { minor: true }),
    numbers("hosts", "Hosts", { extra: true }),
    sizes("bytes_out", "Sent", { minor: true }),
    column("schedule", "Started by", {
      extra: true,
      value: (row) => row.schedule ?? "by hand",
      cell: (row) => row.schedule ?? "by hand",
    }),
    days("last_seen", "Last seen"),
  ],
});

const scriptFacets = facets("Show", {
  ai: { label: "Talks to an AI service", is: (row) => list(row.ai_services).length > 0 },
  orphaned: { label: "Owner gone", is: (row) => row.owner_exists === false || row.is_leaver === true },
  unversioned: { label: "Not in a repository", is: (row) => row.is_in_repository === false },
  scheduled: { label: "Runs on a schedule", is: (row) => Boolean(row.schedule) },
  denied: { label: "Stopped by policy", is: (row) => row.verdict === "deny" },
  judged: { label: "Policy had something to say", is: (row) => Boolean(row.verdict) },
  failing: { label: "Has failed", is: (row) => row.failed_runs > 0 },
});

function scriptCell(script) {
  return [
    link(scriptHref(script.script), name(script.name)),
    script.path && el("span", { class: "under" }, code(script.path)),
  ];
}

const findingsTable = (rows = report.findings) => ({
  caption: "Findings",
  nouns: "findings",
  hint: "Sentence, script, rule, user",
  rows,
  sort: ["severity", "down"],
  className: "findings",
  search: (row) => [
    row.sentence,
    row.title,
    row.rule,
    row.script_name ?? "",
    row.subject ?? "",
    row.users,
    row.machines,
    row.remedy,
    row.attack ?? "",
  ],
  filters: [bySeverity, choice("title", "Rule"), among("users", "User"), among("machines", "Machine")],
  columns: [
    severities(),
    column("sentence", "Finding", { isHead: true, wide: true, cell: findingCell }),
    column("script_name", "Script", { cell: (row) => row.script && scriptLink(row.script, row.script_name) }),
    counted("users", "Users", names, { minor: true }),
    numbers("points", "Points", { extra: true }),
    numbers("count", "Times"),
    days("last_seen", "Last seen"),
  ],
});

function findingCell(finding) {
  return [
    link(findingHref(finding.finding), prose(finding.sentence)),
    el("span", { class: "under" }, prose(finding.remedy)),
  ];
}

const suppressedTable = (rows = report.suppressed) => ({
  caption: "Accepted risks",
  nouns: "accepted risks",
  rows,
  sort: ["severity", "down"],
  columns: [
    severities(),
    column("sentence", "Finding", {
      isHead: true,
      wide: true,
      cell: (row) => link(findingHref(row.finding), prose(row.sentence)),
    }),
    column("suppressed_by", "Accepted by", { cell: (row) => row.suppressed_by && name(row.suppressed_by) }),
    column("suppressed_because", "Because", { wide: true }),
    column("suppressed_until", "Until", {
      cell: (row) => (row.suppressed_until ? day(row.suppressed_until) : "no end"),
    }),
  ],
});

const librariesTable = (rows = report.libraries) => ({
  caption: "Libraries",
  nouns: "libraries",
  hint: "Library, version, advisory, script",
  rows,
  sort: ["state", "down"],
  search: (row) => [
    row.distribution ?? "",
    row.version ?? "",
    row.advisories ?? [],
    row.state,
    row.package_index ?? "",
    list(row.scripts).map(scriptWords),
    row.machines,
  ],
  filters: [choice("state", "State"), bySeverity, among("machines", "Machine")],
  columns: [
    column("distribution", "Library", { isHead: true, cell: (row) => name(row.distribution) }),
    column("version", "Version", { isWhole: true, cell: (row) => row.version && code(row.version) }),
    column("state", "State", { value: libraryRank, cell: libraryState, down: true }),
    counted("advisories", "Advisories", (ids) => names(ids, 4)),
    column("fixed", "Fixed in", { isWhole: true, cell: (row) => row.fixed && code(row.fixed) }),
    counted("scripts", "Scripts", (ids) => scriptLinks(ids, 2)),
    numbers("runs", "Runs", { minor: true }),
    counted("machines", "Machines", names, { extra: true }),
    days("last_seen", "Last seen", { minor: true }),
  ],
});

const libraryRank = (row) =>
  row.state === "vulnerable" ? 10 + rank(row.severity) : row.state === "no known vulnerability" ? 0 : 1;
const libraryState = (row) => [
  row.state === "vulnerable"
    ? [severityMark(row.severity ?? "medium"), " vulnerable"]
    : (row.state ?? "not checked"),
  row.package_index && el("span", { class: "under" }, `in the package index: ${clean(row.package_index)}`),
];
const scriptWords = (reference) => [reference, scriptOf(reference)?.name ?? ""].join(" ");

const hostsTable = (rows = report.hosts) => ({
  caption: "Hosts",
  nouns: "hosts",
  hint: "Host, service, script, user",
  rows,
  sort: ["bytes_out", "down"],
  search: (row) => [
    row.host,
    row.service ?? "",
    row.category ?? "",
    row.protocol ?? "",
    list(row.scripts).map(scriptWords),
    row.users,
  ],
  filters: [
    hostFacets,
    choice("protocol", "Protocol"),
    choice("category", "Category"),
    among("users", "User"),
  ],
  columns: [
    column("host", "Host", { isHead: true, wide: true, cell: hostCell }),
    column("protocol", "Protocol", { cell: (row) => protocolCell(row) }),
    column("category", "What it is", { value: (row) => row.service ?? row.category, cell: hostKind }),
    counted("scripts", "Scripts", (ids) => scriptLinks(ids, 2)),
    counted("users", "Users", names, { minor: true }),
    numbers("runs", "Runs", { extra: true }),
    numbers("requests", "Requests", { extra: true }),
    sizes("bytes_out", "Sent"),
    sizes("bytes_in", "Received", { minor: true }),
    numbers("denied", "Denied", { extra: true }),
    days("last_seen", "Last seen", { extra: true }),
  ],
});

const hostFacets = facets("Show", {
  ai: { label: "AI services", is: (row) => Boolean(row.service) },
  outside: { label: "Outside the organisation", is: (row) => row.is_internal === false },
  plain: { label: "Without encryption", is: (row) => row.is_plain === true },
  denied: { label: "Denied by policy", is: (row) => row.denied > 0 },
});

const hostCell = (row) => [name(row.host), row.port && el("span", { class: "quiet" }, `:${row.port}`)];
const protocolCell = (row) => [
  row.protocol ?? "not known",
  row.is_plain && [" ", tag("not encrypted", "warned")],
];

function hostKind(row) {
  const kinds = [row.service && tag(row.service, "ai"), row.category, row.is_internal && "internal"].filter(
    Boolean,
  );
  return kinds.length
    ? el(
        "span",
        { class: "kinds" },
        kinds.flatMap((kind) => [kind, " "]),
      )
    : null;
}

const aiTable = (rows = report.ai) => ({
  caption: "AI ledger",
  nouns: "AI services",
  hint: "Service, host, user, script",
  rows,
  sort: ["bytes_out", "down"],
  search: (row) => [
    row.name,
    row.service,
    row.hosts,
    row.sdks,
    row.endpoints,
    row.users,
    list(row.scripts).map(scriptWords),
  ],
  filters: [among("users", "User"), choice("kind", "Kind")],
  columns: [
    column("name", "Service", {
      isHead: true,
      cell: (row) => [
        name(row.name),
        el("span", { class: "under" }, few(list(row.hosts).map((host) => clean(host)))),
      ],
    }),
    column("is_sanctioned", "Approved", {
      value: (row) => String(row.is_sanctioned),
      cell: approved,
    }),
    counted("sdks", "Libraries", names, { extra: true }),
    counted("endpoints", "Endpoints", (all) => names(all, 2), { extra: true }),
    counted("scripts", "Scripts", (ids) => scriptLinks(ids, 3)),
    counted("users", "Users", names),
    numbers("calls", "Calls"),
    sizes("bytes_out", "Sent"),
    sizes("bytes_in", "Received", { minor: true }),
    counted("data_before", "Read before", (labels) => names(labels, 4)),
    days("last_seen", "Last seen", { minor: true }),
  ],
});

// Nothing leaves the machine for these.
const ON_THE_MACHINE = ["local", "local runtime", "model files"];
const approved = (row) =>
  row.is_sanctioned === true
    ? "yes"
    : row.is_sanctioned === false
      ? tag("no", "warned")
      : el("span", { class: "whole" }, ON_THE_MACHINE.includes(row.kind) ? "on the machine" : "not said");

const dataFilesTable = (rows = report.data) => ({
  caption: "Sensitive data",
  nouns: "folders",
  hint: "Folder, kind, script, user",
  rows,
  sort: ["severity", "down"],
  search: (row) => [
    row.folder,
    row.label,
    row.category,
    row.types,
    row.examples,
    row.users,
    list(row.scripts).map(scriptWords),
    row.attack ?? "",
  ],
  filters: [bySeverity, choice("label", "Kind"), among("users", "User")],
  columns: [
    severities(),
    column("label", "Kind", { isHead: true, cell: (row) => row.label }),
    column("folder", "Folder", { wide: true, cell: (row) => code(row.folder) }),
    numbers("files", "Files"),
    counted("examples", "For example", fileNames, { extra: true }),
    numbers("reads", "Reads"),
    numbers("writes", "Writes", { extra: true }),
    numbers("deletes", "Deletes", { extra: true }),
    counted("scripts", "Scripts", (ids) => scriptLinks(ids, 2)),
    counted("users", "Users", names, { minor: true }),
    column("attack", "ATT&CK", { extra: true }),
    days("last_seen", "Last seen", { minor: true }),
  ],
});

/** Without their folders, which stand beside them. */
const fileNames = (paths) =>
  names(
    paths.map((path) => String(path).split("/").pop() || path),
    2,
  );

const flowsTable = (rows = report.flows) => ({
  caption: "Data read before a connection of the same run",
  nouns: "flows",
  hint: "Data, script, host, user",
  rows,
  sort: ["severity", "down"],
  search: (row) => [row.label, row.script_name, row.host, row.service ?? "", row.users, row.examples],
  filters: [
    bySeverity,
    choice("label", "Data"),
    facets("Show", {
      ai: { label: "To AI services", is: (row) => row.is_ai },
      outside: { label: "To outside", is: (row) => !row.is_internal },
    }),
  ],
  columns: [
    severities(),
    column("label", "Data"),
    column("script_name", "Script", { isHead: true, cell: (row) => scriptLink(row.script, row.script_name) }),
    column("host", "Host", {
      wide: true,
      cell: (row) => [name(row.host), row.is_ai && [" ", tag("AI", "ai")]],
    }),
    numbers("files", "Files"),
    counted("examples", "For example", fileNames, { extra: true }),
    numbers("runs", "Runs"),
    sizes("bytes_out", "Sent"),
    counted("users", "Users", names, { minor: true }),
    days("last_seen", "Last seen", { minor: true }),
  ],
});

const gapsTable = (rows = report.gaps) => ({
  caption: "Gaps",
  nouns: "gaps",
  hint: "Kind, reason, script",
  rows,
  sort: ["count", "down"],
  search: (row) => [row.kind, row.reason, row.sentence, list(row.scripts).map(scriptWords), row.machines],
  filters: [choice("kind", "Kind"), among("machines", "Machine")],
  columns: [
    column("kind", "Kind"),
    column("sentence", "What was not seen, and what that means", {
      isHead: true,
      wide: true,
      cell: (row) => [prose(row.sentence), el("span", { class: "under" }, row.reason)],
    }),
    numbers("count", "Times"),
    counted("scripts", "Scripts", (ids) => scriptLinks(ids, 3)),
    counted("machines", "Machines", names, { minor: true }),
  ],
});
