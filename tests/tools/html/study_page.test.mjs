// study_page.test.mjs TEMPLATE: the page of a study and of an exploration, of data as docs/studies-format.md has it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { burst_beginnings, group_name, lane_bars, rebinned, shared_edges, spread, tornado_bars } from "../../../tools/rpsim/html/study_model.js";
import { open_page } from "./browser.mjs";

const [template] = process.argv.slice(2);
if (!existsSync(template) || spawnSync(process.env.CHROMIUM ?? "chromium", ["--version"]).status !== 0) {
  console.log("skipped: there is no chromium, or this build has no pages");
  process.exit(0);
}
const scratch = mkdtempSync(join(tmpdir(), "rpsim-pages-"));
after(() => rmSync(scratch, { recursive: true }));
const open = (name, data) => {
  const file = join(scratch, name);
  const text = readFileSync(template, "utf8").replace("@RPSIM_DATA@", () => JSON.stringify(data));
  writeFileSync(file, text);
  return open_page(file, { height: 3000 });
};

const statistics = (ps) => ({
  n: 10, min_ps: ps, p50_ps: ps * 1.1, p90_ps: ps * 1.2, p99_ps: ps * 1.3, p999_ps: ps * 1.3, max_ps: ps * 1.3,
  mean_ps: ps * 1.1, deviation_ps: ps / 10, quantiles_ps: Array.from({ length: 101 }, (_, i) => ps * (1 + 0.003 * i)),
  histogram: { edges_ps: [ps, ps * 1.1, ps * 1.2, ps * 1.3], counts: [5, 3, 2] },
});
const nothing = { n: 0, min_ps: null, p50_ps: null, p99_ps: null, mean_ps: null, max_ps: null, quantiles_ps: [], histogram: null };
const group = (variant, ms, outcomes) => ({
  variant, grid: [], n: 10, outcomes,
  measures: { shutdown: ms ? statistics(ms * 1e9) : nothing },
  phases: ms ? { queued: statistics(1e6), closing: statistics(4e8), wfi: statistics(5e8), poll: statistics(1e8) } : {},
  margins: { ...(ms ? { wfi: { ...statistics(1.995e9), max_ps: 1.999e9, missed: 0, deadline_ps: 2e9 } } : {}), ack: { ...(ms ? { ...statistics(4.9e12), max_ps: 4.99e12, missed: 0 } : { ...nothing, missed: 10 }), deadline_ps: 5e12 } },
});
const study = {
  schema: "rpsim-study-1", study: "order", purpose: "Which <b>order</b>?", scenario: "stop", platform: "k3-am62x", seed: 0,
  samples: 10, vary_from: "99ms", points: { planned: 30, done: 30, failed: 10 }, parameters: [], variants: ["a", "b", "never"],
  measures: [{ name: "shutdown", from: "x", to: "y" }],
  lanes: [
    { lane: "ack", phases: [{ name: "queued", title: "asked → request written" }, { name: "closing", title: "→ drivers closed" }] },
    { lane: "wfi", phases: [{ name: "wfi", title: "asked → WFI entered" }] },
    { lane: "join", phases: [{ name: "poll", title: "both → WFI seen" }] },
  ],
  margins: [{ name: "ack", title: "left of the wait for the ACK" }, { name: "wfi", title: "left of the poll" }],
  groups: [
    group("a", 1, [{ what: "ok", count: 10 }]),
    group("b", 2, [{ what: "ok", count: 10 }]),
    group("never", 0, [{ what: "EBUSY", count: 10 }]),
  ],
  questions: [{ text: "p99(shutdown) < 2ms", holds: false, answers: [{ group: 1, value_ps: 2.6e9, holds: false }] }],
  find: [],
  sensitivity: [{ variant: "a", measure: "shutdown", n: 10, parameters: [
    { name: "little", base_ps: 1e9, at_low_ps: 0.9e9, at_high_ps: 1.1e9, low_text: "1us", high_text: "2us", first_order: 0.1, total: 0.1, error: 0.01 },
    { name: "much", base_ps: 1e9, at_low_ps: 0.5e9, at_high_ps: 1.9e9, low_text: "1us", high_text: "2us", first_order: 0.8, total: 0.9, error: 0.02 },
    { name: "unknown", base_ps: null, at_low_ps: null, at_high_ps: null, first_order: null, total: null, error: null },
  ] }],
};

