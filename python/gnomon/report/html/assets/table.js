// A table that is searched, sorted, filtered and turned page by page, and remembers all of it in the page's address.

const ROWS = 50;

/**
 * A column is {key, label, value(row), cell(row), end, minor}: `value` sorts, `cell` is shown (by default the value),
 * `end` aligns to the end, `isWhole` never breaks a line, `isLong` has room for ids and paths, `minor` columns give way on narrow screens, `extra` ones unless the screen is wide, and `isSpare` ones only where the table does not fit.
 * A filter is {key, label, options(rows), matches(row, chosen)}.
 */
function dataTable(table) {
  const state = stateOf(table);
  const body = el("tbody", { onkeydown: moveInRows });
  const head = el("thead");
  const turning = el("div", { class: "turning" });
  const counted = el("p", { class: "counted", "aria-hidden": "true" });
  const order = sorter(table);

  function show() {
    const rows = matching(table, order(state), state);
    state.page = Math.min(state.page, Math.max(0, Math.ceil(rows.length / ROWS) - 1));
    replace(head, headRow(table, state, sortBy));
    const first = state.page * ROWS;
    replace(
      body,
      rows.slice(first, first + ROWS).map((row) => bodyRow(table.columns, row)),
    );
    replace(turning, pager(rows.length, state, turn));
    count(rows.length);
    remember(table, state);
    fit(frame);
  }

  function count(found) {
    const sentence = counts(table, found);
    replace(counted, sentence);
    announce(sentence);
    frame.classList.toggle("nothing", found === 0);
  }

  function change(name, value) {
    state[name] = value;
    state.page = 0;
    show();
  }

  function sortBy(key, descending) {
    const again = state.sort === key;
    state.descending = again ? !state.descending : descending;
    change("sort", key);
    head.querySelector("[aria-sort] button")?.focus();
  }

  function turn(page) {
    state.page = page;
    show();
    frame.scrollIntoView({ block: "start" });
    frame.focus({ preventScroll: true });
  }

  const frame = framed(
    table.caption,
    el(
      "table",
      { class: `data ${table.className ?? ""}`, role: "table" },
      el("caption", { class: "aside" }, table.caption),
      head,
      body,
    ),
    el("p", { class: "empty unmatched" }, "Nothing matches. Change the search or a filter."),
  );
  show();
  if (table.search) whenIdle(() => searchTexts(table));
  return el("div", { class: "table" }, controls(table, state, change, counted), frame, turning);
}

/** The same rows without controls: for short lists and for paper. */
function plainTable({ caption, columns, rows, className }, most = Infinity) {
  const shown = rows.slice(0, most);
  const rest = rows.length - shown.length;
  return el(
    "div",
    { class: "table" },
    framed(
      `${caption}, table`,
      el(
        "table",
        { class: `data ${className ?? ""}`, role: "table" },
        el("caption", { class: "aside" }, caption),
        el(
          "thead",
          {},
          el(
            "tr",
            { role: "row" },
            columns.map((column) => headCell(column)),
          ),
        ),
        el(
          "tbody",
          {},
          shown.map((row) => bodyRow(columns, row)),
        ),
      ),
    ),
    rest > 0 && el("p", { class: "quiet" }, `${number(rest)} more are not shown here.`),
  );
}

const CARDS_BELOW = 560;

/** The place of a table. What does not fit there gives way; it is not cut. */
function framed(label, ...children) {
  const frame = el("div", { class: "frame", role: "region", tabindex: "0", "aria-label": label }, ...children);
  let width = 0;
  new ResizeObserver(([entry]) => {
    const now = Math.floor(entry.contentRect.width);
    if (!now || Math.abs(now - width) < 2) return;
    width = now;
    fit(frame);
  }).observe(frame);
  return frame;
}

