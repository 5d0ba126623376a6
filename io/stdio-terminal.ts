// stdio-terminal.ts: keys and answers from whoever sits at the terminal.
//
// In raw mode a terminal hands over each key as it is pressed, shows nothing and raises no signal. It is on while somebody needs it, counted, and taken back in
// a finally: so after a kill too. If the process ends in any other way, Node puts the terminal back by itself.
//
// Ctrl-C has to be made by us then: SIGINT to ourselves, so that what it does is the same in both modes (main stops; without it the process ends).
// Where stdin is no terminal, there is no raw mode to enter, and all of this reads what comes.

import { typeError } from '../core/bad-argument.ts';
import { requireOp } from '../core/body.ts';
import { composite } from '../core/composite.ts';
import { readyResult } from '../core/kernel.ts';
import type { Op, Waitable, WaitDescription } from '../core/op.ts';
import { timeout } from '../core/timeout.ts';
import { type Holdable, use } from '../core/use.ts';
import { Wait } from '../core/wait.ts';
import { checkOptions, ownFlag, ownMs, shownValue } from './address.ts';
import { LineTooLongError } from './errors.ts';
import type { Socket } from './socket.ts';
import { type Key, ReadKey } from './stdio-keys.ts';
import { lineOptions, ReadTextLine } from './stdio-lines.ts';
import { stderr, stdin, stdout } from './stdio-streams.ts';

const ESCAPE_MS = 50;
const NOTHING: Buffer = Buffer.alloc(0);

export interface ReadKeyOptions {
  /** False: Ctrl-C is a key like others. True by default: it is SIGINT. */
  readonly interrupt?: boolean | undefined;
  /** How long what may be the escape key waits for the rest of a sequence: 50 ms by default. A slow connection needs more. */
  readonly escapeMs?: number | undefined;
}

export interface QuestionOptions {
  /** True: what is typed is not shown, as a password. */
  readonly hidden?: boolean | undefined;
  /** The most bytes of an answer: 64 KiB by default. */
  readonly limit?: number | undefined;
}

class Enter extends Wait<void> {
  readonly #enter: () => void;
  constructor(enter: () => void) {
    super();
    this.#enter = enter;
  }
  look(): boolean {
    this.#enter();
    readyResult.value = undefined;
    return true;
  }
  enlist(): void {}
  retract(): void {}
  describe(): WaitDescription {
    return { op: 'rawMode' };
  }
}

/** Raw mode, held by as many as need it. */
class RawMode implements Holdable {
  #holders = 0;
  readonly #enter = new Enter(() => {
    // Opened first: should the terminal have gone, somebody listens to its error.
    stdin();
    this.#holders += 1;
    if (this.#holders === 1) this.#set(true);
  });

  acquire(): Waitable<void> {
    return this.#enter;
  }

  release(): void {
    this.#holders -= 1;
    if (this.#holders === 0) this.#set(false);
  }

  #set(on: boolean): void {
    if (process.stdin.isTTY) process.stdin.setRawMode(on);
  }
}

const raw = new RawMode();

/**
 * Run `op` with the terminal in raw mode, so that no key that is pressed in it is shown or waits for Enter.
 *
 * Switches as `op` does. However it ends, the terminal is as it was. Where stdin is no terminal it just runs `op`.
 *
 * @throws whatever `op` throws. @throws TypeError if it is no Op.
 */
export function rawMode<T>(op: Op<T>): Op<T> {
  requireOp(op, 'rawMode');
  return use(raw, op);
}

/**
 * Wait for a key; null at the end of stdin.
 *
 * Switches. The terminal is in raw mode while it waits; to read several, put the loop into `rawMode`, or what is typed in between is shown. Ctrl-C raises
 * SIGINT. If it throws, no key was taken.
 *
 * @throws TypeError for bad options, at the call. @throws BusyError if another greenlet reads stdin. @throws Killed if the greenlet is killed while it waits.
 * @see https://nodejs.org/api/readline.html#readlineemitkeypresseventsstream-interface
 */
export function readKey(options?: ReadKeyOptions): Op<Key | null> {
  const given = checkOptions(options, 'readKey');
  const interrupt = ownFlag(given, 'interrupt', true, 'readKey');
  const escapeMs = ownMs(given, 'escapeMs', ESCAPE_MS, 'readKey');
  return composite(() => use(raw, nextKey(interrupt, escapeMs)));
}

function* nextKey(interrupt: boolean, escapeMs: number): Op<Key | null> {
  const { inbound } = stdin();
  for (;;) {
    if ((yield* stdin().peek(1)) === null) return null;
    let key = yield* timeout(escapeMs, new ReadKey(inbound, false), { else: undefined });
    if (key === undefined) key = yield* new ReadKey(inbound, true);
    if (!interrupt || key === null || key.name !== 'c' || !key.ctrl || !process.stdin.isTTY) return key;
    process.kill(process.pid, 'SIGINT');
  }
}

/**
 * Show `prompt` and wait for a line of stdin; null at its end.
 *
 * Switches. The prompt goes to stdout, or to stderr if stdout is no terminal, so that it does not get into what is printed.
 *
 * @throws TypeError or RangeError for bad arguments, at the call. @throws LineTooLongError if the answer has more than `limit` bytes (64 KiB).
 * @throws BusyError if another greenlet reads stdin. @throws ConnectionResetError if the prompt cannot be shown. @throws Killed if the greenlet is killed.
 */
export function question(prompt: string, options?: QuestionOptions): Op<string | null> {
  if (typeof prompt !== 'string') throw typeError(`question takes a string, not ${shownValue(prompt)}`);
  const hidden = ownFlag(checkOptions(options, 'question'), 'hidden', false, 'question');
  return composite(ask, prompt, hidden, lineOptions(options, 'question').limit);
}

function* ask(prompt: string, hidden: boolean, limit: number): Op<string | null> {
  const out = process.stdout.isTTY ? stdout() : stderr();
  const secretly = hidden && process.stdin.isTTY;
  // Raw mode first: what is typed as soon as the prompt is seen must not be shown.
  if (secretly) return yield* use(raw, typeSecretly(out, prompt, limit));
  yield* out.write(prompt);
  yield* out.flush();
  return yield* new ReadTextLine(stdin().inbound, limit, 'utf8');
}

function* typeSecretly(out: Socket, prompt: string, limit: number): Op<string | null> {
  yield* out.write(prompt);
  yield* out.flush();
  let typed = '';
  for (;;) {
    const key = yield* nextKey(true, ESCAPE_MS);
    const ended = key === null || (key.ctrl && key.name === 'd');
    if (ended || key.name === 'return' || key.name === 'enter') {
      yield* out.write('\n');
      yield* out.flush();
      return ended && typed === '' ? null : typed;
    }
    if (key.name === 'backspace') typed = [...typed].slice(0, -1).join('');
    else if (key.ctrl && key.name === 'u') typed = '';
    else if (!key.ctrl && !key.meta && !key.sequence.startsWith('\u001b')) typed += key.sequence;
    if (Buffer.byteLength(typed) > limit) throw new LineTooLongError('question', limit, NOTHING);
  }
}
