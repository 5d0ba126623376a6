// call-wait.test.ts: to fire and wait for the results, and to wait for an event that somebody else fires; with limits of time, and given up.
//
// The behaviours of circuits' own tests: test_call_wait (call, wait, results that take long, several calls in a row), test_call_wait_timeout (both in time and not, which is
// the kernel's timeout here), test_call_wait_order (the result of the very event that was called), test_coroutine (call of an event that is stopped),
// test_memory_leaks (what has been waited for leaves nothing behind).
import { GreenletKilledError, type Op, select, sleep, spawn, timeout } from 'tendril';
import {
  anyEvent,
  Component,
  ComponentStoppedError,
  Debugger,
  defineEvent,
  handling,
  NoResultError,
} from 'tendril/components';
import { describe, expect, it } from 'vitest';
import { nodeOf } from '../../components/component-node.ts';
import { play, spawnQuietly } from '../core/world.ts';
import { below, onStage, outcome } from './stage.ts';

const hello = defineEvent<[name?: string], string>('hello');
const count = defineEvent<[upTo: number], number>('count');
const work = defineEvent<[ms: number], number>('work');
const done = defineEvent<[what: string]>('done');

describe('call', () => {
  it('returns the results of the handlers', () =>
    onStage(function* ({ app }) {
      app.on(hello, () => 'Hello World!');
      expect(yield* app.call(hello())).toEqual(['Hello World!']);
    }));

  it('waits for handlers that wait, and that call others', () =>
    onStage(function* ({ app }) {
      app.on(count, function* (upTo) {
        if (upTo === 0) return 0;
        yield* sleep(1);
        return upTo + (yield* this.ask(count(upTo - 1)));
      });
      expect(yield* app.call(count(100))).toEqual([5050]);
    }));

  it('gives several results of one handler after the other', () =>
    onStage(function* ({ app }) {
      app.on(hello, function* () {
        const [x = 0] = yield* this.call(work(20));
        const [y = 0] = yield* this.call(work(10));
        return `${x} and ${y}`;
      });
      app.on(work, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      expect(yield* app.ask(hello())).toBe('20 and 10');
    }));

  it('returns the result of this event, whatever others of its type are about', () =>
    onStage(function* ({ app }) {
      app.on(work, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const first = app.fire(work(30));
      const answer = spawn(() => app.call(work(20)));
      const last = app.fire(work(10));
      expect([yield* last.result(), yield* answer.get(), yield* first.result()]).toEqual([[10], [20], [30]]);
    }));

  it('returns for an event that is stopped, and for one that nobody handles', () =>
    onStage(function* ({ app }) {
      const before = yield* app.call(hello());
      app.on(hello, () => {
        handling().stop();
        return 'mine';
      });
      expect([before, yield* app.call(hello())]).toEqual([[], ['mine']]);
    }));

  it('is a description: started twice it fires twice', () =>
    onStage(function* ({ app }) {
      let times = 0;
      app.on(count, () => (times += 1));
      const call = app.call(count(1));
      expect([times, yield* call, yield* call]).toEqual([0, [1], [2]]);
    }));

  it('in time under a timeout, or too late for it, in which case the event is handled all the same', () =>
    onStage(function* ({ app, log }) {
      app.on(work, function* (ms) {
        yield* sleep(ms);
        log.push(`worked ${ms}`);
        return ms;
      });
      log.push(yield* timeout(20, app.call(work(10))));
      log.push(yield* outcome(timeout(20, app.call(work(30)))));
      yield* app.settled();
      expect(log).toEqual(['worked 10', [10], 'TimeoutError: timed out after 20 ms', 'worked 30']);
    }));

  it('is thrown what a handler throws, the very object, after all have ended', () =>
    onStage(function* ({ app, log, lost }) {
      const error = new Error('no');
      app.on(hello, () => {
        throw error;
      });
      app.on(hello, function* () {
        yield* sleep(10);
        log.push('ended');
        return 'well';
      });
      try {
        yield* app.call(hello());
      } catch (caught) {
        log.push(caught === error);
      }
      yield* app.settled();
      expect([log, lost]).toEqual([['ended', true], []]);
    }));

  it('is told of a handler that was killed', () =>
    onStage(function* ({ app, lost }) {
      app.on(hello, () => sleep(Number.POSITIVE_INFINITY) as Op<undefined>, { name: 'sleeper' });
      const call = spawnQuietly(() => app.call(hello()));
      yield* sleep(1);
      expect(app.kill('enough')).toBe(1);
      const error = yield* outcome(call.get());
      expect([error, lost]).toEqual(['GreenletKilledError: sleeper of component app was killed: enough', []]);
      expect(call.outcome).toMatchObject({ error: expect.any(GreenletKilledError) });
    }));

  it('that is killed leaves the event alone and nobody waiting', () =>
    onStage(function* ({ app, log }) {
      app.on(work, function* (ms) {
        yield* sleep(ms);
        log.push(ms);
      });
      const call = spawnQuietly(() => app.call(work(5)));
      yield* sleep(1);
      call.kill();
      yield* app.settled();
      expect([log, call.killed]).toEqual([[5], true]);
    }));
});

describe('ask', () => {
  it('returns the first result', () =>
    onStage(function* ({ app }) {
      app.on(hello, () => undefined);
      app.on(hello, (name) => `hello ${name}`);
      app.on(hello, () => 'later');
      expect(yield* app.ask(hello('Ada'))).toBe('hello Ada');
    }));

  it('throws if nobody handles the event, and if nobody answers', () =>
    onStage(function* ({ app, log }) {
      new Debugger({ write: () => {} }).register(app); // it watches, and is not counted
      log.push(yield* outcome(app.ask(hello('Ada'), { channel: 'lost' })));
      app.on(hello, () => undefined);
      log.push(yield* outcome(app.ask(hello())));
      expect(log).toEqual([
        'NoResultError: nobody handles hello("Ada") on lost: register the component that does, or look at the channel that it is fired on',
        'NoResultError: none of the 1 handlers of hello() on * gave a result',
      ]);
      expect(new NoResultError('x', 1).code).toBe('ERR_EVENT_NO_RESULT');
    }));
});

describe('result', () => {
  it('can be waited for by several, before and after', () =>
    onStage(function* ({ app }) {
      app.on(work, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const firing = app.fire(work(5));
      const waiters = [1, 2].map(() => spawn(() => firing.result()));
      expect([yield* waiters[0]!.get(), yield* waiters[1]!.get(), yield* firing.result(), firing.results]).toEqual([
        [5],
        [5],
        [5],
        [5],
      ]);
    }));

  it('is an arm of a select like any other', () =>
    onStage(function* ({ app, log }) {
      app.on(work, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const [slow, fast] = [app.fire(work(20)), app.fire(work(10))];
      log.push(yield* select({ slow: slow.result(), fast: fast.result() }));
      log.push(yield* select({ slow: slow.result(), time: sleep(5) }));
      log.push(yield* select({ slow: slow.result(), time: sleep(50) }));
      expect(log).toEqual([
        { key: 'fast', value: [10] },
        { key: 'time', value: undefined },
        { key: 'slow', value: [20] },
      ]);
    }));
});

describe('wait', () => {
  it('returns the next event of a type, whose results can be waited for in turn', () =>
    onStage(function* ({ app }) {
      app.on(hello, function* () {
        yield* sleep(5);
        return 'Hello World!';
      });
      spawn(function* () {
        yield* sleep(10);
        app.fire(hello());
      });
      const firing = yield* app.wait(hello);
      expect([firing.state, yield* firing.result()]).toEqual(['handling', ['Hello World!']]);
    }));

  it('counts neither what was handled before nor another type, but what was fired and waits', () =>
    onStage(function* ({ app, log }) {
      yield* app.call(done('before'));
      app.fire(hello());
      app.fire(done('queued'));
      const firing = yield* app.wait(done);
      log.push(...firing.event.args);
      log.push(yield* outcome(timeout(10, app.wait(done))));
      expect(log).toEqual(['queued', 'TimeoutError: timed out after 10 ms in wait on event done on *']);
    }));

  it('of a notification waits for the end of an event', () =>
    onStage(function* ({ app }) {
      app.on(hello, function* (name) {
        yield* sleep(5);
        return `hello ${name}`;
      });
      app.fire(hello('Ada'));
      const success = yield* app.wait(hello.success);
      const [firing, results] = success.event.args;
      expect([String(firing), firing.state, results]).toEqual(['hello("Ada") on *', 'handled', ['hello Ada']]);
    }));

  it('listens on the channel of its component, or another one', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a', channel: 'a' });
      const hear = (name: string, wait: Op<{ readonly event: { readonly args: readonly [string] } }>): void =>
        void spawn(function* () {
          log.push(`${name}: ${(yield* wait).event.args[0]}`);
        });
      hear('a', a.wait(done));
      hear('a on b', a.wait(done, { channel: 'b' }));
      hear('app', app.wait(done));
      hear('for a', app.wait(done, { channel: a }));
      yield* sleep(1);
      for (const channel of ['c', 'b', 'a', a, '*']) {
        app.fire(done(String(channel)), { channel });
        yield* app.settled();
        yield* sleep(1);
      }
      expect(log).toEqual(['app: c', 'a on b: b', 'a: a', 'for a: component a']);
    }));

  it('can have a condition; one that throws is thrown to who waits', () =>
    onStage(function* ({ app, log }) {
      spawn(function* () {
        for (const what of ['one', 'two', 'three']) {
          yield* sleep(1);
          app.fire(done(what));
        }
      });
      const firing = yield* app.wait(done, { where: (what) => what.startsWith('t') });
      log.push(...firing.event.args);
      const bad = app.wait(done, {
        where: () => {
          throw new Error('bad condition');
        },
      });
      log.push(yield* outcome(bad));
      expect(log).toEqual(['two', 'Error: bad condition']);
    }));

  it('wakes all who wait, once each, in the order in which they began', () =>
    onStage(function* ({ app, log }) {
      for (const name of ['a', 'b', 'c']) {
        spawn(function* () {
          yield* app.wait(done);
          log.push(name);
        });
      }
      yield* sleep(1);
      app.fire(done('1'));
      app.fire(done('2'));
      yield* app.settled();
      yield* sleep(0);
      expect(log).toEqual(['a', 'b', 'c']);
    }));

  it('can wait twice in one select, of which one arm is taken and both are gone', () =>
    onStage(function* ({ app, log }) {
      const arms = () =>
        select(
          {
            no: app.wait(done, { where: () => false }),
            one: app.wait(done),
            two: app.wait(done),
            any: app.wait(anyEvent),
            other: app.wait(hello),
          },
          { priority: true },
        );
      const waiting = spawn(arms);
      const second = spawn(() => app.wait(done));
      yield* sleep(1);
      app.fire(done('x'));
      const { key } = yield* waiting.get();
      log.push(key, (yield* second.get()).event.args);
      expect(log).toEqual(['one', ['x']]);
      expect(nodeOf(app).tree.waits.size).toBe(0);
    }));

  it('can wait through two components in one select', () =>
    onStage(function* ({ app, log }) {
      const [a, b] = [below(app, { name: 'a' }), below(app, { name: 'b' })];
      const waiting = spawn(() => select({ a: a.wait(done), b: b.wait(done) }));
      yield* sleep(1);
      for (const what of ['x', 'y']) log.push(yield* app.call(done(what)));
      const { key, value } = yield* waiting.get();
      log.push(key, value.event.args, nodeOf(app).tree.waits.size);
      expect(log).toEqual([[], [], 'a', ['x'], 0]);
    }));

  it('asks a condition once for each event, whoever else is woken or killed by it', () =>
    onStage(function* ({ app, log }) {
      const counting = (name: string) => () => {
        log.push(name);
        return false;
      };
      const waiting = [
        spawn(() => app.wait(done, { where: counting('first') })),
        spawn(() => select({ one: app.wait(done), two: app.wait(done) })),
        spawn(() => app.wait(done, { where: counting('last') })),
      ];
      yield* sleep(1);
      yield* app.call(done('x'));
      for (const each of waiting) each.kill();
      expect(log).toEqual(['first', 'last']);
    }));

  it('for any event gives whatever comes next', () =>
    onStage(function* ({ app }) {
      spawn(function* () {
        yield* sleep(1);
        app.fire(done('x'));
      });
      const wait = app.wait(anyEvent, { where: (firing) => firing.event.type !== hello });
      expect(String(yield* wait)).toBe('done("x") on *');
    }));

  it('that is killed, or a condition that kills who waits, leaves nobody in the lists', () =>
    onStage(function* ({ app, log }) {
      const one = spawnQuietly(() => app.wait(done));
      const two = spawnQuietly(() =>
        app.wait(done, {
          where: () => {
            two.kill();
            three.kill();
            return false;
          },
        }),
      );
      const three = spawnQuietly(() => app.wait(done));
      const four = spawnQuietly(() => app.wait(done, { where: () => false }));
      yield* sleep(1);
      one.kill();
      app.fire(done('x'));
      yield* app.settled();
      yield* sleep(0);
      log.push([one, two, three, four].map(({ state, killed }) => `${state} ${killed}`));
      four.kill();
      expect([log, nodeOf(app).tree.waits.size]).toEqual([
        [['done true', 'done true', 'done true', 'parked false']],
        0,
      ]);
    }));

  it('through another component may be killed by a condition', () =>
    onStage(function* ({ app, log }) {
      const [a, b] = [below(app, { name: 'a' }), below(app, { name: 'b' })];
      const one = spawn(() => a.wait(done, { where: () => two.kill() }));
      const two = spawnQuietly(() => b.wait(done));
      yield* sleep(1);
      log.push(yield* app.call(done('x')), (yield* one.get()).event.args, two.state, nodeOf(app).tree.waits.size);
      expect(log).toEqual([[], ['x'], 'done', 0]);
    }));

  it('in a handler lets other events be handled', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, function* () {
        this.fire(done('from hello'));
        const firing = yield* this.wait(done, { where: (what) => what === 'answer' });
        return `heard ${firing.event.args[0]}`;
      });
      app.on(done, (what) => {
        if (what === 'from hello') app.fire(done('answer'));
        log.push(what);
      });
      expect([yield* app.ask(hello()), log]).toEqual(['heard answer', ['from hello', 'answer']]);
    }));

  it('fails when the tree ends, and when its component leaves it', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const room = below(app, { name: 'room' });
      const log: unknown[] = [];
      const hear = (wait: Op<unknown>): void =>
        void spawn(function* () {
          log.push(yield* outcome(wait));
        });
      yield* app.run(function* () {
        hear(room.wait(done));
        hear(app.wait(done));
        yield* sleep(1);
        yield* room.unregister().complete();
        yield* sleep(0);
        log.push('out');
      });
      yield* sleep(0);
      expect(log).toEqual([
        'ComponentStoppedError: what was waited for through component room will not come: component room was unregistered',
        'out',
        'ComponentStoppedError: what was waited for through component app will not come: component app has ended',
      ]);
      expect(new ComponentStoppedError('x').code).toBe('ERR_COMPONENT_STOPPED');
    }));

  it('goes with its component from tree to tree', () =>
    onStage(function* ({ app }) {
      const room = new Component({ name: 'room' });
      const waiting = spawn(() => room.wait(done));
      yield* sleep(1);
      room.register(app);
      app.fire(done('here'));
      expect((yield* waiting.get()).event.args).toEqual(['here']);
    }));
});
