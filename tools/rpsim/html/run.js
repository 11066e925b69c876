// The page of one run: a sequence diagram with time running down, states beside it on the same axis.

import { scaleLinear } from "d3-scale";
import { select } from "d3-selection";
import { zoom, zoomIdentity } from "d3-zoom";
import { element, page_data, page_head, theme_button } from "./dom.js";
import { arrow_label, is_answer, is_trouble, mark_label } from "./labels.js";
import { KINDS, lane_title, read_run } from "./model.js";
import { duration, event_axis, scaled_axis, tick_text, timestamp, upper_bound } from "./time.js";

const OVERVIEW = 34,
  GUTTER = 104,
  PHASES = 128,
  STATE = { least: 26, upright: 60, wide: 88 }, // what a column of states has; where its words stand upright
  // From lane to lane, and where there are too many of them; before the first and after the last.
  LANE = { least: 84, close: 48, most: 170, margin: 46, after: 190 };
const ROW = { least: 14, best: 18, most: 28 }; // height of a row of the view that a reader is taken to
const LABEL = 12; // height that a label takes

const data = page_data();
const model = read_run(data);
const { events } = model;
const THIN = 3; // pixels
const strands = []; // who says to whom what kind of thing
const strand_of = Uint16Array.from(events, (e) => {
  const strand = `${e.from} ${e.to} ${e.kind}`;
  const known = strands.indexOf(strand);
  return known >= 0 ? known : strands.push(strand) - 1;
});
const kept_hidden = new Set(KINDS.filter((k) => k.hidden).map((k) => k.name));
const view = { to_scale: false, hidden: kept_hidden, selected: undefined, hovered: undefined };

// ---------------------------------------------------------------------------------------------------- page

const run = data.run ?? {};
const tip = element("div", { class: "tip", role: "tooltip", hidden: "" });
const details = element("div", { class: "event", "aria-live": "polite" });
const main = element("main", { class: "diagram" });
const rows_button = element("button", { onclick: () => set_scale(false), title: "one row an event (t)" }, "rows");
const scale_button = element("button", { onclick: () => set_scale(true), title: "time to scale (t)" }, "to scale");

document.body.className = "run";
document.body.append(
  page_head(
    {
      title: run.scenario ?? "run",
      subtitle: run.purpose,
      verdict: run.verdict,
      facts: [
        run.platform && `platform ${run.platform}`,
        ...Object.entries(data.host ?? {}).map(([name, value]) => `${name === "core" ? "host core" : name} ${value}`),
        `seed ${run.seed ?? 0}`,
        `${duration(model.end)} simulated`,
        `${events.length} events`,
      ],
    },
    [
      element("div", { class: "group" }, rows_button, scale_button),
      element(
        "div",
        { class: "group" },
        element("button", { onclick: () => zoom_by(1 / 1.6), title: "zoom out (−)", "aria-label": "zoom out" }, "−"),
        element("button", { onclick: () => zoom_by(1.6), title: "zoom in (+)", "aria-label": "zoom in" }, "+"),
        element("button", { onclick: show_all, title: "the whole run (0)" }, "all"),
      ),
      element(
        "div",
        { class: "group" },
        element("button", { onclick: () => next_stop(-1), title: "previous command or handshake (p)" }, "◂ prev"),
        element("button", { onclick: () => next_stop(1), title: "next command or handshake (n)" }, "next ▸"),
      ),
      theme_button(),
    ],
  ),
  sidebar(),
  main,
  legend(),
  tip,
);

function sidebar() {
  const jump = (first, last, ...content) =>
    element("button", { class: "jump", onclick: () => show_events(first, last) }, ...content);
  const commands = model.commands.map((c) => {
    const shakes = model.handshakes.filter((s) => c.first <= s.first && s.last <= c.last);
    return element(
      "li",
      {},
      jump(
        c.first,
        c.last,
        element("code", {}, ...breakable(`$ ${c.label}`)),
        element(
          "span",
          { class: c.result === undefined || c.result === "0" ? "muted" : "failed-phase" },
          `${timestamp(c.begin, 3)} · ${duration(c.end - c.begin)} · ${c.result === "0" ? "ok" : (c.result ?? "did not return")}`,
        ),
      ),
      ...shakes.map((s) =>
        element(
          "ul",
          { class: "phases" },
          ...s.phases.map((p) =>
            element(
              "li",
              { class: p.failed ? "failed-phase" : undefined },
              jump(
                p.first,
                p.last,
                element("span", {}, p.title),
                element("span", { class: "muted" }, phase_time(p)),
              ),
            ),
          ),
        ),
      ),
    );
  });
  const checks = (run.checks ?? []).map((c) =>
    element("li", { class: c.passed ? "" : "failed" }, ...breakable(c.passed ? c.text : `${c.text}: ${c.detail ?? ""}`)),
  );
  const violations = (run.violations ?? []).map((v) =>
    element(
      "li",
      { class: v.standing === "undeclared" ? "failed" : "" },
      `${v.standing === "undeclared" ? "invariant" : `${v.standing} violates`} ${v.invariant}: ${v.text}`,
    ),
  );
  const measures = (run.measures ?? [])
    .filter((m) => m.ps.length !== 0)
    .map((m) =>
      element(
        "tr",
        { title: `${m.from} → ${m.to}` },
        element("td", {}, m.name),
        element("td", {}, [...new Set(m.ps.map((ps) => duration(ps)))].slice(0, 6).join(", ")),
      ),
    );
  const part = (title, ...content) => [element("h2", {}, title), ...content];
  return element(
    "aside",
    { "aria-label": "the run" },
    ...part("Event", details),
    ...(commands.length ? part("Commands and handshakes", element("ul", {}, ...commands)) : []),
    ...(measures.length ? part("Measures", element("table", { class: "fields" }, ...measures)) : []),
    ...(checks.length + violations.length ? part("Checks", element("ul", { class: "checks" }, ...checks, ...violations)) : []),
  );
}

