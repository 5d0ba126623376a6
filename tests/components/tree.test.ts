// tree.test.ts: components in a tree: registered, taken out, also while events are handled; the tree that runs, and its end.
//
// The behaviours of circuits' own tests: test_component_setup (parents and roots, unregistering a subtree, who is told), test_core (containing), test_dynamic_handlers,
// and of Manager.run: started, stopped, what is left over at the end.
import { DeadlockError, type Greenlet, GreenletKilledError, now, type Op, sleep, spawn, spawnWith } from 'tendril';
import {
  anyEvent,
  Component,
  ComponentStateError,
  defineEvent,
  exception,
  registered,
  started,
  stopped,
  unregistered,
  unregistering,
} from 'tendril/components';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { nodeOf } from '../../components/component-node.ts';
import { collectErrors, play, spawnQuietly, world } from '../core/world.ts';
import { below, onStage, outcome } from './stage.ts';

const note = defineEvent<[text: string], string>('note');

function failing(what: string): never {
  throw new Error(`${what} failed`);
}

describe('register', () => {
  it('puts a component, with all below it, into a tree', () =>
    play(function* () {
      const [m, a, b] = ['m', 'a', 'b'].map((name) => new Component({ name })) as [Component, Component, Component];
      b.register(a);
      expect([a.root === a, b.root === a, b.parent === a, a.parent]).toEqual([true, true, true, undefined]);
      expect(a.register(m)).toBe(a);
      expect([a.root, a.parent, b.root, b.parent].map(String)).toEqual([
        'component m',
        'component m',
        'component m',
        'component a',
      ]);
      expect([m.contains(b), m.contains(m), a.contains(m), m.children, a.children]).toEqual([
        true,
        true,
        false,
        [a],
        [b],
      ]);
    }));

  it('tells everybody', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a', channel: 'a' });
      a.on(registered, (component, parent) => void log.push(`a hears ${component} with ${parent}`));
      app.on(registered, (component) => void log.push(`app hears ${component}`));
      yield* app.settled();
      below(a, { name: 'b' });
      yield* app.settled();
      expect(log).toEqual([
        'a hears component a with component app',
        'app hears component a',
        'a hears component b with component a',
        'app hears component b',
      ]);
    }));

  it('brings what was fired before', () =>
    onStage(function* ({ app, log }) {
      const a = new Component({ name: 'a' });
      a.on(note, (text) => void log.push(text));
      const early = a.fire(note('early'));
      const settled = spawn(() => a.settled());
      yield* sleep(1);
      a.register(app);
      yield* early.result();
      yield* settled.get();
      expect(log).toEqual(['early']);
    }));

  it('in a handler counts from the next event on', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => {
        log.push(`app ${text}`);
        if (text === 'first') below(app, { name: 'new' }).on(note, (heard) => void log.push(`new ${heard}`));
      });
      app.fire(note('first'));
      app.fire(note('second'));
      yield* app.settled();
      expect(log).toEqual(['app first', 'app second', 'new second']);
    }));

  it('keeps the order of handlers: those that came into the tree later come later', () =>
    onStage(function* ({ app }) {
      const [a, b] = [new Component({ name: 'a' }), new Component({ name: 'b' })];
      b.on(note, () => 'b');
      a.on(note, () => 'a');
      a.register(app);
      b.register(app);
      app.on(note, () => 'app');
      expect(yield* app.call(note(''))).toEqual(['a', 'b', 'app']);
    }));
});

describe('settled', () => {
  it('is over for a component that is registered meanwhile when the tree that it is in then is', () =>
    play(function* () {
      const [app, a] = [new Component({ name: 'app' }), new Component({ name: 'a' })];
      const log: unknown[] = [];
      app.on(note, (text) => void log.push(text));
      a.fire(note('x'));
      const settled = spawn(function* () {
        yield* a.settled();
        log.push('settled');
      });
      yield* sleep(1);
      a.register(app);
      yield* sleep(1);
      yield* app.run(() => settled.get());
      expect(log).toEqual(['x', 'settled']);
    }));
});

