// coroutine.test.ts: the raw greenlet: symmetric transfer between generators that share one green thread.
import { Channel, Coroutine, call, current, NotInGreenletError, type Op, run, sleep, spawn } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';

describe('Coroutine', () => {
  it('passes values both ways, and its own to the parent when it returns', async () => {
    const { value } = await simulate(function* () {
      const log: unknown[] = [];
      const one: Coroutine = new Coroutine(function* (first: string) {
        log.push(`one got ${first}`);
        log.push(`one got ${yield* two.switch('from one')}`);
        return 'one is done';
      });
      const two: Coroutine = new Coroutine(function* (first: string) {
        log.push(`two got ${first}`);
        yield* one.switch('from two');
        log.push('not reached');
      });
      log.push(yield* one.switch('start'));
      return [log, one.dead, two.dead];
    });
    expect(value).toEqual([['one got start', 'two got from one', 'one got from two', 'one is done'], true, false]);
  });

  it('gives its error to the parent', async () => {
    const { value } = await simulate(function* () {
      const failing = new Coroutine(function* () {
        throw new Error('for the parent');
      });
      try {
        yield* failing.switch();
        return 'no error';
      } catch (error) {
        return [(error as Error).message, failing.dead];
      }
    });
    expect(value).toEqual(['for the parent', true]);
  });

  it('throws where it is suspended, and may catch it', async () => {
    const { value } = await simulate(function* () {
      const catching = new Coroutine(function* () {
        try {
          yield* (Coroutine.current().parent as Coroutine).switch('ready');
          return 'no error';
        } catch (error) {
          return `caught ${error}`;
        }
      });
      return [yield* catching.switch(), yield* catching.throw('thrown in')];
    });
    expect(value).toEqual(['ready', 'caught thrown in']);
  });

  it('is dead, and its parent has the error, when it is thrown into before it started', async () => {
    const { value } = await simulate(function* () {
      const unborn = new Coroutine(function* () {});
      try {
        yield* unborn.throw('too early');
        return 'no error';
      } catch (error) {
        return [error, unborn.dead];
      }
    });
    expect(value).toEqual(['too early', true]);
  });

  it('hands a value on to the parent when it is dead', async () => {
    const { value } = await simulate(function* () {
      const done = new Coroutine(function* () {});
      yield* done.switch();
      return yield* done.switch('passed on');
    });
    expect(value).toBe('passed on');
  });

  it('waits as the one greenlet that it runs in', async () => {
    const { value } = await simulate(function* () {
      const channel = new Channel<string>();
      spawn(() => channel.send('through a channel'));
      const receiver = new Coroutine(function* () {
        yield* sleep(5);
        return yield* channel.receive();
      });
      return yield* receiver.switch();
    });
    expect(value).toBe('through a channel');
  });

  it('is killed with its greenlet, and its parents see it on the way', async () => {
    const log: string[] = [];
    const { value } = await simulate(function* () {
      const greenlet = spawn(function* () {
        const child = new Coroutine(function* () {
          try {
            yield* sleep(1000);
          } finally {
            log.push('child cleaned up');
          }
        });
        try {
          yield* child.switch();
        } finally {
          log.push('parent cleaned up');
        }
      });
      yield* sleep(1);
      greenlet.kill();
      yield* greenlet.join();
      return greenlet.outcome?.killed;
    });
    expect(value).toBe(true);
    expect(log).toEqual(['child cleaned up', 'parent cleaned up']);
  });

  it('switches from the depth of a call, and back into it', async () => {
    const { value } = await simulate(function* () {
      const deep = new Coroutine(function* () {
        function* inner() {
          return yield* (Coroutine.current().parent as Coroutine).switch('from the depth');
        }
        return yield* call(call(inner()));
      });
      return [yield* deep.switch(), yield* deep.switch('back'), deep.dead];
    });
    expect(value).toEqual(['from the depth', 'back', true]);
  });

  it('makes a generator out of any function that switches to its parent, a million times', async () => {
    const sum = await run(function* () {
      const numbers = new Coroutine(function* () {
        const { parent } = Coroutine.current();
        for (let i = 0; ; i += 1) yield* (parent as Coroutine).switch(i);
      });
      let total = 0;
      for (let i = 0; i < 1_000_000; i += 1) total += (yield* numbers.switch()) as number;
      return total;
    });
    expect(sum).toBe((999_999 * 1_000_000) / 2);
  });

  it('belongs to one greenlet: another one is refused', async () => {
    const { value } = await simulate(function* () {
      const mine = new Coroutine(function* () {
        yield* (Coroutine.current().parent as Coroutine).switch();
      });
      yield* mine.switch();
      const thief = spawn(() => mine.switch());
      try {
        yield* thief.get();
        return 'no error';
      } catch (error) {
        return (error as { code: string }).code;
      }
    });
    expect(value).toBe('ERR_BUSY');
  });

  it('made outside greenlets has the coroutine that first switches to it for its parent', async () => {
    const early: Coroutine = new Coroutine(function* () {
      return early.parent === main;
    });
    expect(early.parent).toBeUndefined();
    let main: Coroutine | undefined;
    const { value } = await simulate(function* () {
      main = Coroutine.current();
      return yield* early.switch();
    });
    expect(value).toBe(true);
  });

  it('checks for a kill at a switch, which has not happened then', async () => {
    const { value } = await simulate(function* () {
      const started: string[] = [];
      const other = new Coroutine(function* () {
        started.push('other');
      });
      const victim = spawn(function* () {
        Coroutine.current();
        current().kill();
        yield* other.switch();
      });
      yield* victim.join();
      return [started, other.dead, victim.killed, victim.outcome?.ok];
    });
    expect(value).toEqual([[], false, true, false]);
  });

  it('is closed by force with its parents, which are suspended, innermost first, when its greenlet ignores a kill', async () => {
    const { value } = await simulate(function* () {
      const order: string[] = [];
      const cleaning = function* (name: string, op: () => Op<unknown>): Op<unknown> {
        try {
          return yield* op();
        } finally {
          order.push(name);
        }
      };
      const ignoring = function* (): Op<void> {
        for (;;) {
          try {
            yield* new Channel().receive();
          } catch {
            // for ever
          }
        }
      };
      const notStarted = () => new Coroutine(function* () {});
      const nested = () => new Coroutine(() => cleaning('inner', ignoring), notStarted()).switch();
      const switching = () => new Coroutine(() => cleaning('middle', nested)).switch();
      const greenlet = spawn(() => cleaning('main', () => call(cleaning('called', switching))));
      greenlet.link(() => {});
      yield* sleep(1);
      greenlet.kill();
      yield* greenlet.join();
      return [order, (greenlet.outcome as { error?: Error }).error?.name];
    });
    expect(value).toEqual([['inner', 'middle', 'called', 'main'], 'KillIgnoredError']);
  });

  it('gives way at a switch or a call once its greenlet has ignored a hundred kills, so that others run', async () => {
    const { value } = await simulate(function* () {
      const others = [new Coroutine(function* () {}).switch(), call(sleep(1))];
      const seen: number[] = [];
      for (const op of others) {
        let tries = 0;
        spawn(function* () {
          current().kill();
          while (tries < 300) {
            try {
              yield* op;
            } catch {
              tries += 1;
            }
          }
        });
        spawn(function* () {
          seen.push(tries);
        });
        yield* sleep(1);
        seen.push(tries);
      }
      return seen;
    });
    expect(value).toEqual([99, 300, 99, 300]);
  });

  it('is refused too when its parent belongs to another greenlet', async () => {
    const { value } = await simulate(function* () {
      const child = new Coroutine(function* () {});
      const thief = spawn(() => child.switch());
      try {
        yield* thief.get();
        return 'no error';
      } catch (error) {
        return [(error as { code: string }).code, child.dead];
      }
    });
    expect(value).toEqual(['ERR_BUSY', false]);
  });

  it('S1: gives way to other greenlets when it only switches', async () => {
    const { value } = await simulate(function* () {
      let others = 0;
      const other = spawn(function* () {
        for (; others < 3; others += 1) yield* sleep(0);
      });
      const dead = new Coroutine(function* () {});
      for (let i = 0; i < 10_000; i += 1) yield* dead.switch(i);
      const seen = others;
      yield* other.join();
      return seen;
    });
    expect(value).toBe(3);
  });

  it('has no current one outside greenlets, and takes functions only', () => {
    expect(() => Coroutine.current()).toThrow(NotInGreenletError);
    expect(() => new Coroutine(function* () {}).switch()[Symbol.iterator]()).toThrow(NotInGreenletError);
    expect(() => new Coroutine(5 as never)).toThrow(TypeError);
  });
});
