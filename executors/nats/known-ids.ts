// known-ids.ts: ids that were seen not long ago: the latest so many, so that a worker that runs for years does not remember all of them.
//
// What is forgotten is only done once more, which at-least-once allows.

export class KnownIds {
  readonly #ids: Set<string> = new Set();
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  add(id: string): void {
    this.#ids.delete(id);
    this.#ids.add(id);
    if (this.#ids.size <= this.#most) return;
    for (const oldest of this.#ids) {
      this.#ids.delete(oldest);
      return;
    }
  }

  has(id: string): boolean {
    return this.#ids.has(id);
  }
}
