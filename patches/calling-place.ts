// calling-place.ts: where a replaced function was called.
//
// Not a parser of stacks in general: it reads the first line below a function of ours, as V8 writes it, also when a program has replaced
// Error.prepareStackTrace or set another limit.

export interface CallingPlace {
  /** `file:///app.js:3:7`, `node:internal/...:1:2`; undefined if there is nobody below. */
  readonly place: string | undefined;
  /** The frames below, one a line. */
  readonly stack: string;
}

/** The frames below the innermost call of `above`, which runs now. */
export function callingPlace(above: (...args: never[]) => unknown, limit = 10): CallingPlace {
  const { stackTraceLimit, prepareStackTrace } = Error;
  const holder: { stack?: string } = {};
  try {
    Error.stackTraceLimit = limit;
    // Without one of its own V8 writes the text that is read here.
    Reflect.deleteProperty(Error, 'prepareStackTrace');
    Error.captureStackTrace(holder, above);
    const stack = String(holder.stack).split('\n').slice(1).join('\n');
    const first = /^ *at (?:.*\((.*)\)|(.*))$/m.exec(stack);
    return { place: first?.[1] ?? first?.[2], stack };
  } finally {
    Error.stackTraceLimit = stackTraceLimit;
    if (prepareStackTrace !== undefined) Error.prepareStackTrace = prepareStackTrace;
  }
}
