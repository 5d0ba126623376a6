// journal.ts: what a simulated Redis has carried out, in order. It belongs to the test and survives every crash.
//
// Moments are counted in entries: `journal.length` is now. What a command found is known for each moment, so that a reply can be compared with what was
// true between its start and its end.

import { type Answer, Status } from './resp.ts';

export interface Entry {
  readonly index: number;
  /** Which life of the server: 1, 2, ... */
  readonly life: number;
  readonly session: number;
  readonly name: string;
  readonly args: readonly string[];
  readonly answer: Answer;
  /** The transaction that it is part of. */
  readonly transaction: number | undefined;
}

export class Journal {
  readonly entries: Entry[] = [];
  /** Where the memory was lost: the length of the journal at those crashes. */
  readonly losses: number[] = [];
  life = 0;
  #transactions = 0;
  #transaction: number | undefined;

  get length(): number {
    return this.entries.length;
  }

  add(session: number, name: string, args: readonly string[], answer: Answer): void {
    const index = this.entries.length;
    this.entries.push({ index, life: this.life, session, name, args, answer, transaction: this.#transaction });
  }

  begin(): void {
    this.#transactions += 1;
    this.#transaction = this.#transactions;
  }

  commit(): void {
    this.#transaction = undefined;
  }

  /** The server starts; `lost` if it has forgotten everything. */
  started(lost: boolean): void {
    this.life += 1;
    this.#transaction = undefined;
    if (lost && this.life > 1) this.losses.push(this.length);
  }

  /** What `key` held as a string at each moment from `start` to `end`. */
  valuesOf(key: string, start: number, end: number): Set<string | null> {
    let value: string | null = null;
    const values = new Set<string | null>();
    let losses = 0;
    for (let moment = 0; moment <= end; moment += 1) {
      while ((this.losses[losses] ?? Number.POSITIVE_INFINITY) <= moment) {
        if (moment >= start) values.add(value);
        value = null;
        losses += 1;
      }
      if (moment >= start) values.add(value);
      const entry = this.entries[moment];
      if (entry !== undefined) value = after(entry, key, value);
    }
    return values;
  }

  /** What was carried out with `token` as one of its arguments. */
  with(token: string): Entry[] {
    return this.entries.filter(({ args }) => args.includes(token));
  }
}

function after({ name, args, answer }: Entry, key: string, value: string | null): string | null {
  if (name === 'SET' && args[0] === key && answer instanceof Status) return args[1] as string;
  if (name === 'INCR' && args[0] === key && typeof answer === 'number') return String(answer);
  if (name === 'DEL' && args.includes(key)) return null;
  return value;
}
