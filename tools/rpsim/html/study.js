// The page of a study: study.json as docs/studies-format.md has it, in tables and pictures. And of an exploration:
// its matrix of what was done to a run and what came of it.

import * as Plot from "@observablehq/plot";
import { element, page_data, page_head, theme_button } from "./dom.js";
import { best_unit, burst_beginnings, group_name, lane_bars, rebinned, shared_edges, spread, tornado_bars } from "./study_model.js";
import { duration, timestamp } from "./time.js";

const data = page_data();
const WIDE = 1100,
  HALF = 530,
  MOST_ROWS = 40; // groups in one picture
const COLOURS = ["#4269d0", "#e07b39", "#3ca951", "#a463f2", "#ff5c73", "#6cc5b0", "#9c6b4e", "#97bbf5"];

const PHASE_COLOURS = [
  ...["#4269d0", "#efb118", "#ff725c", "#5fb8a5", "#3ca951", "#ff8ab7", "#a463f2", "#7fa8ee", "#9c6b4e", "#8a919b"],
  ...["#1b7f8c", "#c7569b", "#b3a03a", "#5b5b9f"],
];

const plot = ({ x, height, ...options }) =>
  Plot.plot({
    style: { background: "transparent", fontSize: "11.5px", overflow: "visible" },
    marginBottom: 44,
    height: height + 14,
    x: { labelOffset: 38, ...x },
    ...options,
  });
const figure = (title, text, content, wide = false) =>
  element(
    "figure",
    { class: wide ? "wide" : undefined },
    element("figcaption", {}, title),
    ...(text ? [element("p", {}, text)] : []),
    content,
  );
const table = (head, rows, kind = "") =>
  element(
    "table",
    { class: `numbers ${kind}` },
    element("thead", {}, element("tr", {}, ...head.map((h) => element("th", {}, h)))),
    element(
      "tbody",
      {},
      ...rows.map((row) => element("tr", {}, ...row.map((cell) => element("td", {}, cell ?? "–")))),
    ),
  );
const time = (ps) => (ps === null || ps === undefined ? "–" : duration(ps));
const column = (ps) => (ps === null || ps === undefined ? "–" : duration(ps, 3, false)); // as many digits as its neighbours
const left = (ps) => (Math.abs(ps) >= 1e12 ? duration(ps, 6, false) : column(ps)); // of 5 s the last ones tell
const section = (title, ...content) =>
  content.flat().length ? [element("h2", {}, title), element("div", { class: "figures" }, ...content.flat())] : [];

// ---------------------------------------------------------------------------------------------------- a study

function study() {
  const groups = (data.groups ?? []).map((g) => ({ ...g, name: group_name(g) }));
  const names = groups.map((g) => g.name);
  const colour = { domain: names, range: names.map((_, i) => COLOURS[i % COLOURS.length]) };
  return [
    ...section("Answers", answers(groups)),
    ...section("Numbers", numbers(groups)),
    ...section("Distributions", ...distributions(groups, colour)),
    ...section("Over the grid", ...over_grid(groups)),
    ...section("Where the time goes", ...phases(groups)),
    ...section("What is left of each deadline", ...margins(groups, colour)),
    ...section("What it depends on", ...sensitivity()),
  ];
}

function answers(groups) {
  const questions = (data.questions ?? []).map((q) => [
    q.holds ? "✓" : "✗",
    q.text,
    q.answers.map((a) => `${groups[a.group]?.name ?? ""}: ${a.value_ps !== undefined ? time(a.value_ps) : a.value}`).join("; "),
  ]);
  const finds = (data.find ?? []).map((f) => [
    f.found ? "✓" : "✗",
    `${f.text}${f.variant ? ` (${f.variant})` : ""}`,
    f.found ? `${f.value_text}${f.next_text ? `; no longer at ${f.next_text}: ${f.reason}` : ""}` : f.reason,
  ]);
  const rows = [...questions, ...finds];
  return rows.length ? [figure("Questions", "", table(["", "question", "answer"], rows, "words"), true)] : [];
}

function numbers(groups) {
  const head = ["", "n", "min", "p50", "p90", "p99", "p99.9", "max", "mean", "did not go well"];
  const tables = (data.measures ?? []).map((m) =>
    figure(
      m.name,
      `${m.from} → ${m.to}`,
      table(
        head,
        groups.map((g) => {
          const s = g.measures[m.name] ?? {};
          const bad = g.outcomes.filter((o) => o.what !== "ok").map((o) => `${o.count} ${o.what}`);
          const values = ["min", "p50", "p90", "p99", "p999", "max", "mean"].map((q) => column(s[`${q}_ps`]));
          return [g.name, String(s.n ?? 0), ...values, bad.join(", ") || "none"];
        }),
      ),
      true,
    ),
  );
  return tables;
}

