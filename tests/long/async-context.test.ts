// async-context.test.ts: AsyncLocalStorage under load: a thousand greenlets, ten thousand switches each.
//
// The short form runs on each version of Node (tests/io/async-context.test.ts); this one takes ten million switches per test.
import { AsyncLocalStorage } from 'node:async_hooks';
import { type Greenlet, type Op, run, sleep, spawn, yieldNow } from 'tendril';
import { describe, expect, it } from 'vitest';

const GREENLETS = 1000;
const SWITCHES = 10_000;

/** How often a greenlet saw another store than the one that it expected. */
function* countWrong(
  expected: (i: number) => number,
  enter: (i: number) => void,
  store: AsyncLocalStorage<number>,
): Op<number> {
  let wrong = 0;
  for (let i = 0; i < SWITCHES; i += 1) {
    enter(i);
    yield* i % 2500 === 0 ? sleep(1) : yieldNow();
    if (store.getStore() !== expected(i)) wrong += 1;
  }
  return wrong;
}

function* sum(greenlets: readonly Greenlet<number>[]): Op<number> {
  let total = 0;
  for (const greenlet of greenlets) total += yield* greenlet.get();
  return total;
}

const indices = Array.from({ length: GREENLETS }, (_, index) => index);

describe('S17: AsyncLocalStorage over 1,000 greenlets x 10,000 switches', () => {
  it('shows each greenlet the store that it was spawned with', async () => {
    const store = new AsyncLocalStorage<number>();
    const wrong = await run(() =>
      sum(
        indices.map((index) =>
          store.run(index, () =>
            spawn(() =>
              countWrong(
                () => index,
                () => {},
                store,
              ),
            ),
          ),
        ),
      ),
    );
    expect([wrong, store.getStore()]).toEqual([0, undefined]);
  });

  it('shows each greenlet what it last entered itself, while every third one enters nothing and sees nothing', async () => {
    const store = new AsyncLocalStorage<number>();
    const wrong = await run(function* () {
      const greenlets = indices.map((index) => {
        const enters = index % 3 !== 0;
        // A new store at every hundredth switch.
        const storeAt = (i: number): number => index * SWITCHES + Math.floor(i / 100);
        return spawn(() =>
          countWrong(
            (i) => (enters ? storeAt(i) : (undefined as never)),
            (i) => {
              if (enters && i % 100 === 0) store.enterWith(storeAt(i));
            },
            store,
          ),
        );
      });
      const total = yield* sum(greenlets);
      return [total, store.getStore()];
    });
    expect([wrong, store.getStore()]).toEqual([[0, undefined], undefined]);
  });
});
