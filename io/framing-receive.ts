// framing-receive.ts: `receive()` of a framed stream: one indivisible wait for a whole value, however many pieces it comes in.
//
// On a stream of ours it is one more way to read: what has come stays in the stream's buffer until a value is taken from it.
//
// Any other stream gives its bytes by reads that are waits of their own. One of ours stands in one of them after the other, in one go for whoever waits,
// and keeps what they gave. So a kill in between loses nothing, although half of a value has been read.
//
// Invariants, between any two steps:
//   a greenlet waits in a ReceiveByReads  implies  it is enlisted with exactly one read, and what is kept is no whole value
// Source: S6.

import { typeError } from '../core/bad-argument.ts';
import { BusyError } from '../core/errors.ts';
import type { Greenlet } from '../core/greenlet.ts';
import { readyResult } from '../core/kernel.ts';
import { nameOf, type WaitDescription } from '../core/op.ts';
import { FAILED, LAZY, type Outcome } from '../core/status.ts';
import { Wait } from '../core/wait.ts';
import type { Waiter } from '../core/wait-list.ts';
import type { ByteReader } from './byte-streams.ts';
import type { FrameDecoder } from './codec.ts';
import { type Attempt, Inbound, MORE, ReadWait, result, TAKEN } from './inbound.ts';
import { ReadBuffer } from './read-buffer.ts';
import { bytesOf } from './writable.ts';

/** `receive()` from a stream of ours: one more way to read. */
class ReceiveFrame<Out> extends ReadWait<Out | null> {
  readonly op = 'receive';
  readonly #decoder: FrameDecoder<Out>;

  constructor(inbound: Inbound, decoder: FrameDecoder<Out>) {
    super(inbound);
    this.#decoder = decoder;
  }

  // Asked again after each attempt: a codec learns what it needs from what comes.
  get need(): number {
    return this.#decoder.need;
  }

  attempt(buffer: ReadBuffer, ended: boolean): Attempt {
    return this.#decoder.attempt(buffer, ended);
  }

  refusal(buffer: ReadBuffer): () => Error {
    return this.#decoder.refusal(buffer);
  }
}

/** `receive()` from a stream of others: as many of its reads as it takes, in one wait. What they gave is kept here. */
class ReceiveByReads<Out> extends Wait<Out | null> {
  readonly reader: ByteReader;
  readonly #decoder: FrameDecoder<Out>;
  readonly #buffer: ReadBuffer = new ReadBuffer();
  #ended = false;
  #reading: Waiter | undefined = undefined;

  constructor(reader: ByteReader, decoder: FrameDecoder<Out>) {
    super();
    this.reader = reader;
    this.#decoder = decoder;
  }

  look(greenlet: Greenlet): boolean {
    if (this.#reading !== undefined) throw this.#busy(greenlet);
    for (;;) {
      const attempt = this.attempt();
      if (attempt === TAKEN) {
        readyResult.value = result.value;
        result.value = undefined;
        return true;
      }
      if (attempt !== MORE) throw this.refusal()();
      if (!this.read().look(greenlet)) return false;
      this.add(readyResult.value);
    }
  }

  enlist(waiter: Waiter): void {
    if (this.#reading !== undefined) throw this.#busy(waiter.owner());
    const steps = new Steps(waiter, this as ReceiveByReads<unknown>);
    waiter.value = steps;
    this.#reading = waiter;
    try {
      steps.enlist(this.read());
    } catch (error) {
      this.#reading = undefined;
      throw error;
    }
  }

  retract(waiter: Waiter): void {
    this.#reading = undefined;
    (waiter.value as Steps).retract();
  }

  describe(): WaitDescription {
    return { op: 'receive', object: String(this.reader) };
  }

  /** The wait is over. */
  over(): void {
    this.#reading = undefined;
  }

  attempt(): Attempt {
    return this.#decoder.attempt(this.#buffer, this.#ended);
  }

  refusal(): () => Error {
    return this.#decoder.refusal(this.#buffer);
  }

  read(): Wait<Uint8Array | null> {
    const read: unknown = this.reader.read();
    if (read instanceof Wait) return read as Wait<Uint8Array | null>;
    throw typeError(`framed: read() of the stream gave ${nameOf(read)}, which is not one indivisible wait`);
  }

  /** Keep what a read gave. */
  add(chunk: unknown): void {
    if (chunk === null) this.#ended = true;
    else if (chunk instanceof Uint8Array) this.#buffer.add(bytesOf(chunk), chunk.length, false);
    else throw typeError(`framed: a read of the stream gave ${nameOf(chunk)}, which is neither bytes nor null`);
  }

  #busy(second: Greenlet): BusyError {
    const first = (this.#reading as Waiter).owner();
    return new BusyError(
      `receive by ${second.name} on ${String(this.reader)}, from which ${first.name} is receiving: one greenlet reads at a time`,
    );
  }
}

/** One wait for a value: it stands in one read of the stream after the other, until the value is whole. */
class Steps implements Waiter {
  next: Waiter | undefined = undefined;
  prev: Waiter | undefined = undefined;
  value: unknown = undefined;
  readonly #waiter: Waiter;
  readonly #receive: ReceiveByReads<unknown>;
  #read: Wait<unknown> | undefined = undefined;

  constructor(waiter: Waiter, receive: ReceiveByReads<unknown>) {
    this.#waiter = waiter;
    this.#receive = receive;
  }

  owner(): Greenlet {
    return this.#waiter.owner();
  }

  enlist(read: Wait<unknown>): void {
    // Before: it may fire at once.
    this.#read = read;
    read.enlist(this);
  }

  retract(): void {
    this.#read?.retract(this);
    this.#read = undefined;
  }

  fire(value: unknown, outcome: Outcome): void {
    this.#read = undefined;
    if (outcome !== 0) {
      this.#end(value, outcome);
      return;
    }
    try {
      this.#goOn(value);
    } catch (error) {
      this.#end(error, FAILED);
    }
  }

  #goOn(first: unknown): void {
    const receive = this.#receive;
    for (let chunk = first; ; ) {
      receive.add(chunk);
      const attempt = receive.attempt();
      if (attempt === TAKEN) {
        const { value } = result;
        result.value = undefined;
        this.#end(value, 0);
        return;
      }
      if (attempt !== MORE) {
        this.#end(receive.refusal(), LAZY);
        return;
      }
      const read = receive.read();
      // Whoever fired us may be in the middle of a look of its own.
      const kept = readyResult.value;
      const there = read.look(this.owner());
      chunk = readyResult.value;
      readyResult.value = kept;
      if (!there) {
        this.enlist(read);
        return;
      }
    }
  }

  #end(value: unknown, outcome: Outcome): void {
    this.#receive.over();
    this.#waiter.fire(value, outcome);
  }
}

/** The wait for the next value that `decoder` finds in `stream`. */
export function receiveFrom<Out>(stream: ByteReader, decoder: FrameDecoder<Out>): Wait<Out | null> {
  const { inbound } = stream as { readonly inbound?: unknown };
  return inbound instanceof Inbound ? new ReceiveFrame(inbound, decoder) : new ReceiveByReads(stream, decoder);
}