function distributions(groups, colour) {
  // Of more lines than there are colours, those that differ in the grid only have one.
  const grid = groups.length > COLOURS.length ? numeric_grid() : undefined;
  const line = (g) => (grid ? group_name({ ...g, grid: g.grid.filter((v) => v.name !== grid.name) }) : g.name);
  return (data.measures ?? []).flatMap((m) => {
    const all = groups.filter((g) => g.measures[m.name]?.n > 0);
    if (all.length === 0) return [];
    const { size, unit } = best_unit(Math.max(...all.map((g) => g.measures[m.name].p50_ps)));
    const value = (g, q) => g.measures[m.name][`${q}_ps`];
    const [least, most] = [Math.min(...all.map((g) => value(g, "min"))), Math.max(...all.map((g) => value(g, "max")))];
    const { edges, log } = shared_edges(least, most, Math.max(...all.map((g) => value_count(g, m))));
    const drawn = all.slice(0, MOST_ROWS);
    const bins = drawn.flatMap((g) =>
      rebinned(g.measures[m.name].histogram, edges).map((count, i) => ({
        group: g.name, low: edges[i] / size, high: edges[i + 1] / size, count,
      })),
    );
    const place = (ps) => (log ? Math.log(ps / least) / Math.log(most / least) : (ps - least) / (most - least));
    const marks = drawn.flatMap((g) => {
      const [p50, p99] = [value(g, "p50"), value(g, "p99")];
      const near = !(place(p99) - place(p50) > 0.06); // one label for both
      const of = (ps, text) => ({ group: g.name, value: ps / size, text, anchor: place(ps) > 0.9 ? "end" : "start" });
      return [of(p50, near ? "p50 p99" : "p50"), of(p99, near ? "" : "p99")];
    });
    const quantiles = all.flatMap((g) =>
      (g.measures[m.name].quantiles_ps ?? []).map((ps, i) => ({ group: g.name, line: line(g), value: ps / size, share: i / 100 })),
    );
    const rows = drawn.map((g) => g.name);
    const x = { label: `${m.name} (${unit}) →`, grid: true, type: log ? "log" : "linear", ...(log ? { ticks: 5, tickFormat: "~r" } : {}) };
    const histogram = plot({
      width: HALF,
      height: 40 + Math.max(150, (rows.length > 8 ? 58 : 84) * rows.length),
      marginRight: 20,
      marginTop: 38,
      x,
      y: { label: "points", ticks: 2 },
      fy: { domain: rows, label: null, axis: null, padding: 0.35 },
      color: colour,
      marks: [
        Plot.rectY(bins.filter((b) => b.count > 0), {
          x1: "low", x2: "high", y: "count", fy: "group", fill: "group", inset: 0.25,
          title: (b) => `${b.group}\n${b.low.toPrecision(4)} to ${b.high.toPrecision(4)} ${unit}: ${Math.round(b.count)}`, tip: true,
        }),
        Plot.ruleY([0]),
        Plot.ruleX(marks, { x: "value", fy: "group", strokeDasharray: "3 3" }),
        ...["start", "end"].map((anchor) =>
          Plot.text(marks.filter((b) => b.text && b.anchor === anchor), {
            x: "value", fy: "group", text: "text", frameAnchor: "top", dy: 1, dx: anchor === "start" ? 3 : -3, textAnchor: anchor,
            lineAnchor: "top", stroke: "var(--back)", strokeWidth: 3, fill: "currentColor",
          }),
        ),
        Plot.text(rows, {
          fy: (d) => d, text: (d) => d, frameAnchor: "top-left", lineAnchor: "bottom", dx: 4, dy: -3, fontWeight: 600,
        }),
      ],
    });
    const lines = [...new Set(all.map(line))];
    const cumulative = plot({
      width: HALF,
      height: Math.min(460, Math.max(230, 40 + 84 * rows.length)),
      marginRight: 20,
      x,
      y: { label: "share of points that took at most this", percent: true, grid: true, domain: [0, 100] },
      color: { domain: lines, range: COLOURS, legend: lines.length > 1 && lines.length <= COLOURS.length },
      marks: [
        Plot.line(quantiles, { x: "value", y: "share", z: "group", stroke: "line", strokeWidth: 2 }),
        Plot.tip(quantiles, Plot.pointer({
          x: "value", y: "share",
          title: (d) => `${d.group}\n${Math.round(d.share * 100)} % took at most ${d.value.toPrecision(5)} ${unit}`,
        })),
      ],
    });
    const cut = all.length > rows.length ? `The first ${rows.length} of ${all.length}.` : "";
    return [figure(`${m.name}: how often`, cut, histogram), figure(`${m.name}: cumulative`, "", cumulative)];
  });
}