describe('unregister', () => {
  it('takes a subtree out, and tells those in it beforehand and the others afterwards', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a', channel: 'a' });
      const b = below(a, { name: 'b', channel: 'b' });
      const other = below(app, { name: 'other' });
      b.on(unregistering, (component) => void log.push(`b is concerned: ${component.contains(b)}`));
      other.on(unregistering, function* (component) {
        yield* sleep(5);
        log.push(`other lets go of ${component}: ${component.contains(this)}`);
      });
      other.on(unregistered, (component, parent) => void log.push(`${component} has left ${parent}`));
      const firing = a.unregister();
      expect([a.parent, a.unregister() === firing]).toEqual([app, true]);
      yield* firing.complete();
      log.push(a.parent, a.root === a, b.root === a, b.parent === a, app.children.map(String));
      yield* app.settled();
      expect(log).toEqual([
        'b is concerned: true',
        'other lets go of component a: false',
        undefined,
        true,
        true,
        true,
        ['component other'],
        'component a has left component app',
      ]);
    }));

  it('gives it no event any more, neither those that are queued nor the one that is being handled', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a' });
      app.on(note, () => void a.unregister(), { priority: 1 });
      a.on(note, (text) => void log.push(text));
      a.on(anyEvent, (firing) => void log.push(String(firing)));
      yield* app.settled();
      log.length = 0;
      app.fire(note('being handled'));
      app.fire(note('queued'));
      yield* app.settled();
      expect(log).toEqual(['unregistering(component a) on *']);
    }));

  it('in a handler of its own lets that handler go on', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a' });
      a.on(note, function* (text) {
        yield* this.unregister().complete();
        log.push(this.parent);
        yield* sleep(5);
        return `done with ${text}`;
      });
      log.push(yield* app.call(note('x')), yield* app.call(note('y')));
      expect(log).toEqual([undefined, ['done with x'], []]);
    }));

  it('lets it be registered again, elsewhere', () =>
    onStage(function* ({ app, log }) {
      const [a, b, c] = ['a', 'b', 'c'].map((name) => below(app, { name })) as [Component, Component, Component];
      c.on(note, () => 'c', { channel: 'of c' });
      yield* c.unregister().complete();
      c.register(a);
      log.push(yield* b.call(note('x'), { channel: 'of c' }), String(c.parent));
      expect(log).toEqual([['c'], 'component a']);
    }));

  it('takes effect at once in a tree that does not run', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const a = below(app, { name: 'a' });
      const log: unknown[] = [];
      app.on(unregistered, (component) => void log.push(String(component)));
      a.unregister();
      log.push(a.parent, app.children);
      a.register(app).unregister();
      yield* app.run(() => sleep(0));
      expect(log).toEqual([undefined, [], 'component a', 'component a']);
    }));

  it('of one within another that is leaving too is done on its own', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a' });
      const b = below(a, { name: 'b' });
      app.on(unregistered, (component, parent) => void log.push(`${component} from ${parent}`));
      a.unregister();
      b.unregister();
      yield* app.settled();
      yield* app.settled();
      log.push(b.root === b, a.children, nodeOf(b).leaving, nodeOf(a).leaving);
      expect(log).toEqual(['component a from component app', 'component b from component a', true, [], false, false]);
    }));

  it('by thousands of components with channels of their own costs the same for each', () =>
    onStage(function* ({ app }) {
      let heard = 0;
      const rooms = Array.from({ length: 3000 }, (_, i) => {
        const room = below(app, { name: `room ${i}`, channel: `room ${i}` });
        room.on(note, () => void (heard += 1));
        return room;
      });
      for (const room of rooms) app.fire(note(''), { channel: room.channel });
      for (const room of rooms) room.unregister();
      yield* app.settled();
      expect([heard, app.children.length]).toEqual([0, 0]);
    }));

  it('that is not done yet goes on when a component above has left, and is given no more than before', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a' });
      const b = below(a, { name: 'b' });
      app.on(unregistering, function* (component) {
        if (component === b) yield* sleep(5);
      });
      for (const each of [a, b]) each.on(note, (text) => `${each.name} heard ${text}`);
      const leaves = b.unregister();
      yield* a.unregister().complete();
      a.register(app);
      log.push(a.parent, yield* app.call(note('x')));
      yield* leaves.complete();
      log.push(b.parent, yield* app.call(note('y')));
      expect(log).toEqual([app, ['a heard x'], undefined, ['a heard y']]);
    }));

  it('at once, by a handler, keeps the event that is being handled from its handlers', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a' });
      app.on(note, () => void log.push(a.unregister().cancel(), a.parent), { priority: 1 });
      a.on(note, () => void log.push('heard'));
      yield* app.call(note('x'));
      expect(log).toEqual([true, undefined]);
    }));
});

