// readline.ts: the public names of `tendril/patches/readline`: those of node:readline, each call that waits being an Op.
//
//   const rl = createInterface({ input: process.stdin, output: process.stdout });
//   const name = yield* rl.question('Name? ');
//   yield* forEach(rl, function* (line) { ... });
//
// An interface is not closed by a kill: close it in `finally`. The functions that move the cursor are Ops that wait until the stream has taken what they write.

import readline from 'node:readline';
import type { Waitable } from '../../core/op.ts';
import { anything, type Check, maybe, whole } from './argument-checks.ts';
import { lookingTwin } from './node-call.ts';
import { Interface } from './readline-interface.ts';

export { emitKeypressEvents, promises } from 'node:readline';
export { Interface, type QuestionOptions } from './readline-interface.ts';

interface CreateInterface {
  (options: readline.ReadLineOptions): Interface;
  (
    input: NodeJS.ReadableStream,
    output?: NodeJS.WritableStream,
    completer?: readline.Completer | readline.AsyncCompleter,
    terminal?: boolean,
  ): Interface;
}
/** Make an interface to the lines of `input`. Never switches. @throws TypeError of Node's. */
export const createInterface: CreateInterface = (
  input: readline.ReadLineOptions | NodeJS.ReadableStream,
  ...rest: unknown[]
) => new Interface(input, ...rest);

const to = (name: string, call: (...args: never[]) => unknown, ...checks: readonly Check[]): (() => never) =>
  lookingTwin(`readline.${name}`, { checks: [anything, ...checks], call });

/** Clear the line of the cursor: what is left of it (-1), right of it (1), or all of it (0). Switches. @throws TypeError of Node's. */
export const clearLine: (stream: NodeJS.WritableStream, direction: readline.Direction) => Waitable<void> = to(
  'clearLine',
  readline.clearLine,
  whole,
);
/** Clear everything below the cursor. Switches. */
export const clearScreenDown: (stream: NodeJS.WritableStream) => Waitable<void> = to(
  'clearScreenDown',
  readline.clearScreenDown,
);
/** Move the cursor to a column, and to a row if one is given. Switches. */
export const cursorTo: (stream: NodeJS.WritableStream, x: number, y?: number) => Waitable<void> = to(
  'cursorTo',
  readline.cursorTo,
  whole,
  maybe(whole),
);
/** Move the cursor by so many columns and rows. Switches. */
export const moveCursor: (stream: NodeJS.WritableStream, dx: number, dy: number) => Waitable<void> = to(
  'moveCursor',
  readline.moveCursor,
  whole,
  whole,
);