test("lanes begin together, and what follows begins when both have ended", () => {
  const bars = lane_bars({ ...study.groups[0], name: "a" }, study.lanes);
  const of = (title) => bars.find((b) => b.title === title);
  assert.equal(of("WFI entered").begin, 0);
  assert.equal(of("drivers closed").begin, of("request written").end);
  assert.equal(of("WFI seen").begin, Math.max(of("WFI entered").end, of("drivers closed").end));
});

test("the tornado has the strongest parameter first, and none that was not tried", () => {
  assert.deepEqual(tornado_bars(study.sensitivity[0]).map((b) => b.name), ["much", "little"]);
});

test("groups are named for what sets them apart", () => {
  assert.equal(group_name({ variant: "v2", grid: [{ name: "deinit", text: "2ms" }] }), "v2, deinit=2ms");
  assert.equal(group_name({ variant: "", grid: [] }), "all points");
  const of = (...names) => group_name({ variant: "", grid: names.map((name) => ({ name, text: "1us" })) });
  assert.equal(of("m4f.fw.deinit_time", "dm.latency"), "deinit_time=1us, latency=1us");
  assert.equal(of("m4f.fw.delay", "dm.delay"), "m4f.fw.delay=1us, dm.delay=1us");
});

test("groups that took very different times share bins in equal ratios, and none loses a value", () => {
  const { edges, log } = shared_edges(2e8, 5e12, 100);
  assert.ok(log);
  for (const h of [{ edges_ps: [2e8, 3e8, 7e8], counts: [40, 60] }, { edges_ps: [5e12, 5e12], counts: [100] }]) {
    const counts = rebinned(h, edges);
    assert.ok(Math.abs(counts.reduce((a, b) => a + b) - 100) < 1e-9);
  }
  assert.equal(shared_edges(1e9, 2e9, 100).log, false);
  assert.deepEqual(rebinned({ edges_ps: [0, 10, 20], counts: [4, 6] }, [0, 5, 20]), [2, 8]);
});

test("a study is told in answers, numbers and pictures", async () => {
  const page = await open("study.html", study);
  const captions = await page.eval(`[...document.querySelectorAll("figcaption")].map((c) => c.textContent)`);
  for (const caption of ["shutdown: how often", "Phases of the handshake", "Margins", "shutdown, a: one at a time"]) {
    assert.ok(captions.includes(caption), `${caption} in ${captions}`);
  }
  const text = await page.eval(`document.querySelector("main").textContent`);
  for (const part of ["✗p99(shutdown) < 2ms", "2.6 ms", "10 EBUSY", "10 of 10", "left of the wait for the ACK, 5 s"]) assert.ok(text.includes(part), part);
  assert.ok(text.includes("left of the pollall 22 ms1.995 ms–1.999 ms0 of 20"), "what nobody came near of is one line");
  assert.equal(await page.eval(`document.querySelector(".purpose").textContent`), study.purpose);
  assert.ok((await page.eval(`document.querySelectorAll("figure svg rect").length`)) > 15);
  assert.ok(!/NaN|undefined/.test(await page.eval(`document.querySelector("main").innerHTML`)));
  assert.deepEqual(page.problems, []);
  await page.close();
});

test("bursts begin after a long pause, and only the largest are named where there is no room", () => {
  const times = [1, 2, 3, 500, 1000, 1001, 1002, 1003];
  assert.deepEqual(burst_beginnings(times), [0, 3, 4]);
  assert.deepEqual(spread([0, 3, 4], times.length, 2).sort(), [0, 4]);
  assert.deepEqual(burst_beginnings([]), []);
});

test("an exploration is a matrix, its points in time, and its stories", async () => {
  const page = await open("explore.html", {
    schema: "rpsim-explore-1", scenario: "stop", platform: "k3-am62x", seed: 0, points: 5, points_per_second: 100,
    classes: ["passed", "recovered", "stuck"],
    matrix: [{ kind: "drop mailbox", counts: [3, 0, 1] }, { kind: "hang m4f", counts: [0, 0, 1] }],
    stories: [{ class: "stuck", detail: "echo stop: EBUSY", count: 2, example: [{ kind: "hang m4f", where: "before core.wfi", ps: 5e9 }], file: "stuck-1.yaml", replays: true }],
    findings: [[1e9, "drop mailbox", "passed"], [5e9, "hang m4f", "stuck"]],
  });
  const text = await page.eval(`document.querySelector("main").textContent`);
  for (const part of ["drop mailbox", "stuck", "echo stop: EBUSY", "hang m4f before core.wfi", "stuck-1.yaml", "1.000 ms"]) {
    assert.ok(text.includes(part), part);
  }
  assert.deepEqual(page.problems, []);
  await page.close();
});