/// The grid that a measure is drawn over: the first that has numbers.
const numeric_grid = () =>
  (data.parameters ?? []).find((p) => p.kind === "grid" && (p.values?.length ?? 0) > 2 && !/[|]|bool/.test(p.unit));
const value_count = (g, m) => g.measures[m.name].n;

/// A measure against the one grid that has numbers, a line for each variant and each value of the other grids.
function over_grid(groups) {
  const grid = numeric_grid();
  if (grid === undefined) return [];
  const is_time = grid.unit === "s";
  const x_unit = is_time ? best_unit(Math.max(...grid.values.map((v) => v.value))) : { size: 1, unit: grid.unit };
  return (data.measures ?? []).flatMap((m) => {
    const points = groups.flatMap((g) => {
      const s = g.measures[m.name];
      const at = g.grid.find((v) => v.name === grid.name);
      if (!(s?.n > 0) || at === undefined) return [];
      const rest = group_name({ ...g, grid: g.grid.filter((v) => v !== at) });
      const bad = g.outcomes.filter((o) => o.what !== "ok").map((o) => `${o.count} ${o.what}`);
      return ["p50", "p99"].map((q) => ({ line: rest, q, x: at.value / x_unit.size, ps: s[`${q}_ps`], bad: bad.join(", ") }));
    });
    if (points.length === 0) return [];
    points.sort((a, b) => a.x - b.x);
    const { size, unit } = best_unit(Math.max(...points.map((p) => p.ps)));
    const picture = plot({
      width: WIDE,
      height: 320,
      x: { label: `${grid.name}${x_unit.unit ? ` (${x_unit.unit})` : ""} →`, grid: true },
      y: { label: `${m.name} (${unit})`, grid: true, zero: true },
      color: { legend: points.some((p) => p.line !== points[0].line), domain: [...new Set(points.map((p) => p.line))], range: COLOURS },
      marks: [
        ...["p50", "p99"].map((q) =>
          Plot.line(points.filter((p) => p.q === q), {
            x: "x", y: (p) => p.ps / size, stroke: "line", strokeDasharray: q === "p99" ? "5 4" : undefined,
          }),
        ),
        Plot.dot(points, {
          x: "x", y: (p) => p.ps / size, stroke: "line", fill: "var(--back)", strokeWidth: 2, r: 4, tip: true,
          title: (p) => [`${p.line} ${p.q}: ${time(p.ps)}`, ...(p.bad ? [p.bad] : [])].join("\n"),
        }),
        Plot.dot(points.filter((p) => !p.bad), { x: "x", y: (p) => p.ps / size, fill: "line", r: 4 }),
      ],
    });
    const hollow = points.some((p) => p.bad) ? "; a hollow dot: not all of these points went well" : "";
    return [figure(`${m.name} over ${grid.name}`, `p50, and p99 dashed${hollow}.`, picture, true)];
  });
}

