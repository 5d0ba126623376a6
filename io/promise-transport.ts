// promise-transport.ts: a Transport over what answers with promises: streams of the web, async iterables.
//
// A source is asked for one chunk after the other, until the Socket has enough; a target is given one chunk after the other, as they come, and each counts
// as unsent until its promise says that it was taken. So a slow reader slows the source, and a slow target the writer.
//
// Each is given up once: a source is cancelled unless it has ended or failed, a target is aborted unless it has closed or failed. What they say to
// that concerns nobody. No promise of theirs is left without somebody who listens.
//
// Invariants, between any two callbacks:
//   asking   implies  exactly one promise of the source is pending
//   asking or paused or the source is over, from start() to destroy()

import { typeError } from '../core/bad-argument.ts';
import { nameOf } from '../core/op.ts';
import { Address } from './address.ts';
import type { WriteProgress } from './errors.ts';
import { StreamError } from './framing-errors.ts';
import type { Transport, TransportSink } from './transport.ts';
import { bytesOf, pieceOf } from './writable.ts';

// Taken at load: patches never reach us.
const { setImmediate } = globalThis;

/** So many chunks are taken without giving the event loop a turn. */
const MOST_IN_A_ROW = 256;

const ignore = (): void => {};

/** What chunks come from. */
export interface PromiseSource {
  /** Ask for the next chunk. */
  next(): PromiseLike<{ readonly done?: boolean | undefined; readonly value?: unknown }>;
  /** No more is wanted. */
  cancel(): unknown;
}

/** What chunks go to. */
export interface PromiseTarget {
  write(bytes: Uint8Array): PromiseLike<unknown>;
  /** There is no more. */
  close(): PromiseLike<unknown>;
  /** Give up. */
  abort(): unknown;
}

export class PromiseTransport implements Transport {
  readonly external = true;
  readonly name: string;
  readonly localAddress: Address;
  readonly remoteAddress: Address;
  #unsent = 0;
  failure: unknown = undefined;
  readonly #source: PromiseSource | undefined;
  readonly #target: PromiseTarget | undefined;
  #sink: TransportSink | undefined = undefined;
  #started = false;
  #asking = false;
  #paused = false;
  #inARow = 0;
  /** Nothing more will come; everything has gone. */
  #sourceOver: boolean;
  #targetOver: boolean;
  /** The target has failed, or was aborted. */
  #targetBroken = false;
  #ending = false;
  #failed = false;

  constructor(name: string, source: PromiseSource | undefined, target: PromiseTarget | undefined) {
    this.name = name;
    this.localAddress = new Address('', 0, name);
    this.remoteAddress = this.localAddress;
    this.#source = source;
    this.#target = target;
    this.#sourceOver = source === undefined;
    this.#targetOver = target === undefined;
  }

  /** Until the target has closed, its end counts as a byte: so flush() after end() waits for it, and learns what goes wrong with it. */
  get unsent(): number {
    return this.#unsent + (this.#ending && !this.#targetOver ? 1 : 0);
  }

  lost(what: string, cause: unknown, progress: WriteProgress): Error {
    return new StreamError(what, cause, progress);
  }

