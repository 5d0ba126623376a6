// events.test.ts: in which order events and handlers come, where events are heard, what handlers return, and how an event is stopped.
//
// The behaviours of circuits' own tests, by the names that they have there:
//   test_core, test_value, test_generator_value  results of plain and generator handlers, several results
//   test_event_priority                          events by priority (there the lower number goes first, here the higher, as with handlers)
//   test_priority                                handlers by priority
//   test_globals                                 handlers of every event
//   test_filters, test_new_filter                stop
//   test_channel_selection, test_component_targeting  channels, and a component as one
//   test_dynamic_handlers                        handlers that are added and taken out
//   test_inheritence                             handlers of a base class and of its subclass
import { type Op, scope, sleep, spawn, yieldNow } from 'tendril';
import { anyEvent, Component, defineEvent, EventCancelledError, handling } from 'tendril/components';
import { describe, expect, it } from 'vitest';
import { play } from '../core/world.ts';
import { below, onStage, outcome } from './stage.ts';

const hello = defineEvent<[name: string], string>('hello');
const note = defineEvent<[text: string | number]>('note');
const values = defineEvent<[], string | number>('values');

describe('fire', () => {
  it('returns at once, and the event is handled when the greenlet waits', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => void log.push(text));
      const firing = app.fire(note('one'));
      log.push(firing.state);
      yield* firing.result();
      expect([...log, firing.state]).toEqual(['queued', 'one', 'handled']);
    }));

  it('keeps the order in which events were fired', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => void log.push(text));
      for (let i = 0; i < 200; i += 1) app.fire(note(i));
      yield* app.settled();
      expect(log).toEqual(Array.from({ length: 200 }, (_, i) => i));
    }));

  it('has events of higher priority handled first, those of one priority in order', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => void log.push(text));
      for (const priority of [0, 2, -1, 2, 0, 5, -1]) app.fire(note(`${priority} ${log.length}`), { priority });
      app.fire(note('plain'));
      yield* app.settled();
      expect(log).toEqual(['5 0', '2 0', '2 0', '0 0', '0 0', 'plain', '-1 0', '-1 0']);
    }));

  it('lets an urgent event overtake those that are queued while one is handled', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => {
        log.push(text);
        if (text === 'first') app.fire(note('urgent'), { priority: 1 });
      });
      app.fire(note('first'));
      app.fire(note('second'));
      yield* app.settled();
      expect(log).toEqual(['first', 'urgent', 'second']);
    }));

  it('waits for the tree to run', () =>
    onStage(function* () {
      const app = new Component({ name: 'later' });
      const log: string[] = [];
      app.on(note, (text) => void log.push(`heard ${text}`));
      const firing = app.fire(note('early'));
      yield* sleep(10);
      log.push(firing.state);
      yield* app.run(() => sleep(0));
      expect([...log, firing.state]).toEqual(['queued', 'heard early', 'handled']);
    }));

  it('can be taken back until the event is handled', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => void log.push(text));
      const [one, two] = [app.fire(note('one')), app.fire(note('two'))];
      log.push(one.cancel(), one.cancel(), one.state);
      log.push(yield* outcome(one.result()));
      yield* two.result();
      log.push(two.cancel());
      expect(log).toEqual([
        true,
        false,
        'cancelled',
        'EventCancelledError: note("one") on * was cancelled before it was handled',
        'two',
        false,
      ]);
      expect(new EventCancelledError('x').code).toBe('ERR_EVENT_CANCELLED');
    }));

  it('that is taken back is told to all who wait for it', () =>
    play(function* () {
      const firing = new Component().fire(note('one')); // in a tree that does not run
      const waiters = [firing.result(), firing.complete()].map((wait) => spawn(() => outcome(wait)));
      yield* sleep(1);
      firing.cancel();
      const log: unknown[] = [];
      for (const waiter of waiters) log.push(yield* waiter.get());
      log.push(yield* outcome(firing.complete()));
      const text = 'EventCancelledError: note("one") on * was cancelled before it was handled';
      expect(log).toEqual([text, text, text]);
    }));

  it('takes one event as often as one likes', () =>
    onStage(function* ({ app, log }) {
      app.on(note, (text) => void log.push(text));
      const event = note('again');
      for (let i = 0; i < 3; i += 1) app.fire(event);
      yield* app.settled();
      expect(log).toEqual(['again', 'again', 'again']);
    }));

  it('copes with a hundred thousand events that are queued', () =>
    onStage(function* ({ app }) {
      let count = 0;
      app.on(note, () => void (count += 1));
      for (let i = 0; i < 100_000; i += 1) app.fire(note(i));
      yield* app.settled();
      expect(count).toBe(100_000);
    }));
});

