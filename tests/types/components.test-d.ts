// components.test-d.ts: the types of tendril/components, and what they must refuse.
import { type Op, sleep, type Waitable } from 'tendril';
import {
  anyEvent,
  type BridgeMessage,
  Component,
  defineEvent,
  type EventOf,
  exception,
  type FailureOrigin,
  type Firing,
  handling,
  Timer,
} from 'tendril/components';
import type { Executor, Task } from 'tendril/executors';
import { describe, expectTypeOf, it } from 'vitest';

const hello = defineEvent<[name: string], string>('hello');
const tick = defineEvent('tick');
const join = defineEvent<[name: string, age?: number]>('join');
const app = new Component();

describe('An event', () => {
  it('is made of its arguments', () => {
    expectTypeOf(hello('Ada')).toEqualTypeOf<EventOf<[name: string], string>>();
    expectTypeOf(tick()).toEqualTypeOf<EventOf<[], void>>();
    join('Ada');
    join('Ada', 36);
    // @ts-expect-error an argument is missing
    hello();
    // @ts-expect-error it is of another type
    hello(5);
    // @ts-expect-error one too many
    tick('now');
  });
});

describe('fire, call, ask and wait', () => {
  it('give results of the event’s type', () => {
    expectTypeOf(app.fire(hello('Ada'))).toEqualTypeOf<Firing<[name: string], string>>();
    expectTypeOf(app.fire(hello('Ada')).result()).toEqualTypeOf<Waitable<string[]>>();
    expectTypeOf(app.fire(hello('Ada')).complete()).toEqualTypeOf<Waitable<string[]>>();
    expectTypeOf(app.call(hello('Ada'))).toEqualTypeOf<Op<string[]>>();
    expectTypeOf(app.ask(hello('Ada'))).toEqualTypeOf<Op<string>>();
    expectTypeOf(app.wait(hello)).toEqualTypeOf<Waitable<Firing<[name: string], string>>>();
    expectTypeOf(app.wait(hello, { where: (name) => name.startsWith('A') })).toExtend<Waitable<unknown>>();
    expectTypeOf(app.wait(hello.success)).toExtend<
      Waitable<Firing<[event: Firing<[name: string], string>, results: readonly string[]], void>>
    >();
    expectTypeOf(app.wait(anyEvent)).toExtend<Waitable<Firing>>();
  });

  it('take events of several types', () => {
    const event = Math.random() < 0.5 ? hello('Ada') : defineEvent<[], number>('size')();
    expectTypeOf(app.call(event)).toEqualTypeOf<Op<(string | number)[]>>();
    for (const each of [hello('Ada'), tick(), join('Bob')]) app.fire(each);
  });

  it('take an event, and wait a type', () => {
    // @ts-expect-error the event has to be made first
    app.fire(hello);
    // @ts-expect-error the event has to be made first
    app.call(hello);
    // @ts-expect-error the type itself is meant
    app.wait(hello('Ada'));
    // @ts-expect-error there is no such channel
    app.fire(tick(), { channel: 5 });
    // @ts-expect-error the condition is about the arguments
    app.wait(hello, { where: (name: number) => name > 5 });
  });
});

describe('A handler', () => {
  it('has the arguments of the event, gives its result or nothing, and may wait', () => {
    app.on(hello, (name) => `hello ${name}`);
    app.on(hello, () => 'hello');
    app.on(hello, () => {});
    app.on(hello, () => undefined);
    app.on(hello, function* (name) {
      yield* sleep(1);
      return name.toUpperCase();
    });
    app.on(hello, function* () {});
    app.on(hello, (name) => app.ask(hello(name)));
    app.on(tick, () => {});
    app.on(join, (name, age) => {
      expectTypeOf(name).toEqualTypeOf<string>();
      expectTypeOf(age).toEqualTypeOf<number | undefined>();
    });
    app.on(join, (name: string) => void name);
  });

  it('has its component as this', () => {
    class Counter extends Component {
      count = 0;
      constructor() {
        super({ channel: 'counter' });
        this.on(tick, function () {
          this.count += 1;
        });
        this.on(tick, function* () {
          this.count += 1;
        });
        this.on(tick, this.add);
      }
      *add(): Op<void> {
        this.count += 1;
      }
    }
    const counter = new Counter();
    counter.on(hello, function () {
      expectTypeOf(this).toEqualTypeOf<Counter>();
    });
    expectTypeOf(counter.register(app)).toEqualTypeOf<Counter>();
  });

  it('is refused for another result, other arguments, or a promise', () => {
    // @ts-expect-error the result is a string
    app.on(hello, () => 5);
    // @ts-expect-error the result is a string
    app.on(hello, function* () {
      return 5;
    });
    // @ts-expect-error the argument is a string
    app.on(hello, (name: number) => `${name}`);
    // @ts-expect-error there is one argument
    app.on(hello, (_name, _age) => 'x');
    // @ts-expect-error a promise is no result: write function*
    app.on(hello, async (name) => name);
    // @ts-expect-error there is no result
    app.on(tick, () => 5);
    // @ts-expect-error the type itself is meant
    app.on(hello('Ada'), () => 'x');
  });

  it('of a notification has the event and what became of it', () => {
    app.on(hello.success, (firing, results) => {
      expectTypeOf(firing).toEqualTypeOf<Firing<[name: string], string>>();
      expectTypeOf(results).toEqualTypeOf<readonly string[]>();
    });
    app.on(hello.failure, (firing, error) => {
      expectTypeOf(firing.event.args).toEqualTypeOf<[name: string]>();
      expectTypeOf(error).toEqualTypeOf<unknown>();
    });
    app.on(exception, (error, origin) => {
      expectTypeOf(error).toEqualTypeOf<unknown>();
      expectTypeOf(origin).toEqualTypeOf<FailureOrigin>();
    });
    // @ts-expect-error a notification has none itself
    app.on(hello.success.success, () => {});
  });

  it('may be a task in an executor, of the event’s arguments and result', () => {
    const executor = {} as Executor;
    const greet = {} as Task<[name: string], string>;
    const count = {} as Task<[name: string], number>;
    const other = {} as Task<[age: number], string>;
    app.on(hello, { executor, task: greet }, { priority: 1, channel: 'x' });
    // @ts-expect-error its result is another one
    app.on(hello, { executor, task: count });
    // @ts-expect-error its arguments are others
    app.on(hello, { executor, task: other });
    // @ts-expect-error somebody has to run it
    app.on(hello, { task: greet });
  });

  it('learns of its event by handling()', () => {
    expectTypeOf(handling()).toEqualTypeOf<Firing>();
    expectTypeOf(handling(hello)).toEqualTypeOf<Firing<[name: string], string>>();
    // @ts-expect-error the type itself is meant
    handling(hello('Ada'));
  });
});

describe('run, background and Timer', () => {
  it('have the types of what they are given', () => {
    expectTypeOf(app.run(() => app.ask(hello('Ada')))).toEqualTypeOf<Op<string>>();
    expectTypeOf(app.run()).toEqualTypeOf<Op<never>>();
    expectTypeOf(app.background(function* (_ms: number, _name: string) {}, 5, 'x')).toEqualTypeOf<() => void>();
    // @ts-expect-error an argument is missing
    app.background(function* (_ms: number) {});
    new Timer(tick(), { everyMs: 10 });
    // @ts-expect-error the event has to be made first
    new Timer(tick, { everyMs: 10 });
  });

  it('of a bridge are told apart by their kind', () => {
    const message = {} as BridgeMessage;
    if (message.kind === 'result') expectTypeOf(message.results).toEqualTypeOf<readonly unknown[]>();
  });
});
