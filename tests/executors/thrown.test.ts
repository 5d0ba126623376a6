// thrown.test.ts: what a task threw, as it arrives on the other side.
import { run } from 'tendril';
import { describe, expect, it } from 'vitest';
import { describeThrown, revive } from '../../executors/thrown.ts';

/** There and back, over what carries least. */
function sent(thrown: unknown): unknown {
  return revive(JSON.parse(JSON.stringify(describeThrown(thrown))));
}

/** How many errors `error` is, with all in it. */
function errorsIn(error: unknown): number {
  if (!(error instanceof Error)) return 0;
  const inner: unknown[] = error instanceof AggregateError ? [error.cause, ...error.errors] : [error.cause];
  return inner.reduce((sum: number, each) => sum + errorsIn(each), 1);
}

describe('An error on its way from a worker', () => {
  it('keeps class, message, stack, cause and plain properties', () => {
    const cause = Object.assign(new SyntaxError('inner'), { line: 3 });
    const error = Object.assign(new TypeError('outer', { cause }), { code: 'ERR_X', fatal: false, detail: { no: 1 } });
    const arrived = sent(error) as TypeError & { code: string; fatal: boolean; detail?: unknown };
    expect(arrived).toBeInstanceOf(TypeError);
    expect([arrived.message, arrived.code, arrived.fatal, arrived.detail]).toEqual([
      'outer',
      'ERR_X',
      false,
      undefined,
    ]);
    expect(arrived.stack).toBe(error.stack);
    expect(arrived.cause).toBeInstanceOf(SyntaxError);
    expect(arrived.cause).toMatchObject({ message: 'inner', line: 3 });
  });

  it('keeps the name of a class of the program, and the code of a class of ours', async () => {
    class OrderError extends Error {
      override name = 'OrderError';
    }
    const arrived = sent(new OrderError('late')) as Error;
    expect([arrived.name, arrived.message, arrived instanceof Error]).toEqual(['OrderError', 'late', true]);
    const refused = await run(() => undefined as never).catch((error: unknown) => error);
    expect(sent(refused)).toMatchObject({ name: 'TypeError' });
  });

  it('keeps the errors of an AggregateError, and ends a chain of causes that has no end', () => {
    const arrived = sent(new AggregateError([new RangeError('one'), 'two'], 'all')) as AggregateError;
    expect(arrived.errors).toEqual([new RangeError('one'), 'two']);
    let long = new Error('innermost');
    for (let i = 0; i < 20; i += 1) long = new Error(`around ${i}`, { cause: long });
    expect(errorsIn(sent(long))).toBe(9);
  });

  it('describes a cycle once, and no more than some hundred errors', () => {
    const endless = new Error('endless');
    endless.cause = endless;
    expect(errorsIn(sent(endless))).toBe(1);
    const around = new AggregateError([], 'around');
    const other = new Error('other', { cause: around });
    around.errors = [around, 'between', other, other];
    const arrived = sent(around) as AggregateError;
    expect(arrived.errors).toEqual(['between', new Error('other'), new Error('other')]);
    let doubled = new AggregateError([], 'innermost');
    for (let i = 0; i < 8; i += 1) doubled = new AggregateError(new Array(100).fill(doubled), `around ${i}`);
    expect(errorsIn(sent(doubled))).toBe(301);
  });

  it('leaves out a property whose getter throws, and no more', () => {
    const error = Object.defineProperties(new AggregateError([1], 'kept'), {
      bad: {
        enumerable: true,
        get() {
          throw new Error('no');
        },
      },
      cause: {
        get() {
          throw new Error('no');
        },
      },
      errors: { value: null },
      good: { enumerable: true, value: 1 },
    });
    const arrived = sent(error) as Error & { bad?: unknown; good?: unknown };
    expect([arrived.message, arrived.stack, arrived.good, 'bad' in arrived]).toEqual(['kept', error.stack, 1, false]);
  });

  it('passes primitives, and shows what is neither', () => {
    for (const value of ['text', 5, true, null]) expect(sent(value)).toBe(value);
    expect(sent({ status: 404 })).toMatchObject({ code: 'ERR_TASK_THREW', message: 'the task threw { status: 404 }' });
    const hostile = new Proxy(
      {},
      {
        get() {
          throw new Error('no');
        },
        getPrototypeOf() {
          throw new Error('no');
        },
      },
    );
    expect(sent(hostile)).toMatchObject({ code: 'ERR_TASK_THREW' });
    const odd = new Error('odd');
    Object.defineProperty(odd, 'message', {
      get() {
        throw new Error('no');
      },
    });
    expect(sent(odd)).toMatchObject({ code: 'ERR_TASK_THREW' });
  });
});
