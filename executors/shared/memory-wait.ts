// memory-wait.ts: waiting for a change of shared memory without blocking the event loop: Atomics.waitAsync.
//
// What it gives cannot be taken back: once a thread sleeps on a word it stays in the engine's list until it is notified, also when nobody there wants to know any
// more. So a thread sleeps on a word once, for all its greenlets, and whoever is woken without a need passes the notification on (permits.ts). A thread that
// ends leaves the list by itself. The promise keeps no process alive: who waits does, through the scheduler.

interface AsyncWaiting {
  waitAsync(
    words: Int32Array,
    index: number,
    value: number,
  ):
    | { readonly async: true; readonly value: Promise<'ok' | 'timed-out'> }
    | { readonly async: false; readonly value: 'not-equal' | 'timed-out' };
}

// Taken at load: patches never reach us. The library of types has it from ES2024 on, Node since 16.
const { then } = Promise.prototype;
const { waitAsync } = Atomics as unknown as AsyncWaiting;

/** Call `woken` when `words[index]` is notified. False if it is not `expected` now: then nothing has begun. */
export function sleepOn(words: Int32Array, index: number, expected: number, woken: () => void): boolean {
  const waiting = waitAsync(words, index, expected);
  if (!waiting.async) return false;
  then.call(waiting.value, woken);
  return true;
}
