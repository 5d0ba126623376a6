// outside-odd.test.ts: promises and emitters that are not quite what they seem.
import { EventEmitter } from 'node:events';
import { once, run, sleep, spawn, until } from 'tendril';
import { describe, expect, it } from 'vitest';

describe('until', () => {
  // A query of many a database client begins when its `then` is called, each time.
  it('calls the then of a lazy promise once, when the wait starts', async () => {
    const calls: string[] = [];
    class Lazy extends Promise<string> {
      // biome-ignore lint/suspicious/noThenProperty: such promises are what is tested
      override then<A, B>(
        fulfilled?: ((value: string) => A | PromiseLike<A>) | null,
        rejected?: ((reason: unknown) => B | PromiseLike<B>) | null,
      ): Promise<A | B> {
        calls.push('promise');
        return Promise.resolve('rows').then(fulfilled, rejected);
      }
    }
    const thenable: PromiseLike<string> = {
      // biome-ignore lint/suspicious/noThenProperty: such promises are what is tested
      then(fulfilled, rejected) {
        calls.push('thenable');
        return Promise.resolve('rows').then(fulfilled, rejected);
      },
    };
    const queries = [new Lazy(() => {}), thenable];
    for (const query of queries) {
      const wait = until(query);
      expect(calls.splice(0)).toEqual([]);
      expect(await run(() => wait)).toBe('rows');
      expect(calls.splice(0)).toHaveLength(1);
    }
  });
});

describe('once', () => {
  it('takes an emitter that is a function, as the applications of some web frameworks are', async () => {
    const application = Object.assign(() => {}, EventEmitter.prototype);
    const args = await run(function* () {
      const waiting = spawn(() => once(application, 'mount'));
      yield* sleep(0);
      application.emit('mount', 'parent');
      return yield* waiting.get();
    });
    expect(args).toEqual(['parent']);
  });

  it('waits for newListener without taking its own listeners for one', async () => {
    const emitter = new EventEmitter();
    const [event] = await run(function* () {
      const waiting = spawn(() => once(emitter, 'newListener'));
      yield* sleep(0);
      emitter.on('thing', () => {});
      return yield* waiting.get();
    });
    expect(event).toBe('thing');
    expect(emitter.eventNames()).toEqual(['thing']);
  });
});
