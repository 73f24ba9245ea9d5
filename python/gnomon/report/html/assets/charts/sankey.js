// What was read, by which script, before which host was contacted in the same run: data, script, host.

const MOST = { data: 8, scripts: 10, hosts: 10 };
const MOST_NARROW = { data: 4, scripts: 6, hosts: 6 };
const NARROW = 560;
const THICK = 20;
const APART = 26;

function flowChart(flows = report.flows, title = "Sensitive data, and where its readers talked to next") {
  const shown = gravest(flows);
  const finding = flowFinding(flows);
  const rest = flows.length - shown.length;
  return {
    title,
    finding,
    className: "flow",
    draw: (width) => flowDrawing(width < NARROW ? gravest(flows, MOST_NARROW) : shown, width, finding),
    note: `Read and then sent in the same run: what happened together, which is no proof that this data was sent. The wider a band, the more runs; red is of high severity, amber of medium, blue of low; grey stayed inside the organisation.${rest > 0 ? ` The gravest ${number(shown.length)} of ${number(flows.length)} are drawn.` : ""}`,
    table: flowsTable(flows),
  };
}

function flowFinding(flows) {
  if (!flows.length) return "No run read sensitive data and then talked to a host.";
  const scriptsOf = (some) => plural(new Set(some.map((flow) => flow.script)).size, "script");
  const ai = flows.filter((flow) => flow.is_ai);
  const outside = flows.filter((flow) => !flow.is_internal);
  if (ai.length) {
    const kinds = distinct(ai, (flow) => flow.label).map((one) => clean(one));
    return `${scriptsOf(ai)} read sensitive data (${few(kinds)}) before talking to an AI service.`;
  }
  return outside.length
    ? `${scriptsOf(outside)} read sensitive data before talking to a host outside the organisation.`
    : "All of it stayed with hosts inside the organisation.";
}

/** AI and outside first, then by severity, as far as they can be told apart in a drawing. */
function gravest(flows, most = MOST) {
  const weight = (flow) => (flow.is_ai ? 40 : 0) + (flow.is_internal ? 0 : 20) + 4 * rank(flow.severity);
  const sorted = [...flows].sort((one, other) => weight(other) - weight(one) || other.runs - one.runs);
  const seen = { data: new Set(), scripts: new Set(), hosts: new Set() };
  return sorted.filter((flow) => fits(seen, flow, most));
}

function fits(seen, flow, most) {
  const keys = { data: flow.label, scripts: flow.script, hosts: flow.host };
  const isFull = Object.entries(keys).some(
    ([column, key]) => !seen[column].has(key) && seen[column].size >= most[column],
  );
  if (isFull) return false;
  for (const [column, key] of Object.entries(keys)) seen[column].add(key);
  return true;
}

/** Nodes and links; the flows of one pair are one link, which keeps the gravest severity. */
function flowGraph(flows) {
  const nodes = new Map();
  const links = new Map();
  const node = (id, more) => nodes.get(id) ?? nodes.set(id, { id, ...more }).get(id);
  const join = (source, target, flow) => {
    const key = JSON.stringify([source.id, target.id]);
    const found = links.get(key) ?? {
      source: source.id,
      target: target.id,
      value: 0,
      severity: "internal",
      said: `${clean(source.name)} to ${clean(target.name)}`,
    };
    found.value += Math.max(1, flow.runs);
    const tone = flow.is_internal && !flow.is_ai ? "internal" : flow.severity;
    if (rank(tone) > rank(found.severity)) found.severity = tone;
    links.set(key, found);
  };
  for (const flow of flows) {
    const data = node(`d ${flow.label}`, { name: flow.label, kind: "data", severity: flow.severity });
    const script = node(`s ${flow.script}`, {
      name: flow.script_name,
      kind: "script",
      href: scriptHref(flow.script),
    });
    const host = node(`h ${flow.host}`, {
      name: flow.host,
      kind: flow.is_ai ? "ai" : flow.is_internal ? "internal" : "host",
      severity: flow.severity,
    });
    join(data, script, flow);
    join(script, host, flow);
  }
  return { nodes: [...nodes.values()], links: [...links.values()] };
}

function flowDrawing(flows, width, finding) {
  if (!flows.length) return empty("No run read sensitive data and then talked to a host.");
  const graph = flowGraph(flows);
  const rows = d3.max(
    ["data", "script", "host"],
    (kind) => graph.nodes.filter((node) => kindColumn(node) === kind).length,
  );
  const height = rows * (THICK + APART) + 24;
  const layout = d3
    .sankey()
    .nodeId((node) => node.id)
    .nodeWidth(9)
    .nodePadding(APART)
    .extent([
      [1, 38],
      [width - 1, height - 8],
    ])
    .nodeSort(null);
  const made = layout(softened(graph));
  const isNarrow = width < NARROW;
  return picture(
    width,
    height,
    finding,
    columnHeads(width),
    made.links.map(flowBand),
    made.nodes.map((node) => flowNode(node, width, isNarrow)),
  );
}

/** A band of a hundred runs is wider than one of one run, but not a hundred times. */
function softened({ nodes, links }) {
  return {
    nodes: nodes.map((node) => ({ ...node })),
    links: links.map((one) => ({ ...one, runs: one.value, value: 1 + Math.log2(one.value) })),
  };
}

const kindColumn = (node) => (node.kind === "data" || node.kind === "script" ? node.kind : "host");

function columnHeads(width) {
  const heads = [
    [0, "start", "Data read"],
    [width / 2, "middle", "Script"],
    [width, "end", "Then talked to"],
  ];
  return heads.map(([x, anchor, text]) => label(x, 12, text, { class: "columnhead", "text-anchor": anchor }));
}

function flowBand(one) {
  const path = d3.sankeyLinkHorizontal()(one);
  return svg(
    "path",
    { class: `band ${one.severity}`, d: path, "stroke-width": Math.max(2, one.width) },
    titled(`${one.said}: ${plural(one.runs, "run")}`),
  );
}

function flowNode(node, width, isNarrow) {
  const column = kindColumn(node);
  const aside = { ai: 20, internal: 50 }[node.kind] ?? 0;
  const room = width / 3 - (isNarrow ? 4 : 12) - aside;
  const [x, anchor] = {
    data: [node.x0, "start"],
    script: [(node.x0 + node.x1) / 2, "middle"],
    host: [node.x1, "end"],
  }[column];
  const words = label(
    x,
    node.y0 - 6,
    [
      fitting(node.name, room),
      node.kind === "ai" && svg("tspan", { class: "aitag", dx: 5 }, "AI"),
      node.kind === "internal" && svg("tspan", { class: "axis", dx: 5 }, "internal"),
    ],
    { class: "nodename", "text-anchor": anchor },
  );
  const box = svg("rect", {
    class: `node ${node.kind}`,
    x: node.x0,
    y: node.y0,
    width: node.x1 - node.x0,
    height: Math.max(2, node.y1 - node.y0),
    rx: 1.5,
  });
  const group = [titled(clean(node.name)), box, words];
  const follow = node.href && (() => (location.hash = node.href)); // the table beside it has links for the keyboard
  return svg("g", { class: node.href && "follows", onclick: follow }, group);
}
