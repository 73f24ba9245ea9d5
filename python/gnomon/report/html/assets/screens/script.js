// A script's passport.

function scriptScreen(id) {
  const page = passport(id);
  if (!page)
    return titledScreen(
      "No such script",
      "This report has no script of that id.",
      el("p", {}, link("#/scripts", "All scripts")),
    );
  return [passportHead(page), ...passportSections(page)];
}

function passportHead(page) {
  return el(
    "div",
    { class: "cover passport" },
    el(
      "p",
      { class: "kicker" },
      link("#/scripts", "Scripts"),
      page.form !== "file" && ` / ${own(FORMS, page.form) ?? clean(page.form)}`,
    ),
    el("h1", { tabindex: "-1" }, name(page.name)),
    el("p", { class: "lead" }, passportSentence(page)),
    el(
      "div",
      { class: "risk" },
      riskCell({ ...page, risk: page.risk ?? 0 }),
      el("span", {}, "of 100"),
      severityMark(page.severity),
    ),
  );
}

const FORMS = {
  module: "module",
  command: "command (-c)",
  stdin: "code from standard input",
  archive: "archive",
  directory: "directory",
  kernel: "notebook",
  interactive: "interactive session",
};

function passportSentence(page) {
  const who = few(list(page.users).map((user) => clean(user)));
  const where = few(
    list(page.machines).map((machine) => clean(machine)),
    2,
  );
  const how = page.schedule ? `, started by ${clean(page.schedule)}` : "";
  const failed = page.failed_runs ? `; ${plural(page.failed_runs, "run")} failed` : "";
  return `Run ${plural(page.runs, "time")} on ${plural(page.days, "day")} by ${who || "nobody known"}${where ? ` on ${where}` : ""}${how}${failed}.`;
}

function passportSections(page) {
  const findings = findingsByScript.get(page.script) ?? [];
  const flows = flowsByScript.get(page.script) ?? [];
  return [
    section("Risk, line by line", riskLines(page)),
    section(
      "Findings",
      findings.length ? findings.map(findingCard) : empty("No rule found anything about this script."),
    ),
    section("Passport", passportFacts(page), runDays(page)),
    list(page.changes).length > 0 &&
      section(
        "Changes",
        el(
          "ul",
          { class: "sentences" },
          page.changes.map((change) => el("li", {}, change)),
        ),
      ),
    flows.length > 0 &&
      section("Read, then talked to", chart(flowChart(flows, "What it read, and where it talked to next"))),
    lines(page, "hosts", "Hosts", "It talked to no host beyond its machine."),
    lines(page, "files", "Files", "It used no file besides its own code and libraries."),
    lines(page, "libraries", "Libraries", "It imported no library."),
    section(
      "Programs it started",
      list(page.tree).length > 0 && treeFigure(page),
      listOf(
        page,
        "children",
        "Programs it started",
        list(page.tree).length ? null : "It started no other program.",
      ),
    ),
    lines(page, "verdicts", "Verdicts", "Policy had nothing to say about it."),
  ].filter(Boolean);
}

function riskLines(page) {
  const points = list(page.points);
  if (!points.length) return empty("No finding adds to its risk.");
  const columns = [
    numbers("points", "Points", {
      cell: (row) => (row.points > 0 ? `+${number(row.points)}` : number(row.points).replace("-", "−")),
    }),
    column("because", "Because", {
      isHead: true,
      wide: true,
      cell: (row) =>
        row.finding && findingById.has(row.finding)
          ? link(findingHref(row.finding), row.because)
          : row.because,
    }),
  ];
  const sum = el("p", { class: "sum" }, "Together: ", el("b", {}, number(page.risk)), " of 100");
  return [plainTable({ caption: "Risk, line by line", columns, rows: points, className: "points" }), sum];
}

function passportFacts(page) {
  const owner = page.owner && [
    name(page.owner),
    page.owner_exists === false && [" ", tag("account gone", "warned")],
    page.is_owner_leaver && [" ", tag("left the organisation", "warned")],
  ];
  const gone = !page.owner && page.owner_exists === false && tag("account gone", "warned");
  return facts([
    ["Owner", owner || gone],
    ["Users", names(page.users, 20)],
    ["Machines", names(page.machines, 20)],
    ["First seen", time(page.first_seen)],
    ["Last seen", time(page.last_seen)],
    ["Started by", page.schedule ?? "a person"],
    ["In a repository", page.repository ? code(page.repository) : yesNo(page.is_in_repository)],
    ["Versions", number(page.versions)],
    ["Sent", bytes(page.bytes_out)],
    ["Received", bytes(page.bytes_in)],
    ["AI services", list(page.ai_services).length ? names(page.ai_services, 20) : "none"],
    [
      "Paths",
      el(
        "ul",
        { class: "bare" },
        list(page.paths).map((path) => el("li", {}, code(path))),
      ),
    ],
    ["SHA-256", page.sha256 && code(page.sha256)],
    ["Id", code(page.script)],
  ]);
}

function runDays(page) {
  const days = Object.entries(page.runs_by_day ?? {})
    .map(([key, runs]) => ({ day: key, runs }))
    .sort((one, other) => byText(one.day, other.day));
  if (days.length < 2) return null;
  const finding = `${plural(page.runs, "run")} on ${plural(days.length, "day")}.`;
  const bands = [{ key: "runs", label: "Runs", className: "ink" }];
  return chart({
    title: "Runs by day",
    finding,
    draw: (width) => timeline(withDaysBetween(days), bands, width, finding),
    table: {
      caption: "Runs by day",
      rows: days,
      columns: [column("day", "Day", { isHead: true, cell: (row) => day(row.day) }), numbers("runs", "Runs")],
    },
  });
}

const DAY_MS = 86_400_000;
const MOST_DAYS = 400;

/** Days without a run have their place, too, so that the distance of two bars is that of their days. */
function withDaysBetween(days) {
  const [from, to] = [days[0], days.at(-1)].map((one) => moment(one.day)?.getTime());
  const between = (to - from) / DAY_MS;
  if (!(between < MOST_DAYS)) return days;
  const runs = new Map(days.map((one) => [one.day, one.runs]));
  return Array.from({ length: between + 1 }, (_, number) => {
    const key = new Date(from + number * DAY_MS).toISOString().slice(0, 10);
    return { day: key, runs: runs.get(key) ?? 0 };
  });
}

function lines(page, key, title, none) {
  return section(title, listOf(page, key, title, none));
}

function listOf(page, key, title, none) {
  const rows = list(page[key]);
  if (!rows.length) return none && empty(none);
  const more = page[`more_${key}`] ?? 0;
  return [
    plainTable(plainRows(title, rows, key === "files" ? ["category"] : [])),
    more > 0 && el("p", { class: "quiet" }, `And ${number(more)} more of less weight.`),
  ];
}

function treeFigure(page) {
  return el(
    "figure",
    { class: "chart" },
    el(
      "figcaption",
      {},
      el("strong", {}, "Process tree"),
      el("p", {}, "Of its last run that started other programs."),
    ),
    processTree(page.tree),
  );
}
