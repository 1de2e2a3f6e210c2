// Runs scenarios in Chromium: all of scenarios/, or those that are named ("jobs", "pictures/shiny-job").
// Writes "passed failed skipped" to the file $COUNTS. See README.md.

import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { Scenario } from "./lib/scenario.mjs";

const here = fileURLToPath(new URL(".", import.meta.url));
const build = process.env.TASKQ_BUILD ?? resolve(here, "../../build");
const { chromium } = createRequire(join(build, "browser/package.json"))("playwright-core");

const named = process.argv.slice(2);
const all = readdirSync(join(here, "scenarios")).filter((file) => file.endsWith(".mjs")).sort();
const names = named.length ? named : all.map((file) => file.replace(/\.mjs$/, ""));

const reports = join(build, "test/browser");
rmSync(reports, { recursive: true, force: true });
mkdirSync(reports, { recursive: true });
const temp = mkdtempSync(join(tmpdir(), "tq-browser-"));
process.env.TMPDIR = temp; // of Playwright, too
for (const signal of ["SIGINT", "SIGTERM", "SIGHUP"]) process.on(signal, () => process.exit(1));

const total = { passed: 0, failed: 0, skipped: 0 };
const browser = await launch();
// After Playwright's own listener, which ends the browser.
process.on("exit", () => rmSync(temp, { recursive: true, force: true, maxRetries: 5 }));
for (const name of names) {
  const scenario = new Scenario(name.replace("/", "-"), browser, temp, reports);
  const file = name.includes("/") ? `./${name}.mjs` : `./scenarios/${name}.mjs`;
  await scenario.run((await import(file)).default);
  for (const count of Object.keys(total)) total[count] += scenario[count];
}
await browser.close();

const counts = Object.values(total).join(" ");
if (process.env.COUNTS) writeFileSync(process.env.COUNTS, `${counts}\n`);
console.log(`browser: ${total.passed} passed, ${total.failed} failed, ${total.skipped} skipped`);
process.exit(total.failed ? 1 : 0);

// Chromium keeps its files in our folder. It visits nothing but apps on this machine; its sandbox does not work for
// root, nor in some containers.
async function launch() {
  const home = join(temp, "home");
  mkdirSync(home);
  const start = (chromiumSandbox) =>
    chromium.launch({
      executablePath: process.env.CHROMIUM,
      headless: !process.env.HEADED,
      slowMo: process.env.HEADED ? 200 : 0,
      chromiumSandbox,
      args: ["--disable-dev-shm-usage", "--disable-gpu"],
      env: { ...process.env, HOME: home, XDG_CONFIG_HOME: home, XDG_CACHE_HOME: home },
      handleSIGINT: false,
      handleSIGTERM: false,
      handleSIGHUP: false,
    });
  if (process.getuid() === 0) return start(false);
  return start(true).catch((error) => {
    if (!/sandbox/i.test(error.message)) throw error;
    console.log("Chromium has no sandbox here: it runs without one.");
    return start(false);
  });
}