/** Leaves out columns until the table fits: what is spare, then the minor ones from the last on. Else rows are cards. */
function fit(frame) {
  if (!frame.clientWidth) return;
  const isTooWide = () => frame.scrollWidth > frame.clientWidth;
  frame.classList.remove("few", "cards");
  for (const cell of frame.querySelectorAll(".given")) cell.classList.remove("given");
  if (frame.clientWidth >= CARDS_BELOW) {
    if (!isTooWide()) return;
    frame.classList.add("few");
    const heads = [...frame.querySelectorAll("thead th")];
    const minor = heads.flatMap((head, at) => (head.classList.contains("minor") ? [at + 1] : []));
    while (isTooWide() && minor.length)
      for (const cell of frame.querySelectorAll(`tr > :nth-child(${minor.pop()})`)) cell.classList.add("given");
    if (!isTooWide()) return;
  }
  frame.classList.add("cards");
}

/** What the address says of the table, over what it starts with. */
function stateOf(table) {
  const said = new URLSearchParams(location.hash.split("?")[1] ?? "");
  const asked = (key) => said.get(table.prefix ? `${table.prefix}.${key}` : key);
  const [sort, direction] = (asked("sort") ?? `${table.sort[0]}.${table.sort[1] ?? "up"}`).split(".");
  const state = {
    q: asked("q") ?? "",
    sort,
    descending: direction === "down",
    page: Math.max(0, (Number(asked("page")) || 1) - 1),
  };
  for (const filter of table.filters ?? []) state[filter.key] = asked(filter.key) ?? "";
  return state;
}

function remember(table, state) {
  if (table.prefix || table.isFixed) return;
  const said = new URLSearchParams();
  const sort = `${state.sort}.${state.descending ? "down" : "up"}`;
  if (state.q) said.set("q", wellFormed(state.q));
  for (const filter of table.filters ?? [])
    if (state[filter.key]) said.set(filter.key, wellFormed(state[filter.key]));
  if (sort !== `${table.sort[0]}.${table.sort[1] ?? "up"}`) said.set("sort", sort);
  if (state.page) said.set("page", state.page + 1);
  const query = String(said);
  setAddress(`${location.hash.split("?")[0] || "#/"}${query ? `?${query}` : ""}`);
}

function matching(table, rows, state) {
  const words = state.q.toLowerCase().split(/\s+/).filter(Boolean);
  const filters = (table.filters ?? []).filter((filter) => state[filter.key]);
  if (!words.length && !filters.length) return rows;
  const texts = words.length ? searchTexts(table) : null;
  return rows.filter(
    (row) =>
      words.every((word) => texts.get(row).includes(word)) &&
      filters.every((filter) => filter.matches(row, state[filter.key])),
  );
}

/** What each row can be found by, made at the first search. */
function searchTexts(table) {
  table.texts ??= new Map(table.rows.map((row) => [row, table.search(row).flat().join("\n").toLowerCase()]));
  return table.texts;
}

/** So that the first letter that is typed has nothing to prepare. */
const whenIdle = (task) => (window.requestIdleCallback ?? setTimeout)(task);

/** All rows in order, kept, so that typing in the search sorts nothing anew. */
function sorter(table) {
  const kept = new Map();
  return ({ sort, descending }) => {
    const key = `${sort} ${descending}`;
    if (!kept.has(key)) kept.set(key, sorted(table, sort, descending));
    return kept.get(key);
  };
}

/** Rows by a column; equal ones stay in their first order, whatever the direction. */
function sorted(table, sort, descending) {
  const column = table.columns.find((one) => one.key === sort) ?? table.columns[0];
  const sign = descending ? -1 : 1;
  const keyed = table.rows.map((row) => [column.value(row), row]);
  return keyed.sort((one, other) => sign * compare(one[0], other[0])).map(([, row]) => row);
}

function compare(one, other) {
  if (one === null || one === undefined) return other === null || other === undefined ? 0 : -1;
  if (other === null || other === undefined) return 1;
  return typeof one === "number" && typeof other === "number" ? one - other : byText(one, other);
}

function headRow(table, state, sortBy) {
  return el(
    "tr",
    { role: "row" },
    table.columns.map((column) => headCell(column, state, sortBy)),
  );
}

function headCell(column, state, sortBy) {
  const isSorted = state?.sort === column.key;
  const sort = isSorted ? (state.descending ? "descending" : "ascending") : null;
  const descending = Boolean(column.end || column.down);
  const label = sortBy
    ? button([column.label, el("span", { class: "arrow", "aria-hidden": "true" })], () =>
        sortBy(column.key, descending),
      )
    : column.label;
  return el("th", { scope: "col", role: "columnheader", class: cellClass(column), "aria-sort": sort }, label);
}

