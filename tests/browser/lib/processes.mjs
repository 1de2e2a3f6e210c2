// Processes of an app, by a token in their environment, which they can lose only with a new program that is given
// another environment.

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
