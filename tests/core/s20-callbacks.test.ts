// s20-callbacks.test.ts: rule S20: links, promise settlements and reports run at the end of the turn, never inside a step.
import { current, type Greenlet, type Op, run, sleep, spawn, yieldNow } from 'tendril/core';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { collectErrors, play, spawnQuietly, thrownAtCall, world } from './world.ts';

describe('S20 Callbacks', () => {
  it('runs a link at the end of the turn, never inside a step; a joiner may run before it', () =>
    play(function* () {
      const order: string[] = [];
      const child = spawn(function* () {
        order.push('child');
      });
      child.link(() => {
        order.push(`link ${(thrownAtCall(() => current()) as { code: string }).code}`);
      });
      yield* child.join();
      order.push('joiner');
      yield* sleep(1);
      order.push('next turn');
      expect(order).toEqual(['child', 'joiner', 'link ERR_NOT_IN_GREENLET', 'next turn']);
    }));

  it('gives the link the greenlet, done, in the order of linking; one linked later runs at the end of that turn', () =>
    play(function* () {
      const seen: [string, string, unknown][] = [];
      const child = spawn(function* () {
        return 7;
      });
      const note =
        (name: string) =>
        (greenlet: Greenlet<number>): void => {
          seen.push([name, greenlet.state, greenlet.outcome]);
        };
      child.link(note('a'));
      child.link(note('b'));
      yield* child.join();
      child.link(note('late'));
      expect(seen).toEqual([]);
      yield* sleep(1);
      const outcome = { ok: true, value: 7, killed: false };
      expect(seen).toEqual([
        ['a', 'done', outcome],
        ['b', 'done', outcome],
        ['late', 'done', outcome],
      ]);
    }));

  it('unlinks', () =>
    play(function* () {
      let called = 0;
      const link = (): void => {
        called += 1;
      };
      const child = spawn(() => sleep(1));
      child.link(link);
      expect([child.unlink(link), child.unlink(link)]).toEqual([true, false]);
      yield* sleep(5);
      expect(called).toBe(0);
    }));

  it('sends what a link throws to the error event and runs the others', () =>
    play(function* () {
      const errors = collectErrors();
      const order: string[] = [];
      const child = spawn(function* () {});
      child.link(() => {
        throw new Error('link');
      });
      child.link(() => order.push('second'));
      spawn(function* () {}).link(() => order.push('other'));
      yield* sleep(1);
      expect([errors.map((error) => (error as Error).message), order]).toEqual([['link'], ['second', 'other']]);
    }));

  it('lets a link kill, spawn, link and throw into others without running them', () =>
    play(function* () {
      const order: string[] = [];
      const victim = spawnQuietly(function* () {
        try {
          yield* sleep(1000);
        } finally {
          order.push('victim');
        }
      });
      const target = spawnQuietly(() => sleep(1000));
      const child = spawn(() => sleep(1));
      child.link(() => {
        expect(victim.kill()).toBe(true);
        target.throw(new Error('x'));
        spawnQuietly(function* () {
          order.push('spawned by the link');
        });
        child.link(() => order.push('link of the link'));
        order.push('link');
      });
      yield* sleep(5);
      expect(order).toEqual(['link', 'link of the link', 'victim', 'spawned by the link']);
      expect(target.outcome).toMatchObject({ ok: false });
    }));

  it('lets a chain of links that never ends not stop the world', () =>
    play(function* () {
      let calls = 0;
      const child = spawn(function* () {});
      const again = (): void => {
        calls += 1;
        if (calls < 5000) child.link(again);
      };
      child.link(again);
      for (let i = 0; i < 100; i += 1) yield* sleep(1);
      expect(calls).toBe(5000);
    }));

  it('settles promises at the end of a turn: run() and promise()', async () => {
    const order: string[] = [];
    await play(function* () {
      const child = spawn(function* (): Op<number> {
        order.push('child');
        return 7;
      });
      void child.promise().then((value) => order.push(`promise ${value}`));
      void run(function* (): Op<number> {
        order.push('run');
        return 8;
      }).then((value) => order.push(`run ${value}`));
      yield* yieldNow();
      order.push('me');
    });
    await null;
    expect(order).toEqual(['child', 'run', 'me', 'promise 7', 'run 8']);
  });

  it('makes a detached greenlet of run() inside a greenlet; others go on when its body ends', () =>
    play(function* () {
      const before = world().greenlets().length;
      void run(function* () {
        spawn(() => sleep(50));
      });
      yield* sleep(10);
      expect(world().greenlets().length).toBe(before + 1);
    }));

  it('does not mark a failure as seen by reading `outcome`, but by link, also one that throws', async () => {
    const failing = function* (): Op<void> {
      throw new Error('seen?');
    };
    const reported: number[] = [];
    for (const look of [(g: Greenlet<void>) => void g.outcome, (g: Greenlet<void>) => g.link(() => {})]) {
      await simulate(function* () {
        const errors = collectErrors();
        const greenlet = spawn(failing);
        yield* yieldNow();
        look(greenlet);
        yield* sleep(1);
        reported.push(errors.length);
      });
    }
    expect(reported).toEqual([1, 0]);
  });
});

describe('S20 What is told at the end of a turn', () => {
  it('goes on after an outlet that throws, whose error is reported', () =>
    play(function* () {
      const errors = collectErrors();
      const order: string[] = [];
      for (const text of ['first', 'second'])
        world().handOverLater({
          nextOutlet: undefined,
          handOver() {
            order.push(text);
            if (text === 'first') throw new Error(text);
          },
        });
      yield* sleep(1);
      expect([order, errors]).toEqual([['first', 'second'], [new Error('first')]]);
    }));

  it('has three events, and takes functions for them', () =>
    play(function* () {
      const { events } = world();
      for (const name of ['errors', 'toString', undefined])
        expect(() => events.on(name as 'error', () => {})).toThrow(
          /no such event: .*there are error, killIgnored, leak/,
        );
      expect(() => events.on('error', 5 as never)).toThrow(TypeError);
      yield* sleep(0);
    }));
});
