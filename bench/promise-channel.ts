// promise-channel.ts: channel and queue written by hand over native promises: what one would write without a library.
//
// Not a product: no close, no errors, no cancellation; each would make it slower. As `async` methods they would cost a third more; shared
// executors and values returned without a promise gained nothing. Waiters stand in plain arrays: in these benchmarks there are few of them at a
// time, or they are never woken.

interface Sender<T> {
  readonly value: T;
  readonly sent: () => void;
}

/** An unbuffered channel. */
export class PromiseChannel<T> {
  readonly #receivers: ((value: T) => void)[] = [];
  readonly #senders: Sender<T>[] = [];

  send(value: T): Promise<void> {
    const receiver = this.#receivers.shift();
    if (receiver === undefined) return new Promise((sent) => this.#senders.push({ value, sent }));
    receiver(value);
    return Promise.resolve();
  }

  receive(): Promise<T> {
    const sender = this.#senders.shift();
    if (sender === undefined) return new Promise((receiver) => this.#receivers.push(receiver));
    sender.sent();
    return Promise.resolve(sender.value);
  }

  enlist(receiver: (value: T) => void): void {
    this.#receivers.push(receiver);
  }

  retract(receiver: (value: T) => void): void {
    const at = this.#receivers.indexOf(receiver);
    if (at >= 0) this.#receivers.splice(at, 1);
  }
}

/** An unbounded queue: `push` never waits. */
export class PromiseQueue<T> {
  readonly #receivers: ((value: T) => void)[] = [];
  readonly #values: T[] = [];

  push(value: T): void {
    const receiver = this.#receivers.shift();
    if (receiver === undefined) this.#values.push(value);
    else receiver(value);
  }

  take(): Promise<T> {
    if (this.#values.length === 0) return new Promise((receiver) => this.#receivers.push(receiver));
    return Promise.resolve(this.#values.shift() as T);
  }
}

/** Receive from the first of several channels that has a value: one waiter on all, taken out of the losers. Senders that wait are not looked at. */
export function selectReceive<T>(channels: readonly PromiseChannel<T>[]): Promise<T> {
  return new Promise((resolve) => {
    const receiver = (value: T): void => {
      for (const channel of channels) channel.retract(receiver);
      resolve(value);
    };
    for (const channel of channels) channel.enlist(receiver);
  });
}
