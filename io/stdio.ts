// stdio.ts: the names of the namespace `stdio`: our own standard streams, their lines, and the terminal.
//
//   yield* forEach(stdio.lines(), function* (line) {...});
//   const name = yield* stdio.question('Your name? ');
//
// Nothing here is opened before it is asked for.

import type { ReadLineOptions, Socket } from './socket.ts';
import { type Lines, linesOf } from './stdio-lines.ts';
import { stdin } from './stdio-streams.ts';

/**
 * Go through the lines of `source`: stdin by default, or any Socket. For forEach, or with `next()`, which is a Waitable. Never switches.
 *
 * The end of the stream ends a line too. @throws TypeError or RangeError for bad arguments.
 */
export function lines(source: Socket = stdin(), options?: ReadLineOptions): Lines {
  return linesOf(source, options);
}

export type { Key } from './stdio-keys.ts';
export { Lines } from './stdio-lines.ts';
export { stderr, stdin, stdout } from './stdio-streams.ts';
export { type QuestionOptions, question, type ReadKeyOptions, rawMode, readKey } from './stdio-terminal.ts';
