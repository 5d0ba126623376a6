// readiness.test.ts: waiting for many things: wait, iwait, joinAll, killAll.
import {
  AsyncResult,
  Channel,
  ClosedError,
  Event,
  iwait,
  joinAll,
  killAll,
  Mutex,
  noBlock,
  type Op,
  park,
  run,
  sleep,
  spawn,
  spawnWith,
  timeout,
  wait,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

function* after(ms: number, value: string) {
  yield* sleep(ms);
  return value;
}
function* failAfter(ms: number, message: string) {
  yield* sleep(ms);
  throw new Error(message);
}

describe('wait', () => {
  it('returns everything in the order in which it became ready', async () => {
    const { value } = await simulate(function* () {
      const event = new Event();
      const result = new AsyncResult<string>();
      const channel = new Channel<string>();
      spawn(function* () {
        yield* sleep(10);
        result.set('set');
        yield* sleep(10);
        event.set();
        yield* channel.send('sent');
      });
      const greenlet = spawn(after, 5, 'ended');
      const ready = yield* wait([event, result.get(), channel.receive(), greenlet, sleep(12)]);
      return ready.map((entry) => [entry.key, entry.ok && entry.value]);
    });
    expect(value).toEqual([
      [3, undefined],
      [1, 'set'],
      [4, undefined],
      [0, undefined],
      [2, 'sent'],
    ]);
  });

  it('ends after `count`, and takes the rest back', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>();
      const ready = yield* wait([channel.receive(), sleep(1), sleep(2)], { count: 1 });
      return [ready.length, channel.balance];
    });
    expect(value).toEqual([1, 0]);
  });

  it('returns what is ready after `timeoutMs`, which is no error', async () => {
    const { value, elapsedMs } = await simulate(function* () {
      return (yield* wait([sleep(1), sleep(100)], { timeoutMs: 10 })).map(({ key }) => key);
    });
    expect([value, elapsedMs]).toEqual([[0], 10]);
  });

  it('counts what fails as ready, with its error', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>();
      channel.close();
      const [entry] = yield* wait([channel.receive()]);
      return entry?.ok === false && (entry.error as { code: string }).code;
    });
    expect(value).toBe('ERR_CHANNEL_CLOSED');
  });

  it('names the element that is no single wait, at the call', () => {
    expect(() => wait([after(1, 'x') as never])).toThrow(/element 0 is .*use race\(\)/);
    expect(() => iwait([sleep(1), 5 as never])).toThrow(/element 1/);
  });
});

describe('iwait', () => {
  it('misses nothing that becomes ready between two next()', async () => {
    const { value } = await simulate(function* () {
      const things = iwait([spawn(after, 1, 'a').get(), spawn(after, 2, 'b').get()]);
      yield* sleep(10);
      const seen: unknown[] = [];
      for (let step = yield* things.next(); !step.done; step = yield* things.next()) {
        seen.push(step.value.ok && step.value.value);
      }
      return seen;
    });
    expect(value).toEqual(['a', 'b']);
  });

  it('leaves a killed waiter’s thing for the next next()', async () => {
    const { value } = await simulate(function* () {
      const things = iwait([spawn(after, 5, 'kept').get()]);
      const first = spawn(() => things.next());
      yield* sleep(1);
      first.kill();
      yield* first.join();
      const step = yield* things.next();
      return step.done !== true && step.value.ok && step.value.value;
    });
    expect(value).toBe('kept');
  });

  it('wakes whoever waits when it is closed, and unlinks the rest', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>();
      const things = iwait([channel.receive()]);
      const waiter = spawn(() => things.next());
      yield* sleep(1);
      things.close();
      things.close();
      try {
        yield* waiter.get();
        return 'no error';
      } catch (error) {
        return [error instanceof ClosedError, channel.balance];
      }
    });
    expect(value).toEqual([true, 0]);
  });

  it('counts a thing that is closed while it is waited for as ready, with its error', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>();
      const things = iwait([channel.receive()]);
      const waiter = spawn(() => things.next());
      yield* sleep(1);
      channel.close();
      return yield* waiter.get();
    });
    expect(value).toMatchObject({ done: false, value: { key: 0, ok: false, error: { code: 'ERR_CHANNEL_CLOSED' } } });
  });

  it('throws ClosedError once it is closed, and names the first three things in a report', async () => {
    const { value } = await simulate(function* () {
      const texts: string[] = [];
      const note = function* (op: Op<unknown>): Op<void> {
        try {
          yield* op;
        } catch (error) {
          texts.push((error as Error).message);
        }
      };
      const [few, many] = [iwait([sleep(1), park()]), iwait([sleep(1), sleep(2), sleep(3), sleep(4)])];
      yield* note(noBlock(few.next()));
      yield* note(noBlock(many.next()));
      few.close();
      yield* note(few.next());
      many.close();
      return texts;
    });
    expect(value).toEqual([
      'iwait on 2 things (sleep(1), park) would have to wait, inside noBlock()',
      'iwait on 4 things (sleep(1), sleep(2), sleep(3), ...) would have to wait, inside noBlock()',
      'iwait is closed',
    ]);
  });

  it('takes a lock for whoever asked first', async () => {
    const { value } = await simulate(function* () {
      const mutex = new Mutex();
      const things = iwait([mutex.acquire()]);
      yield* things.next();
      const mine = mutex.owner?.name;
      mutex.release();
      return mine;
    });
    expect(value).toBe('greenlet-1');
  });
});

