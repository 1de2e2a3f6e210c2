// What a scenario gets: apps, pages, and `check()`, which counts. A check that fails ends the scenario, because the
// next ones build upon it; pictures of all pages and the log of each app are kept then.

import { mkdirSync, mkdtempSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { App } from "./app.mjs";
import { until, within } from "./wait.mjs";

const CHECK_LIMIT = 90_000;
export const ACTION_LIMIT = 30_000;

class CheckFailed extends Error {}

export class Scenario {
  passed = 0;
  failed = 0;
  skipped = 0;
  until = until;
  #apps = [];
  #pages = [];

  // `temp`: a folder for all files; `reports`: a folder for what is kept of a failure.
  constructor(name, browser, temp, reports) {
    this.name = name;
    this.browser = browser;
    this.reports = reports;
    this.home = mkdtempSync(join(temp, `${name}-`));
  }

  // Runs the function of a scenario, then ends what it has started.
  async run(body) {
    try {
      await body(this);
    } catch (error) {
      if (!(error instanceof CheckFailed)) await this.#fail("outside of the checks", error);
    }
    // Visitors are there while it ends: httpuv may lose an interrupt that comes while a session ends.
    const name = "the app is interrupted: it ends, no process and no file is left";
    const running = this.#apps.filter((app) => app.isRunning);
    for (const app of running) await this.check(name, () => app.stop()).catch(() => {});
    for (const app of this.#apps) app.clean();
    for (const { page } of this.#pages) await page.context().close().catch(() => {});
    const errors = this.#pages.flatMap(({ errors }) => errors);
    if (this.#pages.length) {
      await this.check("no page had an error on its console", () => this.equal(errors, [])).catch(() => {});
    }
  }

  async check(name, body) {
    const start = Date.now();
    try {
      await within(CHECK_LIMIT, name, Promise.resolve().then(body));
    } catch (error) {
      await this.#fail(name, error);
      throw new CheckFailed(name);
    }
    this.passed += 1;
    console.log(`ok   ${this.name}: ${name} (${((Date.now() - start) / 1000).toFixed(1)} s)`);
  }

  skip(name, why) {
    this.skipped += 1;
    console.log(`skip ${this.name}: ${name}: ${why}`);
  }

  // A new R process that runs an app: the name of an example, or a folder.
  async app(folder, env = {}) {
    const app = await App.start(folder, this.home, env);
    this.#apps.push(app);
    return app;
  }

  // A visitor: a page in a browser context of its own. Waits until the app has answered.
  async visit(app, options = {}) {
    const context = await this.browser.newContext({ acceptDownloads: true, ...options });
    context.setDefaultTimeout(ACTION_LIMIT);
    const page = await context.newPage();
    const errors = [];
    const note = (error) => app.isStopping || errors.push(error); // then it cannot be reached any more
    page.on("console", (message) => {
      if (message.type() === "error") note(`${message.location().url}: ${message.text()}`);
    });
    page.on("pageerror", (error) => note(`exception: ${error.stack}`));
    this.#pages.push({ page, errors });
    await until("the app answers", () => fetch(app.url).catch(() => false)); // it says that it listens a little early
    await page.goto(app.url);
    await page.waitForFunction(() => window.Shiny?.shinyapp?.isConnected?.());
    await page.waitForFunction(() => !document.documentElement.classList.contains("shiny-busy"));
    return page;
  }

  // A folder for a scenario's own files.
  folder(name) {
    const folder = join(this.home, name);
    mkdirSync(folder);
    return folder;
  }

  equal(is, expected) {
    const [a, b] = [JSON.stringify(is), JSON.stringify(expected)];
    if (a !== b) throw new Error(`is       ${a}\nexpected ${b}`);
  }

  async #fail(name, error) {
    this.failed += 1;
    console.log(`FAIL ${this.name}: ${name}\n${error.stack ?? error}`.replace(/^/gm, "     ").trimStart());
    const keep = (file, text) => writeFileSync(join(this.reports, `${this.name}-${this.failed}-${file}`), text);
    this.#apps.forEach((app, i) => keep(`app-${i + 1}.log`, app.log));
    for (const [i, { page }] of this.#pages.entries()) {
      const picture = page.isClosed() ? null : await page.screenshot({ fullPage: true }).catch(() => null);
      if (picture) keep(`page-${i + 1}.png`, picture);
    }
    console.log(`     kept in ${this.reports}`);
  }
}
