// The first screen: the gravest things in sentences, the figures, and the pictures.

function overview() {
  return [
    cover(),
    section("In short", headlines()),
    section("Figures", figures()),
    el("div", { class: "two" }, chart(severityChart()), chart(librariesChart())),
    section("When", chart(timelineChart())),
    section("Where the data goes", chart(flowChart())),
    section("Who to look at first", el("div", { class: "two" }, chart(riskChart()), hostsByMeasure())),
    section("What this report cannot tell", cannotTell()),
  ];
}

function cover() {
  const made = `Made on ${longDay(report.made)} by gnomon ${clean(report.gnomon)}.`;
  return el(
    "div",
    { class: "cover" },
    el("p", { class: "kicker imprint" }, brandMark(), " gnomon"),
    el("h1", { tabindex: "-1" }, report.title),
    el(
      "p",
      { class: "period" },
      el("b", {}, period(report.first, report.last)),
      ` · ${plural(summary.machines, "machine")} · ${plural(summary.users, "user")}. ${made}`,
      report.is_pseudonymous && " People are told by pseudonyms.",
    ),
  );
}

function headlines() {
  if (!report.headlines.length) return empty(nothingFound());
  return el(
    "ol",
    { class: "headlines" },
    report.headlines.map((sentence) => el("li", {}, el("span", {}, prose(sentence)))),
  );
}

const FIGURES = [
  ["scripts", "Scripts", "#/scripts", () => `${plural(summary.runs, "run")}`],
  ["users", "Users", "#/scripts", () => `on ${plural(summary.machines, "machine")}`],
  [
    "high",
    "High findings",
    "#/findings?severity=high",
    () => `${number(summary.medium)} medium, ${number(summary.low)} low`,
  ],
  [
    "ai_services",
    "AI services",
    "#/ai",
    () =>
      summary.ai_services
        ? plural(
            total(report.ai, (row) => (row.kind === "model files" ? 0 : row.calls)),
            "call",
          )
        : "none was contacted",
  ],
  [
    "vulnerable_libraries",
    "Vulnerable libraries",
    "#/libraries?state=vulnerable",
    () => (report.vulnerability_database ? `of ${number(summary.libraries)} imported` : "not checked"),
  ],
  ["sensitive_files", "Sensitive files", "#/data", () => "by path and name"],
  ["hosts", "Hosts", "#/hosts", () => `${bytes(summary.bytes_out)} sent`],
  [
    "denied",
    "Denied by policy",
    "#/scripts?show=judged",
    () => `${number(summary.warned)} warned, ${number(summary.justified)} asked for a reason`,
  ],
];

function figures() {
  return el("ul", { class: "figures" }, FIGURES.map(figure));
}

function figure([key, label, href, under]) {
  const isGrave = summary[key] > 0 && ["high", "vulnerable_libraries"].includes(key);
  return el(
    "li",
    { class: isGrave ? "grave" : null },
    link(
      href,
      el("b", {}, figureWords(key)),
      el("span", {}, label),
      el("small", {}, under()),
    ),
  );
}

/** A figure that nobody looked for is none, not zero. */
const figureWords = (key) =>
  key === "vulnerable_libraries" && !report.vulnerability_database ? "–" : number(summary[key]);

/** Hosts by what was sent, or by how many scripts talk to them. */
function hostsByMeasure() {
  const place = el("div", {});
  const measures = { bytes_out: "By data sent", scripts: "By scripts" };
  const buttons = Object.entries(measures).map(([measure, label]) =>
    button(label, () => show(measure), { "data-measure": measure }),
  );
  function show(measure) {
    for (const one of buttons) one.setAttribute("aria-pressed", String(one.dataset.measure === measure));
    replace(place, chart(hostsChart(measure)));
  }
  show(summary.bytes_out ? "bytes_out" : "scripts");
  return el(
    "div",
    { class: "measured" },
    el("div", { class: "choice", role: "group", "aria-label": "Hosts by" }, buttons),
    place,
  );
}

function cannotTell() {
  const shown = report.gaps.slice(0, 4);
  if (!shown.length)
    return el("p", {}, "No gap was recorded. ", link("#/about", "What gnomon cannot see at all"), ".");
  return [
    el(
      "ul",
      { class: "sentences" },
      shown.map((gap) => el("li", {}, prose(gap.sentence))),
    ),
    el(
      "p",
      {},
      link("#/gaps", report.gaps.length > 4 ? `All ${number(report.gaps.length)} gaps` : "More on gaps"),
      ".",
    ),
  ];
}
