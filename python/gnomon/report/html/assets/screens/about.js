// How the report was made, and what its words mean.

function aboutScreen() {
  return titledScreen(
    "About this report",
    "Every figure is an answer to SQL over the same views that `gnomon query` reads, so that anybody with the records can check it.",
    section("How it was made", aboutFacts()),
    section("What the words mean", definitions()),
    section("What gnomon cannot see at all", limits()),
    section("Chart library", chartLibrary()),
  );
}

function aboutFacts() {
  const database = report.vulnerability_database;
  return facts([
    ["Period", period(report.first, report.last)],
    ["First record", report.first && time(report.first)],
    ["Last record", report.last && time(report.last)],
    ["Made", time(report.made)],
    ["By", `gnomon ${clean(report.gnomon)}`],
    ["Records", number(summary.records)],
    [
      "Read from",
      el(
        "ul",
        { class: "bare" },
        report.spools.map((spool) => el("li", {}, code(spool))),
      ),
    ],
    ["People", report.is_pseudonymous ? "told by pseudonyms" : "told by their names"],
    [
      "Vulnerabilities",
      database
        ? el(
            "ul",
            { class: "bare" },
            Object.entries(DATABASE)
              .filter(([key]) => database[key])
              .map(([key, [label, shown]]) => el("li", {}, `${label}: `, shown(database[key]))),
          )
        : "not checked: no database was given",
    ],
    ["Times", "UTC"],
    ["Schema", String(report.schema)],
  ]);
}

const DATABASE = {
  source_date: ["Newest advisory", (value) => time(value)],
  imported: ["Imported", (value) => time(value)],
  advisories: ["Advisories", (value) => number(value)],
  packages: ["Libraries that these are about", (value) => number(value)],
  path: ["File", (value) => code(value)],
  sha256: ["SHA-256 of what was imported", (value) => code(value)],
};

const WORDS = [
  [
    "Script",
    "What an interpreter was told to run. It is known by its content, so a copy under another name is the same script.",
  ],
  [
    "Run",
    "One start of a Python interpreter. Children are runs of their own, and count for the script that they belong to.",
  ],
  ["Finding", "A rule that found something a person should look at, with the records that show it."],
  [
    "Risk",
    "A script's score from 0 to 100: the points of its findings that nobody accepted, added up. Its page shows each line.",
  ],
  ["Severity", "High: look at it now. Medium: plan for it. Low: know about it."],
  [
    "Sensitive",
    "Said by the path and the name of a file, by a catalogue that can be edited. The content is never read.",
  ],
  [
    "Read, then sent",
    "A run read sensitive data and later talked to a host. It is what happened together, and no proof that this data was sent.",
  ],
  ["Vulnerable", "An advisory in the vulnerability database names the version that was really imported."],
  ["Sent, received", "Bytes as far as native code told them. Where it told none, the figure is zero."],
  ["Gap", "Something that was not seen, counted, with its reason."],
];

function definitions() {
  return el(
    "dl",
    { class: "words" },
    WORDS.map(([word, meaning]) => el("div", {}, el("dt", {}, word), el("dd", {}, meaning))),
  );
}

const LIMITS = [
  "gnomon is a recorder with guard-rails, not a sandbox: a program that wants to hide from it can.",
  "It sees Python interpreters that were started with it. Programs that are not Python are seen only as commands that were started.",
  "It does not read what files hold or what connections carry.",
];

function limits() {
  return el(
    "ul",
    { class: "sentences" },
    LIMITS.map((sentence) => el("li", {}, sentence)),
  );
}

function chartLibrary() {
  const licences = document.getElementById("licences").content.cloneNode(true);
  return [
    el(
      "p",
      {},
      "The pictures are drawn with D3, which is shipped inside this file. This file asks no network for anything.",
    ),
    el("details", {}, el("summary", {}, "Its licences"), licences),
  ];
}
