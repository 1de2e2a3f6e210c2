// A Shiny app in an R process of its own. Its processes can be told by a token in their environment, and its temporary
// files are in a folder of its own, so that a test can say that nothing is left of it.

import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { mkdirSync, readdirSync } from "node:fs";
import { createServer } from "node:net";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { processesWith } from "./processes.mjs";
import { until, within } from "./wait.mjs";

const TOKEN = "TASKQ_BROWSER_APP";
const running = new Set();

// However this process ends, no app goes on.
process.on("exit", () => running.forEach((app) => app.child.kill("SIGKILL")));

export class App {
  // `folder`: of the app, or the name of an example; `home`: a folder for its files; `env`: more environment variables.
  static async start(folder, home, env = {}) {
    const app = new App(home);
    const port = await freePort();
    app.url = `http://127.0.0.1:${port}`;
    app.child = spawn("Rscript", [fileURLToPath(new URL("app.R", import.meta.url)), folder, String(port)], {
      env: { ...process.env, ...env, TMPDIR: app.temp, [TOKEN]: app.token },
      stdio: ["ignore", "pipe", "pipe"],
    });
    running.add(app);
    app.ended = new Promise((resolve) =>
      app.child.on("exit", (status, signal) => {
        running.delete(app);
        resolve(signal ?? status);
      }),
    );
    const listens = new Promise((resolve, reject) => {
      const hear = (text) => {
        app.log += text;
        if (app.log.includes("Listening on")) resolve();
      };
      app.child.stdout.setEncoding("utf8").on("data", hear);
      app.child.stderr.setEncoding("utf8").on("data", hear);
      app.child.on("error", reject);
      app.ended.then((status) => reject(new Error(`the app ended (${status}) before it listened:\n${app.log}`)));
    });
    await within(60_000, "the app listens", listens);
    return app;
  }

  constructor(home) {
    this.token = randomUUID();
    this.temp = join(home, this.token);
    this.log = "";
    this.isStopping = false;
    mkdirSync(this.temp);
  }

  processes() {
    return processesWith(TOKEN, this.token);
  }

  get isRunning() {
    return running.has(this);
  }

  // Ends the app by a signal, and waits until all its processes are gone, and all files of its queue. R removes its own
  // temporary folder when it is interrupted, and not when it is killed.
  async stop(signal = "SIGINT") {
    this.isStopping = true;
    this.child.kill(signal);
    await within(20_000, `the app ends by ${signal}`, this.ended).catch((late) => {
      this.child.kill("SIGKILL");
      throw late;
    });
    await this.isGone(signal === "SIGINT" ? () => true : (name) => name.startsWith("taskq"));
  }

  // After a failure, what should not be there.
  clean() {
    for (const left of this.processes()) kill(parseInt(left));
  }

  async isGone(counts) {
    let left;
    const nothing = () => {
      left = [...this.processes(), ...readdirSync(this.temp).filter(counts)];
      return left.length === 0;
    };
    await until("nothing is left of the app", nothing, 10_000).catch((late) => {
      throw new Error(`${late.message}\n${left.join("\n")}`);
    });
  }
}

// A port that the system has chosen.
function freePort() {
  return new Promise((resolve, reject) => {
    const server = createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

function kill(pid) {
  try {
    process.kill(pid, "SIGKILL");
  } catch {
    // It has ended by itself.
  }
}