/// Paths break after a slash.
function breakable(text) {
  return text.split(/(?<=\/)/).flatMap((part) => [part, element("wbr")]);
}

function phase_time(p) {
  const took = duration(p.end - p.begin);
  return p.limit ? `${took} of ${duration(p.limit)}` : took;
}

function legend() {
  const present = new Set(events.map((e) => e.kind));
  return element(
    "footer",
    { class: "legend", role: "group", "aria-label": "kinds of events" },
    ...KINDS.filter((k) => present.has(k.name)).map((k) => {
      const button = element(
        "button",
        {
          "aria-pressed": String(!view.hidden.has(k.name)),
          title: `show or hide ${k.title}`,
          onclick: () => {
            if (!view.hidden.delete(k.name)) view.hidden.add(k.name);
            button.setAttribute("aria-pressed", String(!view.hidden.has(k.name)));
            keeping_place(lay_out);
          },
        },
        element("span", { class: "swatch", style: `--c:var(--${k.name})` }),
        k.title,
      );
      return button;
    }),
    element(
      "span",
      { class: "help" },
      ...["drag or wheel: move · ctrl+wheel, ", key("+"), " ", key("−"), ": zoom · ", key("↑"), " ", key("↓")],
      ...[": event · ", key("←"), " ", key("→"), ": more lanes · ", key("n"), " ", key("p"), ": handshake · ", key("t"), ": scale · ", key("0"), ": all"],
    ),
  );
}
function key(name) {
  return element("kbd", {}, name);
}

// ---------------------------------------------------------------------------------------------------- layout

const pen = document.createElement("canvas").getContext("2d");
const LABEL_FONT = "11px system-ui, sans-serif",
  HEAD_FONT = "600 11px system-ui, sans-serif";
pen.font = LABEL_FONT;
const svg = select(main)
  .append("svg")
  .attr("tabindex", 0)
  .attr("role", "img")
  .attr("aria-label", "sequence diagram of the run; arrow keys go from event to event");
const clip = svg.append("clipPath").attr("id", "body").append("rect");
const sequence_clip = svg.append("clipPath").attr("id", "sequence").append("rect");
const body = svg.append("g").attr("clip-path", "url(#body)");
// The sequence goes from side to side where it has more lanes than there is room for; times and states stay.
const fixed = body.append("g");
const moving = body.append("g").attr("clip-path", "url(#sequence)").append("g");
const layer = (of, name) => [name, of.append("g").attr("class", name)];
const layers = Object.fromEntries([
  layer(fixed, "rows"),
  ...["phases", "lanes", "spans", "events", "labels"].map((name) => layer(moving, name)),
  ...["states", "times", "deadlines"].map((name) => layer(body, name)),
]);
const overview = body.append("g").attr("class", "overview");
const head = svg.append("g");

let width = 0,
  height = 0,
  rows = [], // indices of the events that are shown
  row_of = new Int32Array(0),
  axis,
  base,
  transform = zoomIdentity,
  HEAD = 44, // height of the names
  lane_x = new Map(), // in the sequence as if all of it were seen
  sequence = { left: 0, right: 0, seen: 0 }, // to where it goes, and to where there is room
  close_lanes = false,
  aside = 0, // how far it is moved to the left
  phase_names = [], // where they stand
  state_left = 0,
  state_width = 0;

const y_of = (u) => HEAD + transform.y + transform.k * base(u);
const y_of_event = (i) => y_of(place_of(i));
/// Place of an event, shown or not.
function place_of(i) {
  return row_of[i] >= 0 ? axis.at(row_of[i]) : axis.of(events[i].ps);
}
const u_at = (y) => base.invert((y - HEAD - transform.y) / transform.k);

const in_overview = (e) => e.clientX - main.getBoundingClientRect().left < OVERVIEW;
const zoomer = zoom()
  .filter((e) => (e.type === "wheel" ? e.ctrlKey || e.metaKey : !e.button && !in_overview(e)))
  .on("zoom", (e) => {
    transform = e.transform;
    if (e.sourceEvent?.type === "mousemove") move_aside(-e.sourceEvent.movementX);
    schedule();
  });

function move_aside(pixels) {
  aside = Math.max(0, Math.min(sequence.right - sequence.seen, aside + pixels));
  schedule();
}

