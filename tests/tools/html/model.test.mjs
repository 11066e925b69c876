// What the page of a run reads off a trace (tools/rpsim/html): no browser needed.

import assert from "node:assert/strict";
import { test } from "node:test";
import { kind_of, read_run } from "../../../tools/rpsim/html/model.js";
import { duration, event_axis, scaled_axis, tick_text, timestamp } from "../../../tools/rpsim/html/time.js";

const event = (ps, source, name, fields = {}) => ({ ps, source, event: name, fields });
const page = (...events) => ({ events, run: { simulated_ps: 10e9 } });

const SHUTDOWN = () => [
  event(0, "m4f", "core.start", { app: "x" }),
  event(1e6, "dm", "lpsc.state", { lpsc: 6, from: "off", to: "Enable" }),
  event(2e6, "remoteproc0", "rproc.state", { from: "offline", to: "running" }),
  event(1e9, "shell", "shell.run", { line: "echo stop" }),
  event(1.1e9, "mailbox0", "mailbox.sent", { fifo: 1, msg: "SHUTDOWN", level: 1, by: "host" }),
  event(1.2e9, "mailbox0", "mailbox.received", { fifo: 1, msg: "SHUTDOWN", level: 0, by: "m4f" }),
  event(1.3e9, "remoteproc0", "handshake", { phase: "requested", variant: "v2", limit: 5e12 }),
  event(1.6e9, "m4f", "core.wfi"),
  event(1.7e9, "remoteproc0", "handshake", { phase: "acked", variant: "v2", limit: 2e9 }),
  event(1.9e9, "remoteproc0", "handshake", { phase: "wfi_seen", variant: "v2" }),
  event(2.0e9, "dm", "reset.assert", { core: "m4f", kind: "local" }),
  event(2.0e9, "m4f", "core.reset"),
  event(2.1e9, "remoteproc0", "rproc.state", { from: "running", to: "offline" }),
  event(2.2e9, "remoteproc0", "rproc.op", { op: "unprepare", result: "0" }),
  event(2.2e9, "shell", "shell.done", { result: "0", output: "" }),
];

test("lanes go from the host over mailbox and device manager to the core", () => {
  const { lanes } = read_run(page(...SHUTDOWN()));
  assert.deepEqual(lanes.map((l) => l.name), ["host", "mailbox0", "dm", "m4f"]);
});

test("a mailbox word is an arrow to the mailbox, and one from it", () => {
  const { events } = read_run(page(...SHUTDOWN()));
  assert.deepEqual([events[4].from, events[4].to], ["host", "mailbox0"]);
  assert.deepEqual([events[5].from, events[5].to], ["mailbox0", "m4f"]);
});

test("a handshake has its phases, each with its limit, and a deadline where there is one", () => {
  const { handshakes, deadlines } = read_run(page(...SHUTDOWN()));
  assert.equal(handshakes.length, 1);
  assert.deepEqual(
    handshakes[0].phases.map((p) => [p.title, p.end - p.begin, p.limit]),
    [
      ["wait for the ACK", 0.4e9, 5e12],
      ["wait for WFI", 0.2e9, 2e9],
      ["assert reset", 0.1e9, undefined],
      ["core off", 0.2e9, undefined],
    ],
  );
  assert.deepEqual(deadlines.map((d) => d.ps), [1.3e9 + 5e12, 1.7e9 + 2e9]);
});

test("a wait that ran out is marked as failed", () => {
  const events = [
    event(1e9, "remoteproc0", "handshake", { phase: "requested", variant: "v2", limit: 5e12 }),
    event(5.001e12, "remoteproc0", "handshake", { phase: "timeout", variant: "v2" }),
  ];
  const { phases } = read_run(page(...events));
  assert.deepEqual(phases.map((p) => [p.title, p.failed]), [["wait for the ACK", true]]);
});

test("on an STM32MP157 the wait for the mailbox is the handshake", () => {
  const events = [
    event(1e9, "remoteproc0", "host.waits", { what: "shutdown", limit: 5e11 }),
    event(1e9, "ipcc", "ipcc.set", { channel: 3, name: "shutdown", from: "c1", by: "host" }),
    event(1.1e9, "ipcc", "ipcc.cleared", { channel: 1, name: "vq0", from: "c1", by: "m4" }),
    event(1.4e9, "ipcc", "ipcc.cleared", { channel: 3, name: "shutdown", from: "c1", by: "m4" }),
    event(1.5e9, "rcc", "reset.assert", { core: "m4", kind: "local" }),
    event(1.6e9, "shell", "shell.done", { result: "0" }),
  ];
  const { phases } = read_run(page(...events));
  assert.deepEqual(
    phases.map((p) => [p.title, p.end - p.begin, p.limit]),
    [
      ["wait for the ACK", 0.4e9, 5e11],
      ["host goes on", 0.1e9, undefined],
      ["core off", 0.1e9, undefined],
    ],
  );
});

