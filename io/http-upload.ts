// http-upload.ts: the body of a request that comes in pieces.
//
// The greenlet that makes the request produces the pieces itself: its iterable is advanced, its function is run (http-content.ts says how), in the greenlet
// and nowhere else.
// A pipe stands between it and undici, which asks for the next piece when the connection has room: so a slow server slows the greenlet, and at
// most one piece is on its way.
//
// A server may answer before it has all of the body. We go on sending until the answer is complete or the connection is gone; then the rest is not
// wanted, which is no error.
//
// Invariants, between any two calls:
//   a writer waits  implies  undici asks for nothing, and more is wanted
//   at most one of: undici asks, a writer waits

import { typeError } from '../core/bad-argument.ts';
import { BusyError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { readyResult } from '../core/kernel.ts';
import { nameOf, type Op, type Resume, type Trap, type Waitable, type WaitDescription } from '../core/op.ts';
import { LAZY } from '../core/status.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter } from '../core/wait-list.ts';
import { Exchange } from './http-exchange.ts';
import type { ExchangeContext, Outgoing } from './http-outgoing.ts';
import type { Response } from './http-response.ts';

/** A piece of a body. */
export type Piece = string | Uint8Array;
/** Takes the pieces of a body from the function that makes them. */
export interface BodyWriter {
  /**
   * Send a piece, waiting until the connection has room. False: the server has answered and wants no more; stop.
   *
   * Switches if there is no room. If it throws, the piece was not sent. @throws TypeError if it is neither a string nor bytes.
   */
  write(piece: Piece): Waitable<boolean>;
}
/** How to make a body while it is sent. */
export interface UploadPlan {
  /** Can it be made again? */
  readonly replayable: boolean;
  /** How many bytes it has, if that is known. */
  readonly length: number | undefined;
  /** Find out, where it takes a wait. */
  readonly measure?: (() => Op<number | undefined>) | undefined;
  /** Write all of it, or until the writer says that no more is wanted. */
  write(writer: BodyWriter): Op<unknown>;
}

type Pull = (result: IteratorResult<Uint8Array>) => void;
const NO_MORE: IteratorReturnResult<undefined> = { done: true, value: undefined };

export class UploadPipe implements AsyncIterableIterator<Uint8Array>, BodyWriter {
  exchange: Exchange | undefined = undefined;
  /** How many bytes will come, if that is known. */
  readonly length: number | undefined;
  #pull: Pull | undefined = undefined;
  #waiter: Waiter | undefined = undefined;
  #wanted = true;

  constructor(length: number | undefined) {
    this.length = length;
  }

  write(piece: Piece): Waitable<boolean> {
    return new PipeWrite(this, bytesOf(piece));
  }

  /** There are no more pieces. */
  end(): void {
    this.#wanted = false;
    this.#answerPull();
  }

  /** Nobody takes any more: the exchange is over. */
  wantNoMore(): void {
    this.#wanted = false;
    this.#answerPull();
    if (this.#waiter === undefined) return;
    const exchange = this.exchange as Exchange;
    const waiter = this.#detach();
    const failed = exchange.error() !== undefined;
    if (failed) waiter.fire(() => exchange.error(), LAZY);
    else waiter.fire(false, 0);
  }

  // ---- undici's side

  next(): Promise<IteratorResult<Uint8Array>> {
    if (!this.#wanted) return Promise.resolve(NO_MORE);
    if (this.#waiter !== undefined) {
      const value = this.#waiter.value as Uint8Array;
      this.#detach().fire(true, 0);
      return Promise.resolve({ done: false, value });
    }
    return new Promise((resolve) => {
      this.#pull = resolve;
    });
  }

  return(): Promise<IteratorResult<Uint8Array>> {
    this.#wanted = false;
    return Promise.resolve(NO_MORE);
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  // ---- the writer's side

  /** @internal */
  look(piece: Uint8Array, greenlet: Greenlet): boolean {
    const exchange = this.exchange as Exchange;
    if (exchange.fresh) exchange.begin(greenlet.scope.scheduler);
    const error = exchange.error();
    if (error !== undefined) throw error;
    if (this.#waiter !== undefined) throw new BusyError(`two greenlets write the body of ${exchange.toString()}`);
    if (!this.#wanted || piece.length === 0) {
      readyResult.value = this.#wanted;
      return true;
    }
    const pull = this.#pull;
    if (pull === undefined) return false;
    this.#pull = undefined;
    pull({ done: false, value: piece });
    readyResult.value = true;
    return true;
  }

  /** @internal */
  enlist(piece: Uint8Array, waiter: Waiter): void {
    waiter.value = piece;
    this.#waiter = waiter;
    if (this.#external) waiter.owner().scope.scheduler.externalStarted();
  }

  /** @internal */
  retract(): void {
    this.#detach();
  }

  #detach(): Waiter {
    const waiter = this.#waiter as Waiter;
    this.#waiter = undefined;
    if (this.#external) waiter.owner().scope.scheduler.externalEnded();
    return waiter;
  }

  get #external(): boolean {
    return (this.exchange as Exchange).external;
  }

  #answerPull(): void {
    const pull = this.#pull;
    this.#pull = undefined;
    pull?.(NO_MORE);
  }
}

class PipeWrite extends Wait<boolean> {
  readonly #pipe: UploadPipe;
  readonly #piece: Uint8Array;
  constructor(pipe: UploadPipe, piece: Uint8Array) {
    super();
    this.#pipe = pipe;
    this.#piece = piece;
  }
  look(greenlet: Greenlet): boolean {
    return this.#pipe.look(this.#piece, greenlet);
  }
  enlist(waiter: Waiter): void {
    this.#pipe.enlist(this.#piece, waiter);
  }
  retract(): void {
    this.#pipe.retract();
  }
  describe(): WaitDescription {
    return { op: 'send body', object: this.#pipe.exchange?.toString() ?? 'http request' };
  }
}

/** Send `message` with a body that is made meanwhile: all of it, then wait for the response. */
export function* upload(
  message: Outgoing,
  plan: UploadPlan,
  context: ExchangeContext,
  limitMs: number,
): Generator<Trap, Response, Resume> {
  const length: number | undefined = plan.length ?? (plan.measure === undefined ? undefined : yield* plan.measure());
  const pipe = new UploadPipe(length);
  const exchange = new Exchange(message, pipe, context, limitMs);
  pipe.exchange = exchange;
  try {
    yield* plan.write(pipe) as Op<unknown>;
    pipe.end();
    return yield* exchange;
  } catch (error) {
    // An answer that came before the connection was lost is worth more than the rest of the body.
    if (exchange.answered && exchange.error() === error) return yield* exchange;
    exchange.abandon();
    throw error;
  }
}

function bytesOf(piece: unknown): Uint8Array {
  if (typeof piece === 'string') return Buffer.from(piece);
  if (piece instanceof Uint8Array) return piece;
  throw typeError(`a piece of a body is a string or a Uint8Array, not ${nameOf(piece)}`);
}