function bodyRow(columns, row) {
  return el(
    "tr",
    { role: "row" },
    columns.map((column) => bodyCell(column, row)),
  );
}

function bodyCell(column, row) {
  const shown = column.cell ? column.cell(row) : column.value(row);
  const isBlank = shown === null || shown === undefined || shown === "";
  const classes = [cellClass(column), isBlank && "blank"].filter(Boolean).join(" ");
  const attributes = {
    role: column.isHead ? "rowheader" : "cell",
    scope: column.isHead ? "row" : null,
    class: classes || null,
    "data-label": column.label,
  };
  return el(column.isHead ? "th" : "td", attributes, isBlank ? el("span", { class: "quiet" }, "–") : shown);
}

const cellClass = (column) =>
  [
    column.end && "end",
    column.minor && "minor",
    column.extra && "extra",
    column.isSpare && "spare",
    column.wide && "wide",
    column.isHead && "rowhead",
    column.isWhole && "whole",
    column.isLong && "long",
  ]
    .filter(Boolean)
    .join(" ") || null;

function controls(table, state, change, counted) {
  const isSmall =
    table.rows.length <= 8 && !(table.filters ?? []).some((filter) => state[filter.key]) && !state.q;
  if (isSmall) return null;
  return el(
    "div",
    { class: "controls", role: "search", "aria-label": table.caption },
    table.search && searchInput(table, state, change),
    (table.filters ?? []).map((filter) => filterField(filter, table, state, change)),
    counted,
  );
}

function searchInput(table, state, change) {
  return el(
    "label",
    { class: "field search" },
    el("span", {}, "Search"),
    el("input", {
      type: "search",
      autocomplete: "off",
      spellcheck: "false",
      value: state.q,
      placeholder: table.hint,
      "aria-keyshortcuts": "/",
      oninput: (event) => change("q", event.target.value),
    }),
  );
}

function filterField(filter, table, state, change) {
  const options = filter.options(table.rows);
  if (options.length < 2 && !state[filter.key]) return null;
  const select = el(
    "select",
    { onchange: (event) => change(filter.key, event.target.value) },
    el("option", { value: "" }, "All"),
    options.map(optionOf),
  );
  select.value = state[filter.key];
  return el("label", { class: "field" }, el("span", {}, filter.label), select);
}

/** What it stands for is set as it is, since it is compared; what it shows is cleaned as everything is. */
function optionOf(option) {
  const element = el("option", {}, option.label ?? option);
  element.value = option.value ?? option;
  return element;
}

function counts(table, found) {
  const all = table.rows.length;
  const noun = table.nouns ?? "rows";
  return found === all ? `${number(all)} ${noun}` : `${number(found)} of ${number(all)} ${noun}`;
}

function pager(found, state, turn) {
  const pages = Math.ceil(found / ROWS);
  if (pages < 2) return null;
  const { page } = state;
  const first = page * ROWS + 1;
  return [
    button("First", () => turn(0), { disabled: page === 0 }),
    button("Previous", () => turn(page - 1), { disabled: page === 0 }),
    el("span", {}, `${number(first)} to ${number(Math.min(found, first + ROWS - 1))} of ${number(found)}`),
    button("Next", () => turn(page + 1), { disabled: page >= pages - 1 }),
    button("Last", () => turn(pages - 1), { disabled: page >= pages - 1 }),
  ];
}

/** The arrow keys go from a row's link to the next row's. */
function moveInRows(event) {
  const step = { ArrowDown: "nextElementSibling", ArrowUp: "previousElementSibling" }[event.key];
  if (!step || !event.target.closest("a")) return;
  const links = [...event.target.closest("tr").querySelectorAll("a")];
  const row = event.target.closest("tr")[step];
  const next = row && [...row.querySelectorAll("a")];
  if (!next?.length) return;
  event.preventDefault();
  next[Math.min(links.indexOf(event.target), next.length - 1)].focus();
}
