// What a run's picture is made of, read off its trace: lanes, arrows and marks, spans of activity, states, phases of
// handshakes with their deadlines, and the host's commands. Knows docs/events.md and nothing of a page.

import { duration } from "./time.js";

/// Kinds of events: what the legend lists, in its order. `hidden`: not shown until asked for.
export const KINDS = [
  { name: "shell", title: "commands" },
  { name: "remoteproc", title: "remoteproc, virtio" },
  { name: "mailbox", title: "mailbox" },
  { name: "tisci", title: "TI-SCI" },
  { name: "power", title: "reset, power" },
  { name: "core", title: "core" },
  { name: "firmware", title: "firmware" },
  { name: "rpmsg", title: "rpmsg" },
  { name: "fault", title: "faults, errors" },
  { name: "log", title: "logs" },
  { name: "detail", title: "memory, lines, bus", hidden: true },
];

const KIND_OF_PREFIX = {
  shell: "shell",
  rproc: "remoteproc",
  handshake: "remoteproc",
  virtio: "remoteproc",
  vring: "remoteproc",
  mailbox: "mailbox",
  ipcc: "mailbox",
  tisci: "tisci",
  reset: "power",
  lpsc: "power",
  device: "power",
  proc: "power",
  soc: "power",
  core: "core",
  fw: "firmware",
  rpmsg: "rpmsg",
};
const KIND_OF_EVENT = {
  "mailbox.dropped": "fault",
  "core.lockup": "fault",
  "core.hang": "fault",
  "core.fault": "fault",
  "rproc.crash": "fault",
  "bus.error": "fault",
  "host.oops": "fault",
  "watchdog.expired": "fault",
  "fault.injected": "fault",
  "invariant.violated": "fault",
  "tisci.discarded": "fault",
  "param.set": "fault",
  "host.waits": "remoteproc",
  "host.log": "log",
  "fw.log": "log",
  "host.booted": "log",
  "tisci.sent": "detail",
};

export function kind_of(event) {
  return KIND_OF_EVENT[event.event] ?? KIND_OF_PREFIX[event.event.split(".")[0]] ?? "detail";
}

const HOST = "host";
const CORE_EVENTS = new Set(["core.start", "core.reset", "core.wfi", "core.wake", "core.lockup", "core.hang"]);

/// The lanes, from left to right: host, mailboxes, device manager or reset controller, cores; then who else speaks.
function find_lanes(events) {
  const cores = new Set(),
    mailboxes = new Set(),
    controllers = new Set(),
    others = new Set();
  for (const e of events) {
    if (CORE_EVENTS.has(e.event)) cores.add(e.source);
    else if (/^(mailbox|ipcc)\./.test(e.event)) mailboxes.add(e.source);
    else if (/^(tisci\.(request|response)|reset|lpsc|device|proc)/.test(e.event)) controllers.add(e.source);
  }
  for (const e of events) {
    if (e.source === "checks" || e.source === "faults" || e.source === "scenario") others.add("rpsim");
  }
  const lane = (role) => (name) => ({ name, role });
  return [
    { name: HOST, role: "host" },
    ...[...mailboxes].sort().map(lane("mailbox")),
    ...[...controllers].sort().map(lane("controller")),
    ...[...cores].sort().map(lane("core")),
    ...[...others].map(lane("simulator")),
  ];
}

const ROLE_TITLES = { mailbox: "mailbox", core: "remote core", simulator: "checks, faults" };
export function lane_title(lane) {
  if (lane.role === "host") return "Linux";
  if (lane.role === "controller") return lane.name === "dm" ? "device manager" : "reset controller";
  return ROLE_TITLES[lane.role];
}

/// Which lane a TI-SCI host number speaks from: the first to ask is Linux, and what asks once cores run is theirs.
function requesters(events, lanes, known = {}) {
  const cores = lanes.filter((l) => l.role === "core").map((l) => l.name);
  const of = new Map(Object.entries(known).map(([host, lane]) => [Number(host), lane]));
  let running = HOST;
  for (const e of events) {
    if (e.event === "core.start") running = e.source;
    if (e.event !== "tisci.request" || of.has(e.fields.host)) continue;
    of.set(e.fields.host, of.size === 0 || cores.length === 0 ? HOST : running);
  }
  return of;
}

