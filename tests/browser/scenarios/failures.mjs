// What a visitor sees of tasks that do not succeed: in each type of output the message, at the start and after a
// click, while the rest of the page goes on.

const OUTPUTS = ["text", "print", "table", "plot", "ui", "image", "widget", "reactive", "outside"];
const MESSAGES = {
  error: "no data today",
  crash: "The task ended unexpectedly.",
  timeout: "The task took too long and was stopped.",
  cancel: "The task was cancelled.",
  skip: "The task was skipped, because one that it needs did not succeed.",
  closed: "The task could not be started.",
  validate: "choose a month",
  safe: "this may be read",
};
const SANITIZED = /^An error has occurred/;

export default async function (t) {
  const app = await t.app(folder());
  const page = await t.visit(app);
  const widgets = (await page.locator("#widget").count()) > 0;
  const outputs = OUTPUTS.filter((name) => name !== "widget" || widgets);
  if (!widgets) t.skip("a table of DT", "there is no DT");

  for (const [end, message] of Object.entries(MESSAGES)) {
    await t.check(`${end}: each output has its message at the start, and the page lives`, async () => {
      await open(page, app, end);
      for (const name of outputs) await shows(t, page, name, message, end);
      await lives(t, page);
    });
    if (process.env.TASKQ_PICTURES) await page.screenshot({ path: `${process.env.TASKQ_PICTURES}/${end}.png` });
    await t.check(`${end}: then each has a value, and its message again`, async () => {
      await page.getByRole("button", { name: "end well" }).click();
      for (const name of outputs) await succeeds(t, page, name);
      await page.getByRole("button", { name: "end as the address says" }).click();
      for (const name of outputs) await shows(t, page, name, message, end);
      await lives(t, page);
    });
  }

  await t.check("what req() stops in a task leaves each output empty", async () => {
    await open(page, app, "quiet");
    await page.waitForFunction(() => document.getElementById("other").innerText);
    for (const name of outputs) {
      const text = await page.locator(`#${name}`).innerText();
      t.equal([name, text.trim(), await error(page, name).count()], [name, "", 0]);
    }
    await lives(t, page);
  });

  await t.check("an extended task has the message, too", async () => {
    for (const end of ["error", "crash", "cancel", "validate"]) {
      await open(page, app, end);
      await shows(t, page, "extended", MESSAGES[end], end);
    }
  });

  await t.check("a download that fails is refused, and one that works afterwards is complete", async () => {
    await open(page, app, "error");
    const refused = await page.request.get(await link(page));
    t.equal(refused.status() >= 400, true); // 404 by shiny 1.7, as of any promise that is rejected
    await lives(t, page);
    await page.getByRole("button", { name: "end well" }).click();
    await succeeds(t, page, "text");
    t.equal(await (await page.request.get(await link(page))).text(), "all is well\n");
  });

  await t.check("the log has what developers need, and nothing failed in it", async () => {
    for (const text of [/task '\.\d+' crashed its worker \(pid \d+\): it ended with exit status 7/, /out of time/]) {
      if (!text.test(app.log)) throw new Error(`${text} is not in the log:\n${app.log}`);
    }
    for (const text of ["rep_len", "returning -Inf", "Unhandled"]) {
      if (app.log.includes(text)) throw new Error(`the log has ${text}:\n${app.log}`);
    }
  });

  const strict = await t.app(folder(), { TASKQ_SANITIZE: "true" });
  const other = await t.visit(strict);
  await t.check("with shiny.sanitize.errors a visitor reads what is safe, and nothing else", async () => {
    await open(other, strict, "error");
    for (const name of outputs) await shows(t, other, name, SANITIZED, "error");
    await open(other, strict, "safe");
    for (const name of outputs) await shows(t, other, name, MESSAGES.safe, "safe");
    await lives(t, other);
  });
}

const folder = () => new URL("../apps/failures", import.meta.url).pathname;
const link = (page) => page.locator("#download[href*=session]").evaluate((element) => element.href);
// An htmlwidget is hidden instead, with its message beside it, if there is one.
const error = (page, name) => page.locator(`#${name}.shiny-output-error, #${name} + .htmlwidgets-error`);

async function open(page, app, end) {
  await page.goto(`${app.url}?end=${end}`);
  await page.waitForFunction(() => window.Shiny?.shinyapp?.isConnected?.());
}

async function shows(t, page, name, message, end) {
  const text = async () => (await error(page, name).allInnerTexts())[0]?.trim();
  let seen;
  const fits = async () => {
    seen = await text();
    return message instanceof RegExp ? message.test(seen) : seen === message;
  };
  await t.until(`${name} shows ${message}`, fits, 40_000).catch((late) => {
    throw new Error(`${late.message}; it shows ${JSON.stringify(seen)} (${end})`);
  });
}

async function succeeds(t, page, name) {
  const output = page.locator(`#${name}`);
  const value = () => (["plot", "image"].includes(name) ? output.locator("img") : output.getByText("all is well"));
  await value().first().waitFor({ timeout: 40_000 });
  t.equal(await error(page, name).count(), 0);
}

// The clock goes on, and the visitor is connected.
async function lives(t, page) {
  const clock = () => page.locator("#clock").innerText();
  const before = await clock();
  await t.until("the clock goes on", async () => (await clock()) !== before);
  t.equal(await page.locator("#other").innerText(), "another output");
  t.equal(await page.evaluate(() => window.Shiny.shinyapp.isConnected()), true);
}
