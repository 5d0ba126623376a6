// giving-up.ts: telling whoever works for a wait that nobody waits for it any more.
//
// What is told may be code of users: a listener of an AbortSignal that sends to a channel, or kills. It must not find a wait that is half over: of a select
// some arms may still be enlisted, and the greenlet not yet be woken. So while a wait is brought to its end what is to be told is held back, and told as
// soon as that is done, before anything else runs.
//
// Invariant: `held` is empty when no wait is being ended.

let ending = 0;
const held: (() => void)[] = [];

/** A wait is being brought to its end: from here to `waitEnded`, which follows in a `finally`, nobody is told. */
export function endingWait(): void {
  ending += 1;
}

export function waitEnded(): void {
  ending -= 1;
  if (ending === 0 && held.length > 0) tellHeld();
}

/** Call `tell` now, or once the waits that are being ended have been. */
export function giveUp(tell: () => void): void {
  if (ending === 0) tell();
  else held.push(tell);
}

function tellHeld(): void {
  const tell = held.shift();
  if (tell === undefined) return;
  try {
    tell();
  } finally {
    tellHeld();
  }
}
