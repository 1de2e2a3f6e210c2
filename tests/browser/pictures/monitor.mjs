// The picture of the monitor in README.md and in the vignette.

import { fileURLToPath } from "node:url";

const APP = fileURLToPath(new URL("../apps/report", import.meta.url));
const FILE = fileURLToPath(new URL("../../../man/figures/monitor.png", import.meta.url));

export default async function (t) {
  const app = await t.app(APP);
  const page = await t.visit(app, { viewport: { width: 1180, height: 1180 } });
  const row = (id) => page.locator(`#monitor-monitor tr[data-id="${id}"]`);
  const percent = async (id) => Number((await row(id).getByRole("progressbar").getAttribute("aria-valuenow")) ?? 0);

  await t.check("a picture is taken", async () => {
    await row("north").locator('[data-col="id"]').click();
    await page.locator("summary", { hasText: "Timeline" }).click();
    await page.locator('[data-tq="timeline"] img').waitFor();
    await t.until("reports are well under way", async () => (await percent("north")) > 55);
    await page.mouse.move(0, 0);
    await page.screenshot({ path: FILE, fullPage: true });
    console.log(`     ${FILE}`);
  });
}
