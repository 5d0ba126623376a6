// shrink.ts: make a failing list of choices as simple as it gets: shorter, and nearer to zeros.
//
// 0 is the mildest of every choice, so a list nearer to zeros is a run nearer to the boring one, and what is left in it is what the failure needs. A list
// that is cut in the middle means something else from there on; that is no harm, because every list is a run: what fails alike is kept.
//
// Passes, repeated until none helps or the attempts are used up: cut the end, set blocks to 0, cut blocks out, undo single decisions, lower single
// numbers.
// Source: Hypothesis' internal reduction (MacIver and Donaldson, ECOOP 2020), delta debugging (Zeller).

/** Does this list still fail in the same way? Returns the choices that were really made, or undefined if it does not. */
export type Attempt = (choices: readonly number[]) => Promise<readonly number[] | undefined>;

/** The simplest list that could be found in so many attempts. */
export async function shrink(failing: readonly number[], attempt: Attempt, mostAttempts: number): Promise<number[]> {
  const search = new Search(failing, attempt, mostAttempts);
  await search.run();
  return search.best;
}

class Search {
  best: number[];
  readonly #attempt: Attempt;
  #attemptsLeft: number;

  constructor(failing: readonly number[], attempt: Attempt, mostAttempts: number) {
    this.best = withoutTrailingZeros(failing);
    this.#attempt = attempt;
    this.#attemptsLeft = mostAttempts;
  }

  async run(): Promise<void> {
    let before: number[];
    do {
      before = this.best;
      await this.#cutEnd();
      await this.#blocks((list, at, size) => list.map((n, i) => (i >= at && i < at + size ? 0 : n)));
      await this.#blocks((list, at, size) => [...list.slice(0, at), ...list.slice(at + size)]);
      await this.#undoEach();
      await this.#lowerEach();
    } while (this.best !== before && this.#attemptsLeft > 0);
  }

  /** Keep as much of the beginning as is needed. */
  async #cutEnd(): Promise<void> {
    let enough = this.best.length;
    let tooFew = -1;
    while (enough - tooFew > 1) {
      const middle = (enough + tooFew) >> 1;
      if (await this.#try(this.best.slice(0, middle))) enough = Math.min(this.best.length, middle);
      else tooFew = middle;
      if (this.#attemptsLeft === 0) return;
    }
  }

  /** Try `change` on blocks of falling size, from the end. */
  async #blocks(change: (list: readonly number[], at: number, size: number) => number[]): Promise<void> {
    for (let size = 2 ** Math.floor(Math.log2(Math.max(this.best.length, 1))); size >= 1; size = size >> 1) {
      for (let at = this.best.length - size; at >= 0; at -= size) {
        if (this.best.slice(at, at + size).every((n) => n === 0) && size > 1) continue;
        await this.#try(change(this.best, at, size));
        if (this.#attemptsLeft === 0) return;
      }
    }
  }

  /** Undo single decisions together with the ones that came of them: who ran instead, and that one's own. */
  async #undoEach(): Promise<void> {
    for (let i = this.best.length - 1; i >= 0; i -= 1) {
      if (this.best[i] === 0) continue;
      for (const [zeros, cut] of [
        [1, 1],
        [1, 2],
        [2, 0],
        [1, 3],
      ] as const) {
        const { best } = this;
        const undone = [...best.slice(0, i), ...new Array<number>(zeros).fill(0), ...best.slice(i + zeros + cut)];
        if (await this.#try(undone)) break;
        if (this.#attemptsLeft === 0) return;
      }
    }
  }

  async #lowerEach(): Promise<void> {
    for (let i = this.best.length - 1; i >= 0; i -= 1) {
      for (let low = 0; low < (this.best[i] ?? 0); ) {
        const lowered = this.best.slice();
        const middle = (low + (this.best[i] as number)) >> 1;
        lowered[i] = middle;
        if (!(await this.#try(lowered))) low = middle + 1;
        if (this.#attemptsLeft === 0) return;
      }
    }
  }

  async #try(candidate: readonly number[]): Promise<boolean> {
    const list = withoutTrailingZeros(candidate);
    if (this.#attemptsLeft === 0 || !isSimpler(list, this.best)) return false;
    this.#attemptsLeft -= 1;
    const made = await this.#attempt(list);
    if (made === undefined) return false;
    const real = withoutTrailingZeros(made);
    this.best = isSimpler(real, list) ? real : list;
    return true;
  }
}

/** Fewer that are not 0; or as many, and shorter; or as long, and smaller at the first difference. */
function isSimpler(a: readonly number[], b: readonly number[]): boolean {
  const fewer = countOf(a) - countOf(b);
  if (fewer !== 0) return fewer < 0;
  if (a.length !== b.length) return a.length < b.length;
  const at = a.findIndex((n, i) => n !== b[i]);
  return at !== -1 && (a[at] as number) < (b[at] as number);
}

function countOf(list: readonly number[]): number {
  let count = 0;
  for (const n of list) if (n !== 0) count += 1;
  return count;
}

function withoutTrailingZeros(list: readonly number[]): number[] {
  const last = list.findLastIndex((n) => n !== 0);
  return list.slice(0, last + 1);
}
