// cancellation.test.ts: who watches for a cancellation is told once, of what concerns it, and of nothing else.
import { current, scope, sleep, spawn, timeout } from 'tendril/core';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { onCancel } from '../../core/cancellation.ts';
import { kernel } from '../../core/kernel.ts';
import type { Scope } from '../../core/scope.ts';

const forever = (): ReturnType<typeof sleep> => sleep(Number.POSITIVE_INFINITY);

describe('A watcher of cancellation', () => {
  it('is told of the kill of its greenlet, with the reason, before the call returns', () =>
    simulate(function* () {
      const told: unknown[] = [];
      const child = spawn(function* () {
        onCancel(current(), ({ reason }) => told.push(reason), true);
        yield* forever();
      });
      yield* sleep(1);
      child.kill('why');
      child.kill('again');
      expect(told).toEqual(['why']);
      yield* child.join();
    }));

  it('is told at once if what it would watch is cancelled already', () =>
    simulate(function* () {
      const told: unknown[] = [];
      const child = spawn(function* () {
        try {
          yield* forever();
        } finally {
          onCancel(current(), ({ reason }) => told.push(reason), true)();
        }
      });
      yield* sleep(1);
      child.kill('why');
      yield* child.join();
      expect(told).toEqual(['why']);
    }));

  it('is told nothing after it was taken out', () =>
    simulate(function* () {
      const told: unknown[] = [];
      const child = spawn(function* () {
        onCancel(current(), ({ reason }) => told.push(reason), true)();
        yield* forever();
      });
      yield* sleep(1);
      child.kill('why');
      yield* child.join();
      expect(told).toEqual([]);
    }));

  it('goes over to the frame around when its own ends well, if it is to follow', () =>
    simulate(function* () {
      const told: string[] = [];
      const child = spawn(function* () {
        yield* timeout(
          100,
          (function* () {
            onCancel(current(), () => told.push('follows'), true);
            onCancel(current(), () => told.push('stays'), false);
            yield* sleep(1);
          })(),
        );
        yield* forever();
      });
      yield* sleep(5);
      child.kill();
      yield* child.join();
      expect(told).toEqual(['follows']);
    }));

  it('is not told of a timeout that lies inside, or beside', () =>
    simulate(function* () {
      const told: string[] = [];
      onCancel(current(), () => told.push('outer'), true);
      yield* timeout(
        1,
        (function* () {
          onCancel(current(), () => told.push('inner'), true);
          yield* forever();
        })(),
        { else: undefined },
      );
      expect(told).toEqual(['inner']);
    }));

  it('in one timeout is not told of another one inside that', () =>
    simulate(function* () {
      const told: string[] = [];
      yield* timeout(
        100,
        (function* () {
          onCancel(current(), () => told.push('outer'), false);
          yield* timeout(
            1,
            (function* () {
              onCancel(current(), () => told.push('inner'), false);
              yield* forever();
            })(),
            { else: undefined },
          );
        })(),
      );
      expect(told).toEqual(['inner']);
    }));
});

describe('The end of a scope', () => {
  it('is told when all its children have ended, and whether it ended well', () =>
    simulate(function* () {
      const told: unknown[] = [];
      yield* scope(function* (s: Scope) {
        s.onEnd((well) => told.push(['first', well, s.size]));
        s.spawn(() => sleep(5));
        yield* sleep(1);
      });
      const failing = spawn(() =>
        scope(function* (s: Scope) {
          s.onEnd((well) => told.push(['second', well, s.size]));
          s.spawn(forever);
          yield* sleep(1);
          throw new Error('fails');
        }),
      );
      const killed = spawn(() =>
        scope(function* (s: Scope) {
          s.onEnd((well) => told.push(['third', well, kernel.current === killed]));
          yield* forever();
        }),
      );
      failing.linkError(() => {});
      yield* failing.join();
      killed.kill();
      yield* killed.join();
      expect(told).toEqual([
        ['first', true, 0],
        ['second', false, 0],
        ['third', false, true],
      ]);
    }));
});