  start(sink: TransportSink): void {
    const started = this.#started;
    this.#started = true;
    this.#sink = sink;
    if (started) return;
    if (this.#sourceOver) Promise.resolve().then(() => this.#ended());
    else this.#ask();
  }

  resume(): void {
    if (!this.#paused) return;
    this.#paused = false;
    this.#ask();
  }

  write(bytes: string | Uint8Array): void {
    const target = this.#target;
    if (target === undefined || this.#sink === undefined || this.failure !== undefined) return;
    const piece = bytesOf(bytes);
    this.#unsent += piece.length;
    settle(
      () => target.write(piece),
      () => {
        if (this.#failed) return;
        this.#unsent -= piece.length;
        this.#sink?.taken();
      },
      (error) => this.#targetFailed(error),
    );
  }

  cork(): void {}

  uncork(): void {}

  end(): void {
    const target = this.#target;
    if (this.#ending || this.#sink === undefined || this.failure !== undefined) return;
    this.#ending = true;
    if (target === undefined) return;
    settle(
      () => target.close(),
      () => {
        this.#targetOver = true;
        this.#sink?.taken();
        this.#closeIfOver();
      },
      (error) => this.#targetFailed(error),
    );
  }

  destroy(): void {
    this.#sink = undefined;
    this.#giveUp();
  }

  #ask(): void {
    const source = this.#source;
    if (source === undefined || this.#asking || this.#paused || this.#sourceOver || this.#sink === undefined) return;
    this.#asking = true;
    this.#inARow += 1;
    if (this.#inARow > MOST_IN_A_ROW) {
      // A source that has all its chunks at hand would keep the event loop from everything else.
      this.#inARow = 0;
      setImmediate(() => this.#askNow(source));
    } else {
      this.#askNow(source);
    }
  }

  #askNow(source: PromiseSource): void {
    if (this.#sourceOver) return;
    settle(
      () => source.next(),
      (step) => this.#answered(step as IteratorResult<unknown>),
      (error) => this.#sourceFailed(error),
    );
  }

  #answered(step: { readonly done?: boolean | undefined; readonly value?: unknown }): void {
    this.#asking = false;
    if (this.#sink === undefined || this.#sourceOver) return;
    if (typeof step !== 'object' || step === null) {
      this.#fail(typeError(`${this.name} gave ${nameOf(step)} in place of a chunk`));
      return;
    }
    if (step.done === true) {
      this.#sourceOver = true;
      this.#ended();
      return;
    }
    let bytes: Buffer;
    try {
      bytes = bytesOf(pieceOf(step.value, `reading ${this.name}`));
    } catch {
      this.#fail(typeError(`${this.name} gave ${nameOf(step.value)}, which is neither text nor bytes`));
      return;
    }
    if (bytes.length > 0) this.#paused = !this.#sink.received(bytes, bytes.length, false);
    this.#ask();
  }

  #ended(): void {
    this.#sink?.ended();
    this.#closeIfOver();
  }

  #sourceFailed(error: unknown): void {
    this.#asking = false;
    if (this.#sourceOver) return;
    this.#sourceOver = true;
    this.#fail(error);
  }

  #targetFailed(error: unknown): void {
    this.#targetBroken = true;
    this.#fail(error);
  }

  #fail(error: unknown): void {
    if (this.#failed) return;
    this.#failed = true;
    this.failure = error ?? new Error('failed without an error');
    const sink = this.#sink;
    this.#sink = undefined;
    this.#giveUp();
    sink?.failed(error);
    this.#targetOver = true;
    // Not before: what had not left when it failed is what `unsent` says then.
    this.#unsent = 0;
    sink?.closed();
  }

  /** Tell the source and the target, if they are not over, that nothing more is wanted or will come. */
  #giveUp(): void {
    if (!this.#sourceOver) {
      this.#sourceOver = true;
      settle(() => this.#source?.cancel(), ignore, ignore);
    }
    if (!this.#targetOver && !this.#targetBroken) {
      this.#targetBroken = true;
      settle(() => this.#target?.abort(), ignore, ignore);
    }
  }

  #closeIfOver(): void {
    if (this.#sourceOver && this.#targetOver && this.#sink !== undefined) {
      const sink = this.#sink;
      this.#sink = undefined;
      sink.closed();
    }
  }
}

/** Call `start`, and one of the others when its promise is settled. Not all foreign streams keep to promises: what throws has failed, what is none is done. */
function settle(start: () => unknown, done: (value: unknown) => void, failed: (error: unknown) => void): void {
  let promise: Promise<unknown>;
  try {
    promise = Promise.resolve(start());
  } catch (error) {
    promise = Promise.reject(error);
  }
  promise.then(done, failed);
}
