// Runs, connections and AI requests by day, one band each over the same days.

const BAND = 58;
const BAND_GAP = 30;
const LEFT = 52;

const BANDS = [
  { key: "runs", label: "Runs", className: "ink" },
  { key: "connections", label: "Connections", className: "calm" },
  { key: "ai_requests", label: "AI requests", className: "ai" },
  { key: "denied", label: "Denied by policy", className: "high" },
];

function timelineChart(days = report.timeline) {
  const bands = BANDS.filter((band) => band.key !== "denied" || days.some((one) => one.denied > 0));
  const finding = timelineFinding(days);
  return {
    title: "Day by day",
    finding,
    className: "timeline",
    draw: (width) => timeline(days, bands, width, finding),
    table: {
      caption: "Day by day",
      rows: days,
      columns: [
        column("day", "Day", { isHead: true, cell: (row) => day(row.day) }),
        numbers("scripts", "Scripts"),
        numbers("users", "Users"),
        ...bands.map((band) => numbers(band.key, band.label)),
        sizes("bytes_out", "Sent"),
      ],
    },
  };
}

function timelineFinding(days) {
  if (!days.length) return "No run was recorded.";
  const busiest = days.reduce((most, one) => (one.runs > most.runs ? one : most));
  const ai = total(days, (one) => one.ai_requests);
  const runs = plural(
    total(days, (one) => one.runs),
    "run",
  );
  const most = days.length > 1 ? `; the busiest was ${longDay(busiest.day)} with ${number(busiest.runs)}` : "";
  const used = days.filter((one) => one.runs > 0).length;
  return `${runs} on ${plural(used, "day")}${most}. ${ai ? `${plural(ai, "request")} went to AI services.` : "No request went to an AI service."}`;
}

function timeline(days, bands, width, finding) {
  const height = bands.length * (BAND + BAND_GAP) + 22;
  const x = d3
    .scaleBand(
      days.map((one) => one.day),
      [LEFT, width - 2],
    )
    .paddingInner(0.28)
    .paddingOuter(0.1);
  const drawings = bands.map((band, index) =>
    timelineBand(band, days, x, width, index * (BAND + BAND_GAP) + BAND_GAP - 8),
  );
  return picture(width, height, finding, drawings, dayLabels(days, x, height - 6));
}

function timelineBand(band, days, x, width, top) {
  const most = d3.max(days, (one) => one[band.key]) || 0;
  const y = d3.scaleLinear([0, Math.max(1, most)], [BAND, 0]);
  const bar = Math.min(x.bandwidth(), 46);
  const bars = days.map(
    (one) =>
      one[band.key] > 0 &&
      svg(
        "rect",
        {
          class: `bar ${band.className}`,
          x: x(one.day) + (x.bandwidth() - bar) / 2,
          y: top + y(one[band.key]),
          width: Math.max(1, bar),
          height: Math.max(1.5, BAND - y(one[band.key])),
          rx: 1.5,
        },
        titled(`${day(one.day)}: ${number(one[band.key])} ${band.label.toLowerCase()}`),
      ),
  );
  const sum = number(total(days, (one) => one[band.key]));
  return svg(
    "g",
    {},
    label(LEFT, top - 8, band.label, { class: "bandname" }),
    label(width - 2, top - 8, `${sum} in all`, { class: "axis", "text-anchor": "end" }),
    most > 0 && [
      svg("line", { class: "grid", x1: LEFT, x2: width, y1: top, y2: top }),
      label(LEFT - 8, top + 4, shortNumber(most), { class: "axis", "text-anchor": "end" }),
    ],
    svg("line", { class: "ground", x1: LEFT, x2: width, y1: top + BAND + 0.5, y2: top + BAND + 0.5 }),
    label(LEFT - 8, top + BAND + 1, "0", { class: "axis", "text-anchor": "end" }),
    bars,
  );
}

function dayLabels(days, x, y) {
  const every = Math.max(1, Math.ceil(62 / x.step()));
  return days.map(
    (one, index) =>
      index % every === 0 &&
      label(x(one.day) + x.bandwidth() / 2, y, shortDay(one.day), { class: "axis", "text-anchor": "middle" }),
  );
}