/// What lies between two neighbouring lanes has room for its arrows' labels.
const lane_gaps = (() => {
  const order = new Map(model.lanes.map((l, i) => [l.name, i]));
  const gaps = new Array(Math.max(0, model.lanes.length - 1)).fill(LANE.least);
  const known = new Set();
  for (const e of events) {
    const [a, b] = [order.get(e.from), order.get(e.to)].sort((x, y) => x - y);
    if (b - a !== 1) continue;
    const key = `${a} ${arrow_label(e)}`;
    if (known.has(key)) continue;
    known.add(key);
    gaps[a] = Math.min(LANE.most, Math.max(gaps[a], pen.measureText(arrow_label(e)).width + 34));
  }
  return gaps;
})();

function lay_out() {
  const box = main.getBoundingClientRect();
  width = box.width;
  // Lanes first, then as much as is left, up to what reads well, for the states.
  const left = OVERVIEW + GUTTER;
  const wanted_with = (gaps) => LANE.margin + gaps.reduce((a, b) => a + b, 0) + LANE.after;
  const room = width - left - 16;
  close_lanes = wanted_with(lane_gaps) > room - STATE.least * model.states.length;
  const gaps = close_lanes ? lane_gaps.map((g) => (g > LANE.least ? g : LANE.close)) : lane_gaps;
  const wanted = wanted_with(gaps);
  state_width = Math.max(STATE.least, Math.min(STATE.wide, (room - wanted) / Math.max(1, model.states.length)));
  pen.font = HEAD_FONT;
  HEAD = state_width < STATE.upright ? 14 + Math.max(44, ...model.states.map((s) => pen.measureText(s.name).width)) : 44;
  pen.font = LABEL_FONT;
  height = Math.max(50, box.height - HEAD);
  rows = events.filter((e) => !view.hidden.has(e.kind)).map((e) => e.index);
  row_of = new Int32Array(events.length).fill(-1);
  rows.forEach((index, row) => (row_of[index] = row));
  const times = Float64Array.from(rows, (i) => events[i].ps);
  axis = view.to_scale ? scaled_axis(times, model.end) : event_axis(times, model.end);
  base = scaleLinear([0, axis.length], [0, height]);
  state_left = width - state_width * model.states.length - 8;
  const seen = Math.max(left + 100, state_left - 8);
  sequence = { left, seen, right: Math.max(seen, left + wanted) };
  move_aside(0);
  // What is left is shared out, most of it to the right of the last lane, where its labels and the phases' names are.
  const spare = sequence.right - left - wanted;
  const more = Math.max(0, spare - Math.min(PHASES - 50, 0.5 * spare)) / Math.max(1, gaps.length);
  let x = left + LANE.margin;
  lane_x = new Map(model.lanes.map((l, i) => [l.name, i === 0 ? x : (x += gaps[i - 1] + more)]));
  clip.attr("x", 0).attr("y", HEAD).attr("width", width).attr("height", height);
  sequence_clip.attr("x", left).attr("y", 0).attr("width", seen - left).attr("height", HEAD + height);
  zoomer
    .extent([
      [0, 0],
      [width, height],
    ])
    .translateExtent([
      [-Infinity, 0],
      [Infinity, height],
    ])
    .scaleExtent([1, Math.max(1, view.to_scale ? axis.length / height / 100 : (axis.length * 60) / height)]);
  rows_button.setAttribute("aria-pressed", String(!view.to_scale));
  scale_button.setAttribute("aria-pressed", String(view.to_scale));
  draw_head();
  draw_overview();
}

function draw_head() {
  head.selectAll("*").remove();
  head.append("rect").attr("class", "head").attr("width", width).attr("height", HEAD);
  head.append("line").attr("class", "edge").attr("x2", width).attr("y1", HEAD).attr("y2", HEAD);
  const below = HEAD - 44;
  const title = (to, x, name, role) => {
    to.append("text").attr("class", "lane-name").attr("x", x).attr("y", below + 19).text(name);
    to.append("text").attr("class", "lane-role").attr("x", x).attr("y", below + 34).text(role);
  };
  const lanes = head.append("g").attr("clip-path", "url(#sequence)").append("g").attr("class", "lane-names");
  model.lanes.forEach((lane, i) => {
    const x = lane_x.get(lane.name);
    if (!close_lanes) return title(lanes, x, lane.name, lane_title(lane));
    const name = lanes.append("text").attr("class", "lane-name").attr("x", x).attr("y", below + 20 + 15 * (i % 2));
    name.text(lane.name).append("title").text(lane_title(lane));
  });
  const roles = { remoteproc: "state", core: "core state", module: "module state" };
  model.states.forEach((s, i) => {
    const x = state_left + state_width * (i + 0.5);
    if (state_width >= STATE.upright) return title(head, x, s.name, roles[s.role]);
    head
      .append("text")
      .attr("class", "lane-name lying")
      .attr("transform", `translate(${x + 4},${HEAD - 6}) rotate(-90)`)
      .text(s.name)
      .append("title")
      .text(roles[s.role]);
  });
  head.append("text").attr("class", "lane-role").attr("x", OVERVIEW + GUTTER / 2).attr("y", below + 34).text("simulated time");
}

function show_places(from, to) {
  const k = height / Math.max(base(to) - base(from), 1e-12);
  const [least, most] = zoomer.scaleExtent();
  const scale = Math.min(most, Math.max(least, k));
  svg.call(zoomer.transform, zoomIdentity.translate(0, -scale * base(from)).scale(scale));
}

