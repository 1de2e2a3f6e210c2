// The picture of the background jobs app in README.md.

import { fileURLToPath } from "node:url";
import { JobPage } from "../lib/job-page.mjs";

const FILE = fileURLToPath(new URL("../../../man/figures/shiny-job.png", import.meta.url));

export default async function (t) {
  const app = await t.app("shiny-job", { TASKQ_JOBS_WORKERS: "2" });
  const visitor = await JobPage.open(t, app, { viewport: { width: 960, height: 900 } });

  await t.check("a picture is taken", async () => {
    await visitor.start({ seconds: 4 });
    await visitor.start({ seconds: 4, ending: "error" });
    await visitor.isIn(1, "success");
    await visitor.isIn(2, "error");
    await visitor.start({ seconds: 16 });
    await visitor.start({ seconds: 20 });
    await visitor.start({ seconds: 12 });
    await t.until("the jobs are well under way", async () => (await visitor.percent(3)) > 40);
    await visitor.page.mouse.move(0, 0);
    await visitor.page.screenshot({ path: FILE, fullPage: true });
    console.log(`     ${FILE}`);
  });
}