describe('joinAll', () => {
  it('returns all in the order in which they ended', async () => {
    const { value } = await simulate(function* () {
      const greenlets = [spawn(after, 3, 'c'), spawn(after, 1, 'a'), spawn(after, 2, 'b')];
      const ended = yield* joinAll(greenlets);
      return ended.map((greenlet) => greenlet.outcome?.ok && greenlet.outcome.value);
    });
    expect(value).toEqual(['a', 'b', 'c']);
  });

  it('waits for all of them if `count` is more than there are', async () => {
    const { value } = await simulate(function* () {
      const greenlets = [spawn(after, 2, 'b'), spawn(after, 1, 'a')];
      return (yield* joinAll(greenlets, { count: 5 })).map((greenlet) => greenlets.indexOf(greenlet));
    });
    expect(value).toEqual([1, 0]);
  });

  it('throws the first error in time with raiseError, and leaves the others alone', async () => {
    const { value } = await simulate(function* () {
      const slow = spawn(after, 50, 'slow');
      const greenlets = [slow, spawn(failAfter, 9, 'second'), spawn(failAfter, 3, 'first')];
      try {
        yield* joinAll<unknown>(greenlets, { raiseError: true });
        return 'no error';
      } catch (error) {
        return [(error as Error).message, slow.state, yield* slow.get()];
      }
    });
    expect(value).toEqual(['first', 'parked', 'slow']);
  });

  it('S10: subscribes to all first, so that no failure is reported as unseen meanwhile', async () => {
    const { value } = await simulate(function* () {
      const greenlets = [spawn(after, 50, 'slow'), spawn(failAfter, 1, 'seen')];
      return (yield* joinAll<unknown>(greenlets)).length;
    });
    expect(value).toBe(2);
  });

  it('ends after `count`', async () => {
    const { value, elapsedMs } = await simulate(function* () {
      const greenlets = [spawnWith({ daemon: true }, after, 30, 'c'), spawn(after, 1, 'a'), spawn(after, 2, 'b')];
      return (yield* joinAll(greenlets, { count: 2 })).length;
    });
    expect([value, elapsedMs]).toEqual([2, 2]);
  });
});

describe('killAll', () => {
  it('asks for all kills before it waits, and returns when all have ended', async () => {
    const { value } = await simulate(function* () {
      const greenlets = [1, 2, 3].map(() => spawn(after, 1000, 'never'));
      yield* sleep(1);
      yield* killAll(greenlets, 'enough');
      return greenlets.map(({ state, killed }) => [state, killed]);
    });
    expect(value).toEqual(Array.from({ length: 3 }, () => ['done', true]));
  });

  it('takes greenlets only', async () => {
    expect(() => killAll([5 as never])).toThrow(TypeError);
    await expect(run(() => timeout(1000, joinAll([])))).resolves.toEqual([]);
  });
});