/// Every event gets where it is drawn: `from` and `to` (lanes; equal for a mark), and its kind.
function place(events, lanes, sci_hosts) {
  const names = new Set(lanes.map((l) => l.name));
  const lane = (name) => (names.has(name) ? name : HOST);
  for (const e of events) {
    e.fields ??= {};
    e.kind = kind_of(e);
    const f = e.fields;
    let from = lane(e.source),
      to;
    switch (e.event) {
      case "mailbox.sent":
      case "mailbox.dropped":
      case "ipcc.set":
      case "ipcc.cleared":
        [from, to] = [lane(f.by), lane(e.source)];
        break;
      case "mailbox.received":
        [from, to] = [lane(e.source), lane(f.by)];
        break;
      case "tisci.request":
        [from, to] = [sci_hosts.get(f.host) ?? HOST, lane(e.source)];
        break;
      case "tisci.response":
        [from, to] = [lane(e.source), sci_hosts.get(f.host) ?? HOST];
        break;
      case "reset.assert":
      case "reset.deassert":
        to = lane(f.core);
        break;
      case "memory.write":
        from = lane(f.by);
        break;
      case "invariant.violated":
      case "fault.injected":
      case "param.set":
        from = "rpsim";
        break;
      case "tisci.sent":
      case "tisci.discarded":
        from = sci_hosts.get(f.host) ?? HOST;
        break;
    }
    e.from = from;
    e.to = to ?? from;
  }
}

/// Spans of activity on a lane: commands of the host, words in a mailbox, requests being served.
function find_spans(events, end) {
  const spans = [],
    commands = new Map(),
    words = new Map(),
    served = new Map();
  const close = (open, key, e) => {
    const span = open.get(key);
    if (span === undefined) return;
    open.delete(key);
    spans.push({ ...span, end: e.ps, last: e.index });
  };
  const begin = (e, lane, label) => ({ lane, kind: e.kind, label, begin: e.ps, first: e.index });
  for (const e of events) {
    const f = e.fields;
    if (e.event === "shell.run") commands.set(e.source, begin(e, HOST, f.line));
    else if (e.event === "shell.done") close(commands, e.source, e);
    else if (e.event === "mailbox.sent") {
      const key = `${e.source} ${f.fifo}`;
      if (!words.has(key)) words.set(key, []);
      words.get(key).push(begin(e, e.source, f.msg));
    } else if (e.event === "mailbox.received") {
      const span = words.get(`${e.source} ${f.fifo}`)?.shift();
      if (span !== undefined) spans.push({ ...span, end: e.ps, last: e.index });
    } else if (e.event === "ipcc.set") words.set(`${e.source} ${f.from} ${f.channel}`, [begin(e, e.source, f.name)]);
    else if (e.event === "ipcc.cleared") {
      const span = words.get(`${e.source} ${f.from} ${f.channel}`)?.shift();
      if (span !== undefined) spans.push({ ...span, end: e.ps, last: e.index });
    } else if (e.event === "tisci.request") served.set(f.host, begin(e, e.source, f.msg));
    else if (e.event === "tisci.response") close(served, f.host, e);
  }
  const unfinished = [...commands.values(), ...[...words.values()].flat(), ...served.values()];
  for (const span of unfinished) spans.push({ ...span, end, last: events.length - 1 });
  return spans.sort((a, b) => a.begin - b.begin || a.first - b.first);
}

const CORE_STATE = {
  "core.start": "running",
  "core.wake": "running",
  "core.wfi": "wfi",
  "core.reset": "reset",
  "core.lockup": "lockup",
  "core.hang": "hang",
};

/// State lanes: remote processors, cores, power modules; each a list of {state, begin, end}.
function find_states(events, end) {
  const lanes = new Map();
  const change = (name, role, e, to, from) => {
    if (!lanes.has(name)) {
      lanes.set(name, { name, role, spans: from ? [{ state: from, begin: 0, first: 0 }] : [] });
    }
    const spans = lanes.get(name).spans;
    if (spans.at(-1)?.state === to) return;
    if (spans.length !== 0) Object.assign(spans.at(-1), { end: e.ps, last: e.index });
    spans.push({ state: to, begin: e.ps, first: e.index });
  };
  for (const e of events) {
    if (e.event === "rproc.state") change(e.source, "remoteproc", e, e.fields.to, e.fields.from);
    else if (e.event === "lpsc.state") change(`lpsc-${e.fields.lpsc}`, "module", e, e.fields.to, e.fields.from);
    else if (e.event in CORE_STATE) change(e.source, "core", e, CORE_STATE[e.event], "reset");
  }
  const order = { remoteproc: 0, core: 1, module: 2 };
  for (const lane of lanes.values()) Object.assign(lane.spans.at(-1), { end, last: events.length - 1 });
  return [...lanes.values()].sort((a, b) => order[a.role] - order[b.role] || (a.name < b.name ? -1 : 1));
}

