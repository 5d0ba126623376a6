// ledger.ts: what the clients were told, compared with what the server has really done.
//
// Every value that is written is a token of its own. Of each command we know the moments (entries of the journal) between which it ran and how it ended:
//
//   done     the reply came: it was carried out once, between those moments, and the reply is what the server had found then
//   doubt    killed, timed out, or the connection was lost: it was carried out once or never
//   unsent   the client said that it has not sent it: it was never carried out
//
// Whatever does not fit is a breach, thrown by `check()`, which is called after every step: whoever found it may be killed, or caught.

import type { Entry, Journal } from './journal.ts';

export type Ending = 'done' | 'doubt' | 'unsent';

interface Told {
  readonly token: string;
  readonly start: number;
  readonly ending: Ending;
}

export class Ledger {
  readonly #journal: Journal;
  readonly #told: Told[] = [];
  /** Entries of the journal that are the answer to some command already. */
  readonly #claimed: Set<number> = new Set();
  readonly #popped: Set<string> = new Set();
  #doubtfulPops = 0;
  #increments = 0;
  #tokens = 0;
  #breach: Error | undefined;

  constructor(journal: Journal) {
    this.#journal = journal;
  }

  /** Throw what was found. */
  readonly check = (): void => {
    if (this.#breach !== undefined) throw this.#breach;
  };

  must(holds: boolean, promise: string): void {
    if (holds) return;
    const error = new Error(`broken promise: ${promise}`);
    this.#breach ??= error;
    throw error;
  }

  same(actual: unknown, expected: unknown, promise: string): void {
    const [is, should] = [JSON.stringify(actual), JSON.stringify(expected)];
    this.must(is === should, `${promise}: ${is}, not ${should}`);
  }

  /** This moment. */
  get now(): number {
    return this.#journal.length;
  }

  /** A value that nobody else writes. */
  token(about: string): string {
    this.#tokens += 1;
    return `${about}#${this.#tokens}`;
  }

  /** How a command that writes `token` has ended. */
  wrote(token: string, start: number, ending: Ending): void {
    this.#told.push({ token, start, ending });
    if (ending === 'done')
      this.must(this.#journal.with(token).length > 0, `what has succeeded was carried out: ${token}`);
  }

  /** A command that began at `start` found `value` in `key`. */
  found(key: string, value: string | null, start: number, about = key): void {
    this.must(value === null || value.startsWith(`${about}#`), `the reply belongs to its command: ${value} for ${key}`);
    const possible = this.#journal.valuesOf(key, start, this.now);
    this.must(possible.has(value), `${key} was ${[...possible].join(' or ')} while it was read, not ${value}`);
  }

  /** An INCR of `key` that began at `start` has ended. */
  incremented(key: string, start: number, ending: Ending, value?: unknown): void {
    if (ending !== 'unsent') this.#increments += 1;
    if (ending === 'done') this.#claim('INCR', key, value, start);
  }

  /** Which of the commands that were carried out since `start` was answered with `answer`? One that nobody else has had the answer of. */
  #claim(name: string, key: string, answer: unknown, start: number): void {
    const fits = (entry: Entry): boolean =>
      entry.name === name && entry.args[0] === key && entry.answer === answer && !this.#claimed.has(entry.index);
    const entry = this.#journal.entries.slice(start).find(fits);
    this.must(
      entry !== undefined,
      `each reply belongs to one command: no ${name} ${key} was answered ${String(answer)}`,
    );
    if (entry !== undefined) this.#claimed.add(entry.index);
  }

  /** An element came out of the list `key`. */
  popped(key: string, element: string): void {
    this.must(element.startsWith(`${key}#`), `the element belongs to its list: ${element} of ${key}`);
    this.must(!this.#popped.has(element), `an element is delivered once: ${element}`);
    this.#popped.add(element);
  }

  /** A pop that may have taken an element with it. */
  poppedInDoubt(): void {
    this.#doubtfulPops += 1;
  }

  /** Everything is over. */
  close(): void {
    for (const told of this.#told) this.#judge(told);
    this.#judgePops();
    const increments = this.#journal.entries.filter(({ name }) => name === 'INCR').length;
    this.must(increments <= this.#increments, `${increments} INCRs were carried out and ${this.#increments} were sent`);
    this.#judgeTransactions();
    this.#judgeCount();
  }

  #judge({ token, start, ending }: Told): void {
    const entries = this.#journal.with(token);
    const times = new Set(entries.map(({ transaction, index }) => transaction ?? -index)).size;
    if (ending === 'done') this.must(times === 1, `${token}, which has succeeded, was carried out ${times} times`);
    if (ending === 'doubt') this.must(times <= 1, `${token}, which is in doubt, was carried out ${times} times`);
    if (ending === 'unsent') this.must(times === 0, `${token}, which was not sent, was carried out ${times} times`);
    for (const { index } of entries) this.must(index >= start, `${token} was carried out before it was asked for`);
  }

  /** An element is delivered, or in its list, or was lost with an error. */
  #judgePops(): void {
    const taken = new Set<string>();
    for (const { name, answer } of this.#journal.entries)
      if (name === 'BLPOP' && Array.isArray(answer)) taken.add(answer[1] as string);
    for (const element of this.#popped)
      this.must(taken.delete(element), `${element}, which was received, was delivered`);
    const lost = `${taken.size} elements are lost (${[...taken].join(', ')})`;
    this.must(taken.size <= this.#doubtfulPops, `${lost}, but ${this.#doubtfulPops} pops are in doubt`);
  }

  /** A transaction is carried out as one, with nothing in between. */
  #judgeTransactions(): void {
    const transactions = new Map<number, Entry[]>();
    for (const entry of this.#journal.entries) {
      const { transaction } = entry;
      if (transaction === undefined) continue;
      const entries = transactions.get(transaction) ?? [];
      entries.push(entry);
      transactions.set(transaction, entries);
    }
    for (const entries of transactions.values()) {
      const [first] = entries as [Entry];
      const token = first.args[1] as string;
      const shape = entries.map(({ name, args }) => [name, ...args].join(' '));
      const expected =
        first.args[0] === 'w' ? [`SET w ${token}`] : [`SET x ${token}`, `SET y ${token}`, 'INCR m', 'GET x'];
      this.same(shape, expected, 'a transaction is what was asked for');
    }
  }

  /** `w` is only ever changed by one who has seen its last value. */
  #judgeCount(): void {
    const { entries, losses } = this.#journal;
    let last = 0;
    let loss = 0;
    for (const { index, name, args } of entries) {
      while ((losses[loss] ?? Number.POSITIVE_INFINITY) <= index) {
        last = 0;
        loss += 1;
      }
      if (name !== 'SET' || args[0] !== 'w') continue;
      this.same(args[1], `w#${last + 1}`, 'no update is lost');
      last += 1;
    }
  }
}
