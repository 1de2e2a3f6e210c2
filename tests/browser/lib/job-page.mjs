// The page of inst/examples/shiny-job, in the words of a visitor. A job is called by its number.

import { ACTION_LIMIT } from "./scenario.mjs";

export class JobPage {
  // A new visitor to the app.
  static async open(scenario, app, options) {
    const page = await scenario.visit(app, options);
    await page.getByText(/^\d+ running, \d+ waiting|^No jobs yet\.$/).waitFor();
    return new JobPage(page);
  }

  constructor(page) {
    this.page = page;
  }

  card(number) {
    return this.page.getByRole("group", { name: `Job ${number}`, exact: true });
  }

  // Starts a job, and gives its number.
  async start({ seconds = 60, ending = "finish" } = {}) {
    const newest = (await this.cards())[0]?.number ?? 0;
    await this.page.getByLabel("Seconds to compute").fill(String(seconds));
    await this.page.getByLabel("Simulated trouble").selectOption(ending);
    // Numbers that are typed arrive a little later; the page says what it has understood.
    const plan = ending === "finish" ? `${seconds * 10} rows` : `After ${seconds / 2} seconds`;
    await this.page.getByText(plan).waitFor();
    await this.page.getByRole("button", { name: "Start job" }).click();
    await this.card(newest + 1).waitFor();
    return newest + 1;
  }

  // What is to be seen of all jobs, the newest first.
  cards() {
    return this.page.evaluate(() =>
      [...document.querySelectorAll(".job")].map((card) => ({
        number: Number(card.getAttribute("aria-label").replace("Job ", "")),
        state: card.querySelector(".state").textContent.trim(),
      })),
    );
  }

  async isIn(number, state) {
    await this.card(number).locator(".state").getByText(state, { exact: true }).waitFor({ timeout: ACTION_LIMIT });
  }

  async percent(number) {
    return Number(await this.card(number).getByRole("progressbar").getAttribute("aria-valuenow"));
  }

  // The last step that the output of a running job names.
  async step(number) {
    const steps = [...(await this.output(number)).matchAll(/^step (\d+)/gm)];
    return Number(steps.at(-1)?.[1] ?? 0);
  }

  output(number) {
    return this.card(number).locator("pre").innerText();
  }

  // Of the session that runs it, as its note says.
  async pid(number) {
    const note = this.card(number).getByText(/in process \d+/);
    return Number((await note.innerText()).match(/in process (\d+)/)[1]);
  }

  cancel(number) {
    return this.page.getByRole("button", { name: `Cancel Job ${number}`, exact: true }).click();
  }

  close() {
    return this.page.context().close();
  }
}
