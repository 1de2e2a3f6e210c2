// The monitor module: what its visitors see and do, with the mouse and without, and that they can do no more than
// they see.

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

const APP = fileURLToPath(new URL("../apps/monitor", import.meta.url));
const EVIL = "<script>window.evil = 1</script>";

export default async function (t) {
  const gates = t.folder("gates");
  const open = (name) => writeFileSync(join(gates, name), "");
  const app = await t.app(APP, { GATES: gates });
  const page = await t.visit(app);
  const root = page.locator("#all-monitor");
  const row = (id) => root.locator(".tqm-tasks tbody").locator(`tr[data-id="${id}"]`);
  const cell = (id, name) => row(id).locator(`[data-col="${name}"]`);
  const part = (name) => root.locator(`[data-tq="${name}"]`);
  const tab = (name) => page.locator(`a[data-value="${name}"]`).click();
  // Shiny may lose an interrupt that comes while a session ends (httpuv does, without taskq, too).
  const leave = async (app, page) => {
    const before = app.log.split("a visitor has left").length;
    await page.context().close();
    await t.until("the session has ended", () => app.log.split("a visitor has left").length > before);
  };
  const says = (locator, text) => locator.filter({ hasText: text }).waitFor();
  const focused = () => page.evaluate(() => document.activeElement.dataset.id ?? document.activeElement.id);
  const percent = async () => Number(await row("long").getByRole("progressbar").getAttribute("aria-valuenow"));
  const step = async () => Number((await cell("long", "progress").innerText()).match(/step (\d+)/)?.[1] ?? 0);

  for (const theme of ["bootstrap3", "bootstrap5", "dark"]) {
    await t.check(`text can be read on a page of ${theme}`, async () => {
      const other = await t.visit(app);
      await other.goto(`${app.url}/?page=${theme}`);
      await other.locator('#all-monitor tr[data-state="waiting"]').first().waitFor();
      await other.locator('#all-monitor tr[data-id="long"] [data-col="id"]').click();
      await says(other.locator('#all-monitor [data-tq="stdout"]'), "line 3");
      t.equal(await other.evaluate(tooFaint), []);
      await leave(app, other);
    });
  }

  await t.check("tasks and workers are there, in tables that have names", async () => {
    await page.getByRole("grid", { name: /^Tasks of the queue/ }).waitFor();
    await says(cell("long", "state"), "running");
    await says(cell("job-01", "state"), "waiting");
    await says(part("running"), "2");
    await says(part("waiting"), "60");
    await says(part("success"), "0");
    await says(part("failed"), "1");
    await says(part("shown"), "1–25 of 63");
    await row("long").getByRole("progressbar", { name: "Progress of long" }).waitFor();
    t.equal(await root.locator('[data-tq="workers-table"] tbody tr').count(), 2);
    for (const name of ["Find", "State", "Tag", "Rows", "Number of workers"]) {
      await root.getByLabel(name, { exact: true }).waitFor();
    }
  });

  await t.check("what tasks say is text", async () => {
    t.equal(await root.locator(`tr`, { hasText: EVIL }).first().locator('[data-col="id"]').textContent(), EVIL);
    await root.locator(".tqm-message", { hasText: EVIL }).waitFor();
    await root.locator('[data-col="id"]', { hasText: EVIL }).click();
    await says(part("stdout"), "<img src=x");
    await root.getByLabel("State", { exact: true }).selectOption("Failed");
    await says(cell("bad", "state"), "error");
    await cell("bad", "id").click();
    await says(part("output-error"), "the numbers <b>do not</b> add up");
    await says(cell("bad", "progress"), "the numbers <b>do not</b> add up");
    await root.getByLabel("State", { exact: true }).selectOption("All");
    await row("long").waitFor();
    t.equal(await root.locator("script, img, pre *").count(), 0);
    t.equal(await page.evaluate(() => window.evil), undefined);
  });

  await t.check("rows change in place: focus, choice and scrolling stay", async () => {
    await cell("long", "id").click();
    await says(page.locator("#selected"), "long");
    const element = await row("long").elementHandle();
    const box = root.locator(".tqm-table-box").first();
    await box.evaluate((box) => (box.scrollTop = 40));
    const was = await step();
    await t.until("progress has moved", async () => (await step()) > was + 5);
    t.equal(await element.evaluate((element) => element.isConnected), true);
    t.equal(await focused(), "long");
    t.equal(await box.evaluate((box) => box.scrollTop), 40);
    t.equal(await row("long").getAttribute("aria-selected"), "true");
    await t.until("the bar moves", async () => (await percent()) >= 1);
  });

  await t.check("output follows its end, and stays where it was scrolled to", async () => {
    const stdout = part("stdout");
    const last = async () => Number((await stdout.innerText()).trim().split(" ").at(-1));
    const isAtEnd = () => stdout.evaluate((pre) => pre.scrollHeight - pre.scrollTop - pre.clientHeight < 4);
    await t.until("there is more than fits", () => stdout.evaluate((pre) => pre.scrollHeight > pre.clientHeight + 40));
    t.equal(await isAtEnd(), true);
    await stdout.evaluate((pre) => (pre.scrollTop = 0));
    const was = await last();
    await t.until("output has grown", async () => (await last()) > was + 5);
    t.equal(await stdout.evaluate((pre) => pre.scrollTop), 0);
    const lines = (await stdout.innerText()).trim().split("\n");
    const expected = Array.from({ length: Math.min(50, lines.length) }, (_, i) => `line ${i + 1}`);
    t.equal(lines.slice(0, 50).map((line) => line.trim()), expected);
  });

  await t.check("the server sorts, filters and pages", async () => {
    const ids = () => root.locator(".tqm-tasks tbody tr").evaluateAll((rows) => rows.map((row) => row.dataset.id));
    await root.getByRole("button", { name: "Task", exact: true }).click();
    await root.locator('th[data-col="id"][aria-sort="ascending"]').waitFor();
    t.equal((await ids()).slice(1, 3), ["bad", "job-01"]);
    await root.getByRole("button", { name: "Task", exact: true }).click();
    await root.locator('th[data-col="id"][aria-sort="descending"]').waitFor();
    t.equal((await ids()).slice(0, 2), ["long", "job-60"]);
    await root.getByLabel("Tag", { exact: true }).selectOption({ label: "beta" });
    await says(part("shown"), "1–25 of 30");
    await root.getByRole("button", { name: "Next" }).click();
    await says(part("shown"), "26–30 of 30");
    t.equal(await focused(), await part("previous").evaluate((button) => button.id)); // the other one ends here
    await root.getByLabel("Find", { exact: true }).fill("JOB-3");
    await says(part("shown"), "1–5 of 5");
    await root.getByLabel("Tag", { exact: true }).selectOption({ label: "All" });
    await says(part("shown"), "1–10 of 10");
    await root.getByLabel("Find", { exact: true }).fill("");
    await root.getByLabel("State", { exact: true }).selectOption("Failed");
    await says(part("shown"), "1–1 of 1");
    await root.getByLabel("State", { exact: true }).selectOption("All");
    await root.getByLabel("Rows", { exact: true }).selectOption("100");
    await says(part("shown"), "1–63 of 63");
    await root.getByRole("button", { name: "State", exact: true }).click();
    await root.locator('th[data-col="state"][aria-sort="ascending"]').waitFor();
  });

  await t.check("a count filters the table, and a second click ends that", async () => {
    const failed = root.getByRole("button", { name: /failed$/ });
    await failed.click();
    await says(part("shown"), "1–1 of 1");
    t.equal(await failed.getAttribute("aria-pressed"), "true");
    t.equal(await root.getByLabel("State", { exact: true }).inputValue(), "failed");
    await failed.click();
    await says(part("shown"), "of 63");
    t.equal(await failed.getAttribute("aria-pressed"), "false");
  });

  for (const [width, height] of [[1280, 800], [800, 900], [390, 844]]) {
    await t.check(`nothing is cut off at ${width} pixels, and the output of a chosen task is in sight`, async () => {
      const small = await t.visit(app, { viewport: { width, height } });
      const table = small.locator("#all-monitor .tqm-tasks");
      await table.locator('tr[data-id="long"] [data-col="id"]').click();
      await says(small.locator('#all-monitor [data-tq="stdout"]'), "line 3");
      t.equal(await small.evaluate(() => document.documentElement.scrollWidth > innerWidth), false);
      t.equal(await small.evaluate(cutOff), []);
      const output = await small.locator('#all-monitor [data-tq="output"]').boundingBox();
      t.equal(output.y >= 0 && output.y + output.height <= height + 1, true);
      await small.locator('#all-monitor [data-tq="enlarge"]').click();
      t.equal((await small.locator('#all-monitor [data-tq="output"]').boundingBox()).height > 0.9 * height, true);
      await small.locator('#all-monitor [data-tq="copy"]').click();
      await says(small.locator('#all-monitor [data-tq="copy"]'), "Copied");
      await small.locator('#all-monitor [data-tq="leave"]').click();
      await says(small.locator("#selected"), "none");
      await leave(app, small);
    });
  }

  await t.check("the keyboard is enough to choose tasks and to cancel them", async () => {
    await root.getByLabel("Rows", { exact: true }).focus();
    for (let i = 0; i < 20 && (await page.evaluate(() => document.activeElement.tagName)) !== "TR"; i += 1) {
      await page.keyboard.press("Tab");
    }
    await page.keyboard.press("Home");
    t.equal(await focused(), EVIL);
    for (const key of ["ArrowDown", "ArrowDown", "Enter", "ArrowDown", "ArrowDown", "Space"]) {
      await page.keyboard.press(key);
    }
    t.equal(await focused(), "job-03");
    await says(part("output-of"), "of job-03 (waiting)");
    const selected = root.locator('tr[aria-selected="true"]');
    t.equal(await selected.evaluateAll((rows) => rows.map((row) => row.dataset.id)), ["job-01", "job-03"]);
    await root.getByRole("button", { name: "Cancel 2 tasks" }).waitFor();
    for (let i = 0; i < 5 && (await focused()) !== "all-cancel"; i += 1) await page.keyboard.press("Tab");
    t.equal(await focused(), "all-cancel");
    // More than one is asked for, and the focus is on what does no harm.
    await page.keyboard.press("Enter");
    t.equal(await page.evaluate(() => document.activeElement.textContent), "Keep them");
    await page.keyboard.press("Enter");
    t.equal(await focused(), "all-cancel");
    await says(cell("job-01", "state"), "waiting");
    await page.keyboard.press("Enter");
    await page.keyboard.press("Shift+Tab");
    t.equal(await page.evaluate(() => document.activeElement.textContent), "Cancel all 2");
    await page.keyboard.press("Enter");
    await says(cell("job-01", "state"), "cancelled");
    await says(cell("job-03", "state"), "cancelled");
    await says(part("notice"), "2 tasks are being cancelled");
    await says(part("say"), "2 tasks ended: 2 cancelled.");
    await says(cell("job-02", "state"), "waiting");
    await row("job-02").focus();
    await page.keyboard.press("Escape");
    await says(page.locator("#selected"), "none");
    t.equal(await root.locator('.tqm-tasks tbody [tabindex="0"]').count(), 1);
  });

  await t.check("a range is chosen with Shift, and single ones with their boxes", async () => {
    await cell("job-04", "id").click();
    await cell("job-07", "id").click({ modifiers: ["Shift"] });
    await root.getByRole("button", { name: "Cancel 4 tasks" }).waitFor();
    await cell("job-05", "pick").click();
    await root.getByRole("button", { name: "Cancel 3 tasks" }).waitFor();
    await row("job-05").focus();
    await page.keyboard.press("Escape");
    await root.getByRole("button", { name: "Cancel", exact: true }).waitFor();
    t.equal(await root.getByRole("button", { name: "Cancel", exact: true }).isDisabled(), true);
  });

  await t.check("the queue is paused, resumed and resized, and the focus stays at hand", async () => {
    await root.getByRole("button", { name: "Pause" }).focus();
    await page.keyboard.press("Enter");
    await says(part("state"), "paused");
    t.equal(await focused(), "all-resume");
    await root.getByLabel("Number of workers", { exact: true }).fill("3");
    await page.keyboard.press("Enter");
    await says(part("workers"), "3");
    await root.getByRole("button", { name: "Resume" }).focus();
    await page.keyboard.press("Enter");
    await says(part("state"), "open");
    t.equal(await focused(), "all-pause");
  });

  await t.check("the focused row stays focused while all others move around it", async () => {
    await row("job-30").focus();
    const waiting = root.locator('tr[data-state="waiting"]');
    await t.until("all short tasks are done", async () => (await waiting.count()) === 0);
    await says(cell("job-30", "state"), "success");
    t.equal(await focused(), "job-30");
    const rows = root.locator(".tqm-tasks tbody tr");
    const states = await rows.evaluateAll((rows) => rows.map((row) => row.dataset.state));
    const rank = (state) => ["running", "waiting"].indexOf(state) + 1 || 3;
    t.equal(states.map(rank), states.map(rank).sort());
  });

  await t.check("nothing is sent while nobody looks", async () => {
    await says(part("running"), "2");
    await page.evaluate(() => {
      window.told = 0;
      $(document).on("shiny:message", (event) => (window.told += Boolean(event.message.custom?.["taskq-monitor"])));
    });
    const told = () => page.evaluate(() => window.told);
    const ticks = () => page.locator("#clock").innerText().then(Number);
    await t.until("it is told while it is seen", async () => (await told()) > 2);
    await tab("Other");
    const seen = await ticks();
    await t.until("the server knows that it is hidden", async () => (await ticks()) > seen + 5);
    const [before, from] = [await told(), await ticks()];
    await t.until("time has passed", async () => (await ticks()) > from + 10);
    t.equal(await told(), before);
    await tab("All");
    await t.until("it is told again", async () => (await told()) > before + 2);
  });

  await t.check("who sees a part can neither read nor end the rest, whatever the page sends", async () => {
    await tab("Beta");
    const beta = page.locator("#beta-monitor");
    await says(beta.locator('[data-tq="shown"]'), "of 30");
    t.equal(await beta.getByRole("button", { name: /Pause|Resume|Set/ }).count(), 0);
    await page.evaluate(() => {
      Shiny.setInputValue("beta-chosen", { n: 1e6, ids: ["long"], current: "long" }, { priority: "event" });
    });
    await says(beta.locator('[data-tq="notice"]'), "Refused");
    await page.evaluate(() => {
      for (const name of ["cancel", "pause"]) Shiny.setInputValue(`beta-${name}`, 99, { priority: "event" });
    });
    await says(beta.locator('[data-tq="notice"]'), "No chosen task");
    t.equal(await beta.getByText("line 1").count(), 0);
    await tab("All");
    await says(cell("long", "state"), "running");
    await says(part("state"), "open");
  });

  await t.check("a monitor that comes late, and one that is drawn again, have all rows", async () => {
    await tab("Other");
    for (let i = 0; i < 2; i += 1) {
      await page.getByRole("button", { name: "Show another" }).click();
      const late = page.locator("#late-monitor");
      await says(late.locator('[data-tq="shown"]'), "1–25 of 63");
      t.equal(await late.locator(".tqm-tasks tbody tr").count(), 25);
      t.equal(await late.getByRole("button", { name: /Cancel|Pause/ }).count(), 0);
    }
    await tab("All");
  });

  await t.check("tasks end, are announced, and leave when they are popped", async () => {
    await cell("long", "id").click();
    open("long");
    await says(cell("long", "state"), "success");
    await says(part("stderr"), "the end");
    await says(part("say"), "Task long: finished.");
    for (let i = 0; (await row("long").count()) && i < 5; i += 1) {
      const count = await root.locator(".tqm-tasks tbody tr").count();
      await page.getByRole("button", { name: "Pop one" }).click();
      await t.until("a row has left", async () => (await root.locator(".tqm-tasks tbody tr").count()) < count);
    }
    await says(part("output-of"), "it has left the queue");
    await says(page.locator("#selected"), "none");
  });

  await t.check("a queue that is closed says so, and its controls are gone", async () => {
    await page.getByRole("button", { name: "Close the queue" }).click();
    await says(part("alert"), "The queue is closed");
    t.equal(await root.getByRole("button", { name: /Pause|Resume|Set/ }).count(), 0);
    await says(root.locator("tr", { hasText: EVIL }).first().locator('[data-col="state"]'), "cancelled");
  });
  await leave(app, page);
}

