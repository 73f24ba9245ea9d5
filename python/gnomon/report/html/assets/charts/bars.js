// Bars with their names and figures beside them: scripts by risk, hosts by volume, libraries by vulnerability.

const TOP = 10;

/** Rows as {name, href, value, shown, className, extra}. They are a list, so they read well without the drawing. */
function bars(rows, finding) {
  const most = d3.max(rows, (row) => row.value) || 1;
  return el(
    "ol",
    { class: "bars", "aria-label": finding },
    rows.map((row) => barOf(row, most)),
  );
}

function barOf(row, most) {
  const share = `${Math.max(row.value > 0 ? 0.6 : 0, (100 * row.value) / most)}%`;
  return el(
    "li",
    {},
    el(
      "span",
      { class: "barname" },
      row.href ? link(row.href, name(row.name)) : name(row.name),
      row.extra && [" ", row.extra],
    ),
    el(
      "span",
      { class: `track ${row.className ?? ""}`, "aria-hidden": "true" },
      el("i", { vars: { "--share": share } }),
    ),
    el("span", { class: "barvalue" }, row.shown),
  );
}

function riskChart() {
  const rows = scripts.filter((script) => script.risk > 0).slice(0, TOP);
  const risky = scripts.filter((script) => script.severity === "high").length;
  const finding = rows.length
    ? `${plural(risky, "script has", "scripts have")} a finding of high severity. The highest score is ${rows[0].risk} of 100.`
    : "No script has a finding.";
  const made = rows.map((script) => ({
    name: script.name,
    href: scriptHref(script.script),
    value: script.risk,
    shown: [number(script.risk), " ", severityMark(script.severity)],
    className: script.severity ?? "none",
  }));
  return {
    title: "Scripts of most risk",
    finding,
    draw: () => scaled(bars(made, finding)),
    table: { ...scriptsTable(scripts.slice(0, 100)), className: "" },
  };
}

/** Scores have a scale of their own: 100 is the end of the track. */
function scaled(element) {
  element.classList.add("score");
  return element;
}

function hostsChart(measure = "bytes_out") {
  const isVolume = measure === "bytes_out";
  const value = (host) => (isVolume ? host.bytes_out : list(host.scripts).length);
  const rows = [...report.hosts].sort((one, other) => value(other) - value(one)).slice(0, TOP);
  const outside = report.hosts.filter((host) => !host.is_internal).length;
  const finding = rows.length
    ? hostsFinding(rows[0], outside, isVolume)
    : "No host beyond the machines themselves was contacted.";
  const made = rows.map((host) => ({
    name: host.host,
    href: `#/hosts?q=${encodeURIComponent(wellFormed(host.host))}`,
    value: value(host),
    shown: isVolume ? bytes(host.bytes_out) : plural(value(host), "script"),
    className: hostClass(host),
    extra: hostTags(host),
  }));
  return {
    title: isVolume ? "Hosts by data sent" : "Hosts by scripts",
    finding,
    draw: () => bars(made, finding),
    table: hostsTable(rows),
  };
}

function hostsFinding(top, outside, isVolume) {
  const count = `${plural(report.hosts.length, "host")}, ${number(outside)} of them outside the organisation.`;
  return isVolume
    ? `${count} Most was sent to ${clean(top.host)}: ${bytes(top.bytes_out)}.`
    : `${count} ${plural(list(top.scripts).length, "script talks", "scripts talk")} to ${clean(top.host)}.`;
}

/* Each colour has its word beside the name. */
const hostClass = (host) =>
  host.service
    ? "ai"
    : host.severity === "high"
      ? "high"
      : host.is_plain && !host.is_internal
        ? "medium"
        : host.is_internal
          ? "none"
          : "calm";
const hostTags = (host) =>
  [
    host.service && tag("AI", "ai"),
    host.severity === "high" && tag(host.category, "warned"),
    host.is_plain && tag("not encrypted", "warned"),
    host.is_internal && tag("internal"),
  ]
    .filter(Boolean)
    .slice(0, 2);