/// Brings events into view, with rows that can be read, and a little of what is around them.
function show_events(first, last) {
  const from = place_of(first),
    to = place_of(last);
  if (view.to_scale) {
    const margin = Math.max((to - from) * 0.06, 1e3);
    show_places(from - margin, to + margin);
  } else {
    const units = to - from + 2.5;
    const fit = Math.min(ROW.most, Math.max(ROW.least, height / units));
    show_places(from - 1.5, from - 1.5 + height / fit);
  }
  // Aside only as far as the lanes that are concerned need it.
  const concerned = events.slice(first, last + 1).flatMap((e) => [lane_x.get(e.from), lane_x.get(e.to)]);
  const least = Math.min(...concerned) - sequence.left - LANE.margin,
    most = Math.max(...concerned) + LANE.after - sequence.seen;
  if (aside > least || aside < most) move_aside(Math.min(least, Math.max(0, most)) - aside);
}

function show_all() {
  svg.call(zoomer.transform, zoomIdentity);
}

function zoom_by(factor) {
  svg.call(zoomer.scaleBy, factor, [0, height / 2]);
}

/// Lays out anew; what was in the middle of the view stays there.
function keeping_place(change) {
  const from = axis.time(u_at(HEAD)),
    to = axis.time(u_at(HEAD + height));
  change();
  show_places(axis.of(from), Math.max(axis.of(to), axis.of(from) + (view.to_scale ? 1e3 : height / ROW.best)));
}

function set_scale(to_scale) {
  if (view.to_scale === to_scale) return;
  const first = first_row_at(u_at(HEAD)),
    last = first_row_at(u_at(HEAD + height)) - 1;
  const set = () => {
    view.to_scale = to_scale;
    lay_out();
  };
  if (first > last || rows.length === 0) return keeping_place(set);
  set();
  show_events(rows[first], rows[last]);
}

function next_stop(step) {
  const stops = [...model.commands, ...model.handshakes].map((s) => [s.first, s.last]).sort((a, b) => a[0] - b[0]);
  const here = axis.time(u_at(HEAD + (view.to_scale ? height * 0.06 : 2 * ROW.best))) + 1;
  const later = stops.filter(([first]) => events[first].ps > here);
  const earlier = stops.filter(([first]) => events[first].ps < axis.time(u_at(HEAD)));
  const stop = step > 0 ? later[0] : earlier.at(-1);
  if (stop !== undefined) show_events(...stop);
}

// ---------------------------------------------------------------------------------------------------- drawing

let drawing = false;
function schedule() {
  if (drawing) return;
  drawing = true;
  requestAnimationFrame(() => {
    drawing = false;
    draw();
  });
}

/// The rows that are in view, thinned to what a screen can show: of events of one kind between the same lanes within
/// some pixels, one is drawn.
function visible_events() {
  const top = Math.max(0, first_row_at(u_at(HEAD - 20)));
  const shown = [];
  const taken = new Set();
  for (let row = top; row < rows.length; ++row) {
    const y = y_of(axis.at(row));
    if (y > HEAD + height + 20) break;
    const e = events[rows[row]];
    const key = Math.round(y / THIN) * strands.length + strand_of[e.index];
    if (taken.has(key)) continue;
    taken.add(key);
    shown.push({ e, row, y });
  }
  return shown;
}

function first_row_at(u) {
  let low = 0,
    high = rows.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (axis.at(middle) < u) low = middle + 1;
    else high = middle;
  }
  return low;
}

/// Labels that have room: what matters more is asked first.
function with_room(shown) {
  const rank = { fault: 0, mailbox: 1, power: 2, shell: 2, core: 3, remoteproc: 3, tisci: 4, firmware: 5, rpmsg: 6 };
  const order = [...shown].sort((a, b) => (rank[a.e.kind] ?? 9) - (rank[b.e.kind] ?? 9) || a.y - b.y);
  const taken = new Set();
  const kept = new Set();
  for (const s of order) {
    const slot = Math.floor(s.y / LABEL);
    const clash = [slot - 1, slot, slot + 1].some((n) => {
      const other = taken.has(n) ? at_slot.get(n) : undefined;
      return other !== undefined && Math.abs(other - s.y) < LABEL;
    });
    if (clash) continue;
    taken.add(slot);
    at_slot.set(slot, s.y);
    kept.add(s.e.index);
  }
  at_slot.clear();
  return kept;
}
const at_slot = new Map();

