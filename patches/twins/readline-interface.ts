// readline-interface.ts: the twin of readline.Interface: Node's own, whose questions and lines are Ops.
//
// Everything that does not wait (events, prompt, write, pause, history) is inherited. Lines are kept from the beginning until somebody takes them, so none is lost between two
// waits; with 1,024 of them the input is paused. While a listener for 'line' of the program's own is there, lines are its own, and none is kept.
//
// Invariants, between any two steps:
//   a greenlet waits for a line   implies  no line is kept, and the interface is not closed
//   a greenlet waits for an answer implies  Node's question is asked

/// <reference lib="esnext.disposable" preserve="true" />

import readline from 'node:readline';
import { BusyError, ClosedError } from '../../core/errors.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Waitable, WaitDescription } from '../../core/op.ts';
import { created } from '../../core/unstarted.ts';
import type { Waiter } from '../../core/wait-list.ts';
import { checkOptions, own } from '../../io/address.ts';
import { abortable } from './abortable.ts';
import { text } from './argument-checks.ts';
import { converted } from './converted.ts';

const MOST_KEPT = 1024;

type Step = IteratorResult<string, undefined>;
type Inherited = Omit<readline.Interface, 'question' | typeof Symbol.asyncIterator | typeof Symbol.dispose>;
type Arguments = [input: readline.ReadLineOptions | NodeJS.ReadableStream, ...rest: unknown[]];
// Its methods that would not fit are taken away from the type: `question` takes a callback there.
const NodeInterface = readline.Interface as unknown as new (...args: Arguments) => Inherited;
const ask = readline.Interface.prototype.question as unknown as (
  this: unknown,
  query: string,
  options: { readonly signal: AbortSignal },
  answered: (line: string) => void,
) => void;

export interface QuestionOptions {
  /** Takes the question back, with AbortError. */
  readonly signal?: AbortSignal | undefined;
}

/** Lines of a stream, and questions to whoever writes them. createInterface() makes them. */
export class Interface extends NodeInterface {
  /** Node's iterator loses lines between two waits: forEach takes next(). */
  declare readonly [Symbol.asyncIterator]: undefined;
  readonly #lines: Lines;

  constructor(...args: Arguments) {
    super(...args);
    this.#lines = new Lines(this);
  }