describe('run', () => {
  it('fires started, runs the body, handles what is left, fires stopped, and returns the value', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const log: string[] = [];
      app.on(anyEvent, ({ event }) => void log.push(event.type.name));
      app.on(note, function* (text) {
        yield* sleep(10);
        if (text !== 'more') this.fire(note('more'));
      });
      app.on(stopped, () => void app.fire(note('goodbye')));
      const value = yield* app.run(function* () {
        yield* sleep(0);
        app.fire(note('at the end'));
        log.push('body ends');
        return 'value';
      });
      expect([value, app.running, log]).toEqual([
        'value',
        false,
        ['started', 'body ends', 'note', 'note', 'stopped', 'note', 'note'],
      ]);
    }));

  it('can be done again', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      app.on(note, (text) => text);
      const log: unknown[] = [];
      for (const text of ['one', 'two']) log.push(yield* app.run(() => app.ask(note(text))));
      app.fire(note('between'));
      const between = app.wait(note);
      const [firing] = yield* app.run(function* () {
        return [yield* between];
      });
      expect([log, firing?.event.args]).toEqual([['one', 'two'], ['between']]);
    }));

  it('without a body goes on until the greenlet is killed, and then nothing is left', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const log: unknown[] = [];
      app.on(note, function* (text) {
        try {
          yield* sleep(1e9);
        } finally {
          log.push(`${text} cleaned up`);
        }
      });
      app.background(() => sleep(1e9));
      const running = spawnQuietly(() => app.run());
      yield* sleep(1);
      const waiting = app.fire(note('handler'));
      yield* sleep(1);
      running.kill('enough');
      const queued = app.fire(note('queued'));
      const outcomes = [waiting, queued].map((firing) => spawn(() => outcome(firing.result())));
      yield* running.join();
      for (const each of outcomes) log.push(yield* each.get());
      const { live, sleepers, timeouts } = world();
      expect([log, running.outcome?.ok, app.running, live, sleepers.size, timeouts.size]).toEqual([
        [
          'handler cleaned up',
          'GreenletKilledError: the handler of note of component app was killed: enough',
          'ComponentStoppedError: component app ended before note("queued") on * was handled',
        ],
        false,
        false,
        1,
        0,
        0,
      ]);
    }));

  it('that fails kills its handlers, cancels what is queued and throws the error', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const log: unknown[] = [];
      app.on(note, function* (text) {
        try {
          yield* sleep(1e9);
        } finally {
          log.push(`${text} cleaned up`);
        }
      });
      app.on(note.success, () => void log.push('success'));
      app.on(note.complete, () => void log.push('complete'));
      const firings: { result(): Op<unknown> }[] = [];
      const error = yield* outcome(
        app.run(function* () {
          firings.push(app.fire(note('handled')));
          yield* sleep(1);
          firings.push(app.fire(note('queued')));
          throw new Error('the body failed');
        }),
      );
      for (const firing of firings) log.push(yield* outcome(firing.result()));
      expect([error, log]).toEqual([
        'Error: the body failed',
        [
          'handled cleaned up',
          expect.stringMatching(/^GreenletKilledError/),
          'ComponentStoppedError: component app ended before note("queued") on * was handled',
        ],
      ]);
    }));

  it('that is killed while a handler is about to begin leaves no event half open', () =>
    play(function* () {
      const app = new Component({ name: 'app' });
      const log: unknown[] = [];
      app.on(note, () => void running.kill('now'));
      app.on(note, function* () {
        log.push('never');
      });
      app.on(note, () => void log.push('never either'));
      const firing = app.fire(note('x'));
      const complete = firing.complete();
      const running: Greenlet<unknown> = spawnQuietly(() => app.run());
      yield* running.join();
      log.push(firing.state, yield* outcome(firing.result()), yield* outcome(complete), firing.errors.map(String));
      const killed = 'GreenletKilledError: the handler of note of component app was killed: now';
      expect(log).toEqual([
        'handled',
        killed,
        killed,
        [killed, 'ComponentStoppedError: component app ended before all handlers of note("x") on * were begun'],
      ]);
    }));

  it('that ends by force, because its greenlet ignores the kill, leaves handlers to end by themselves', () =>
    play(function* () {
      const lost = collectErrors();
      const app = new Component({ name: 'app' });
      app.on(note, function* () {
        try {
          yield* sleep(1e9);
        } finally {
          failing('handler');
        }
      });
      app.background(function* () {
        try {
          yield* sleep(1e9);
        } finally {
          failing('background');
        }
      });
      const firing = app.fire(note('x'));
      const running = spawnQuietly(() =>
        app.run(function* () {
          for (;;) {
            try {
              yield* sleep(1e9);
            } catch {}
          }
        }),
      );
      yield* sleep(5);
      running.kill();
      yield* running.join();
      yield* sleep(5);
      expect([firing.state, app.running, lost.map(String).sort()]).toEqual([
        'handled',
        false,
        ['Error: background failed', 'Error: handler failed'],
      ]);
    }));

  it('ends although a handler ignores its kill', () =>
    play(function* () {
      collectErrors();
      const app = new Component({ name: 'app' });
      app.on(note, function* () {
        for (;;) {
          try {
            yield* sleep(1e9);
          } catch {}
        }
      });
      const firing = app.fire(note('stubborn'));
      const running = spawnQuietly(() => app.run(() => sleep(10)));
      yield* sleep(5);
      running.kill();
      yield* running.join();
      expect(yield* outcome(firing.result())).toMatch(/GreenletKilledError/);
    }));

  it('finds that nothing can go on', async () => {
    const app = new Component({ name: 'app' });
    app.on(note, () => app.wait(started) as unknown as Op<undefined>);
    const played = simulate(() => app.run(() => app.call(note('for ever'))));
    await expect(played).rejects.toBeInstanceOf(DeadlockError);
    await expect(played).rejects.toThrow('events of app');
  });

  it('shows what cannot be looked at, in reports and while it ends', () =>
    play(function* () {
      const thing = new Proxy(
        {},
        {
          get: () => {
            throw new Error('hands off');
          },
        },
      );
      const odd = defineEvent<[thing: object]>('odd');
      const app = new Component({ name: 'app' });
      const log: unknown[] = [];
      log.push(
        yield* outcome(
          app.run(function* () {
            log.push(app.fire(odd(thing)));
            throw new Error('the body failed');
          }),
        ),
      );
      log.push(yield* outcome((log.shift() as { result(): Op<unknown> }).result()));
      expect(log).toEqual([
        'Error: the body failed',
        'ComponentStoppedError: component app ended before odd(an object) on * was handled',
      ]);
    }));

  it('outside a greenlet is refused, and leaves the events alone', () => {
    const app = new Component({ name: 'app' });
    expect(() => [...(app.run(() => sleep(1)) as unknown as Iterable<unknown>)]).toThrow('outside a greenlet');
    expect(app.running).toBe(false);
  });

  it('works in a tree whose root is fired at by greenlets and ordinary code outside', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => void log.push(text));
      spawn(function* () {
        app.fire(note('greenlet'));
      });
      const link = spawn(function* () {});
      link.link(() => void app.fire(note('callback')));
      yield* sleep(1);
      expect(log).toEqual(['greenlet', 'callback']);
    }));
});