function draw() {
  const shown = visible_events();
  const labelled = with_room(shown);
  const bottom = HEAD + height;
  const in_view = (from, to) => to >= HEAD && from <= bottom;

  moving.attr("transform", `translate(${-aside},0)`);
  head.select(".lane-names").attr("transform", `translate(${-aside},0)`);
  draw_phases(in_view);
  layers.lanes
    .selectAll("line")
    .data(model.lanes, (l) => l.name)
    .join("line")
    .attr("class", "lane")
    .attr("x1", (l) => lane_x.get(l.name))
    .attr("x2", (l) => lane_x.get(l.name))
    .attr("y1", HEAD)
    .attr("y2", bottom);

  const spans = [];
  const drawn_to = new Map(); // by lane: a short span beside a drawn one is not seen
  for (const s of model.spans) {
    if (view.hidden.has(s.kind)) continue;
    const from = y_of_event(s.first),
      to = y_of_event(s.last);
    if (!in_view(from, to) || to < (drawn_to.get(s.lane) ?? -Infinity) + THIN) continue;
    drawn_to.set(s.lane, Math.max(to, drawn_to.get(s.lane) ?? to));
    spans.push({ s, from, to });
  }
  layers.spans
    .selectAll("rect")
    .data(spans)
    .join("rect")
    .attr("class", "span")
    .style("--c", ({ s }) => `var(--${s.kind})`)
    .attr("x", ({ s }) => lane_x.get(s.lane) - 4)
    .attr("width", 8)
    .attr("y", ({ from }) => Math.max(from, HEAD - 5))
    .attr("height", ({ from, to }) => Math.max(1.5, Math.min(to, bottom + 5) - Math.max(from, HEAD - 5)));

  draw_events(shown, labelled);
  draw_times(shown, labelled);
  draw_states(in_view);
  draw_deadlines();
  draw_marks(shown);
  update_overview();
}

function draw_events(shown, labelled) {
  const groups = layers.events
    .selectAll("g.event")
    .data(shown, ({ e }) => e.index)
    .join((enter) => {
      const g = enter
        .append("g")
        .attr("class", ({ e }) => `event ${is_answer(e) ? "answer" : ""} ${is_trouble(e) ? "trouble" : ""}`)
        .attr("data-index", ({ e }) => e.index)
        .style("--c", ({ e }) => `var(--${is_trouble(e) ? "fault" : e.kind})`);
      g.filter(({ e }) => e.from !== e.to).append("path");
      g.filter(({ e }) => e.from === e.to).append("circle").attr("r", 3);
      return g;
    });
  groups.select("path").attr("d", ({ e, y }) => arrow(lane_x.get(e.from), lane_x.get(e.to), y));
  groups
    .select("circle")
    .attr("cx", ({ e }) => lane_x.get(e.from))
    .attr("cy", ({ y }) => y);
  layers.labels
    .selectAll("g")
    .data(
      shown.filter(({ e }) => labelled.has(e.index)),
      ({ e }) => e.index,
    )
    .join((enter) => {
      const g = enter
        .append("g")
        .attr("class", ({ e }) => `event ${is_trouble(e) ? "trouble" : ""}`)
        .style("--c", ({ e }) => `var(--${is_trouble(e) ? "fault" : e.kind})`);
      g.append("text").attr("class", "halo");
      return g;
    })
    .select("text")
    .each(function ({ e, y }) {
      const label = e.from === e.to ? beside(e, y) : on_arrow(e);
      select(this).text(label.text).attr("text-anchor", label.anchor).attr("x", label.x).attr("y", y + 4);
    });
}

const arrow = (from, to, y) => {
  const d = Math.sign(to - from);
  return `M${from},${y}H${to - d}m${-7 * d},-3.5l${7 * d},3.5l${-7 * d},3.5`;
};

/// A mark's label, shortened to the room that there is to the right of its lane.
function beside(e, y) {
  const label = mark_label(e);
  const x = lane_x.get(e.from) + 9;
  const end = phase_names.some((at) => y > at - 14 && y < at + 34) ? sequence.right - PHASES : sequence.right - 4;
  const room = Math.max(100, end - x);
  const length = pen.measureText(label).width;
  const text = length <= room ? label : `${label.slice(0, Math.max(4, Math.floor((label.length * room) / length) - 1))}…`;
  return { text, x, anchor: "start" };
}

/// An arrow's label stands on it, or beside its right end where it would hide it.
function on_arrow(e) {
  const text = arrow_label(e);
  const [from, to] = [lane_x.get(e.from), lane_x.get(e.to)].sort((a, b) => a - b);
  if (pen.measureText(text).width + 22 <= to - from) return { text, x: (from + to) / 2, anchor: "middle" };
  return { text, x: to + 9, anchor: "start" };
}

function draw_times(shown, labelled) {
  const right = OVERVIEW + GUTTER - 8;
  let times;
  if (view.to_scale) {
    const from = Math.max(0, u_at(HEAD)),
      to = Math.min(model.end, u_at(HEAD + height));
    const ticks = scaleLinear([from, to], [0, 1]).ticks(Math.max(2, Math.floor(height / 60)));
    const step = ticks.length > 1 ? ticks[1] - ticks[0] : to - from || 1;
    times = ticks.map((t) => ({ key: `t${t}`, y: y_of(t) + 4, text: tick_text(t, step), class: "time" }));
  } else {
    times = [];
    const unit = (transform.k * height) / axis.length;
    let last = -Infinity;
    for (const { e, row, y } of shown) {
      if (!labelled.has(e.index) || y - last < LABEL) continue;
      const room = (1 + axis.gap(row)) * unit;
      if (row > 0 && axis.gap(row) > 0 && room >= 2 * LABEL) {
        const pause = e.ps - events[rows[row - 1]].ps;
        times.push({ key: `g${row}`, y: y - room / 2 + 4, text: `+ ${duration(pause)}`, class: "gap" });
      }
      const same = row > 0 && events[rows[row - 1]].ps === e.ps && y - last < 3 * LABEL;
      if (!same) times.push({ key: `e${row}`, y: y + 4, text: timestamp(e.ps, 6), class: "time" });
      last = y;
    }
  }
  layers.times
    .selectAll("text")
    .data(times, (t) => t.key)
    .join("text")
    .attr("class", (t) => t.class)
    .attr("x", right)
    .attr("y", (t) => t.y)
    .text((t) => t.text);
  layers.times
    .selectAll("line")
    .data(view.to_scale ? times : [])
    .join("line")
    .attr("class", "edge")
    .attr("x1", right + 3)
    .attr("x2", right + 8)
    .attr("y1", (t) => t.y - 4)
    .attr("y2", (t) => t.y - 4);
}

