// A page in headless Chromium, driven over the DevTools protocol on a pipe.

import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { pathToFileURL } from "node:url";

export async function open_page(file, { width = 1400, height = 900, dark = false } = {}) {
  const profile = mkdtempSync(join(tmpdir(), "rpsim-page-"));
  const flags = ["--headless=new", "--no-sandbox", "--disable-gpu", "--hide-scrollbars", "--remote-debugging-pipe"];
  const chromium = spawn(process.env.CHROMIUM ?? "chromium", [...flags, `--user-data-dir=${profile}`], {
    stdio: ["ignore", "ignore", "ignore", "pipe", "pipe"],
  });
  const [to, from] = [chromium.stdio[3], chromium.stdio[4]];
  const ended = new Promise((resolve) => chromium.once("close", resolve));
  const calls = new Map();
  const listeners = [];
  let received = Buffer.alloc(0),
    last = 0;
  from.on("data", (chunk) => {
    received = Buffer.concat([received, chunk]);
    for (let end; (end = received.indexOf(0)) >= 0; received = received.subarray(end + 1)) {
      const message = JSON.parse(received.subarray(0, end).toString());
      if (message.id === undefined) {
        for (const listen of listeners) listen(message);
        continue;
      }
      const { resolve, reject } = calls.get(message.id);
      calls.delete(message.id);
      if (message.error) reject(new Error(message.error.message));
      else resolve(message.result);
    }
  });
  let sessionId;
  const call = (method, params = {}) =>
    new Promise((resolve, reject) => {
      calls.set(++last, { resolve, reject });
      to.write(`${JSON.stringify({ id: last, method, params, sessionId })}\0`);
    });

  const problems = []; // what a user would find in the console, and whatever is fetched over a network
  listeners.push(({ method, params }) => {
    if (method === "Runtime.exceptionThrown") {
      problems.push(params.exceptionDetails.exception?.description ?? "exception");
    }
    if (method === "Log.entryAdded" && params.entry.level === "error") problems.push(params.entry.text);
    if (method === "Runtime.consoleAPICalled" && ["error", "warning"].includes(params.type)) {
      problems.push(params.args.map((a) => a.value ?? a.description).join(" "));
    }
    if (method === "Network.requestWillBeSent" && !/^(file|data):/.test(params.request.url)) {
      problems.push(`fetches ${params.request.url}`);
    }
  });
  const { targetId } = await call("Target.createTarget", { url: "about:blank" });
  ({ sessionId } = await call("Target.attachToTarget", { targetId, flatten: true }));
  for (const domain of ["Runtime", "Log", "Page", "Network"]) await call(`${domain}.enable`);
  await call("Emulation.setDeviceMetricsOverride", { width, height, deviceScaleFactor: 1, mobile: false });
  const scheme = { name: "prefers-color-scheme", value: dark ? "dark" : "light" };
  await call("Emulation.setEmulatedMedia", { features: [scheme] });
  const loaded = new Promise((resolve) => listeners.push((m) => m.method === "Page.loadEventFired" && resolve()));
  await call("Page.navigate", { url: pathToFileURL(file).href });
  await loaded;

  const page = {
    problems,
    async eval(expression) {
      const { result, exceptionDetails } = await call("Runtime.evaluate", {
        expression,
        returnByValue: true,
        awaitPromise: true,
      });
      if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
      return result.value;
    },
    /// Two frames on, everything that was asked for has been drawn.
    drawn: () => page.eval("new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"),
    async press(key) {
      await call("Input.dispatchKeyEvent", { type: "keyDown", key, text: key.length === 1 ? key : undefined });
      await call("Input.dispatchKeyEvent", { type: "keyUp", key });
      await page.drawn();
    },
    async mouse(type, x, y, more = {}) {
      await call("Input.dispatchMouseEvent", { type, x, y, ...more });
      await page.drawn();
    },
    async click(x, y) {
      await page.mouse("mouseMoved", x, y);
      await page.mouse("mousePressed", x, y, { button: "left", clickCount: 1 });
      await page.mouse("mouseReleased", x, y, { button: "left", clickCount: 1 });
    },
    async picture(path) {
      const { data } = await call("Page.captureScreenshot", { format: "png" });
      writeFileSync(path, Buffer.from(data, "base64"));
    },
    async close() {
      sessionId = undefined;
      await call("Browser.close");
      await ended;
      rmSync(profile, { recursive: true, force: true, maxRetries: 3 });
    },
  };
  await page.drawn();
  return page;
}