function phases(groups) {
  if (!(data.lanes?.length > 0)) return [];
  const bars = groups.slice(0, MOST_ROWS).flatMap((g) => lane_bars(g, data.lanes));
  if (new Set(bars.map((b) => b.title)).size < 2) return []; // a request that nobody took
  const { size, unit } = best_unit(Math.max(...bars.map((b) => b.end)));
  const titles = [...new Set(bars.map((b) => b.title))];
  const shown = [...new Set(bars.map((b) => b.group))];
  const longest = Math.max(...bars.map((b) => b.end)) / size;
  const picture = plot({
    width: WIDE,
    height: 70 + 74 * shown.length,
    marginLeft: 64,
    marginTop: 30,
    x: { label: `mean time since the request (${unit}) →`, grid: true },
    y: { label: null, domain: ["ack", "wfi", "join"] },
    fy: { domain: shown, label: null, axis: null, padding: 0.3 },
    color: { domain: titles, range: PHASE_COLOURS, legend: true },
    marks: [
      Plot.barX(bars, {
        x1: (b) => b.begin / size, x2: (b) => b.end / size, y: "lane", fy: "group", fill: "title", inset: 0.4,
        title: (b) => `${b.group}, ${b.lane} path\n${b.title}\nmean ${time(b.mean)}, p99 ${time(b.p99)}; ${b.n} points`, tip: true,
      }),
      Plot.text(bars.filter((b) => (b.end - b.begin) / size > longest * 0.06), {
        x: (b) => (b.begin + b.end) / 2 / size, y: "lane", fy: "group", text: (b) => time(Math.round(b.mean / 1e5) * 1e5),
        fill: "white", fontWeight: 600,
      }),
      Plot.text(shown, { fy: (d) => d, text: (d) => d, frameAnchor: "top-left", lineAnchor: "bottom", dy: -3, fontWeight: 600 }),
    ],
  });
  return [
    figure(
      "Phases of the handshake",
      "Two paths begin with the request, the ACK's and WFI's; when both have ended, the host goes on.",
      picture,
      true,
    ),
  ];
}

function margins(groups, colour) {
  const rows = (data.margins ?? []).flatMap((m) =>
    groups.map((g) => ({ m, g, s: g.margins?.[m.name] })).filter(({ s }) => s && (s.n > 0 || s.missed > 0)),
  );
  if (rows.length === 0) return [];
  const several = (m) => new Set(rows.filter((r) => r.m === m).map(({ s }) => s.deadline_ps)).size > 1;
  // What nobody came near of is one line, however many groups there are.
  const of = (m) => rows.filter((r) => r.m === m).map(({ s }) => s);
  const quiet = (m) => of(m).length > 1 && of(m).every((s) => !s.missed && s.n > 0 && s.min_ps > 0.99 * s.deadline_ps);
  const sum = (of_what) => of_what.reduce((a, b) => a + b, 0);
  const together = (m) => {
    const deadlines = [...new Set(of(m).map((s) => s.deadline_ps))].map((ps) => time(ps)).join(", ");
    const ends = [Math.min(...of(m).map((s) => s.min_ps)), Math.max(...of(m).map((s) => s.max_ps))];
    return [m.title, `all ${of(m).length}`, deadlines, left(ends[0]), "–", left(ends[1]), `0 of ${sum(of(m).map((s) => s.n))}`];
  };
  const measured = rows
    .filter(({ m, s }) => s.n > 0 && s.deadline_ps > 0 && !quiet(m))
    .map(({ m, g, s }) => ({
      margin: several(m) ? m.title : `${m.title}, ${time(s.deadline_ps)}`, of: time(s.deadline_ps), group: g.name,
      least: (100 * s.min_ps) / s.deadline_ps, median: (100 * s.p50_ps) / s.deadline_ps, most: (100 * s.max_ps) / s.deadline_ps,
      missed: s.missed,
    }));
  const names = [...new Set(measured.map((d) => d.group))];
  const titles = [...new Set(measured.map((d) => d.margin))];
  const widest = Math.max(...names.map((n) => n.length));
  const numbers = table(
    ["", "", "deadline", "least left", "p50", "most", "missed"],
    (data.margins ?? []).filter((m) => of(m).length).flatMap((m) => quiet(m) ? [together(m)] : rows.filter((r) => r.m === m).map(({ g, s }) => [m.title, g.name, time(s.deadline_ps), left(s.min_ps), left(s.p50_ps), left(s.max_ps), `${s.missed} of ${s.n + s.missed}`])),
  );
  const picture = () => plot({
    width: WIDE,
    height: 60 + titles.length * (24 * names.length + 34),
    marginLeft: Math.min(420, 30 + 6.4 * widest),
    marginTop: 34,
    x: { label: "left of the deadline (%) →", domain: [Math.min(0, ...measured.map((d) => d.least)), 100], grid: true },
    y: { label: null, domain: names },
    fy: { label: null, axis: null, domain: titles, padding: 0.2 },
    color: colour,
    marks: [
      Plot.link(measured, { x1: "least", x2: "most", y1: "group", y2: "group", fy: "margin", stroke: "group", strokeWidth: 5, strokeOpacity: 0.5 }),
      Plot.dot(measured, {
        x: "median", y: "group", fy: "margin", fill: "group", r: 5, tip: true,
        title: (d) => `${d.group}: ${d.margin}${d.margin.endsWith(d.of) ? "" : `, ${d.of}`}\nleast ${d.least.toFixed(1)} %, median ${d.median.toFixed(1)} %, most ${d.most.toFixed(1)} %; missed ${d.missed} times`,
      }),
      Plot.text(titles, { fy: (d) => d, text: (d) => d, frameAnchor: "top-left", lineAnchor: "bottom", dy: -3, fontWeight: 600 }),
      Plot.ruleX([0], { stroke: "var(--bad)", strokeWidth: 2 }),
    ],
  });
  return [
    ...(measured.length ? [figure("Margins", "Dot: median; bar: from the least to the most. At 0 the deadline passes.", picture(), true)] : []),
    figure("Margins in numbers", "", numbers, true),
  ];
}