describe('Handlers of an event', () => {
  it('come by priority, then in the order of registration, and so do their results', () =>
    onStage(function* ({ app }) {
      app.on(values, () => 'zero');
      app.on(values, () => 'three', { priority: 3 });
      app.on(values, () => 'two', { priority: 2 });
      app.on(values, () => 'zero too');
      below(app, { name: 'lower' }).on(values, () => 'lower');
      expect(yield* app.call(values())).toEqual(['three', 'two', 'zero', 'zero too', 'lower']);
    }));

  it('give results in their order, however long each takes', () =>
    onStage(function* ({ app }) {
      app.on(values, function* () {
        yield* sleep(30);
        return 'slow';
      });
      app.on(values, () => 'plain');
      app.on(values, function* () {
        yield* sleep(10);
        return 'faster';
      });
      expect(yield* app.call(values())).toEqual(['slow', 'plain', 'faster']);
    }));

  it('that return nothing give no result', () =>
    onStage(function* ({ app }) {
      app.on(values, () => {});
      app.on(values, () => 0);
      app.on(values, function* () {});
      app.on(values, () => '');
      expect(yield* app.call(values())).toEqual([0, '']);
    }));

  it('that wait hold up neither the others nor later events', () =>
    onStage(function* ({ app, log }) {
      app.on(note, function* (text) {
        log.push(`begin ${text}`);
        yield* sleep(text === 'slow' ? 20 : 10);
        log.push(`end ${text}`);
      });
      app.on(note, (text) => void log.push(`plain ${text}`));
      app.fire(note('slow'));
      app.fire(note('fast'));
      yield* app.settled();
      expect(log).toEqual(['begin slow', 'plain slow', 'begin fast', 'plain fast', 'end fast', 'end slow']);
    }));

  it('that wait have come to their first wait before the next handler, and the next event, is begun', () =>
    onStage(function* ({ app, log }) {
      app.on(note, function* (text) {
        log.push(`first ${text}`);
        yield* yieldNow();
      });
      app.on(note, (text) => void log.push(`second ${text}`), { priority: -1 });
      app.fire(note('a'));
      app.fire(note('b'));
      yield* app.settled();
      expect(log).toEqual(['first a', 'second a', 'first b', 'second b']);
    }));

  it('may be plain functions that return an Op, which is run', () =>
    onStage(function* ({ app }) {
      app.on(hello, () => app.ask(values()) as Op<string>);
      app.on(values, function* () {
        yield* sleep(5);
        return 'from below';
      });
      expect(yield* app.call(hello('Ada'))).toEqual(['from below']);
    }));

  it('have their component as this', () =>
    onStage(function* ({ app }) {
      class Counter extends Component {
        count = 0;
        constructor() {
          super();
          this.on(note, () => void (this.count += 1));
          this.on(note, function () {
            this.count += 10;
          });
          this.on(note, function* () {
            this.count += 100;
          });
          this.on(note, this.add);
        }
        *add() {
          this.count += 1000;
        }
      }
      const counter = new Counter().register(app);
      yield* app.call(note(''));
      expect(counter.count).toBe(1111);
    }));

  it('of a base class and of its subclass are both called, unless the subclass overrides the method', () =>
    onStage(function* ({ app }) {
      class Base extends Component {
        constructor() {
          super();
          this.on(values, () => this.answer());
        }
        answer(): string {
          return 'base';
        }
      }
      class Adding extends Base {
        constructor() {
          super();
          this.on(values, () => 'added', { priority: -1 });
        }
      }
      class Overriding extends Base {
        override answer(): string {
          return 'instead';
        }
      }
      const adding = new Adding().register(app);
      const both = yield* app.call(values());
      yield* adding.unregister().complete();
      new Overriding().register(app);
      expect([both, yield* app.call(values())]).toEqual([['base', 'added'], ['instead']]);
    }));

  it('can be added and taken out while the tree runs', () =>
    onStage(function* ({ app, log }) {
      const off = app.on(values, () => 'here');
      log.push(yield* app.call(values()));
      off();
      off();
      log.push(yield* app.call(values()));
      app.on(values, () => 'again');
      log.push(yield* app.call(values()));
      expect(log).toEqual([['here'], [], ['again']]);
    }));

  it('that are taken out while the event is handled are not begun any more, and those added not yet', () =>
    onStage(function* ({ app, log }) {
      app.on(note, () => {
        off();
        app.on(note, () => void log.push('added'));
      });
      const off = app.on(note, () => void log.push('taken out'));
      yield* app.call(note(''));
      log.push('next');
      yield* app.call(note(''));
      expect(log).toEqual(['next', 'added']);
    }));
});

