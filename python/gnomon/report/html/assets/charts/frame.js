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

/** As much of a text as fits, as letters are some `letter` pixels wide. */
function fitting(text, width, letter = 6.4) {
  const most = Math.max(3, Math.floor(width / letter));
  const shown = clean(text);
  return shown.length <= most ? shown : `${shown.slice(0, most - 1)}…`;
}

const titled = (text) => svg("title", {}, text);
