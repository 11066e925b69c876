// build.mjs DIRECTORY: makes DIRECTORY/run.html and DIRECTORY/study.html, each one file with its script and style in it.
// rpsim puts the title and the data in (html_writer.cpp). Libraries come from the npm registry, as package-lock.json
// has them; where that fails there is DIRECTORY/unavailable, which says why, and the build of everything else goes on.

import { execFileSync } from "node:child_process";
import { copyFileSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const here = dirname(fileURLToPath(import.meta.url));
const out = resolve(process.argv[2]);
const modules = join(out, "node_modules");
const unavailable = join(out, "unavailable");

function install() {
  const lock = readFileSync(join(here, "package-lock.json"), "utf8");
  const installed = join(out, "installed-lock.json");
  if (existsSync(installed) && readFileSync(installed, "utf8") === lock) return;
  rmSync(installed, { force: true });
  for (const file of ["package.json", "package-lock.json"]) copyFileSync(join(here, file), join(out, file));
  const npm = ["ci", "--ignore-scripts", "--no-audit", "--no-fund", "--fetch-retries=1", "--fetch-timeout=20000"];
  execFileSync("npm", npm, { cwd: out, stdio: ["ignore", "pipe", "pipe"], timeout: 120_000 });
  writeFileSync(installed, lock);
}

async function make(name) {
  const { build } = createRequire(join(out, "package.json"))("esbuild");
  const made = await build({
    entryPoints: [join(here, `${name}.js`)],
    bundle: true,
    minify: true,
    format: "iife",
    target: "es2020",
    charset: "utf8",
    legalComments: "none",
    nodePaths: [modules],
    write: false,
  });
  const parts = {
    STYLE: readFileSync(join(here, "page.css"), "utf8"),
    SCRIPT: made.outputFiles[0].text.replaceAll("</script", "<\\/script"),
  };
  const page = readFileSync(join(here, "page.html"), "utf8").replace(/@(STYLE|SCRIPT)@/g, (_, part) => parts[part]);
  writeFileSync(join(out, `${name}.html`), page);
}

mkdirSync(out, { recursive: true });
try {
  install();
} catch (error) {
  const why = String(error.stderr || error.message).trim().split("\n").find((line) => line !== "") ?? "no reason given";
  for (const page of ["run.html", "study.html"]) rmSync(join(out, page), { force: true });
  writeFileSync(unavailable, `npm ci: ${why}\n`);
  console.error(`rpsim --html will not be available: npm ci: ${why}`);
  process.exit(0);
}
rmSync(unavailable, { force: true });
await Promise.all(["run", "study"].map(make));