const PHASE_COLOUR = { "wait for the ACK": 0, "wait for WFI": 1, "host goes on": 1, "assert reset": 2, "core off": 3 };

function draw_phases(in_view) {
  const bottom = HEAD + height;
  const phases = model.phases
    .map((p, n) => ({ p, n, from: y_of_event(p.first), to: y_of_event(p.last) }))
    .filter(({ from, to }) => in_view(from, to));
  layers.phases
    .selectAll("rect")
    .data(phases, ({ n }) => n)
    .join("rect")
    .attr("fill", ({ p }) => `var(--phase-${PHASE_COLOUR[p.title] ?? 0})`)
    .attr("x", sequence.left)
    .attr("width", sequence.right - sequence.left)
    .attr("y", ({ from }) => from)
    .attr("height", ({ from, to }) => Math.max(0.5, to - from));
  layers.phases
    .selectAll("line")
    .data(phases, ({ n }) => n)
    .join("line")
    .attr("class", "phase-edge")
    .attr("x1", sequence.left)
    .attr("x2", sequence.right)
    .attr("y1", ({ from }) => from)
    .attr("y2", ({ from }) => from);
  const named = phases
    .map((p) => ({ ...p, y: Math.max(p.from, HEAD) }))
    .filter(({ y, to }) => Math.min(to, bottom) - y > 14);
  phase_names = named.map(({ y }) => y + 13);
  layers.phases
    .selectAll("g")
    .data(named, ({ n }) => n)
    .join((enter) => {
      const g = enter.append("g");
      g.append("text").attr("class", "phase-name halo");
      g.append("text").attr("class", "phase-time halo");
      return g;
    })
    .attr("transform", ({ y }) => `translate(${sequence.seen + aside - 6},${y + 13})`)
    .each(function ({ p, y, to }) {
      const g = select(this);
      const two_lines = Math.min(to, bottom) - y > 30;
      g.select(".phase-name")
        .text(two_lines ? p.title : `${p.title}: ${duration(p.end - p.begin)}`)
        .style("fill", p.failed ? "var(--bad)" : null);
      g.select(".phase-time").text(two_lines ? phase_time(p) : "").attr("y", 14);
    });
}

const STATE_COLOUR = {
  running: "running", attached: "running", Enable: "running", wfi: "wfi", suspended: "wfi", Trans: "wfi", offline: "off",
  off: "off", SwRstDisable: "off", Disable: "off", reset: "reset", lockup: "bad", hang: "bad", crashed: "bad",
};

function draw_states(in_view) {
  const bottom = HEAD + height;
  const spans = [];
  model.states.forEach((lane, column) => {
    let drawn_to = -Infinity;
    for (const s of lane.spans) {
      const from = y_of_event(s.first),
        to = y_of_event(s.last);
      if (!in_view(from, to) || to < drawn_to + THIN / 2) continue;
      drawn_to = to;
      spans.push({ s, column, key: `${column} ${s.first}`, from: Math.max(from, HEAD - 2), to: Math.min(to, bottom + 2) });
    }
  });
  layers.states
    .selectAll("g")
    .data(spans, ({ key }) => key)
    .join((enter) => {
      const g = enter
        .append("g")
        .attr("class", "state")
        .style("--c", ({ s }) => `var(--${STATE_COLOUR[s.state] ?? "other"})`);
      g.append("rect");
      g.append("line");
      g.append("text");
      return g;
    })
    .each(function ({ s, column, from, to }) {
      const x = state_left + column * state_width + 4;
      const tall = Math.max(1, to - from);
      const g = select(this);
      g.select("rect").attr("x", x).attr("width", state_width - 8).attr("y", from).attr("height", tall);
      g.select("line").attr("x1", x + 1.5).attr("x2", x + 1.5).attr("y1", from).attr("y2", from + tall);
      const top = Math.max(from, HEAD);
      if (state_width >= STATE.upright) {
        g.select("text")
          .attr("transform", `translate(${x + 8},${Math.min(top + 12, to - 3)})`)
          .text(tall >= 13 ? s.state : "");
      } else {
        const length = pen.measureText(s.state).width;
        g.select("text")
          .attr("transform", `translate(${x + state_width / 2 - 7},${top + 5}) rotate(90)`)
          .text(to - top >= length + 8 ? s.state : "");
      }
    });
}

