// remote-receiving.ts: what one end of a channel across machines has been given and nobody has taken, and who waits here for more.
//
// The server is asked for as many values as greenlets wait, and `prefetch` besides, so an end that is asked for nothing takes nothing from others. A value is acknowledged in the moment in which
// a greenlet takes it. One that came for somebody who has gone meanwhile (killed, or another arm won) waits a moment for the next one here and is then handed back, and
// one that has lain too long to be ours is forgotten: the server gives it to somebody else.
//
// Invariants, between any two steps:
//   somebody waits  implies  nothing is buffered
//   ended  implies  nobody waits

import { Event } from '../../core/event.ts';
import { Fifo } from '../../core/fifo.ts';
import { readyResult } from '../../core/kernel.ts';
import type { Op } from '../../core/op.ts';
import { sleep } from '../../core/sleep.ts';
import { now } from '../../core/spawn.ts';
import { FAILED, LAZY } from '../../core/status.ts';
import { WaitList } from '../../core/wait-list.ts';
import { oldest } from '../channels/end-waits.ts';
import { decodeValue } from './encoding.ts';
import type { NatsLink } from './link.ts';
import type { Delivery } from './pull.ts';
import type { EndError } from './remote-sending.ts';

/** A value that came, or what came in its place, and until when it is ours. */
interface Incoming {
  readonly reply: string;
  readonly value: unknown;
  readonly error: Error | undefined;
  readonly oursUntilMs: number;
}

/** Where values come from. */
export interface ValueSource {
  want(count: number): void;
  handBack(reply: string): void;
}

/** How long a value that nobody here asks for any more is kept from others. */
const keptMs = 100;

export class RemoteReceiving {
  readonly receivers: WaitList = new WaitList();
  readonly label: () => string;
  readonly #buffer: Fifo<Incoming> = new Fifo();
  readonly #link: NatsLink;
  readonly #prefetch: number;
  readonly #source: ValueSource;
  /** Called when a value was taken. */
  readonly #taken: () => void;
  /** More is buffered than was to be. */
  readonly #surplus: Event = new Event({ name: 'of values that nobody has asked for' });
  #end: EndError | undefined = undefined;
  ackWaitMs = 30_000;

  constructor(link: NatsLink, prefetch: number, label: () => string, source: ValueSource, taken: () => void) {
    this.#link = link;
    this.#prefetch = prefetch;
    this.label = label;
    this.#source = source;
    this.#taken = taken;
  }

  get size(): number {
    return this.#buffer.size;
  }

  get ended(): boolean {
    return this.#end !== undefined;
  }

  /** Take the oldest value into `readyResult`; false if there is none. @throws the error of the end, or what came in a value's place. */
  take(op: string): boolean {
    this.#forgetOld();
    if (this.#buffer.size === 0) {
      if (this.#end !== undefined) throw this.#end(op);
      return false;
    }
    const incoming = this.#buffer.shift();
    this.#accept(incoming);
    this.asked();
    if (incoming.error !== undefined) throw incoming.error;
    readyResult.value = incoming.value;
    return true;
  }

  /** A receiver has come or gone, or a value was taken: ask for what there is room for. */
  asked(): void {
    if (this.#end === undefined)
      this.#source.want(this.receivers.size + Math.max(this.#prefetch - this.#buffer.size, 0));
  }

  /** A value has come. Called outside of every greenlet. */
  came(delivery: Delivery): void {
    const incoming = read(delivery, now() + 0.8 * this.ackWaitMs);
    const waiter = oldest(this.receivers);
    if (waiter === undefined) {
      if (this.#end !== undefined) {
        this.#source.handBack(delivery.reply);
        return;
      }
      this.#buffer.push(incoming);
      if (this.#buffer.size > this.#prefetch) this.#surplus.set();
      return;
    }
    this.#accept(incoming);
    if (incoming.error === undefined) waiter.fire(incoming.value, 0);
    else waiter.fire(incoming.error, FAILED);
    this.asked();
  }

  /** Nothing will come any more. What is buffered is still there, unless it is `lost`. */
  end(error: EndError, lost: boolean): void {
    this.#end ??= error;
    if (lost) this.handBackAll();
    for (let waiter = oldest(this.receivers); waiter !== undefined; waiter = oldest(this.receivers))
      waiter.fire(() => error('receive'), LAZY);
  }

  /** Give values that nobody here asks for to others, for ever. */
  *returning(): Op<void> {
    for (;;) {
      yield* this.#surplus.wait();
      yield* sleep(keptMs);
      this.#surplus.clear();
      while (this.#buffer.size > this.#prefetch) this.#source.handBack(this.#buffer.shift().reply);
    }
  }

  handBackAll(): void {
    while (this.#buffer.size > 0) this.#source.handBack(this.#buffer.shift().reply);
  }

  #accept({ reply, error }: Incoming): void {
    // What cannot be read by us cannot be read by the next one.
    this.#link.acknowledge(reply, error === undefined ? '+ACK' : '+TERM');
    this.#taken();
  }

  #forgetOld(): void {
    const at = now();
    while (this.#buffer.size > 0 && this.#buffer.peek().oursUntilMs < at) this.#buffer.shift();
  }

  /** Throw if an invariant does not hold. */
  check(): void {
    this.receivers.check();
    if (this.receivers.size > 0 && this.#buffer.size > 0) throw new Error('a receiver waits beside a value');
    if (this.ended && this.receivers.size > 0) throw new Error('a receiver waits at the end');
  }
}

function read({ data, reply }: Delivery, oursUntilMs: number): Incoming {
  try {
    const text = Buffer.from(data.buffer, data.byteOffset, data.byteLength).toString();
    return { reply, value: decodeValue(text), error: undefined, oursUntilMs };
  } catch (error) {
    return { reply, value: undefined, error: error as Error, oursUntilMs };
  }
}
