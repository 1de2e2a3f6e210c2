// The background jobs app: what its visitors see and do, and that jobs do not depend on them.

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { JobPage } from "../lib/job-page.mjs";
import { isProcess } from "../lib/processes.mjs";

export default async function (t) {
  const folder = t.folder("csv");
  const app = await t.app("shiny-job", { TASKQ_JOBS_DIR: folder, TASKQ_JOBS_WORKERS: "2" });
  const visit = () => JobPage.open(t, app);
  const files = () => readdirSync(folder);
  const anna = await visit();

  await t.check("three jobs are started: two run, one waits", async () => {
    for (const number of [1, 2, 3]) t.equal(await anna.start(), number);
    await anna.isIn(1, "running");
    await anna.isIn(2, "running");
    await anna.isIn(3, "waiting");
  });

  await t.check("progress moves and output grows, and nothing else changes on the page", async () => {
    const seconds = anna.page.getByLabel("Seconds to compute");
    await seconds.fill("17");
    const card = await anna.card(1).elementHandle();
    const [percent, step] = [await anna.percent(1), await anna.step(1)];
    await t.until("progress has moved twice", async () => (await anna.percent(1)) >= percent + 2);
    await t.until("output has grown twice", async () => (await anna.step(1)) >= step + 10);
    t.equal(await seconds.inputValue(), "17");
    t.equal(await seconds.evaluate((input) => document.activeElement === input), true);
    t.equal(await card.evaluate((element) => element.isConnected), true);
  });

  await t.check("a running job is cancelled: its process is gone, and the next one runs", async () => {
    const pid = await anna.pid(1);
    t.equal(app.processes().filter((process) => process.startsWith(`${pid}:`)).length, 1);
    await anna.cancel(1);
    await anna.isIn(1, "cancelled");
    await t.until("the process of the job is gone", () => !isProcess(pid));
    await anna.isIn(3, "running");
    t.equal(files(), []);
  });

  await t.check("two visitors see the same jobs, and each can end them", async () => {
    const bert = await visit();
    await bert.isIn(3, "running");
    t.equal(await bert.cards(), await anna.cards());
    const percent = [await anna.percent(3), await bert.percent(3)];
    await t.until("progress moves for both", async () =>
      (await anna.percent(3)) > percent[0] && (await bert.percent(3)) > percent[1]);
    await bert.cancel(2);
    await anna.isIn(2, "cancelled");
    await bert.page.getByRole("button", { name: "Clear finished" }).click();
    for (const visitor of [anna, bert]) {
      await visitor.card(1).waitFor({ state: "detached" });
      await visitor.card(2).waitFor({ state: "detached" });
    }
    t.equal(await bert.cards(), [{ number: 3, state: "running" }]);
    t.equal(await anna.cards(), await bert.cards());
    await anna.cancel(3);
    await bert.isIn(3, "cancelled");
    await bert.close();
  });

  await t.check("a job that fails and one that crashes say so, in text that is no markup", async () => {
    const fails = await anna.start({ seconds: 2, ending: "error" });
    const crashes = await anna.start({ seconds: 2, ending: "crash" });
    await anna.isIn(fails, "error");
    await anna.card(fails).getByText("the numbers <do not> add up").waitFor();
    await anna.isIn(crashes, "crash");
    await anna.card(crashes).getByText(/signal 9|SIGKILL/).waitFor();
    t.equal(await anna.page.locator("do").count(), 0);
    t.equal(files(), []);
  });

  await t.check("a job ends although nobody is there, and its table is complete", async () => {
    const number = await anna.start({ seconds: 3 });
    await anna.isIn(number, "running");
    await t.until("it has begun", async () => (await anna.percent(number)) > 0);
    await anna.close();
    const written = () => files().find((name) => name.endsWith(`-${number}.csv`));
    const file = await t.until("the file is there", written, 45_000);
    const csv = readFileSync(join(folder, file), "utf8");
    const lines = csv.trimEnd().split("\n");
    t.equal(lines[0], '"step","points","pi"');
    t.equal(lines.slice(1).map((line) => Number(line.split(",")[0])), Array.from({ length: 30 }, (_, i) => i + 1));
    t.equal(files(), [file]);

    const cleo = await visit();
    await cleo.isIn(number, "success");
    t.equal(await cleo.percent(number), 100);
    const [download] = await Promise.all([
      cleo.page.waitForEvent("download"),
      cleo.card(number).getByRole("link", { name: `Download the CSV of Job ${number}` }).click(),
    ]);
    t.equal(download.suggestedFilename(), file);
    t.equal(readFileSync(await download.path(), "utf8"), csv);
    await cleo.close();
  });

  await t.check("the keyboard is enough to start a job and to cancel it", async () => {
    const dora = await visit();
    const { page } = dora;
    const number = (await dora.cards())[0].number + 1;
    const focus = () =>
      page.evaluate(() => document.activeElement.getAttribute("aria-label") ?? document.activeElement.textContent);
    const tabTo = async (name) => {
      for (let i = 0; i < 12; i += 1) {
        if ((await focus()) === name) return;
        await page.keyboard.press("Tab");
      }
      throw new Error(`no way to "${name}" by Tab; the focus is on "${await focus()}"`);
    };
    await tabTo("Start job");
    await page.keyboard.press("Enter");
    await dora.isIn(number, "running");
    t.equal(await focus(), "Start job");
    await tabTo(`Cancel Job ${number}`);
    await page.keyboard.press("Enter");
    await dora.isIn(number, "cancelled");
    t.equal(files().filter((name) => name.includes(`-${number}.csv`)), []);
  });
}