const LIBRARY_STATES = [
  {
    className: "high",
    label: "vulnerable, high",
    is: (row) => row.state === "vulnerable" && rank(row.severity) >= 3,
  },
  {
    className: "medium",
    label: "vulnerable, medium",
    is: (row) => row.state === "vulnerable" && rank(row.severity) === 2,
  },
  {
    className: "low",
    label: "vulnerable, low or not rated",
    is: (row) => row.state === "vulnerable" && rank(row.severity) < 2,
  },
  {
    className: "unknown",
    label: "not checked",
    is: (row) => row.state !== "vulnerable" && row.state !== "no known vulnerability",
  },
  { className: "none", label: "no known vulnerability", is: (row) => row.state === "no known vulnerability" },
];

function librariesChart() {
  const counts = LIBRARY_STATES.map((state) => ({
    ...state,
    count: report.libraries.filter(state.is).length,
  })).filter((state) => state.count);
  const finding = librariesFinding();
  return {
    title: "Libraries by vulnerability",
    finding,
    draw: (width) => shares(counts, width, finding, "library", "libraries"),
    table: {
      caption: "Libraries by vulnerability",
      rows: counts,
      columns: [column("label", "State", { isHead: true }), numbers("count", "Libraries")],
    },
  };
}

function librariesFinding() {
  if (!report.libraries.length) return "No library was imported.";
  if (!report.vulnerability_database) return "No vulnerability database was given, so nothing was checked.";
  const vulnerable = report.libraries.filter((row) => row.state === "vulnerable");
  const reached = new Set(vulnerable.flatMap((row) => list(row.scripts))).size;
  if (!vulnerable.length)
    return `None of ${plural(report.libraries.length, "imported library", "imported libraries")} has a known vulnerability.`;
  return `${number(vulnerable.length)} of ${plural(report.libraries.length, "imported library has", "imported libraries have")} a known vulnerability. ${plural(reached, "script imports", "scripts import")} one.`;
}

/** Parts of a whole as one bar, each named under it, with patterns besides colours. */
function shares(parts, width, finding, one, many) {
  const all = total(parts, (part) => part.count) || 1;
  const x = d3.scaleLinear([0, all], [0, width]);
  let before = 0;
  const drawn = parts.map((part) => {
    const from = x(before);
    before += part.count;
    return svg(
      "rect",
      {
        class: `bar ${part.className}`,
        x: from + 1,
        y: 0,
        width: Math.max(1.5, x(before) - from - 2),
        height: 26,
        rx: 1.5,
      },
      titled(`${plural(part.count, one, many)}: ${part.label}`),
    );
  });
  const legend = el(
    "ul",
    { class: "legend" },
    parts.map((part) =>
      el("li", {}, swatch(part.className), el("b", {}, number(part.count)), ` ${part.label}`),
    ),
  );
  return [picture(width, 26, finding, drawn), legend];
}

function swatch(className) {
  const known = SEVERITIES.includes(className);
  return known
    ? el("span", { class: `severity ${className}`, "aria-hidden": "true" }, shape(className))
    : el("i", { class: `swatch ${className}`, "aria-hidden": "true" });
}

function severityChart(rules = 5) {
  const parts = SEVERITIES.map((severity) => ({
    className: severity,
    label: SEVERITY_WORDS[severity].toLowerCase(),
    count: report.findings.filter((one) => one.severity === severity).length,
  })).filter((part) => part.count);
  const kinds = new Set(report.findings.map((one) => one.rule)).size;
  const finding = parts.length
    ? `${plural(report.findings.length, "finding")} of ${plural(kinds, "kind")}${report.suppressed.length ? `; ${plural(report.suppressed.length, "more is accepted", "more are accepted")}` : ""}.`
    : nothingFound();
  return {
    title: "Findings by severity",
    className: rules > 5 ? "many" : null,
    finding,
    draw: (width) => [
      shares(parts, width, finding, "finding", "findings"),
      bars(ruleBars(rules), "Findings by rule"),
    ],
    table: null,
  };
}

function ruleBars(most) {
  const groups = [...groupBy(report.findings, (one) => one.title)].map(([title, found]) => ({
    title,
    found,
    gravity: rank(worst(found)),
  }));
  groups.sort((one, other) => other.gravity - one.gravity || other.found.length - one.found.length);
  return groups.slice(0, most).map(({ title, found }) => ({
    name: title,
    href: `#/findings?title=${encodeURIComponent(wellFormed(title))}`,
    value: found.length,
    shown: number(found.length),
    className: worst(found),
  }));
}

const worst = (findings) =>
  findings.reduce((gravest, one) => (rank(one.severity) > rank(gravest.severity) ? one : gravest)).severity;
