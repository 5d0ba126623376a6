// managed-classes.ts: the classes that tests of the manager put into it.
import { writeFileSync } from 'node:fs';
import { Condition, current, Mutex, type Op, sleep } from 'tendril';
import { caller, defineManaged } from 'tendril/executors/manager';

class OddError extends RangeError {
  readonly code = 'ERR_ODD';
  readonly detail = 7;
}

class Counter {
  #count: number;
  #trace: string[] = [];
  constructor(count = 0) {
    if (count < 0) throw new RangeError('a counter begins at 0 or more');
    this.#count = count;
  }
  increment(by = 1): number {
    this.#count += by;
    return this.#count;
  }
  async later(by: number): Promise<number> {
    await null;
    return this.increment(by);
  }
  /** Read, wait, write: what nobody may come between. */
  *slowly(by: number, waitMs: number): Op<number> {
    const seen = this.#count;
    yield* sleep(waitMs);
    this.#count = seen + by;
    return this.#count;
  }
  *waitLong(): Op<void> {
    this.#trace.push('waits');
    try {
      yield* sleep(1e6);
    } finally {
      this.#trace.push(`killed: ${current().killed}`);
    }
  }
  trace(): readonly string[] {
    return this.#trace;
  }
  client(): number {
    return caller().id;
  }
  *clientLater(): Op<number> {
    yield* sleep(0);
    return caller().id;
  }
  fail(): never {
    throw new OddError('odd', { cause: new Error('why') });
  }
  *failLater(): Op<never> {
    yield* sleep(0);
    throw { not: 'an error' };
  }
  async reject(): Promise<never> {
    throw new TypeError('rejected');
  }
  unclonable(): unknown {
    return { f: () => 1 };
  }
  /** An object of so many levels. */
  nested(depth: number): object {
    let value: object = {};
    for (let i = 0; i < depth; i += 1) value = { value };
    return value;
  }
  exit(code: number): void {
    process.exit(code);
  }
  spin(): void {
    for (;;);
  }
  echo<T>(value: T): T {
    return value;
  }
  get secret(): number {
    return 5;
  }
  _private(): number {
    return 6;
  }
}

/** An account whose methods wait for each other, across clients. */
class Account {
  #balance = 0;
  readonly #lock: Mutex = new Mutex();
  readonly #changed: Condition = new Condition(this.#lock);
  *deposit(amount: number): Op<number> {
    yield* this.#lock.acquire();
    try {
      const seen = this.#balance;
      yield* sleep(0);
      this.#balance = seen + amount;
      this.#changed.notifyAll();
      return this.#balance;
    } finally {
      this.#lock.release();
    }
  }
  *withdraw(amount: number): Op<number> {
    yield* this.#lock.acquire();
    try {
      while (this.#balance < amount) yield* this.#changed.wait();
      this.#balance -= amount;
      return this.#balance;
    } finally {
      this.#lock.release();
    }
  }
}

class Disposed {
  readonly #file: string;
  constructor(file: string) {
    this.#file = file;
  }
  touch(): void {}
  [Symbol.dispose](): void {
    writeFileSync(this.#file, 'disposed');
  }
}

export const managed = defineManaged(import.meta.url, { Counter, Account, Disposed });