function sensitivity() {
  return (data.sensitivity ?? []).flatMap((s) => {
    const bars = tornado_bars(s);
    const title = `${s.measure}${s.variant ? `, ${s.variant}` : ""}`;
    const pictures = [];
    if (bars.length) {
      const { size, unit } = best_unit(Math.max(...bars.map((b) => b.high_ps)));
      const base = bars[0].base_ps / size;
      pictures.push(
        figure(
          `${title}: one at a time`,
          "Each parameter at its low and its high end, the others in their middle.",
          plot({
            width: HALF,
            height: 60 + 34 * bars.length,
            marginLeft: 170,
            marginRight: 40,
            x: { label: `${s.measure} (${unit}) →`, grid: true, nice: true },
            y: { label: null, domain: bars.map((b) => b.name) },
            color: { domain: ["at the low end", "at the high end"], range: [COLOURS[0], COLOURS[1]], legend: true },
            marks: [
              Plot.barX(bars.flatMap((b) => b.sides), {
                x1: (b) => base, x2: (b) => b.ps / size, y: "name", fill: "side", insetTop: 3, insetBottom: 3, tip: true,
                title: (b) => `${b.name} = ${b.text}\n${s.measure} ${time(b.ps)} (${b.ps < b.base_ps ? "−" : "+"} ${time(Math.abs(b.ps - b.base_ps))})`,
              }),
              Plot.ruleX([base]),
            ],
          }),
        ),
      );
    }
    const indices = s.parameters.filter((p) => p.first_order !== null && p.first_order !== undefined);
    if (indices.length) {
      const sorted = [...indices].sort((a, b) => b.first_order - a.first_order);
      pictures.push(
        figure(
          `${title}: share of the variance`,
          `First-order index of each parameter alone, with one standard error; circle: with all it interacts with. n = ${s.n}.`,
          plot({
            width: HALF,
            height: 60 + 34 * sorted.length,
            marginLeft: 170,
            x: { label: "share of the variance →", domain: [0, Math.max(1, ...sorted.map((p) => p.total ?? 0))], grid: true },
            y: { label: null, domain: sorted.map((p) => p.name) },
            marks: [
              Plot.barX(sorted, { x: (p) => Math.max(0, p.first_order), y: "name", fill: COLOURS[0], insetTop: 4, insetBottom: 4, tip: true, title: (p) => `${p.name}\nfirst order ${p.first_order.toFixed(3)} ± ${(p.error ?? 0).toFixed(3)}\ntotal ${p.total?.toFixed(3) ?? "–"}` }),
              Plot.ruleY(sorted, { x1: (p) => Math.max(0, p.first_order - (p.error ?? 0)), x2: (p) => p.first_order + (p.error ?? 0), y: "name" }),
              Plot.dot(sorted.filter((p) => typeof p.total === "number"), { x: "total", y: "name", r: 4 }),
            ],
          }),
        ),
      );
    }
    return pictures;
  });
}

// ---------------------------------------------------------------------------------------------------- an exploration

