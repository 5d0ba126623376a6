// links.test.ts: links in all forms: functions, results, queues, channels; for any end, for values, for errors.

import { inspect } from 'node:util';
import { AsyncResult, Channel, current, type Greenlet, Queue, run, sleep, spawn } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

function* ok() {
  yield* sleep(1);
  return 'ok';
}
function* bad(): Generator<never, string> {
  throw new Error('bad');
}

describe('Greenlet.link', () => {
  it('hands the end to functions, results, queues and channels', async () => {
    const { value } = await simulate(function* () {
      const called: string[] = [];
      const result = new AsyncResult<string>();
      const queue = new Queue<Greenlet<string>>();
      const channel = new Channel<Greenlet<string>>(1);
      const greenlet = spawn(ok);
      greenlet.link((ended) => called.push(ended.name));
      greenlet.link(result);
      greenlet.link(queue);
      greenlet.link(channel);
      return [yield* result.get(), (yield* queue.get()) === greenlet, (yield* channel.receive()) === greenlet, called];
    });
    expect(value).toEqual(['ok', true, true, ['greenlet-2']]);
  });

  it('gives a result the error', async () => {
    const result = new AsyncResult<string>();
    await expect(
      run(function* () {
        spawn(bad).link(result);
        return yield* result.get();
      }),
    ).rejects.toThrow('bad');
  });

  it('tells values and errors apart, also of a greenlet that is done', async () => {
    const told: string[] = [];
    await simulate(function* () {
      const good = spawn(ok);
      const failing = spawn(bad);
      const killed = spawn(() => sleep(1000));
      for (const [name, greenlet] of Object.entries({ good, failing, killed })) {
        greenlet.linkValue(() => told.push(`${name}: value`));
        greenlet.linkError(() => told.push(`${name}: error`));
      }
      killed.kill();
      yield* sleep(5);
      good.linkValue(() => told.push('good: late value'));
      good.linkError(() => told.push('good: late error'));
      yield* sleep(1);
    });
    expect(told.sort()).toEqual(['failing: error', 'good: late value', 'good: value', 'killed: error']);
  });

  it('is undone by unlink, for whatever it was made', async () => {
    const told: string[] = [];
    await simulate(function* () {
      const greenlet = spawn(ok);
      const listener = () => told.push('listener');
      const queue = new Queue<Greenlet<string>>();
      greenlet.link(listener);
      greenlet.linkValue(queue);
      expect([greenlet.unlink(listener), greenlet.unlink(listener), greenlet.unlink(queue)]).toEqual([
        true,
        false,
        true,
      ]);
      yield* greenlet.join();
      yield* sleep(1);
      expect(queue.length).toBe(0);
    });
    expect(told).toEqual([]);
  });

  it('reports a channel without room, and takes nothing else', async () => {
    await expect(
      simulate(function* () {
        const greenlet = spawn(ok);
        greenlet.link(new Channel<Greenlet<string>>());
        yield* sleep(5);
      }),
    ).rejects.toThrow(/had no room/);
    await run(function* () {
      const greenlet = spawn(ok);
      expect(() => greenlet.link(5 as never)).toThrow(TypeError);
      yield* greenlet.join();
    });
  });
});

describe('A greenlet', () => {
  it('knows its parent while that lives, has no links to take out at first, and prints as one line', async () => {
    const { value } = await simulate(function* () {
      const parent = spawn(function* () {
        return spawn(() => sleep(5));
      });
      const child = yield* parent.get();
      const other = spawn(() => sleep(1));
      const known = [child.parent, other.parent === current(), other.unlink(() => {})];
      return [known, inspect(other).replace(/\d+/g, 'n')];
    });
    expect(value).toEqual([[undefined, true, false], "Greenlet n { name: 'greenlet-n', state: 'new' }"]);
  });
});