describe('background', () => {
  it('runs while the component is in a tree that runs', () =>
    play(function* () {
      const log: unknown[] = [];
      class Ticker extends Component {
        constructor(name: string) {
          super({ name });
          this.background(this.tick, 10);
        }
        *tick(everyMs: number): Op<void> {
          try {
            for (;;) {
              yield* sleep(everyMs);
              log.push(`${this.name} ${now()}`);
            }
          } finally {
            log.push(`${this.name} ends`);
          }
        }
      }
      const app = new Component({ name: 'app' });
      new Ticker('one').register(app);
      yield* sleep(100);
      yield* app.run(function* () {
        yield* sleep(15);
        const two = new Ticker('two').register(app);
        yield* sleep(20);
        yield* two.unregister().complete();
        yield* sleep(10);
      });
      expect(log).toEqual(['one 110', 'one 120', 'two 125', 'one 130', 'two 135', 'two ends', 'one 140', 'one ends']);
    }));

  it('begins anew with each tree that runs, until it is over', () =>
    play(function* () {
      const log: unknown[] = [];
      const [one, two] = [new Component({ name: 'one' }), new Component({ name: 'two' })];
      const a = new Component({ name: 'a' });
      a.background(function* () {
        log.push(`begins in ${this.root}`);
        yield* sleep(10);
        log.push('over');
      });
      a.register(one);
      yield* one.run(() => sleep(1));
      yield* one.run(function* () {
        yield* sleep(1);
        yield* a.unregister().complete();
      });
      a.register(two);
      yield* two.run(() => sleep(20));
      yield* two.run(() => sleep(20));
      expect([log, nodeOf(a).backgrounds.size]).toEqual([
        ['begins in component one', 'begins in component one', 'begins in component two', 'over'],
        0,
      ]);
    }));

  it('can be ended, before it has begun too', () =>
    onStage(function* ({ app, log }) {
      const a = new Component({ name: 'a' });
      a.background(() => never())();
      const stop = app.background(function* () {
        try {
          yield* sleep(1e9);
        } finally {
          log.push('ended');
        }
      });
      yield* sleep(1);
      a.register(app);
      yield* sleep(1);
      stop();
      stop();
      yield* sleep(1);
      expect([log, nodeOf(a).backgrounds.size, nodeOf(app).backgrounds.size]).toEqual([['ended'], 0, 0]);
      function* never(): Op<void> {
        log.push('never');
      }
    }));

  it('that fails is an exception event, and goes to the hub if nobody handles that', () =>
    onStage(function* ({ app, log, lost }) {
      app.background(function* first() {
        throw new Error('one');
      });
      yield* sleep(1);
      app.on(exception, (error, { component, firing, handler }) => {
        log.push(String(error), component === app, firing, handler);
      });
      app.background(function* second() {
        throw new Error('two');
      });
      yield* sleep(1);
      expect([log, lost.map(String)]).toEqual([['Error: two', true, undefined, 'second of app'], ['Error: one']]);
    }));

  it('is nobody’s effect, whoever began it', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => {
        if (text === 'begin') {
          app.background(function* () {
            yield* sleep(10);
            app.fire(note('from the background'));
          });
        } else log.push(text);
      });
      yield* app.fire(note('begin')).complete();
      log.push('complete');
      yield* sleep(20);
      expect(log).toEqual(['complete', 'from the background']);
    }));
});

