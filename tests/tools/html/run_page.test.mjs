// run_page.test.mjs RPSIM SOURCE: the page of a run, as a reader meets it.

import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { open_page } from "./browser.mjs";

const [rpsim, source] = process.argv.slice(2);
if (spawnSync(process.env.CHROMIUM ?? "chromium", ["--version"]).status !== 0) {
  console.log("skipped: there is no chromium");
  process.exit(0);
}
const scratch = mkdtempSync(join(tmpdir(), "rpsim-pages-"));
const write_page = (name, scenario, ...more) => {
  const file = join(scratch, name);
  const made = spawnSync(rpsim, ["run", "-q", scenario, "--html", file, ...more], { encoding: "utf8" });
  if (made.stderr.includes("not available in this build")) {
    console.log(`skipped: ${made.stderr}`);
    process.exit(0);
  }
  assert.equal(made.stderr, "");
  return file;
};
const shutdown = write_page("shutdown.html", `${source}/scenarios/k3/graceful-shutdown.yaml`);
let page;
before(async () => (page = await open_page(shutdown)));
after(async () => {
  await page.close();
  rmSync(scratch, { recursive: true });
});

const texts = (selector) => page.eval(`[...document.querySelectorAll("${selector}")].map((e) => e.textContent)`);
const box = (selector) =>
  page.eval(`(() => { const b = document.querySelector('${selector}').getBoundingClientRect();
    return { x: b.x, y: b.y, width: b.width, height: b.height, bottom: b.bottom }; })()`);
const index_of = (name, field, value) =>
  page.eval(`JSON.parse(document.getElementById("data").textContent).events
    .findIndex((e) => e.event === "${name}" && e.fields?.${field} === "${value}")`);

test("it opens on the handshake, with its lanes, phases and states", async () => {
  const labels = await texts(".labels text");
  for (const label of ["SHUTDOWN", "SHUTDOWN_ACK", "WFI", "handshake wfi_seen (v2)"]) {
    assert.ok(labels.includes(label), `${label} in ${labels}`);
  }
  assert.deepEqual(await texts(".lane-name"), ["host", "mailbox0", "dm", "m4f", "remoteproc0", "m4f", "lpsc-6"]);
  assert.deepEqual((await texts(".phase-name")).slice(0, 3), ["wait for the ACK", "wait for WFI", "assert reset"]);
  assert.ok((await texts(".state text")).includes("wfi"));
  assert.match((await texts(".deadline-text")).join(), /wait for WFI: at most 2 ms/);
  assert.equal((await texts(".verdict"))[0], "passed");
});

test("labels of neighbouring rows do not overlap", async () => {
  const tops = await page.eval(`[...document.querySelectorAll(".labels text")]
    .map((t) => Number(t.getAttribute("y"))).sort((a, b) => a - b)`);
  assert.ok(tops.length > 30);
  for (let i = 1; i < tops.length; ++i) assert.ok(tops[i] - tops[i - 1] >= 11.9, `${tops[i - 1]} and ${tops[i]}`);
});

test("the pointer over an event shows its fields", async () => {
  const ack = await index_of("mailbox.sent", "msg", "SHUTDOWN_ACK");
  const at = await box(`[data-index="${ack}"]`);
  await page.mouse("mouseMoved", at.x + at.width / 3, at.y + at.height / 2);
  const [tip] = await texts(".tip:not([hidden])");
  for (const part of ["mailbox.sent", "100.476292", "SHUTDOWN_ACK", "fifo", "level", "m4f"]) {
    assert.ok(tip.includes(part), `${part} in ${tip}`);
  }
});

test("the arrow keys go from event to event", async () => {
  const sent = await index_of("mailbox.sent", "msg", "SHUTDOWN_ACK");
  const at = await box(`[data-index="${sent}"]`);
  await page.click(at.x + at.width / 3, at.y + at.height / 2);
  assert.match((await texts(".event h3"))[0], /mailbox.sent/);
  await page.press("ArrowDown");
  assert.match((await texts("aside .event"))[0], /fw\.mark.*ack_sent/s);
  await page.press("Escape");
});