function explore() {
  const { classes = [], matrix = [], stories = [], findings = [] } = data;
  const used = classes.filter((_, i) => matrix.some((row) => row.counts[i] > 0));
  const kinds = matrix.map((row) => row.kind);
  const struck = findings.filter(([ps, kind]) => ps > 0 && kinds.includes(kind));
  const striking = kinds.filter((k) => struck.some(([, kind]) => kind === k));
  const cells = matrix.flatMap((row) =>
    classes.map((outcome, i) => ({ kind: row.kind, outcome, count: row.counts[i] })).filter((c) => used.includes(c.outcome)),
  );
  const most = Math.max(1, ...cells.map((c) => c.count));
  const counts = plot({
    width: Math.min(WIDE, 230 + 105 * used.length),
    height: 50 + 27 * kinds.length,
    marginLeft: 220,
    marginTop: 34,
    marginBottom: 10,
    x: { axis: "top", label: null, domain: used },
    y: { label: null, domain: kinds },
    color: { domain: classes, range: OUTCOMES },
    marks: [
      Plot.cell(cells, {
        x: "outcome", y: "kind", inset: 1, rx: 3, fill: "outcome",
        fillOpacity: (c) => (c.count === 0 ? 0.05 : 0.25 + 0.75 * Math.sqrt(c.count / most)),
        tip: true, title: (c) => `${c.kind}\n${c.outcome}: ${c.count}`,
      }),
      Plot.text(cells.filter((c) => c.count > 0), {
        x: "outcome", y: "kind", text: "count", fontWeight: 600, stroke: "var(--back)", strokeWidth: 3, fill: "currentColor",
      }),
    ],
  });
  // Everything happens in bursts, with nothing for long in between: one place for each instant, and the time where a
  // burst begins.
  const instants = [...new Set(struck.map(([ps]) => ps))].sort((a, b) => a - b);
  const place = new Map(instants.map((ps, i) => [ps, i]));
  const points = struck.map(([ps, kind, outcome]) => ({ at: place.get(ps), ps, kind, outcome }));
  const begins = burst_beginnings(instants);
  const when = plot({
    width: WIDE,
    height: 84 + 22 * striking.length,
    marginLeft: 220,
    marginTop: 40,
    marginBottom: 14,
    x: { axis: null, domain: [-1, instants.length] },
    y: { label: null, domain: striking, grid: true },
    color: { domain: used, range: used.map((c) => OUTCOMES[classes.indexOf(c)]), legend: true },
    marks: [
      Plot.ruleX(begins, { x: (i) => i - 0.5, strokeOpacity: 0.35 }),
      Plot.text(spread(begins, instants.length, instants.length / 9), {
        x: (i) => i - 0.5, text: (i) => timestamp(instants[i], 3), frameAnchor: "top", lineAnchor: "bottom", dy: -8, textAnchor: "start",
      }),
      Plot.barX(points, {
        x1: (p) => p.at - 0.5, x2: (p) => p.at + 0.5, y: "kind", fill: "outcome", insetTop: 2, insetBottom: 2, tip: true,
        title: (p) => `${p.kind} at ${timestamp(p.ps)}\n${p.outcome}`,
      }),
    ],
  });
  const told = stories
    .filter((s) => s.class !== "passed")
    .map((s) => [
      s.class,
      String(s.count),
      s.detail,
      s.example.map((e) => `${e.kind} ${e.where}`).join(" and "),
      s.file ? `${s.file}${s.replays ? "" : " (does not replay)"}` : undefined,
    ]);
  return [
    ...section("What came of each fault", figure(`${data.points} points, by outcome`, "", counts, true)),
    ...section("When it strikes", points.length ? figure("Every point", "From left to right in the order of time, a column an instant; a line where a burst begins.", when, true) : []),
    ...section("Stories", told.length ? table(["outcome", "points", "what happened", "for example", "file"], told, "words stories") : []),
  ];
}
// mildest first, as in docs/studies-format.md
const OUTCOMES = ["#8c959f", "#3ca951", "#6cc5b0", "#4269d0", "#efb118", "#e07b39", "#a463f2", "#ff5c73", "#9c3b3b"];

const exploring = (data.schema ?? "").startsWith("rpsim-explore");
document.body.className = "study";
document.body.append(
  page_head(
    {
      title: data.study ?? (exploring ? `${data.scenario}, explored` : "study"),
      subtitle: data.purpose,
      facts: [
        data.scenario && `scenario ${data.scenario}`,
        data.platform && `platform ${data.platform}`,
        data.points?.planned !== undefined && `${data.points.done} of ${data.points.planned} points`,
        data.points?.failed ? `${data.points.failed} did not go well` : "",
        data.core && `host core ${data.core}`,
        data.shutdown && `shutdown ${data.shutdown}`,
        data.points_per_second > 0 && `${Math.round(data.points_per_second)} points a second`,
        data.vary_from && `varied from ${data.vary_from}`,
        data.seed !== undefined && `seed ${data.seed}`,
      ],
    },
    [theme_button()],
  ),
  element("main", {}, ...(exploring ? explore() : study())),
);
document.addEventListener("keydown", (e) => {
  if (e.key === "d" && !e.ctrlKey && !e.metaKey) document.querySelector(".theme").click();
});
