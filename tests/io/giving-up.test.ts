// giving-up.test.ts: what is told that nobody waits for it may be code of users, and finds no wait that is half over.
import { Channel, current, iwait, type Op, run, select, sleep, spawn, timeout, until } from 'tendril';
import { describe, expect, it } from 'vitest';

/** A wait that never ends by itself, and calls `told` when it is given up. */
const never = (told: () => void): Op<never> & ReturnType<typeof until<never>> =>
  until<never>((signal) => new Promise(() => signal.addEventListener('abort', told)));

function* sendAfter(ms: number, channel: Channel<string>, value: string): Op<void> {
  yield* sleep(ms);
  yield* channel.send(value);
}

describe('S8a, S6: a listener of the signal that until() gives', () => {
  it('finds no arm of the select that was decided: what it sends is for others', () =>
    run(function* () {
      const [won, lost] = [new Channel<string>(), new Channel<string>()];
      const sent: boolean[] = [];
      const sender = spawn(sendAfter, 1, won, 'won');
      const arms = { never: never(() => sent.push(lost.trySend('lost'))), lost: lost.receive(), won: won.receive() };
      expect(yield* select(arms)).toEqual({ key: 'won', value: 'won' });
      yield* sender.join();
      expect(sent).toEqual([false]);
    }));

  it('may kill who has just been given a value: it gets the value first', () =>
    run(function* () {
      const channel = new Channel<string>();
      const got: unknown[] = [];
      const waits = spawn(function* () {
        const me = current();
        got.push(yield* select({ never: never(() => me.kill('told')), value: channel.receive() }));
        yield* sleep(1);
        got.push('went on');
      });
      yield* sendAfter(1, channel, 'value');
      yield* waits.join();
      expect(got).toEqual([{ key: 'value', value: 'value' }]);
      expect(waits.killed).toBe(true);
    }));

  it('may kill whose time is over: the timeout comes first', () =>
    run(function* () {
      const waits = spawn(function* () {
        const me = current();
        try {
          yield* timeout(
            1,
            never(() => me.kill('told')),
          );
        } catch (error) {
          expect(error).toMatchObject({ code: 'ERR_TIMEOUT' });
          yield* sleep(1);
        }
      });
      yield* waits.join();
      expect(waits.outcome).toMatchObject({ killed: true, error: { code: 'ERR_GREENLET_KILLED', reason: 'told' } });
    }));

  it('finds no arm of a select whose time is over, or whose greenlet is killed', () =>
    run(function* () {
      const channel = new Channel<string>();
      const sent: boolean[] = [];
      const both = (): ReturnType<typeof select> =>
        select({ never: never(() => sent.push(channel.trySend('lost'))), value: channel.receive() }) as never;
      expect(yield* timeout(1, both(), { else: 'over' })).toBe('over');
      const killed = spawn(both);
      yield* sleep(1);
      killed.kill();
      yield* killed.join();
      expect(killed.killed).toBe(true);
      expect(sent).toEqual([false, false]);
    }));

  it('finds no arm of an iwait that was closed', () =>
    run(function* () {
      const channel = new Channel<string>();
      const sent: boolean[] = [];
      const waiting = iwait([never(() => sent.push(channel.trySend('lost'))), channel.receive()]);
      const next = spawn(() => waiting.next());
      yield* sleep(1);
      waiting.close();
      yield* next.join();
      expect([next.outcome?.ok, sent]).toEqual([false, [false]]);
    }));

  it('is called at once when a later arm cannot even begin', () =>
    run(function* () {
      const told: string[] = [];
      const broken = until(() => {
        throw new Error('cannot begin');
      });
      let error: unknown;
      try {
        yield* select([never(() => told.push('told')), broken]);
      } catch (thrown) {
        error = thrown;
      }
      expect([error, told]).toEqual([new Error('cannot begin'), ['told']]);
    }));

  it('is called at once when the Op was iterated by hand, and its greenlet returned', () =>
    run(function* () {
      const told: string[] = [];
      const greenlet = spawn(function* () {
        never(() => told.push('told'))[Symbol.iterator]();
      });
      let error: unknown;
      try {
        yield* greenlet.get();
      } catch (thrown) {
        error = thrown;
      }
      expect(error).toMatchObject({ code: 'ERR_OP_ITERATED' });
      expect(told).toEqual(['told']);
    }));

  it('is called for each arm that lost', () =>
    run(function* () {
      const channel = new Channel<string>();
      const told: string[] = [];
      spawn(sendAfter, 1, channel, 'value');
      const arms = [never(() => told.push('first')), channel.receive(), never(() => told.push('second'))] as const;
      expect(yield* select(arms)).toEqual({ key: 1, value: 'value' });
      expect(told).toEqual(['first', 'second']);
    }));
});

describe('S8a: a select that is made once', () => {
  it('is waited for again and again, by several greenlets at once', () =>
    run(function* () {
      const [one, other] = [new Channel<number>(), new Channel<number>()];
      const either = select([one.receive(), other.receive()]);
      const waiting = [1, 2, 3].map(() => spawn(() => either));
      yield* sleep(1);
      for (const value of [7, 8, 9]) yield* (value === 8 ? one : other).send(value);
      const values: unknown[] = [];
      for (const greenlet of waiting) values.push(yield* greenlet.get());
      expect(values).toEqual([
        { key: 1, value: 7 },
        { key: 0, value: 8 },
        { key: 1, value: 9 },
      ]);
      spawn(function* () {
        for (let value = 0; value < 10; value += 1) yield* (value % 3 === 0 ? one : other).send(value);
      });
      for (let value = 0; value < 10; value += 1)
        expect(yield* either).toEqual({ key: value % 3 === 0 ? 0 : 1, value });
      expect([one.balance, other.balance]).toEqual([0, 0]);
    }));
});
