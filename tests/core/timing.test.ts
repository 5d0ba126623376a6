// timing.test.ts: deadline, spawnLater, idle, park and unpark, noBlock, fn, instruments.
import {
  Channel,
  current,
  deadline,
  fn,
  hub,
  idle,
  NotInGreenletError,
  noBlock,
  now,
  type Op,
  park,
  run,
  select,
  sleep,
  sleepUntil,
  spawn,
  spawnLater,
  TimeoutError,
  unpark,
  WouldBlockError,
  yieldNow,
} from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

describe('deadline', () => {
  it('expires at its point in time, whenever it was started', async () => {
    const { value, elapsedMs } = await simulate(function* () {
      const limit = deadline(10, new Channel<number>().receive(), { else: 'wait' });
      const longer = deadline(
        20,
        (function* () {
          yield* sleep(1000);
          return 'never';
        })(),
        { else: 'frame' },
      );
      yield* sleep(7);
      const first = yield* limit;
      return [first, now(), yield* longer];
    });
    expect([value, elapsedMs]).toEqual([['wait', 10, 'frame'], 20]);
  });

  it('expires at the first blocking point if it has passed', async () => {
    const { value } = await simulate(function* () {
      yield* sleep(5);
      const channel = new Channel<number>(1);
      yield* channel.send(1);
      try {
        yield* deadline(3, channel.receive());
        return 'no error';
      } catch (error) {
        return [error instanceof TimeoutError, (error as Error).message, channel.length];
      }
    });
    expect(value).toEqual([true, "timed out at its deadline, 3 ms on the hub's clock, in receive on a channel", 1]);
  });

  it('takes numbers only', () => {
    expect(() => deadline('soon' as never, sleep(1))).toThrow(TypeError);
    expect(() => sleepUntil(Number.NaN)).toThrow(TypeError);
  });
});

describe('spawnLater', () => {
  it('starts after its delay, and is new until then', async () => {
    const { value } = await simulate(function* () {
      const greenlet = spawnLater(
        10,
        function* (x: number) {
          yield* sleep(0);
          return x + now();
        },
        5,
      );
      yield* sleep(9);
      return [greenlet.state, yield* greenlet.get()];
    });
    expect(value).toEqual(['new', 15]);
  });

  it('never runs if it is killed before', async () => {
    const { value, elapsedMs } = await simulate(function* () {
      const greenlet = spawnLater(1000, function* () {
        throw new Error('it ran');
      });
      yield* sleep(1);
      greenlet.kill();
      yield* greenlet.join();
      return greenlet.outcome?.killed;
    });
    expect([value, elapsedMs]).toEqual([true, 1]);
  });

  it('S10: an error that is thrown into it before it ran is reported', async () => {
    await expect(
      simulate(function* () {
        spawnLater(1000, () => sleep(1)).throw(new Error('thrown into the unborn'));
        yield* sleep(1);
      }),
    ).rejects.toThrow('thrown into the unborn');
  });
});

describe('idle', () => {
  it('waits until nobody else can run', async () => {
    const { value } = await simulate(function* () {
      let steps = 0;
      spawn(function* () {
        for (; steps < 50; steps += 1) yield* yieldNow();
      });
      yield* idle();
      return steps;
    });
    expect(value).toBe(50);
  });

  it('can be killed, and lose a select', async () => {
    const { value } = await simulate(function* () {
      const spinner = spawn(function* () {
        for (;;) yield* yieldNow();
      });
      const waiter = spawn(() => idle());
      yield* yieldNow();
      waiter.kill();
      yield* waiter.join();
      spinner.kill();
      return (yield* select({ idle: idle(), never: sleep(1000) })).key;
    });
    expect(value).toBe('idle');
  });
});

describe('park and unpark', () => {
  it('wakes the one that is parked; an unpark that comes first is not lost, and two count as one', async () => {
    const { value } = await simulate(function* () {
      const log: string[] = [];
      const greenlet = spawn(function* () {
        yield* park();
        log.push('first');
        yield* park();
        log.push('second');
        yield* park();
        log.push('not reached');
      });
      yield* sleep(1);
      unpark(greenlet);
      yield* sleep(1);
      unpark(greenlet);
      yield* sleep(1);
      greenlet.kill();
      yield* greenlet.join();
      unpark(greenlet);
      unpark(current());
      unpark(current());
      yield* park();
      log.push('permit');
      return log;
    });
    expect(value).toEqual(['first', 'second', 'permit']);
  });
});