describe('kill', () => {
  it('kills the handlers of a component and of those below, and the component goes on', () =>
    onStage(function* ({ app, log, lost }) {
      const a = below(app, { name: 'a' });
      const b = below(a, { name: 'b' });
      for (const component of [app, a, b]) {
        component.on(note, function* (text) {
          yield* sleep(text === 'slow' ? 100 : 1);
          return component.name;
        });
      }
      const slow = app.fire(note('slow'));
      yield* sleep(10);
      log.push(a.kill('enough'), yield* outcome(slow.result()), slow.results);
      log.push(yield* app.call(note('fast')), a.kill());
      expect([log, lost]).toEqual([
        [
          2,
          'GreenletKilledError: the handler of note of component a was killed: enough',
          ['app'],
          ['app', 'a', 'b'],
          0,
        ],
        [],
      ]);
      expect(slow.errors.map((error) => error instanceof GreenletKilledError)).toEqual([true, true]);
    }));

  it('reaches the handlers of a component that has left the tree that they run in', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a' });
      const b = below(a, { name: 'b' });
      for (const component of [a, b]) component.on(note, () => sleep(1e9) as Op<undefined>);
      const firing = app.fire(note('x'));
      yield* sleep(1);
      yield* a.unregister().complete();
      log.push(firing.state, a.kill(), b.kill());
      log.push(yield* outcome(firing.result()), nodeOf(a).runs.size, nodeOf(b).runs.size);
      expect(log).toEqual(['handling', 2, 0, expect.stringContaining('GreenletKilledError'), 0, 0]);
    }));

  it('reaches a handler that has not begun, and lets the event go on', () =>
    onStage(function* ({ app, log }) {
      app.on(note, () => {
        spawnWith({ name: 'killer' }, function* () {
          log.push(app.kill('too soon'));
        });
      });
      app.on(note, function* () {
        log.push('never');
      });
      app.on(note, () => 'last');
      const firing = app.fire(note('x'));
      log.push(yield* outcome(firing.result()), firing.results);
      expect(log).toEqual([
        1,
        'GreenletKilledError: the handler of note of component app was killed: too soon',
        ['last'],
      ]);
    }));
});

