// The screens that are a picture and a list.

function titledScreen(title, sentence, ...children) {
  return [
    el("h1", { tabindex: "-1" }, title),
    sentence && el("p", { class: "lead" }, prose(sentence)),
    ...children,
  ];
}

function listScreen(title, sentence, table, none, ...above) {
  const body = table.rows.length ? dataTable(table) : empty(none);
  return titledScreen(title, sentence, ...(table.rows.length ? above : []), body);
}

const scriptsScreen = () =>
  listScreen(
    "Scripts",
    "A script is known by its content: the same content under another name, user or machine is the same script.",
    scriptsTable(),
    "No script was recorded in this period.",
  );

function findingsScreen() {
  const accepted =
    report.suppressed.length > 0 && section("Accepted risks", plainTable(suppressedTable(), 200));
  return [
    ...listScreen(
      "Findings",
      "Each is a rule that found something, with the records that show it and a remedy.",
      findingsTable(),
      nothingFound(),
      chart(severityChart(14)),
    ),
    accepted,
  ];
}

function librariesScreen() {
  const { source_date, imported, advisories } = report.vulnerability_database ?? {};
  const date = source_date ?? imported;
  const database = report.vulnerability_database
    ? `Checked against the OSV database${date ? ` of ${longDay(date)}` : ""} (${plural(advisories ?? 0, "advisory", "advisories")}); what is newer is not known here.`
    : "No vulnerability database was given, so nothing was checked. `gnomon osv import` takes one in.";
  return listScreen(
    "Libraries",
    `What scripts really imported, by distribution and version. ${database}`,
    librariesTable(),
    "No script imported a library in this period.",
    chart(librariesChart()),
  );
}

function aiScreen() {
  const sentence =
    "Every AI service that was contacted and every local model, with who used it and what their runs read before, which is no proof that it was sent.";
  const flows = report.flows.filter((flow) => flow.is_ai);
  const picture = flows.length > 0 && chart(flowChart(flows, "Data read before an AI service was contacted"));
  return listScreen("AI ledger", sentence, aiTable(), "No AI service was contacted in this period.", picture);
}

function dataScreen() {
  const sentence =
    "Files whose path and name say that they may hold something sensitive. No content was read to tell.";
  const flows = section(
    "Read, then talked to a host",
    report.flows.length
      ? [chart(flowChart()), dataTable({ ...flowsTable(), prefix: "flow" })]
      : empty("No run read sensitive data and then talked to a host."),
  );
  return [
    ...listScreen(
      "Data",
      sentence,
      dataFilesTable(),
      "No file with a sensitive name was used in this period.",
    ),
    flows,
  ];
}

function hostsScreen() {
  const charts = el("div", { class: "two" }, chart(hostsChart("bytes_out")), chart(hostsChart("scripts")));
  return listScreen(
    "Hosts",
    "Every other end beyond the machines themselves. Bytes are told where native code told them.",
    hostsTable(),
    "No host beyond the machines themselves was contacted in this period.",
    charts,
  );
}

const gapsScreen = () =>
  listScreen(
    "What this report cannot tell",
    "What was lost, unwatched or silent. A figure elsewhere in this report may be too low because of it.",
    gapsTable(),
    "No gap was recorded: nothing was lost, and every child that was expected left a record.",
  );
