// thrown.ts: what a task threw, on its way from the worker to whoever waits.
//
// An error arrives as an error of the same built-in class, name, message, `code`, cause and own plain properties, and with the worker's own stack, so that a `catch` that goes by
// `code` or `name` is the same for every executor. Its class, if the program defined it, does not travel: there is another one of that name on the other side. What
// was thrown and is no error arrives as it is if it is a primitive, and else as an error that shows it.
//
// The form is plain data, so that a worker's thread, a pipe and JSON can all carry it.

import { inspect } from 'node:util';

/** An error, as data. */
export interface ThrownError {
  readonly name: string;
  readonly message: string;
  readonly stack: string;
  readonly cause?: Thrown | undefined;
  readonly errors?: readonly Thrown[] | undefined;
  /** Own properties whose values are primitives: code, errno, syscall, path. */
  readonly own: Readonly<Record<string, string | number | boolean | null>>;
}

export type Thrown =
  | { readonly error: ThrownError }
  | { readonly value: string | number | boolean | null | undefined }
  | { readonly shown: string };

const deepest = 8;
/** How many errors a list has at most, and how many one description has in all: lists in lists would be too many without. */
const longest = 100;
const most = 300;
const classes = new Map<string, ErrorConstructor>(
  [Error, TypeError, RangeError, SyntaxError, ReferenceError, EvalError, URIError].map((made) => [made.name, made]),
);

/** Describe what was thrown. Never throws, whatever it is: a Proxy, an object with getters that throw. */
export function describeThrown(thrown: unknown): Thrown {
  return describe(thrown, { around: [], left: most });
}

/** What has been described so far of one thrown value. */
interface Progress {
  /** The errors that have this one as their cause, or in their list, the outermost first. One of them again is a cycle, and left out. */
  readonly around: unknown[];
  left: number;
}

function describe(thrown: unknown, progress: Progress): Thrown {
  try {
    if (thrown instanceof Error) return { error: describeError(thrown, progress) };
    if (thrown === null || thrown === undefined) return { value: thrown };
    if (typeof thrown === 'string' || typeof thrown === 'number' || typeof thrown === 'boolean')
      return { value: thrown };
    return { shown: inspect(thrown, { depth: 3 }).slice(0, 10_000) };
  } catch {
    return { shown: 'a value that cannot be shown' };
  }
}

function describeError(error: Error, progress: Progress): ThrownError {
  const { around } = progress;
  const own: Record<string, string | number | boolean | null> = {};
  for (const key of ['code', ...Object.keys(error)]) {
    if (key === 'name' || key === 'message' || key === 'stack' || key === 'cause') continue;
    const value = read(error, key);
    if (value === null || ['string', 'number', 'boolean'].includes(typeof value))
      own[key] = value as string | number | boolean | null;
  }
  const described = { name: String(error.name), message: String(error.message), stack: String(error.stack), own };
  around.push(error);
  const cause = read(error, 'cause');
  const causes = cause === undefined ? [] : describeInner([cause], progress);
  const errors = error instanceof AggregateError ? read(error, 'errors') : undefined;
  const inner = Array.isArray(errors) ? describeInner(errors.slice(0, longest), progress) : undefined;
  around.pop();
  return {
    ...described,
    ...(causes.length === 0 ? {} : { cause: causes[0] }),
    ...(inner === undefined ? {} : { errors: inner }),
  };
}

/** As far as they are described: no cycle, and not too deep or too many. */
function describeInner(values: readonly unknown[], progress: Progress): Thrown[] {
  const list: Thrown[] = [];
  if (progress.around.length > deepest) return list;
  for (const value of values) {
    if (progress.left === 0) break;
    if (progress.around.includes(value)) continue;
    progress.left -= 1;
    list.push(describe(value, progress));
  }
  return list;
}

/** A property; undefined if its getter throws: the error matters more. */
function read(error: Error, key: string): unknown {
  try {
    return (error as unknown as Record<string, unknown>)[key];
  } catch {
    return undefined;
  }
}

/** Make again what was described. */
export function revive(thrown: Thrown): unknown {
  if ('value' in thrown) return thrown.value;
  if ('shown' in thrown) {
    return Object.assign(new Error(`the task threw ${thrown.shown}`), { code: 'ERR_TASK_THREW' });
  }
  const { name, message, stack, cause, errors, own } = thrown.error;
  const options = cause === undefined ? undefined : { cause: revive(cause) };
  const error =
    errors === undefined
      ? new (classes.get(name) ?? Error)(message, options)
      : new AggregateError(errors.map(revive), message, options);
  if (error.name !== name) Object.defineProperty(error, 'name', { value: name, configurable: true, writable: true });
  Object.defineProperty(error, 'stack', { value: stack, configurable: true, writable: true });
  for (const [key, value] of Object.entries(own))
    Object.defineProperty(error, key, { value, configurable: true, writable: true, enumerable: true });
  return error;
}
