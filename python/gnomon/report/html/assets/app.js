// The page's frame: which screen an address shows, the menu, light and dark, and the keys.

const SCREENS = {
  "": { title: "Overview", show: overview },
  scripts: { title: "Scripts", show: scriptsScreen, count: scripts.length },
  findings: { title: "Findings", show: findingsScreen, count: report.findings.length },
  ai: { title: "AI ledger", show: aiScreen, count: report.ai.length },
  data: { title: "Data", show: dataScreen, count: report.data.length },
  hosts: { title: "Hosts", show: hostsScreen, count: report.hosts.length },
  libraries: { title: "Libraries", show: librariesScreen, count: report.libraries.length },
  gaps: { title: "Gaps", show: gapsScreen, count: report.gaps.length },
  about: { title: "About", show: aboutScreen },
};
const PAGES = {
  script: { of: "scripts", show: scriptScreen },
  finding: { of: "findings", show: findingScreen },
};

const main = document.getElementById("main");
const menu = document.getElementById("menu");
const scrolled = new Map();
let shownAt = null;

/** The screen's name and, for a page, its id; what cannot be read is the overview. */
function address() {
  const [, screen = "", id = ""] = location.hash.split("?")[0].split("/");
  try {
    return { screen, id: decodeURIComponent(id) };
  } catch {
    return { screen: "", id: "" };
  }
}

function show(isFirst) {
  if (shownAt !== null) scrolled.set(shownAt.split("?")[0], window.scrollY);
  const { screen, id } = address();
  const page = Object.hasOwn(PAGES, screen) ? PAGES[screen] : null;
  const at = page ? page.of : Object.hasOwn(SCREENS, screen) ? screen : "";
  replace(main, page ? page.show(id) : SCREENS[at].show());
  markMenu(at);
  const heading = main.querySelector("h1");
  document.title = at || page ? `${heading.textContent} – ${clean(report.title)}` : clean(report.title);
  shownAt = location.hash;
  main.dataset.at = location.hash;
  if (!isFirst) arrive(heading);
  markSeen();
}

/** Back where one was, or at the top of what is new. */
function arrive(heading) {
  const isBack = history.state?.isSeen === true;
  heading.focus({ preventScroll: true });
  if (wantsSearch) searchField()?.select();
  wantsSearch = false;
  window.scrollTo(0, (isBack && scrolled.get(location.hash.split("?")[0])) || 0);
}

/** An entry of the history that was shown before is one that the reader comes back to. */
function markSeen() {
  try {
    history.scrollRestoration = "manual";
    history.replaceState({ isSeen: true }, "");
  } catch {
    return; // a viewer that forbids it scrolls to the top
  }
}

function markMenu(at) {
  for (const one of menu.querySelectorAll("a"))
    one.toggleAttribute("aria-current", one.dataset.screen === at);
  menu.querySelector("[aria-current]")?.setAttribute("aria-current", "page");
  menu.querySelector("[aria-current]")?.scrollIntoView({ block: "nearest", inline: "nearest" });
}

/** Changes the address without another entry in the history. A viewer that forbids it loses nothing else. */
function setAddress(hash) {
  if (hash === location.hash) return;
  try {
    history.replaceState(history.state, "", hash);
    shownAt = main.dataset.at = hash;
  } catch {
    return; // a viewer that forbids it keeps the search while the screen is shown
  }
}

let announcing = 0;

/** Says a sentence to those who listen, once typing rests. */
function announce(sentence) {
  clearTimeout(announcing);
  announcing = setTimeout(() => (document.getElementById("status").textContent = sentence), 250);
}

function setMenu() {
  const items = Object.entries(SCREENS).map(([key, { title, count }]) => {
    const anchor = link(
      `#/${key}`,
      title,
      count !== undefined && el("span", { class: "count" }, number(count)),
    );
    anchor.dataset.screen = key;
    return el("li", {}, anchor);
  });
  replace(menu, el("ul", {}, items));
  menu.hidden = false;
}

function setTop() {
  const theme = button("", turnTheme, { class: "theme" });
  const print = button("Print", () => window.print(), {
    class: "print",
    title: "Print the whole report, or this script or finding alone",
  });
  replace(
    document.getElementById("top"),
    el("a", { href: "#/", class: "brand" }, brandMark(), "gnomon"),
    el("span", { class: "topic" }, report.title),
    el("span", { class: "actions" }, print, theme),
  );
  nameTheme(theme);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => nameTheme(theme));
}

function brandMark() {
  return svg(
    "svg",
    { viewBox: "0 0 20 20", class: "mark", "aria-hidden": "true" },
    svg("path", { d: "M1 17.5h18", class: "line" }),
    svg("path", { d: "M4 17V3l8 14z", class: "body" }),
    svg("path", { d: "M12 17 4 3l15 14z", class: "shadow" }),
  );
}

const isDark = () =>
  (document.documentElement.dataset.theme ??
    (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

/** Kept while the file is open, as a file has nowhere else to keep it. */
function turnTheme(event) {
  document.documentElement.dataset.theme = isDark() ? "light" : "dark";
  nameTheme(event.currentTarget);
}

function nameTheme(theme) {
  theme.textContent = isDark() ? "Light" : "Dark";
  theme.setAttribute("aria-label", isDark() ? "Show light" : "Show dark");
}

function keys(event) {
  const isTyping = event.target.closest?.("input, select, textarea");
  if (event.key === "/" && !isTyping && !event.ctrlKey && !event.metaKey && !event.altKey) search(event);
  if (event.key === "Escape" && isTyping?.type === "search") clearSearch(isTyping);
}

/** To the screen's search; from a screen that has none to that of the scripts. */
function search(event) {
  event.preventDefault();
  if (searchField()) return searchField().select();
  wantsSearch = true;
  location.hash = "#/scripts";
}

let wantsSearch = false;
const searchField = () => main.querySelector("input[type=search]");

function clearSearch(field) {
  field.value = "";
  field.dispatchEvent(new Event("input"));
}

function start() {
  setTop();
  setMenu();
  show(true);
  window.addEventListener("hashchange", () => show(false));
  window.addEventListener("beforeprint", setPaper);
  window.addEventListener("afterprint", clearPaper);
  document.addEventListener("keydown", keys);
  document.getElementById("skip").addEventListener("click", (event) => {
    event.preventDefault();
    main.focus();
  });
  document.documentElement.classList.add("ready");
  performance.mark("gnomon-ready");
}

start();