test("to scale, places are proportional to time", async () => {
  await page.press("t");
  const [ack, wfi] = await page.eval(`[...document.querySelectorAll(".phases rect")].map((r) => +r.getAttribute("height"))`);
  assert.ok(Math.abs(ack / wfi - 487.9625 / 182.03) < 0.001, `${ack} to ${wfi}`);
  await page.press("t");
});

test("zooming keeps the middle, and 0 shows the whole run", async () => {
  const shown = async () => (await texts(".events .event")).length;
  const before = await shown();
  await page.press("+");
  assert.ok((await shown()) < before);
  await page.press("0");
  assert.ok((await shown()) > 1.5 * before);
  await page.press("p");
  await page.press("n");
});

test("a kind can be hidden", async () => {
  const buttons = `[...document.querySelectorAll(".legend button")]`;
  await page.eval(`${buttons}.find((b) => b.textContent === "TI-SCI").click()`);
  await page.drawn();
  assert.ok(!(await texts(".labels text")).some((t) => t.startsWith("SET_DEVICE")));
  await page.eval(`${buttons}.find((b) => b.textContent === "TI-SCI").click()`);
});

test("dark and light: the system's, or what the button says", async () => {
  const back = () => page.eval("getComputedStyle(document.body).backgroundColor");
  const light = await back();
  await page.press("d");
  const dark = await back();
  assert.notEqual(light, dark);
  await page.press("d");
  assert.equal(await back(), light);
});

test("everything that can be pressed can be reached by tabbing", async () => {
  const hidden = await page.eval(`[...document.querySelectorAll("button, main svg")]
    .filter((e) => e.tabIndex < 0).length`);
  assert.equal(hidden, 0);
});

test("the console stays empty, and nothing is fetched", () => assert.deepEqual(page.problems, []));

test("equal runs give equal pages", () => {
  const again = write_page("again.html", `${source}/scenarios/k3/graceful-shutdown.yaml`);
  assert.ok(readFileSync(shutdown).equals(readFileSync(again)));
});

test("text of a scenario cannot break out of the page", async () => {
  const scenario = readFileSync(`${source}/scenarios/k3/graceful-shutdown.yaml`, "utf8");
  const hostile = "</script><script>console.error('out')</script><b>&amp;";
  const file = join(scratch, "hostile.yaml");
  writeFileSync(file, scenario.replace(/^purpose: .*$/m, `purpose: "${hostile}"`));
  const other = await open_page(write_page("hostile.html", file));
  assert.deepEqual(other.problems, []);
  assert.equal(await other.eval(`document.querySelector(".purpose").textContent`), hostile);
  await other.close();
});

test("with many cores no name covers another, and what has no room is one key away", async () => {
  const other = await open_page(write_page("cores.html", `${source}/scenarios/k3/j721e-split.yaml`));
  const boxes = (of) => other.eval(`[...document.querySelectorAll("${of}")].map((e) => {
    const b = e.getBoundingClientRect(); return { name: e.firstChild.data, x: b.x, y: b.y, right: b.right, bottom: b.bottom }; })`);
  const apart = (a, b) => a.right <= b.x || b.right <= a.x || a.bottom <= b.y || b.bottom <= a.y;
  const [lanes, states] = [await boxes(".lane-names .lane-name"), await boxes(".lane-name.lying")];
  const before = lanes.at(-1).x;
  await other.press("ArrowRight");
  const after = (await boxes(".lane-names .lane-name")).at(-1).x;
  assert.deepEqual(other.problems, []);
  await other.close();
  assert.deepEqual([lanes.length, states.length], [11, 13]);
  for (const of of [lanes, states]) {
    for (const [i, a] of of.entries()) for (const b of of.slice(i + 1)) assert.ok(apart(a, b), `${a.name} and ${b.name}`);
  }
  assert.ok(before > states[0].x, "there is more than what is seen");
  assert.ok(after < before - 50, `${before} to ${after}`);
});

test("tens of thousands of events are drawn in a moment", async () => {
  const big = write_page("big.html", `${source}/scenarios/k3/sample-client.yaml`, "-vv");
  const other = await open_page(big);
  await other.press("0");
  const nodes = await other.eval(`document.querySelectorAll("main svg *").length`);
  assert.ok(nodes > 200 && nodes < 8000, `${nodes} elements`);
  assert.deepEqual(other.problems, []);
  await other.close();
});
