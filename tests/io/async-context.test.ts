// async-context.test.ts: AsyncLocalStorage follows each greenlet (S17).
import { AsyncLocalStorage } from 'node:async_hooks';
import { setTimeout as delay } from 'node:timers/promises';
import { Channel, type Greenlet, run, sleep, spawn, until, yieldNow } from 'tendril';
import { describe, expect, it } from 'vitest';
import { asyncContext, scopeMode } from '../../io/async-context.ts';

function* switchAndCheck(store: AsyncLocalStorage<number>, mine: number, switches: number) {
  for (let i = 0; i < switches; i += 1) {
    yield* i % 50 === 0 ? sleep(1) : yieldNow();
    if (store.getStore() !== mine) throw new Error(`greenlet of ${mine} sees ${store.getStore()}`);
  }
  return mine;
}

describe('S17: AsyncLocalStorage in greenlets', () => {
  it('is followed by a mode that costs nanoseconds on this version of Node', () => {
    expect(asyncContext.mode).not.toBe('scope');
    expect(scopeMode().mode).toBe('scope');
  });

  it('F111: keeps a store of its own in each of 1,000 greenlets over 100 switches', async () => {
    const store = new AsyncLocalStorage<number>();
    const values = await run(function* () {
      const greenlets: Greenlet<number>[] = [];
      for (let i = 0; i < 1000; i += 1) {
        greenlets.push(store.run(i, () => spawn(switchAndCheck, store, i, 100)));
      }
      const seen: number[] = [];
      for (const greenlet of greenlets) seen.push(yield* greenlet.get());
      return seen;
    });
    expect(values).toEqual(Array.from({ length: 1000 }, (_, i) => i));
  });

  it('is inherited at spawn, in ordinary code and from greenlet to greenlet', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen = await store.run('outer', () =>
      run(function* () {
        const child = spawn(function* () {
          yield* sleep(0);
          return store.getStore();
        });
        return [store.getStore(), yield* child.get()];
      }),
    );
    expect(seen).toEqual(['outer', 'outer']);
    expect(store.getStore()).toBeUndefined();
  });

  it('keeps what enterWith sets inside a greenlet, and lets no other see it', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen = await run(function* () {
      const one = spawn(function* () {
        store.enterWith('one');
        yield* sleep(1);
        return store.getStore();
      });
      const two = spawn(function* () {
        yield* sleep(0);
        return store.getStore();
      });
      return [yield* one.get(), yield* two.get(), store.getStore()];
    });
    expect(seen).toEqual(['one', undefined, undefined]);
  });

  it('is the waiter’s own after a wake by another greenlet, and after a promise', async () => {
    const store = new AsyncLocalStorage<string>();
    const seen = await run(function* () {
      const channel = new Channel<string>();
      const receiver = store.run('receiver', () =>
        spawn(function* () {
          const value = yield* channel.receive();
          const afterWake = store.getStore();
          yield* until(delay(1));
          return [value, afterWake, store.getStore()];
        }),
      );
      const sender = store.run('sender', () => spawn(() => channel.send('hello')));
      yield* sender.join();
      return yield* receiver.get();
    });
    expect(seen).toEqual(['hello', 'receiver', 'receiver']);
  });
});