// In the page: what sticks out of the window or of its card at the side, or has no width. Cells that end in "..." are
// meant.
function cutOff() {
  const cut = [];
  const parts = "#all-monitor :is(button, select, input, label, td, th, .tqm-badge, pre)";
  for (const element of document.querySelectorAll(parts)) {
    if (!element.getClientRects().length || element.closest(".tqm-only-read, :disabled")) continue;
    const { left, right, width } = element.getBoundingClientRect();
    const card = (element.closest(".tqm-card") ?? document.body).getBoundingClientRect();
    if (left < card.left - 1 || right > card.right + 1 || width < 4) {
      cut.push(`${element.tagName} ${element.textContent.slice(0, 20)}`);
    }
  }
  return cut;
}

// In the page: texts of the monitor whose contrast with what is behind them is below 4.5, but for disabled buttons.
function tooFaint() {
  const channels = (colour) => {
    const parts = colour.match(/[\d.]+/g).map(Number);
    return parts.length === 3 ? [...parts, 1] : parts;
  };
  const over = (top, below) => top.slice(0, 3).map((value, i) => value * top[3] + below[i] * (1 - top[3]));
  const behind = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) layers.push(channels(getComputedStyle(at).backgroundColor));
    return layers.reverse().reduce((below, layer) => over(layer, below), [255, 255, 255]);
  };
  const light = (rgb) => {
    const linear = (v) => (v <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4);
    const [r, g, b] = rgb.map((value) => linear(value / 255));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const faint = [];
  for (const element of document.querySelectorAll("#all-monitor *")) {
    const texts = [...element.childNodes].filter((node) => node.nodeType === 3);
    const text = texts.map((node) => node.textContent).join("").trim();
    if (!text || element.closest(":disabled, .tqm-only-read") || !element.getClientRects().length) continue;
    const below = behind(element);
    const [a, b] = [light(over(channels(getComputedStyle(element).color), below)), light(below)];
    const contrast = (Math.max(a, b) + 0.05) / (Math.min(a, b) + 0.05);
    if (contrast < 4.5) faint.push(`${element.tagName} "${text.slice(0, 30)}": ${contrast.toFixed(2)}`);
  }
  return faint;
}