describe('noBlock', () => {
  it('lets through what can complete at once, and refuses what would have to wait', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>(1);
      function* twice(): Op<number> {
        yield* channel.send(1);
        return yield* channel.receive();
      }
      const one = yield* noBlock(twice());
      try {
        yield* noBlock(
          (function* () {
            yield* channel.receive();
          })(),
        );
        return 'no error';
      } catch (error) {
        return [one, error instanceof WouldBlockError, (error as { code: string }).code, channel.balance];
      }
    });
    expect(value).toEqual([1, true, 'ERR_WOULD_BLOCK', 0]);
  });

  it('takes single waits too, and passes on what they throw at once', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<number>(1);
      yield* noBlock(channel.send(1));
      const received = yield* noBlock(channel.receive());
      channel.close();
      const codes: unknown[] = [];
      for (const op of [channel.receive(), idle(), park()] as Op<unknown>[]) {
        try {
          yield* noBlock(op);
        } catch (error) {
          codes.push((error as { code: string }).code, (error as Error).message.split(' ')[0]);
        }
      }
      yield* sleep(1); // the frames are left: this may wait
      return [received, codes];
    });
    expect(value).toEqual([1, ['ERR_CHANNEL_CLOSED', 'receive', 'ERR_WOULD_BLOCK', 'idle', 'ERR_WOULD_BLOCK', 'park']]);
  });

  it('is an Op as any other: not outside a greenlet', () => {
    expect(() => noBlock(yieldNow())[Symbol.iterator]()).toThrow(NotInGreenletError);
  });

  it('refuses yieldNow, does not switch when the budget is spent, and ends with its op', async () => {
    const { value } = await simulate(function* () {
      const order: string[] = [];
      spawn(function* () {
        order.push('other');
      });
      const channel = new Channel<number>(Number.POSITIVE_INFINITY);
      yield* noBlock(
        (function* () {
          for (let i = 0; i < 1000; i += 1) yield* channel.send(i);
          try {
            yield* yieldNow();
          } catch {
            order.push('refused');
          }
        })(),
      );
      order.push('after');
      yield* yieldNow();
      return order;
    });
    expect(value).toEqual(['refused', 'after', 'other']);
  });
});

describe('fn', () => {
  it('makes recursion as deep as memory, and can be started again', async () => {
    const depth = fn(function* (n: number): Op<number> {
      if (n === 0) {
        yield* yieldNow();
        return 0;
      }
      return 1 + (yield* depth(n - 1));
    });
    const result = await run(function* () {
      const op = depth(100_000);
      return [yield* op, yield* op];
    });
    expect(result).toEqual([100_000, 100_000]);
  });
});

describe('fn', () => {
  it('takes functions only', () => {
    expect(() => fn(yieldNow() as never)).toThrow(/fn takes a generator function, not the Op/);
  });
});

describe('S19: instruments', () => {
  it('are taken out one by one, and the others are still told', async () => {
    const log: string[] = [];
    const removes = ['a', 'b'].map((name) => hub.instruments.add({ spawned: () => void log.push(name) }));
    await run(() => sleep(0));
    for (const remove of removes) {
      remove();
      remove();
      await run(() => sleep(0));
    }
    expect(log).toEqual(['a', 'b', 'b']);
  });

  it('are told of every life, and of nothing once they are taken out', async () => {
    const log: string[] = [];
    const note = (what: string) => (greenlet: { id: number }) => void log.push(`${what} ${greenlet.id - first}`);
    let first = 0;
    const remove = hub.instruments.add({
      spawned: note('spawned'),
      running: note('running'),
      parked: note('parked'),
      woken: note('woken'),
      ended: note('ended'),
    });
    await run(function* () {
      first = current().id;
      log.length = 0;
      const child = spawn(() => sleep(1));
      yield* child.join();
    });
    remove();
    const told = log.length;
    await run(() => sleep(1));
    expect(log.slice(0, 8)).toEqual([
      'spawned 1',
      'parked 0',
      'running 1',
      'parked 1',
      'woken 1',
      'running 1',
      'woken 0',
      'ended 1',
    ]);
    expect(log.length).toBe(told);
  });

  it('F110: are taken out and reported once when they throw, and the run is unaffected', async () => {
    const errors: unknown[] = [];
    const off = hub.on('error', (error) => void errors.push(error));
    hub.instruments.add({
      woken() {
        throw new Error('a broken instrument');
      },
    });
    expect(
      await run(function* () {
        for (let i = 0; i < 5; i += 1) yield* sleep(0);
        return 'unaffected';
      }),
    ).toBe('unaffected');
    await run(() => sleep(1));
    off();
    expect(errors).toEqual([new Error('a broken instrument')]);
  });
});
