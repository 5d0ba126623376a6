// node-call.ts: one asynchronous function of Node as a function that returns an Op.
//
// Not for what keeps state between calls (resolvers, interfaces, folders): those have files of their own. How a call is given up, and which finish first, is that of
// `files` (io/files-call.ts): most calls run in libuv's thread pool, which takes none back.
//
// Invariants:
//   an Op may be started again and again: each start calls Node anew, with the arguments as they were at the call
//   an error whose stack shows nothing but Node's inside gets that of the greenlet that waited

import { typeError } from '../../core/bad-argument.ts';
import type { Done } from '../../io/callback.ts';
import { changing, type FsCallOptions, looking } from '../../io/files-call.ts';
import { shownPath } from '../../io/files-path.ts';
import { type Check, checkedArguments } from './argument-checks.ts';

// biome-ignore lint/suspicious/noExplicitAny: Node's functions of any parameters; what a twin takes is said by its own type
type NodeFunction = (...args: any[]) => unknown;

// biome-ignore lint/suspicious/noExplicitAny: as above
export type Start = (args: readonly any[], done: Done<any>, signal: AbortSignal | undefined) => unknown;

/** What a twin is made of. */
export interface CallSpec {
  /** The check of each argument; what comes after them is dropped. */
  readonly checks: readonly Check[];
  /** Node's function. Undefined if this Node has none. */
  readonly call: NodeFunction | undefined;
  /** How it is begun: with the arguments and a callback, if not given. `signal` is there if the call is abortable, and aborts when it is given up. */
  readonly start?: Start;
  readonly abortable?: boolean;
  /** Since which Node it is there. */
  readonly since?: string;
  /** The names of the callback's values, if there are several: they are returned as an object. */
  readonly names?: readonly string[];
  /** Dispose of a value that came when nobody waited any more. */
  readonly late?: (value: never) => void;
}

/** A call with nothing special: what it calls, and the check of each argument. */
export const plain = (call: CallSpec['call'], ...checks: CallSpec['checks']): CallSpec => ({ checks, call });

// In the next three `name` is that of a module and a function, `fs.stat`: for errors and reports.

/** A twin that only looks: one wait, which a kill or a timeout ends at once. */
export function lookingTwin<F>(name: string, spec: CallSpec): F {
  return twin(name, spec, looking);
}

/** A twin that changes something: it finishes first. */
export function changingTwin<F>(name: string, spec: CallSpec): F {
  return twin(name, spec, changing);
}

/** A twin that does one or the other, by its arguments. */
export function eitherTwin<F>(name: string, spec: CallSpec, changes: (args: readonly unknown[]) => boolean): F {
  return twin(name, spec, (options, args) => (changes(args) ? changing(options) : looking(options)));
}

type Maker = (options: FsCallOptions<unknown>, args: readonly unknown[]) => unknown;

function twin<F>(name: string, spec: CallSpec, make: Maker): F {
  const { checks, call, since } = spec;
  const made = (...given: unknown[]): unknown => {
    if (call === undefined) throw absent(name, since);
    const args = checkedArguments(name, checks, given);
    return make(optionsOf(name, spec, call, args), args);
  };
  Object.defineProperty(made, 'name', { value: ownName(name), configurable: true });
  // Its type is Node's, turned; what is checked above is what that type says.
  return made as F;
}

/** `stat` of `fs.stat`. */
const ownName = (name: string): string => name.slice(name.indexOf('.') + 1);

function optionsOf(name: string, spec: CallSpec, call: NodeFunction, args: readonly unknown[]): FsCallOptions<unknown> {
  const { names, late, start, abortable } = spec;
  const [first] = args;
  const isPath = name.startsWith('fs.') && (typeof first === 'string' || Buffer.isBuffer(first));
  return {
    op: ownName(name),
    object: isPath ? shownPath(first) : `node:${name.slice(0, name.indexOf('.'))}`,
    start: (done, signal) => {
      const called = named(done, names);
      try {
        if (start === undefined) call(...args, called);
        else start(args, called, signal);
      } catch (error) {
        called(error);
      }
    },
    ...(abortable === true ? { abortable } : {}),
    ...(late === undefined ? {} : { late: late as (value: unknown) => void }),
  };
}

/** A callback of Node's, that tells `done`. */
export function named(done: Done<unknown>, names: readonly string[] | undefined): (...values: unknown[]) => void {
  return (error, ...values) => {
    if (error !== null && error !== undefined) done(withoutInnerFrames(error));
    else if (names === undefined) done(null, values[0]);
    else done(null, Object.fromEntries(names.map((name, index) => [name, values[index]])));
  };
}

const FRAME = /^ {4}at /;
const INNER_FRAME = /^ {4}at (.*[( ])?(node:|native|<anonymous>|async Promise\.all|new Promise)/;
/** From here outwards the stack is ours. */
const OUR_FRAME = /[\\/]patches[\\/]twins[\\/]/;

/** `error` without its stack, if that shows nothing but Node's inside: the wait then gives it the stack of who waited. */
export function withoutInnerFrames(error: unknown): unknown {
  if (!(error instanceof Error) || typeof error.stack !== 'string') return error;
  const frames = error.stack.split('\n').filter((line) => FRAME.test(line));
  const ours = frames.findIndex((line) => OUR_FRAME.test(line));
  const theirs = ours < 0 ? frames : frames.slice(0, ours);
  return theirs.length > 0 && theirs.every((line) => INNER_FRAME.test(line)) ? withoutStack(error) : error;
}

/** `error` without its stack: the wait gives it that of who waited. */
export function withoutStack(error: Error): Error {
  return Object.defineProperty(error, 'stack', { value: String(error), writable: true, configurable: true });
}

/** What is thrown for a function that this Node does not have. */
export function absent(name: string, since: string | undefined): TypeError {
  const needs = since === undefined ? 'it is on other platforms only' : `it needs ${since}`;
  return typeError(
    `${name}: Node ${process.versions.node} has no such function here: ${needs}`,
    'ERR_FEATURE_UNAVAILABLE_ON_PLATFORM',
  );
}
