// opening-stack.ts: the stack of the moment when Node opened something, as an async hook sees it.
//
// Taken in the hook, where it has to be quick and must not throw, and made into text only if somebody asks: most of what is opened is closed again, or
// was none of our business.

/** Holds a stack that has not been made into text yet. */
export interface OpeningStack {
  readonly stack?: string;
}

/** Deep enough to reach the caller below the layers of Node. */
const FRAMES = 64;
const HOOK_FRAME = /node:internal\/async_hooks|[\\/]io[\\/]testing[\\/](opening-stack|guard|resource-sites)\.[jt]s/;

/** The stack at this moment. */
export function takeStack(): OpeningStack {
  const holder = {};
  const limit = Error.stackTraceLimit;
  Error.stackTraceLimit = FRAMES;
  Error.captureStackTrace(holder);
  Error.stackTraceLimit = limit;
  return holder;
}

/** The lines from the call that opened it outwards. */
export function framesOf({ stack = '' }: OpeningStack): string[] {
  const frames = stack.split('\n').filter((line) => /^\s+at /.test(line));
  const opener = frames.findIndex((frame) => !HOOK_FRAME.test(frame));
  return opener < 0 ? [] : frames.slice(opener);
}