test("the first view is the first handshake with its command", () => {
  const { view } = read_run(page(...SHUTDOWN()));
  assert.deepEqual(view, { first: 3, last: 14 });
});

test("state lanes begin with what was before the first change and end with the run", () => {
  const { states } = read_run(page(...SHUTDOWN()));
  const of = (name) => states.find((s) => s.name === name).spans.map((s) => [s.state, s.begin, s.end]);
  assert.deepEqual(of("remoteproc0"), [["offline", 0, 2e6], ["running", 2e6, 2.1e9], ["offline", 2.1e9, 10e9]]);
  assert.deepEqual(of("m4f").map(([state]) => state), ["reset", "running", "wfi", "reset"]);
  assert.deepEqual(of("lpsc-6").map(([state]) => state), ["off", "Enable"]);
});

test("words in a FIFO leave it in the order in which they came", () => {
  const events = [
    event(1, "mailbox0", "mailbox.sent", { fifo: 0, msg: "A", by: "m4f" }),
    event(2, "mailbox0", "mailbox.sent", { fifo: 0, msg: "B", by: "m4f" }),
    event(5, "mailbox0", "mailbox.received", { fifo: 0, msg: "A", by: "host" }),
    event(6, "mailbox0", "mailbox.received", { fifo: 0, msg: "B", by: "host" }),
  ];
  const { spans } = read_run(page(...events));
  assert.deepEqual(spans.map((s) => [s.label, s.begin, s.end]), [["A", 1, 5], ["B", 2, 6]]);
});

test("a TI-SCI host number speaks from the lane that the page names", () => {
  const events = [
    event(1, "m4f", "core.start"),
    event(2, "dm", "tisci.request", { host: 30, seq: 1, msg: "SET_DEVICE" }),
    event(3, "dm", "tisci.response", { host: 12, seq: 1, msg: "GET_DEVICE", result: "ACK" }),
  ];
  const model = read_run({ ...page(...events), sci_hosts: { 12: "host", 30: "m4f" } });
  assert.deepEqual([model.events[1].from, model.events[1].to], ["m4f", "dm"]);
  assert.deepEqual([model.events[2].from, model.events[2].to], ["dm", "host"]);
});

test("an empty run, and events that nobody knows, are drawn all the same", () => {
  assert.equal(read_run(page()).events.length, 0);
  const { events } = read_run({ events: [{ ps: 5, source: "new_block", event: "new.event" }] });
  assert.deepEqual([events[0].from, events[0].kind], ["host", "detail"]);
});

test("trouble is a kind of its own", () => {
  for (const name of ["host.oops", "bus.error", "core.lockup", "mailbox.dropped", "invariant.violated"]) {
    assert.equal(kind_of({ event: name }), "fault");
  }
});

test("times are told in the unit that suits them", () => {
  assert.equal(duration(871663e3), "871.663 µs");
  assert.equal(duration(5e12), "5 s");
  assert.equal(duration(0), "0");
  assert.equal(timestamp(100.476292e9), "100.476292 ms");
  assert.equal(tick_text(100.2e9, 0.1e9), "100.2 ms");
  assert.equal(tick_text(2e12, 1e12), "2 s");
});

test("on the axis of events every event has its own row, and time never goes back", () => {
  const times = Float64Array.from([0, 0, 1e3, 1e9, 1e9, 5e12]);
  const axis = event_axis(times, 6e12);
  for (let i = 1; i < times.length; ++i) assert.ok(axis.at(i) - axis.at(i - 1) >= 1);
  assert.ok(axis.at(5) - axis.at(4) < 4, "five seconds of nothing take a few rows");
  for (const ps of [1e3, 5e8, 3e12]) assert.ok(Math.abs(axis.time(axis.of(ps)) - ps) < 1e-6 * ps + 1);
  assert.ok(axis.of(1e9) > axis.of(9e8));
});

test("the axis to scale is time itself", () => {
  const axis = scaled_axis(Float64Array.from([0, 7]), 10);
  assert.deepEqual([axis.at(1), axis.of(7), axis.time(7), axis.length], [7, 7, 7, 10]);
});