function draw_deadlines() {
  const bottom = HEAD + height;
  const lines = [];
  const pointers = [];
  for (const d of model.deadlines) {
    const y = y_of(axis.of(d.ps));
    const begin = y_of_event(d.phase.first),
      end = y_of_event(d.phase.last);
    if (y >= HEAD && y <= bottom && d.ps <= model.end) lines.push({ d, y, text: `deadline — ${d.text}` });
    else if (y > bottom && begin < bottom && end > HEAD) pointers.push(d);
  }
  const pointer = pointers.at(-1);
  if (pointer !== undefined) {
    const left = pointer.ps - pointer.phase.end;
    const text = `▾ deadline ${timestamp(pointer.ps, 3)} — ${pointer.text}${left > 0 ? `; ${duration(left)} were left` : ""}`;
    lines.push({ d: pointer, y: bottom - 2, text, pointer: true });
  }
  const groups = layers.deadlines
    .selectAll("g")
    .data(lines, ({ d, pointer }) => `${d.ps} ${pointer}`)
    .join((enter) => {
      const g = enter.append("g");
      g.filter(({ pointer }) => pointer).append("rect").attr("class", "strip").attr("height", 19);
      g.append("line").attr("class", "deadline");
      g.append("text").attr("class", "deadline-text halo");
      return g;
    });
  groups
    .select("rect")
    .attr("x", sequence.left)
    .attr("width", sequence.seen - sequence.left)
    .attr("y", ({ y }) => y - 18);
  groups
    .select("line")
    .attr("visibility", ({ pointer }) => (pointer ? "hidden" : null))
    .attr("x1", sequence.left)
    .attr("x2", sequence.seen)
    .attr("y1", ({ y }) => y)
    .attr("y2", ({ y }) => y);
  groups
    .select("text")
    .attr("x", sequence.left + 6)
    .attr("y", ({ y }) => y - 5)
    .text(({ text }) => text);
}

/// What is selected and what the pointer is at.
function draw_marks(shown) {
  const marks = [
    { what: "selected", index: view.selected },
    { what: "hovered", index: view.hovered },
  ].filter(({ index }) => index !== undefined && row_of[index] >= 0);
  const unit = view.to_scale ? 14 : Math.max(4, (transform.k * height) / axis.length);
  layers.rows
    .selectAll("rect")
    .data(marks, ({ what }) => what)
    .join("rect")
    .attr("class", ({ what }) => `row ${what}`)
    .attr("x", OVERVIEW)
    .attr("width", sequence.seen - OVERVIEW)
    .attr("y", ({ index }) => y_of_event(index) - Math.min(unit, 22) / 2)
    .attr("height", Math.min(unit, 22));
}

// ---------------------------------------------------------------------------------------------------- overview

function draw_overview() {
  overview.selectAll("*").remove();
  overview.append("rect").attr("class", "head").attr("y", HEAD).attr("width", OVERVIEW - 6).attr("height", height);
  const count = new Uint32Array(Math.ceil(height) + 1);
  const trouble = new Set();
  rows.forEach((index, row) => {
    const y = Math.min(count.length - 1, Math.floor(base(axis.at(row))));
    ++count[y];
    if (is_trouble(events[index])) trouble.add(y);
  });
  const bars = [...count].map((n, y) => ({ n, y })).filter(({ n }) => n !== 0);
  for (const s of model.handshakes) {
    const from = base(place_of(s.first)),
      to = base(place_of(s.last));
    overview
      .append("rect")
      .attr("class", "overview-shake")
      .attr("y", HEAD + from)
      .attr("width", OVERVIEW - 6)
      .attr("height", Math.max(2, to - from));
  }
  overview
    .selectAll("rect.overview-density")
    .data(bars)
    .join("rect")
    .attr("class", ({ y }) => (trouble.has(y) ? "overview-trouble" : "overview-density"))
    .attr("x", 2)
    .attr("width", ({ n }) => Math.min(OVERVIEW - 10, 5 + 5 * Math.log2(n)))
    .attr("y", ({ y }) => HEAD + y)
    .attr("height", 1);
  overview.append("rect").attr("class", "overview-window").attr("x", 0.5).attr("width", OVERVIEW - 7);
}

function update_overview() {
  const from = Math.max(0, base(u_at(HEAD))),
    to = Math.min(height, base(u_at(HEAD + height)));
  overview
    .select(".overview-window")
    .attr("y", HEAD + from + 0.5)
    .attr("height", Math.max(4, to - from - 1));
}

// ---------------------------------------------------------------------------------------------------- pointer, keys

function describe(e) {
  const row = row_of[e.index];
  const before = row > 0 ? e.ps - events[rows[row - 1]].ps : undefined;
  const fields = [
    ["time", `${timestamp(e.ps, 9).replace(/(\.\d*?)0{1,3} ms$/, "$1 ms")}`],
    ...(before ? [["since last", `+ ${duration(before)}`]] : []),
    ["source", e.source],
    ...Object.entries(e.fields).map(([name, value]) => [name, name === "limit" || name.endsWith("_ps") ? duration(value) : String(value)]),
  ];
  return [
    element("h3", {}, element("span", { class: "swatch", style: `--c:var(--${e.kind})` }), e.event),
    element(
      "table",
      { class: "fields" },
      ...fields.map(([name, value]) => element("tr", {}, element("td", {}, name), element("td", {}, value))),
    ),
  ];
}

