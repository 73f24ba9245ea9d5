// The report as it is printed: everything unfolded, one after the other. A script's or a finding's page prints alone.

const PAPER_WIDTH = 660;
const PAPER_ROWS = 250;
const PAPER_PASSPORTS = 25;

function setPaper() {
  const paper = document.getElementById("paper");
  if (isPrintedAlone()) return;
  document.documentElement.classList.add("on-paper");
  replace(paper, paperCover(), paperPictures(), ...paperTables(), paperPassports(), paperAbout());
  paper.hidden = false;
}

function clearPaper() {
  document.documentElement.classList.remove("on-paper");
  const paper = document.getElementById("paper");
  paper.hidden = true;
  replace(paper);
}

const isPrintedAlone = () => /^#\/(script|finding)\//.test(location.hash);

function paperCover() {
  const lines = FIGURES.map(([key, label, , under]) =>
    el("li", {}, el("b", {}, figureWords(key)), el("span", {}, label), el("small", {}, under())),
  );
  return el("section", { class: "sheet first" }, cover(), headlines(), el("ul", { class: "figures" }, lines));
}

function paperPictures() {
  const charts = [severityChart(), timelineChart(), flowChart(), librariesChart(), riskChart(), hostsChart()];
  return el(
    "section",
    { class: "sheet anew" },
    el("h2", {}, "Pictures"),
    charts.map((one) => paperChart(one, PAPER_WIDTH)),
  );
}

function paperTables() {
  const scriptColumns = ["risk", "severity", "name", "users", "runs", "ai_services", "last_seen"];
  return [
    paperTable(
      "Findings",
      findingsTable(),
      nothingFound(),
      ["severity", "sentence", "script_name", "count"],
      true,
    ),
    report.suppressed.length > 0 && paperTable("Accepted risks", suppressedTable(), ""),
    paperTable("Scripts", scriptsTable(), "No script was recorded.", scriptColumns, true),
    paperTable("AI ledger", aiTable(), "No AI service was contacted in this period.", [
      "name",
      "is_sanctioned",
      "scripts",
      "users",
      "calls",
      "bytes_out",
      "data_before",
    ]),
    paperTable("Data", dataFilesTable(), "No file with a sensitive name was used.", [
      "severity",
      "label",
      "folder",
      "files",
      "reads",
      "writes",
      "scripts",
    ]),
    paperTable("Read, then talked to a host", flowsTable(), "No run did.", [
      "severity",
      "label",
      "script_name",
      "host",
      "runs",
      "bytes_out",
    ]),
    paperTable("Hosts", hostsTable(), "No host was contacted.", [
      "host",
      "protocol",
      "category",
      "scripts",
      "bytes_out",
    ]),
    paperTable("Libraries", librariesTable(), "No library was imported.", [
      "distribution",
      "version",
      "state",
      "advisories",
      "fixed",
      "scripts",
    ]),
    paperTable("What this report cannot tell", gapsTable(), "No gap was recorded."),
  ].filter(Boolean);
}

function paperTable(title, table, none, keys, isAnew) {
  const columns = keys ? table.columns.filter((column) => keys.includes(column.key)) : table.columns;
  const [key, direction] = table.sort;
  const rows = sorted(table, key, direction === "down");
  return el(
    "section",
    { class: `sheet ${isAnew ? "anew" : ""}` },
    el("h2", {}, title),
    rows.length ? plainTable({ ...table, columns, rows }, PAPER_ROWS) : empty(none),
  );
}

function paperPassports() {
  const risky = scripts.filter((script) => script.risk > 0).slice(0, PAPER_PASSPORTS);
  if (!risky.length) return null;
  const rest = scripts.length - risky.length;
  const intro = `The ${plural(risky.length, "script")} of most risk.${rest > 0 ? ` The other ${number(rest)} have their pages in the file itself.` : ""}`;
  return [
    el("section", { class: "sheet anew" }, el("h2", {}, "Passports"), el("p", {}, intro)),
    risky.map((script) => paperPassport(passport(script.script))),
  ];
}

function paperPassport(page) {
  const findings = findingsByScript.get(page.script) ?? [];
  return el(
    "section",
    { class: "page" },
    el("h3", { class: "pagename" }, name(page.name), " ", severityMark(page.severity)),
    el("p", {}, passportSentence(page)),
    riskLines(page),
    findings.map(findingCard),
    passportFacts(page),
  );
}

function paperAbout() {
  return el(
    "section",
    { class: "sheet" },
    el("h2", {}, "About this report"),
    aboutFacts(),
    definitions(),
    limits(),
  );
}
