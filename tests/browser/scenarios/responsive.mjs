// While eight jobs compute, an input that changes an output still answers. How fast, depends on the machine: it is
// printed, and the line that begins with "click" is read by bench/measures/browser.R.

import { JobPage } from "../lib/job-page.mjs";

const CLICKS = 30;

export default async function (t) {
  const app = await t.app("shiny-job", { TASKQ_JOBS_WORKERS: "8" });
  const visitor = await JobPage.open(t, app);
  const { page } = visitor;

  const idle = await page.evaluate(measure, CLICKS);

  await t.check("eight jobs run", async () => {
    for (let i = 0; i < 8; i += 1) await visitor.start();
    for (let number = 1; number <= 8; number += 1) await visitor.isIn(number, "running");
  });

  await t.check(`each of ${CLICKS} choices is answered meanwhile`, async () => {
    const before = await visitor.percent(8);
    const times = await page.evaluate(measure, CLICKS);
    t.equal(times.length, CLICKS);
    t.equal((await visitor.cards()).filter(({ state }) => state === "running").length, 8);
    await t.until("progress is shown meanwhile", async () => (await visitor.percent(8)) > before);
    console.log(`     answer to a choice while no job runs: ${summary(idle)}`);
    console.log(`     answer to a choice while 8 jobs run:  ${summary(times)}`);
    console.log(`click ${at(times, 0.5) / 1000}`);
  });
}

function at(times, share) {
  const sorted = [...times].sort((a, b) => a - b);
  return sorted[Math.round(share * (times.length - 1))];
}

function summary(times) {
  const shown = (share) => at(times, share).toFixed(0);
  return `median ${shown(0.5)} ms, 90 % ${shown(0.9)} ms, longest ${shown(1)} ms`;
}

// In the page: milliseconds from each choice to the change of the text that depends on it. Nobody chooses again at the
// very moment of the answer; and who does, measures how long TCP holds back a small message (40 ms), not the app. Hence
// the pause.
async function measure(clicks) {
  const choice = document.getElementById("ending");
  const answer = document.getElementById("plan");
  const times = [];
  for (let i = 0; i < clicks; i += 1) {
    const changed = new Promise((resolve, reject) => {
      const observer = new MutationObserver(() => {
        observer.disconnect();
        resolve(performance.now());
      });
      observer.observe(answer, { childList: true, characterData: true, subtree: true });
      setTimeout(() => reject(new Error(`choice ${i + 1} was not answered within 10 s`)), 10_000);
    });
    const start = performance.now();
    choice.value = choice.value === "finish" ? "error" : "finish";
    choice.dispatchEvent(new Event("change", { bubbles: true }));
    times.push((await changed) - start);
    await new Promise((resolve) => setTimeout(resolve, 100 + 10 * i));
  }
  return times;
}