  /**
   * Write `query`, and wait for a line, which is returned without its end.
   *
   * Switches, unless a line has been kept. If it throws, the question has been taken back, and no line was taken.
   *
   * @throws ClosedError if the interface is closed, or is closed while we wait. @throws BusyError if another greenlet is waiting. @throws AbortError if `signal`
   * aborts. @throws TypeError at the call. @throws Killed
   */
  question(query: string, options?: QuestionOptions): Waitable<string> {
    const where = 'question';
    const signal = own<AbortSignal>(checkOptions(options, where), 'signal');
    return abortable(created(new Question(this.#lines, text(query, where) as string)), signal, where);
  }

  /** Wait for the next line, without its end; null when there are no more. Switches, unless one has been kept. @throws BusyError @throws Killed */
  readLine(): Waitable<string | null> {
    return created(new NextLine(this.#lines));
  }

  /** As readLine(), as iterators have it: for forEach. */
  next(): Waitable<Step> {
    const value = (line: string | null): Step =>
      line === null ? { done: true, value: undefined } : { done: false, value: line };
    return converted(new NextLine(this.#lines), value);
  }

  /** What a loop that is left calls: close it, and drop the lines that have been kept. */
  return(): Step {
    this.close();
    this.#lines.drop();
    return { done: true, value: undefined };
  }

  /** `using`: close at the end of the block. */
  [Symbol.dispose](): void {
    this.close();
  }
}
Object.defineProperty(Interface.prototype, Symbol.asyncIterator, { value: undefined });

/** The lines that have come and that nobody has taken, and who waits. */
class Lines {
  readonly of: Interface;
  closed = false;
  waiting: { readonly name: string; readonly settle: (line: string | null) => void } | undefined = undefined;
  readonly #kept: string[] = [];
  #paused = false;

  constructor(of: Interface) {
    this.of = of;
    const emitter = of as unknown as NodeJS.EventEmitter;
    emitter.on('line', (line: string) => this.#came(line));
    emitter.on('close', () => {
      this.closed = true;
      this.waiting?.settle(null);
    });
  }

  #came(line: string): void {
    if (this.waiting !== undefined) {
      this.waiting.settle(line);
      return;
    }
    if ((this.of as unknown as NodeJS.EventEmitter).listenerCount('line') > 1) return;
    this.#kept.push(line);
    if (this.#kept.length < MOST_KEPT || this.#paused || this.closed) return;
    this.#paused = true;
    this.of.pause();
  }

  /** Take a line that was kept. */
  take(): string | undefined {
    const line = this.#kept.shift();
    if (this.#paused && this.#kept.length === 0 && !this.closed) {
      this.#paused = false;
      this.of.resume();
    }
    return line;
  }

  drop(): void {
    this.#kept.length = 0;
  }

  requireFree(what: string): void {
    if (this.waiting !== undefined)
      throw new BusyError(
        `${what} on an interface of readline, from which ${this.waiting.name} is reading: one at a time`,
      );
  }
}

abstract class LineWait<T> extends ExternalWait<T> {
  protected readonly lines: Lines;
  protected abstract readonly what: string;
  constructor(lines: Lines) {
    super();
    this.lines = lines;
  }

  override enlist(waiter: Waiter): void {
    this.lines.requireFree(this.what);
    this.lines.waiting = { name: waiter.owner().name, settle: () => {} };
    super.enlist(waiter);
  }

  /** Have `settle` called with the next line, or null at the end; once. */
  protected wait(ticket: Ticket<T>, settle: (line: string | null) => void, takeBack: () => void): void {
    const { lines } = this;
    const name = lines.waiting?.name ?? '';
    lines.waiting = {
      name,
      settle: (line) => {
        lines.waiting = undefined;
        settle(line);
      },
    };
    ticket.onRetract = () => {
      lines.waiting = undefined;
      ticket.withdraw();
      takeBack();
    };
  }

  describe(): WaitDescription {
    return { op: this.what, object: 'an interface of readline' };
  }
}

class NextLine extends LineWait<string | null> {
  protected readonly what = 'readLine';

  override look(): boolean {
    this.lines.requireFree(this.what);
    const line = this.lines.take();
    if (line === undefined && !this.lines.closed) return false;
    readyResult.value = line ?? null;
    return true;
  }

  protected begin(ticket: Ticket<string | null>): void {
    this.wait(
      ticket,
      (line) => ticket.resolve(line),
      () => {},
    );
  }
}

class Question extends LineWait<string> {
  protected readonly what = 'question';
  readonly #query: string;
  constructor(lines: Lines, query: string) {
    super(lines);
    this.#query = query;
  }

  override look(): boolean {
    this.lines.requireFree(this.what);
    const line = this.lines.take();
    if (line === undefined) {
      if (this.lines.closed) throw closedError();
      return false;
    }
    // Whoever answers before being asked is shown the question all the same.
    (this.lines.of as unknown as { readonly output?: NodeJS.WritableStream }).output?.write(this.#query);
    readyResult.value = line;
    return true;
  }

  protected begin(ticket: Ticket<string>): void {
    const controller = new AbortController();
    const { lines } = this;
    const settle = (line: string | null): void => {
      if (line === null) ticket.rejectWith(closedError);
      else ticket.resolve(line);
    };
    this.wait(ticket, settle, () => controller.abort());
    try {
      ask.call(lines.of, this.#query, { signal: controller.signal }, (line) => lines.waiting?.settle(line));
    } catch (error) {
      lines.waiting = undefined;
      throw error;
    }
  }
}

function closedError(): ClosedError {
  return new ClosedError('question on an interface of readline that is closed');
}
