// tally.ts: what one part of the demo has done: how many requests, how they ended, how long they took.
//
// It counts what happened; what should have happened stands beside it, so that the table can say whether the two agree.

export class Tally {
  readonly name: string;
  readonly #latenciesMs: number[] = [];
  readonly #endings: Map<string, number> = new Map();

  constructor(name: string) {
    this.name = name;
  }

  ok(latencyMs: number): void {
    this.#latenciesMs.push(latencyMs);
    this.failed('ok');
  }

  /** Count an ending that is no success, by its kind. */
  failed(kind: string): void {
    this.#endings.set(kind, (this.#endings.get(kind) ?? 0) + 1);
  }

  get requests(): number {
    return [...this.#endings.values()].reduce((sum, count) => sum + count, 0);
  }

  /** How often each kind of ending happened, in alphabetical order but for `ok`, which is first. */
  endings(): Record<string, number> {
    const { ok = 0, ...others } = Object.fromEntries([...this.#endings].sort(([a], [b]) => a.localeCompare(b)));
    return { ok, ...others };
  }

  /** The latency that `share` of the successful requests stayed under. */
  percentileMs(share: number): number {
    const sorted = this.#latenciesMs.toSorted((a, b) => a - b);
    return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? Number.NaN;
  }
}