/// The event that the pointer is at: the nearest line, and of several on it the one whose arrow is under the pointer.
function event_at(x, y) {
  if (x < OVERVIEW || x > sequence.seen || y < HEAD) return undefined;
  x += aside;
  const unit = (transform.k * height) / axis.length;
  const reach = view.to_scale ? 7 : Math.max(4, unit / 2 + 1);
  let best,
    least = Infinity;
  for (let row = first_row_at(u_at(y - reach)); row < rows.length; ++row) {
    const at = y_of(axis.at(row));
    if (at > y + reach) break;
    const e = events[rows[row]];
    const ends = [lane_x.get(e.from), lane_x.get(e.to)].sort((a, b) => a - b);
    const beside = x < ends[0] ? ends[0] - x : x > ends[1] ? x - ends[1] : 0;
    const distance = Math.abs(at - y) + Math.min(beside, 400) * 0.01;
    if (distance < least) [best, least] = [e.index, distance];
  }
  return best;
}

function hover(event) {
  const [x, y] = [event.clientX - main.getBoundingClientRect().left, event.clientY - main.getBoundingClientRect().top];
  const index = event.buttons ? undefined : event_at(x, y);
  if (index !== view.hovered) {
    view.hovered = index;
    schedule();
    if (index !== undefined) tip.replaceChildren(...describe(events[index]));
  }
  tip.hidden = index === undefined;
  if (index === undefined) return;
  const box = tip.getBoundingClientRect();
  const left = event.clientX + 18 + box.width > innerWidth ? event.clientX - box.width - 14 : event.clientX + 18;
  tip.style.left = `${Math.max(4, left)}px`;
  tip.style.top = `${Math.max(4, Math.min(event.clientY + 14, innerHeight - box.height - 6))}px`;
}

function select_event(index, bring = false) {
  view.selected = index;
  if (index === undefined) {
    details.replaceChildren(element("p", { class: "muted" }, "Click an event, or go from one to the next with ↑ and ↓."));
  } else {
    details.replaceChildren(...describe(events[index]));
    const y = y_of_event(index);
    if (bring && (y < HEAD + 24 || y > HEAD + height - 24)) svg.call(zoomer.translateTo, 0, base(place_of(index)));
  }
  schedule();
}

function step_selection(step) {
  if (rows.length === 0) return;
  const start = view.selected === undefined ? first_row_at(u_at(HEAD)) - (step > 0 ? 1 : 0) : row_of[view.selected];
  select_event(rows[Math.max(0, Math.min(rows.length - 1, start + step))], true);
}

const KEYS = {
  ArrowDown: () => step_selection(1),
  ArrowUp: () => step_selection(-1),
  j: () => step_selection(1),
  k: () => step_selection(-1),
  PageDown: () => svg.call(zoomer.translateBy, 0, (-0.85 * height) / transform.k),
  PageUp: () => svg.call(zoomer.translateBy, 0, (0.85 * height) / transform.k),
  ArrowLeft: () => move_aside(-LANE.most),
  ArrowRight: () => move_aside(LANE.most),
  Home: () => show_places(0, u_at(HEAD + height) - u_at(HEAD)),
  End: () => show_places(axis.length - (u_at(HEAD + height) - u_at(HEAD)), axis.length),
  "+": () => zoom_by(1.6),
  "=": () => zoom_by(1.6),
  "-": () => zoom_by(1 / 1.6),
  0: show_all,
  n: () => next_stop(1),
  p: () => next_stop(-1),
  t: () => set_scale(!view.to_scale),
  d: () => document.querySelector(".theme").click(),
  Escape: () => select_event(undefined),
};

document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey || KEYS[e.key] === undefined) return;
  // A list that scrolls keeps its own keys.
  if (e.target.closest("aside") && /^(Arrow|Page|Home|End)/.test(e.key)) return;
  e.preventDefault();
  KEYS[e.key]();
});

svg
  .call(zoomer)
  .on("dblclick.zoom", null)
  .on("wheel.pan", (e) => {
    if (e.ctrlKey || e.metaKey) return;
    e.preventDefault();
    const lines = e.deltaMode === 1 ? 16 : 1;
    const sideways = e.deltaX || (e.shiftKey ? e.deltaY : 0);
    if (sideways) move_aside(sideways * lines);
    if (e.deltaY && !e.shiftKey) svg.call(zoomer.translateBy, 0, (-e.deltaY * lines) / transform.k);
  })
  .on("pointermove", hover)
  .on("pointerleave", () => {
    tip.hidden = true;
    view.hovered = undefined;
    schedule();
  })
  .on("pointerdown.overview", (e) => {
    if (in_overview(e)) e.target.setPointerCapture?.(e.pointerId);
    go_in_overview(e);
  })
  .on("pointermove.overview", go_in_overview)
  .on("click", (e) => {
    const box = main.getBoundingClientRect();
    const index = event_at(e.clientX - box.left, e.clientY - box.top);
    if (index !== undefined) select_event(index);
  });

function go_in_overview(e) {
  if (!(e.buttons & 1) || !in_overview(e)) return;
  svg.call(zoomer.translateTo, 0, e.clientY - main.getBoundingClientRect().top - HEAD);
}

new ResizeObserver(() => {
  if (Math.abs(main.getBoundingClientRect().width - width) < 1 && Math.abs(main.getBoundingClientRect().height - HEAD - height) < 1) return;
  keeping_place(lay_out);
  draw();
}).observe(main);

lay_out();
select_event(undefined);
if (events.length !== 0) show_events(model.view.first, model.view.last);
else show_all();
schedule();