/// Phases of handshakes, one after the other, with what the driver waits for at most.
function find_phases(events) {
  const phases = [];
  const open = new Map(); // by remote processor
  const next = (key, e, title, limit) => {
    const phase = open.get(key);
    if (phase !== undefined) {
      phase.end = e.ps;
      phase.last = e.index;
      phases.push(phase);
      open.delete(key);
    }
    if (title !== undefined) open.set(key, { title, begin: e.ps, first: e.index, limit, of: key });
  };
  for (const e of events) {
    const f = e.fields;
    if (e.event === "handshake") {
      if (f.phase === "requested") next(e.source, e, "wait for the ACK", f.limit);
      else if (f.phase === "acked") next(e.source, e, "wait for WFI", f.limit);
      else if (f.phase === "wfi_seen") next(e.source, e, "assert reset");
      else next(e.source, e);
      if (phases.length !== 0 && (f.phase === "timeout" || f.phase === "no_wfi")) phases.at(-1).failed = true;
    } else if (e.event === "host.waits") {
      next(e.source, e, "wait for the ACK", f.limit);
      open.get(e.source).for = f.what;
    } else if (e.event === "ipcc.cleared") {
      for (const [key, phase] of open) {
        if (phase.for === f.name) next(key, e, "host goes on");
      }
    } else if (e.event === "reset.assert" && f.kind === "local") {
      for (const key of [...open.keys()]) {
        if (open.get(key).title.endsWith("ACK")) open.get(key).failed = true;
        next(key, e, "core off");
      }
    } else if (e.event === "rproc.op" && (f.op === "unprepare" || f.op === "detach")) {
      next(e.source, e);
    } else if (e.event === "rproc.state" && f.to !== "offline" && open.has(e.source)) {
      next(e.source, e);
    } else if (e.event === "shell.done") {
      for (const key of [...open.keys()]) next(key, e);
    }
  }
  return phases.sort((a, b) => a.begin - b.begin);
}

/// Handshakes: runs of phases that follow on each other.
function find_handshakes(phases) {
  const shakes = [];
  for (const p of phases) {
    const shake = shakes.findLast((s) => s.of === p.of && s.end === p.begin);
    if (shake === undefined) shakes.push({ of: p.of, begin: p.begin, end: p.end, first: p.first, last: p.last, phases: [p] });
    else Object.assign(shake, { end: p.end, last: p.last }).phases.push(p);
  }
  return shakes;
}

/// Where the reader begins: the first handshake with the command around it; without one, the first trouble, or the
/// first command.
function first_view(model) {
  const around = (index) => model.commands.find((c) => c.first <= index && index <= c.last);
  const shake = model.handshakes[0];
  if (shake !== undefined) {
    const command = around(shake.first);
    return { first: command?.first ?? shake.first, last: Math.max(shake.last, command?.last ?? 0) };
  }
  const trouble = model.events.find((e) => e.event !== "param.set" && e.kind === "fault");
  if (trouble !== undefined) {
    return { first: Math.max(0, trouble.index - 15), last: Math.min(model.events.length - 1, trouble.index + 25) };
  }
  const command = model.commands[0];
  return { first: command?.first ?? 0, last: command?.last ?? Math.max(0, model.events.length - 1) };
}

export function read_run(page) {
  const events = page.events;
  events.forEach((e, index) => (e.index = index));
  const end = Math.max(page.run?.simulated_ps ?? 0, events.at(-1)?.ps ?? 0);
  const lanes = find_lanes(events);
  place(events, lanes, requesters(events, lanes, page.sci_hosts));
  const spans = find_spans(events, end);
  const results = new Map(events.filter((e) => e.event === "shell.done").map((e) => [e.index, e.fields]));
  const commands = spans
    .filter((s) => s.kind === "shell")
    .map((s) => ({ ...s, result: results.get(s.last)?.result, output: results.get(s.last)?.output }));
  const phases = find_phases(events);
  const deadlines = phases
    .filter((p) => p.limit > 0)
    .map((p) => ({ ps: p.begin + p.limit, phase: p, text: `${p.title}: at most ${duration(p.limit)}` }));
  const model = {
    events,
    lanes,
    spans,
    commands,
    phases,
    deadlines,
    end,
    handshakes: find_handshakes(phases),
    states: find_states(events, end),
  };
  return { ...model, view: first_view(model) };
}
