// However the app ends while jobs run: no process of it is left.

import { JobPage } from "../lib/job-page.mjs";

export default async function (t) {
  for (const signal of ["SIGINT", "SIGTERM", "SIGKILL"]) {
    const app = await t.app("shiny-job");
    const visitor = await JobPage.open(t, app);
    await t.check(`the app ends by ${signal} while two jobs run and one waits`, async () => {
      for (let i = 0; i < 3; i += 1) await visitor.start();
      await visitor.isIn(1, "running");
      await visitor.isIn(2, "running");
      const pids = [await visitor.pid(1), await visitor.pid(2)].map(String);
      const belongs = app.processes().map((process) => process.split(":")[0]);
      t.equal(pids.filter((pid) => belongs.includes(pid)), pids);
      await app.stop(signal);
    });
  }
}
