// What is left of an app: processes by a token in their environment, which no process can lose but by a new program with
// an environment of its own, and files in the folder that was its TMPDIR.

import { readFileSync, readdirSync } from "node:fs";

// Processes with `variable=value` in their environment: "pid: command line".
export function processesWith(variable, value) {
  const wanted = `${variable}=${value}`;
  return readdirSync("/proc")
    .filter((name) => /^\d+$/.test(name))
    .filter((pid) => read(`/proc/${pid}/environ`).split("\0").includes(wanted))
    .map((pid) => `${pid}: ${read(`/proc/${pid}/cmdline`).replaceAll("\0", " ").trim() || "(ending)"}`);
}

export const isProcess = (pid) => read(`/proc/${pid}/stat`) !== "";

// A process that ends meanwhile, or is another user's, has nothing to read.
function read(file) {
  try {
    return readFileSync(file, "latin1");
  } catch {
    return "";
  }
}
