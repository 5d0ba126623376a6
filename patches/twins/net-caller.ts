// net-caller.ts: errors that Node has made in a callback, with the stack of whoever waited for them.
//
// Node's own stack tells where in Node it came from, which is no help; it stays, above the frames of the greenlet that gets the error. To be called where the
// greenlet waits: from the function that `ticket.rejectWith` is given.
//
// Not for errors that we make ourselves: those are made there in the first place.

const located = new WeakSet<object>();

/** `error`, whose stack ends with the frames of whoever calls this. Once: the greenlet that gets it first is the one it names. */
export function atCaller(error: unknown): unknown {
  if (!(error instanceof Error) || located.has(error)) return error;
  located.add(error);
  const here: { stack?: string } = {};
  const limit = Error.stackTraceLimit;
  // The first frames are ours.
  Error.stackTraceLimit = limit + 4;
  Error.captureStackTrace(here, atCaller);
  Error.stackTraceLimit = limit;
  const frames = (here.stack ?? '').split('\n').slice(1).join('\n');
  const own = error.stack ?? `${error.name}: ${error.message}`;
  Object.defineProperty(error, 'stack', {
    value: `${own}\n${frames}`,
    writable: true,
    configurable: true,
    enumerable: false,
  });
  return error;
}
