// Waiting for what must become true, with a deadline instead of a pause.

import { setTimeout as pause } from 'node:timers/promises';

/** Resolves with the first truthy value of `look`; after `timeoutMs` it throws and says what was last seen. */
export async function until(what, look, timeoutMs = 20_000) {
  const deadline = performance.now() + timeoutMs;
  let seen;
  for (;;) {
    seen = await look();
    if (seen) return seen;
    if (performance.now() > deadline) {
      throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}; last seen: ${JSON.stringify(seen)}`);
    }
    await pause(25);
  }
}

/** The outcome of `promise`, or an error that names what did not happen within `timeoutMs`. */
export async function within(what, promise, timeoutMs = 20_000) {
  const stop = new AbortController();
  const late = pause(timeoutMs, undefined, { signal: stop.signal }).then(
    () => {
      throw new Error(`waited ${timeoutMs / 1000} s in vain for ${what}`);
    },
    () => undefined,
  );
  try {
    return await Promise.race([promise, late]);
  } finally {
    stop.abort();
  }
}