describe('stop', () => {
  it('keeps an event from the handlers that come after', () =>
    onStage(function* ({ app }) {
      app.on(values, () => 'guard', { priority: 1 });
      app.on(values, () => {
        handling().stop();
        return 'filter';
      });
      app.on(values, () => 'never');
      const firing = app.fire(values());
      expect([yield* firing.result(), firing.stopped]).toEqual([['guard', 'filter'], true]);
    }));

  it('does so from a generator handler before its first wait', () =>
    onStage(function* ({ app }) {
      app.on(values, function* () {
        handling(values).stop();
        yield* sleep(10);
        return 'filter';
      });
      app.on(values, () => 'never');
      expect(yield* app.call(values())).toEqual(['filter']);
    }));

  it('comes too late after a wait', () =>
    onStage(function* ({ app }) {
      app.on(values, function* () {
        yield* sleep(10);
        handling().stop();
      });
      app.on(values, () => 'was begun');
      expect(yield* app.call(values())).toEqual(['was begun']);
    }));

  it('stops this event and not the next of its type', () =>
    onStage(function* ({ app, log }) {
      app.on(hello, (name) => (name === 'Bob' ? handling().stop() : undefined), { priority: 1 });
      app.on(hello, (name) => `hello ${name}`);
      for (const name of ['Ada', 'Bob', 'Cy']) log.push(yield* app.call(hello(name)));
      expect(log).toEqual([['hello Ada'], [], ['hello Cy']]);
    }));
});

describe('handling', () => {
  it('gives the firing in plain and generator handlers, and in greenlets that they spawn', () =>
    onStage(function* ({ app, log }) {
      app.on(note, () => void log.push(handling() === firing));
      app.on(note, function* () {
        yield* sleep(1);
        log.push(handling(note) === firing);
        yield* scope(function* (s) {
          s.spawn(function* () {
            log.push(handling() === firing);
          });
        });
      });
      const firing = app.fire(note('x'), { priority: 3, channel: ['a', 'b'] });
      yield* firing.result();
      expect([log, firing.priority, firing.channels, String(firing)]).toEqual([
        [true, true, true],
        3,
        ['a', 'b'],
        'note("x") on a, b',
      ]);
    }));

  it('is refused outside, and for another type', () =>
    onStage(function* ({ app }) {
      app.on(note, () => {
        handling(hello);
      });
      expect(() => handling()).toThrow('outside a handler');
      expect(yield* outcome(app.call(note('x')))).toBe(
        'UsageError: handling(hello) was called by a handler of note("x")',
      );
    }));
});

