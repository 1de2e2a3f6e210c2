// Waiting for what has no event: processes, files. Everything else is waited for by Playwright, or by an event.

import { setTimeout as pause } from "node:timers/promises";

// The first value of `look()` that is not false, looked for until `limit` milliseconds are over.
export async function until(what, look, limit = 20_000) {
  const end = Date.now() + limit;
  for (;;) {
    const seen = await look();
    if (seen) return seen;
    if (Date.now() > end) throw new Error(`after ${limit / 1000} s still not: ${what}`);
    await pause(50);
  }
}

// What `promise` gives, or an error when `limit` milliseconds are over.
export async function within(limit, what, promise) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what}: not within ${limit / 1000} s`)), limit);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
