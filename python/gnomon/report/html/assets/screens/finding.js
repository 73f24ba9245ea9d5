// One finding: what is the matter, what to do, and the records that show it.

function findingScreen(id) {
  const finding = findingById.get(id);
  if (!finding)
    return titledScreen(
      "No such finding",
      "This report has no finding of that id.",
      el("p", {}, link("#/findings", "All findings")),
    );
  return [
    el(
      "div",
      { class: "cover" },
      el("p", { class: "kicker" }, link("#/findings", "Findings"), ` / ${clean(finding.title)}`),
      el("h1", { tabindex: "-1", class: "sentence" }, prose(finding.sentence)),
      el("p", {}, severityMark(finding.severity)),
    ),
    section("What to do", el("p", { class: "lead" }, prose(finding.remedy))),
    section("About it", findingFacts(finding)),
    section("Evidence", evidence(finding)),
  ];
}

function findingFacts(finding) {
  return facts(
    [
      ["Script", finding.script && scriptLink(finding.script, finding.script_name)],
      ["Subject", finding.subject && name(finding.subject)],
      ["Users", list(finding.users).length > 0 && names(finding.users, 20)],
      ["Machines", list(finding.machines).length > 0 && names(finding.machines, 20)],
      ["Times", number(finding.count)],
      ["First seen", finding.first_seen && time(finding.first_seen)],
      ["Last seen", finding.last_seen && time(finding.last_seen)],
      ["Points", number(finding.points)],
      ["Rule", code(finding.rule)],
      ["MITRE ATT&CK", finding.attack],
      ["Id", code(finding.finding)],
      ...accepted(finding),
    ].map(([term, value]) => [term, value || null]),
  );
}

function accepted(finding) {
  if (!finding.is_suppressed) return [];
  return [
    ["Accepted by", name(finding.suppressed_by ?? "not told")],
    ["Because", finding.suppressed_because],
    ["Until", finding.suppressed_until ? day(finding.suppressed_until) : "no end"],
  ];
}

function evidence(finding) {
  const rows = list(finding.records).map(([process, seq]) => ({ process, seq }));
  if (!rows.length)
    return empty("No single record shows it: it is known from what is missing, or from figures.");
  const columns = [
    column("process", "Run", { isHead: true, wide: true, cell: (row) => code(row.process) }),
    column("seq", "Record", { cell: (row) => code(row.seq) }),
  ];
  const query = el(
    "p",
    { class: "quiet" },
    "To see one: ",
    el("code", {}, "gnomon query \"select * from events where process = '…' and seq = …\""),
  );
  return [plainTable({ caption: "Records that show it", columns, rows }), query];
}

/** A finding on its script's page. */
function findingCard(finding) {
  return el(
    "article",
    { class: `finding ${finding.severity}${finding.is_suppressed ? " accepted" : ""}` },
    el("h3", {}, severityMark(finding.severity), link(findingHref(finding.finding), prose(finding.sentence))),
    el("p", {}, prose(finding.remedy)),
    el(
      "p",
      { class: "quiet" },
      [
        plural(finding.count, "time"),
        list(finding.records).length > 0 && `evidence: ${evidenceWords(finding)}`,
        finding.attack && `ATT&CK ${clean(finding.attack)}`,
        finding.is_suppressed && `accepted by ${clean(finding.suppressed_by ?? "not told")}`,
      ]
        .filter(Boolean)
        .join(" · "),
    ),
  );
}

function evidenceWords(finding) {
  const [process, seq] = finding.records[0];
  const more = finding.records.length - 1;
  return `record ${seq} of run ${clean(process)}${more ? ` and ${number(more)} more` : ""}`;
}
