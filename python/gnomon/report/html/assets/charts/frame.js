// What every chart has around it: a title, what it shows in words, a drawing as wide as its place, and the same as a table.

/** `draw(width)` makes the drawing; `table` has the same figures. */
function chart({ title, finding, draw, table, note, className }) {
  const drawing = el("div", { class: "drawing" });
  const asTable = el("div", { class: "astable", hidden: true });
  const toggle = button("Show as table", () => turnOver(toggle, drawing, asTable, table), {
    class: "quiet",
    "aria-pressed": "false",
  });
  const figure = el(
    "figure",
    { class: `chart ${className ?? ""}` },
    el("figcaption", {}, el("strong", {}, title), el("p", {}, finding)),
    drawing,
    asTable,
    note && el("p", { class: "quiet note" }, note),
    table && el("p", { class: "tools" }, toggle),
  );
  drawn(drawing, draw);
  return figure;
}

function turnOver(toggle, drawing, asTable, table) {
  const isTable = asTable.hidden;
  if (isTable) replace(asTable, plainTable(table, 200));
  asTable.hidden = !isTable;
  drawing.hidden = isTable;
  toggle.setAttribute("aria-pressed", String(isTable));
  toggle.textContent = isTable ? "Show as chart" : "Show as table";
}

/** Draws as soon as there is a width, and again when it changes. */
function drawn(place, draw) {
  let width = 0;
  const observer = new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (!now || Math.abs(now - width) < 2) return;
    width = now;
    replace(place, draw(width));
  });
  observer.observe(place);
}

/** The same on paper, where there is nothing to press. */
function paperChart({ title, finding, draw, note }, width) {
  return el(
    "figure",
    { class: "chart" },
    el("figcaption", {}, el("strong", {}, title), el("p", {}, finding)),
    el("div", { class: "drawing" }, draw(width)),
    note && el("p", { class: "quiet note" }, note),
  );
}

function picture(width, height, label, ...children) {
  return svg(
    "svg",
    { viewBox: `0 0 ${width} ${height}`, width, height, role: "img", "aria-label": label },
    ...children,
  );
}

function label(x, y, text, attributes) {
  return svg("text", { x, y, ...attributes }, text);
}

const pencil = document.createElement("canvas").getContext("2d");

/** As much of a text as fits in the letters of a picture. */
function fitting(text, width) {
  pencil.font = `12.5px ${getComputedStyle(document.documentElement).getPropertyValue("--sans")}`;
  const letters = [...clean(text)];
  let most = letters.length;
  const shown = () => (most < letters.length ? `${letters.slice(0, most).join("")}…` : letters.join(""));
  while (most > 3 && pencil.measureText(shown()).width > width) most -= 1;
  return shown();
}

const titled = (text) => svg("title", {}, text);