describe('Misuse', () => {
  it('is refused at the call, and changes nothing', () =>
    onStage(function* ({ app }) {
      const a = below(app, { name: 'a' });
      const b = below(a, { name: 'b' });
      const running = below(a, { name: 'c' });
      const refusals: [string, () => unknown][] = [
        ['component a is registered with component app already: unregister it first', () => a.register(b)],
        ['component app is running as a root of its own', () => app.register(new Component())],
        ['register takes a component, not undefined', () => new Component().register(undefined as never)],
        ['component app is registered nowhere', () => app.unregister()],
        ['run takes a generator function, not the number 5', () => app.run(5 as never)],
        [
          "fire takes an event, not a function 'note': call it with the event's arguments, fire(note(...))",
          () => app.fire(note as never),
        ],
        ['call takes an event, not undefined', () => app.call(undefined as never)],
        [
          'on takes a type of events, as defineEvent gives it, not the event note("x"): give the type itself, without calling it',
          () => app.on(note('x') as never, () => undefined),
        ],
        [
          'wait takes a type of events, as defineEvent gives it, not the string "note"',
          () => app.wait('note' as never),
        ],
        [
          'on(note) takes a handler: a function, a generator function or {executor, task}, not undefined',
          () => app.on(note, undefined as never),
        ],
        [
          "on(note) takes a generator function, not an async function 'later': write function*, and `yield* until(promise)` for await",
          () => app.on(note, async function later() {} as never),
        ],
        [
          'on(note): priority must be a finite number, not the number NaN',
          () => app.on(note, () => 'x', { priority: Number.NaN }),
        ],
        [
          'on(note): a channel is a string that is not empty, or a component, not the string ""',
          () => app.on(note, () => 'x', { channel: '' }),
        ],
        [
          'on(note): executor must be an executor of tendril/executors, not an object (Object)',
          () => app.on(note, { executor: {}, task: {} } as never),
        ],
        [
          'fire: priority must be a finite number, not the string "1"',
          () => app.fire(note('x'), { priority: '1' as never }),
        ],
        [
          'fire: channel must be a channel, or a list of them that is not empty',
          () => app.fire(note('x'), { channel: [] }),
        ],
        [
          'call: a channel is a string that is not empty, or a component, not the number 5',
          () => app.call(note('x'), { channel: 5 as never }),
        ],
        ['ask: options must be an object, not 5', () => app.ask(note('x'), 5 as never)],
        ['wait: where must be a function, not the number 5', () => app.wait(note, { where: 5 as never })],
        ['defineEvent: the name must be a string that is not empty, not the string ""', () => defineEvent('')],
        ['defineEvent: check must be a function, not the number 5', () => defineEvent('x', { check: 5 as never })],
        ['Component: name must be a string, not 5', () => new Component({ name: 5 as never })],
        [
          'Component: a channel is a string that is not empty, or a component, not the string ""',
          () => new Component({ channel: '' }),
        ],
        ['background takes a generator function, not the number 5', () => app.background(5 as never)],
      ];
      for (const [message, refused] of refusals) expect(refused).toThrow(message);
      running.unregister();
      expect(() => new Component({ name: 'd' }).register(running)).toThrow('which is being unregistered');
      expect(yield* outcome(app.run())).toBe('ComponentStateError: component app is running already');
      expect(yield* outcome(a.run())).toBe(
        'ComponentStateError: component a is below component app: run the root, component app',
      );
      expect(new ComponentStateError('x').code).toBe('ERR_COMPONENT_STATE');
      const lonely = new Component({ name: 'lonely' });
      expect(() => lonely.register(lonely)).toThrow('which is a part of it');
    }));
});