describe('A channel', () => {
  const foo = defineEvent<[], string>('foo', { channel: 'a' });
  const bar = defineEvent<[], string>('bar');

  it('is the one named with fire, else that of the type, else that of who fires', () =>
    onStage(function* ({ app, log }) {
      const [a, b, c] = ['a', 'b', 'c'].map((channel) => below(app, { name: channel, channel }));
      a?.on(foo, () => 'foo of a');
      b?.on(foo, () => 'foo of b');
      for (const each of [a, b, c]) each?.on(bar, () => `bar of ${each.name}`);
      log.push(yield* app.call(foo()));
      log.push(yield* app.call(foo(), { channel: 'b' }));
      log.push(yield* app.call(foo(), { channel: ['a', 'b'] }));
      log.push(yield* (c as Component).call(bar()));
      log.push(yield* app.call(bar()));
      log.push(yield* app.call(bar(), { channel: 'nowhere' }));
      expect(log).toEqual([
        ['foo of a'],
        ['foo of b'],
        ['foo of a', 'foo of b'],
        ['bar of c'],
        ['bar of a', 'bar of b', 'bar of c'],
        [],
      ]);
    }));

  it("'*' is heard by all, and hears all", () =>
    onStage(function* ({ app, log }) {
      const c = below(app, { name: 'c', channel: 'c' });
      app.on(bar, () => 'everywhere');
      c.on(bar, () => 'of c');
      c.on(bar, () => 'of c, everywhere', { channel: '*' });
      c.on(bar, () => 'of c, on d', { channel: 'd' });
      for (const channel of ['*', 'c', 'd', 'e']) log.push(yield* app.call(bar(), { channel }));
      expect(log).toEqual([
        ['everywhere', 'of c', 'of c, everywhere', 'of c, on d'],
        ['everywhere', 'of c', 'of c, everywhere'],
        ['everywhere', 'of c, everywhere', 'of c, on d'],
        ['everywhere', 'of c, everywhere'],
      ]);
    }));

  it('may be a component, whose own handlers are meant, whatever their channels', () =>
    onStage(function* ({ app, log }) {
      const c = below(app, { name: 'c', channel: 'c' });
      const d = below(app, { name: 'd', channel: 'd' });
      c.on(bar, () => 'of c');
      c.on(bar, () => 'of c, on e', { channel: 'e' });
      d.on(bar, () => 'of d');
      d.on(bar, () => 'of d, for c', { channel: c });
      log.push(yield* app.call(bar(), { channel: c }));
      log.push(yield* app.call(bar(), { channel: [d, c] }));
      expect(log).toEqual([
        ['of c', 'of c, on e', 'of d, for c'],
        ['of c', 'of c, on e', 'of d', 'of d, for c'],
      ]);
    }));

  it('that is a component is heard by nobody there while that is not in the tree', () =>
    onStage(function* ({ app, log }) {
      const c = below(app, { name: 'c' });
      c.on(bar, () => 'of c');
      c.on(anyEvent, () => 'of c, every event');
      app.on(bar, () => 'of app, for c', { channel: c });
      log.push(yield* app.call(bar(), { channel: c }));
      yield* c.unregister().complete();
      log.push(yield* app.call(bar(), { channel: c }));
      c.register(new Component({ name: 'another tree, which does not run' }));
      log.push(yield* app.call(bar(), { channel: [c, 'e'] }));
      c.unregister();
      c.register(app);
      log.push(yield* app.call(bar(), { channel: c }));
      expect(log).toEqual([
        ['of c', 'of c, every event', 'of app, for c'],
        ['of app, for c'],
        ['of app, for c'],
        ['of app, for c', 'of c', 'of c, every event'],
      ]);
    }));

  it('calls a handler once, also if an event is fired on several that it hears', () =>
    onStage(function* ({ app }) {
      app.on(bar, () => 'once');
      expect(yield* app.call(bar(), { channel: ['a', 'b', '*', 'a'] })).toEqual(['once']);
    }));

  it('that programs make up without end is not remembered without end', () =>
    onStage(function* ({ app }) {
      let heard = 0;
      app.on(bar, () => {
        heard += 1;
      });
      for (let i = 0; i < 3000; i += 1) app.fire(bar(), { channel: `user-${i}` });
      yield* app.settled();
      expect(heard).toBe(3000);
    }));
});

describe('A handler of every event', () => {
  it('is given the firing, among the others by priority, on its channel', () =>
    onStage(function* ({ app, log }) {
      const a = below(app, { name: 'a', channel: 'a' });
      yield* app.settled();
      a.on(anyEvent, (firing) => void log.push(`a: ${firing}`), { priority: 1 });
      a.on(hello, (name) => `hello ${name}`);
      app.on(anyEvent, () => 'first', { priority: 10 });
      app.on(anyEvent, () => 'last', { priority: -10 });
      log.push(yield* app.call(hello('Ada'), { channel: 'a' }));
      log.push(yield* app.call(hello('Bob'), { channel: 'b' }));
      expect(log).toEqual(['a: hello("Ada") on a', ['first', 'hello Ada', 'last'], ['first', 'last']]);
    }));

  it('can be taken out', () =>
    onStage(function* ({ app }) {
      const off = app.on(anyEvent, () => 'any');
      const before = yield* app.call(values());
      off();
      expect([before, yield* app.call(values())]).toEqual([['any'], []]);
    }));
});
