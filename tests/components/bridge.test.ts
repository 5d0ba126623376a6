// bridge.test.ts: events between two trees over channels in memory, and over links that clone, refuse, stall and break.
//
// The behaviours of circuits' own tests: test_bridge (an event that is handled elsewhere gives its result here), tests/node (results and failures of remote events, events that the
// other side does not let in, several connections).
import { all, Channel, type Op, sleep, spawn, timeout } from 'tendril';
import {
  anyEvent,
  Bridge,
  BridgeLostError,
  type BridgeMessage,
  type BridgeOptions,
  bridgeLost,
  bridgeRefused,
  Component,
  defineEvent,
  exception,
  handling,
  RemoteEventError,
  unregistered,
} from 'tendril/components';
import { ChannelMessageError } from 'tendril/executors/channels';
import { explore } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { collectErrors, play, spawnQuietly } from '../core/world.ts';
import { outcome } from './stage.ts';

const hello = defineEvent<[name: string], string>('hello', {
  check: (args) => args.length === 1 && typeof args[0] === 'string',
});
const secret = defineEvent('secret');
const slow = defineEvent<[ms: number], number>('slow');
const echo = defineEvent<[text: unknown], unknown>('echo');

/** The two trees, and the channels between them. */
interface Sides {
  readonly here: Component;
  readonly there: Component;
  readonly hereBridge: Bridge;
  readonly thereBridge: Bridge;
  readonly forth: Channel<BridgeMessage>;
  readonly back: Channel<BridgeMessage>;
  readonly log: unknown[];
  readonly lost: unknown[];
}

type Given = Partial<BridgeOptions>;

/** Run `body` with two trees that run and are bridged; each event passes both ways if nothing else is said. */
function bridged<T>(body: (sides: Sides) => Op<T>, hereGiven: Given = {}, thereGiven: Given = {}): Promise<T> {
  return play(function* () {
    const lost = collectErrors();
    const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
    const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
    const every = [hello, slow, echo];
    const lists = { outgoing: every, incoming: every };
    const hereBridge = new Bridge({ outbound: forth, inbound: back, ...lists, ...hereGiven }).register(here);
    const thereBridge = new Bridge({ outbound: back, inbound: forth, ...lists, ...thereGiven }).register(there);
    const sides: Sides = { here, there, hereBridge, thereBridge, forth, back, log: [], lost };
    const other = spawnQuietly(() => there.run());
    try {
      return yield* here.run(() => body(sides));
    } finally {
      other.kill();
    }
  });
}

describe('An event over a bridge', () => {
  it('gives the results of the handlers there, beside those of here, both ways', () =>
    bridged(function* ({ here, there, log }) {
      here.on(hello, (name) => `${name} here`);
      there.on(hello, (name) => `${name} there`);
      there.on(hello, function* (name) {
        yield* sleep(10);
        return `${name} there, late`;
      });
      log.push(yield* here.call(hello('Ada')));
      log.push(yield* there.call(hello('Bob')));
      expect(log).toEqual([
        ['Ada there', 'Ada there, late', 'Ada here'],
        ['Bob here', 'Bob there', 'Bob there, late'],
      ]);
    }));

  it('keeps its channels, its priority and its order, and says where it came from', () =>
    bridged(function* ({ here, there, thereBridge, log }) {
      there.on(hello, (name) => void log.push(name), { channel: 'a' });
      there.on(anyEvent, ({ event, channels, priority, source }) => {
        if (event.type === hello) log.push(channels, priority, source === thereBridge);
      });
      here.fire(hello('one'), { channel: ['a', 'b'], priority: 2 });
      here.fire(hello('two'), { channel: 'a' });
      yield* here.settled();
      expect(log).toEqual(['one', ['a', 'b'], 2, true, 'two', ['a'], 0, true]);
    }));

  it('does not come back over it', () =>
    bridged(function* ({ here, there, log }) {
      here.on(hello, () => void log.push('here'));
      there.on(hello, () => void log.push('there'));
      yield* here.call(hello('x'));
      yield* there.call(hello('y'));
      expect(log.sort()).toEqual(['here', 'here', 'there', 'there']);
    }));

  it('passes only on the channel that the bridge is for, and not if a component is meant', () =>
    bridged(
      function* ({ here, there, log }) {
        there.on(hello, (name) => `there: ${name}`);
        const room = new Component({ name: 'room' }).register(here);
        log.push(yield* here.call(hello('a'), { channel: 'far' }));
        log.push(yield* here.call(hello('b'), { channel: 'near' }));
        log.push(yield* here.call(hello('c'), { channel: room }));
        expect(log).toEqual([['there: a'], [], []]);
      },
      { channel: 'far' },
    ));

  it('can call back while it is handled', () =>
    bridged(function* ({ here, there }) {
      here.on(slow, (ms) => ms + 1);
      there.on(echo, function* () {
        const [answer] = yield* there.call(slow(5));
        return answer;
      });
      expect(yield* here.call(echo('x'))).toEqual([6]);
    }));

  it('is complete when all that it caused over there is done', () =>
    bridged(function* ({ here, there, log, hereBridge }) {
      there.on(hello, (name) => {
        there.fire(slow(20), { channel: 'local' });
        return name;
      });
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        log.push('slow is done');
        return ms;
      });
      const firing = here.fire(hello('Ada'));
      const complete = firing.complete();
      log.push(yield* firing.result(), hereBridge.pending);
      log.push(yield* complete, hereBridge.pending);
      expect(log).toEqual([['Ada'], 1, 'slow is done', ['Ada'], 0]);
    }));

  it('passes over several bridges, and in a ring of them not for ever', () =>
    play(function* () {
      const log: unknown[] = [];
      const trees = ['a', 'b', 'c'].map((name) => new Component({ name }));
      for (const [at, tree] of trees.entries()) {
        const next = trees[(at + 1) % 3] as Component;
        const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
        new Bridge({ outbound: forth, inbound: back, outgoing: [hello] }).register(tree);
        new Bridge({ outbound: back, inbound: forth, incoming: [hello] }).register(next);
        tree.on(hello, () => tree.name);
        tree.on(bridgeRefused, (_, reason) => void log.push(reason));
        tree.on(exception, () => {});
      }
      const others = trees.slice(1).map((tree) => spawnQuietly(() => tree.run()));
      yield* (trees[0] as Component).run(function* () {
        const firing = (trees[0] as Component).fire(hello('x'));
        log.push(yield* outcome(firing.result()));
      });
      for (const other of others) other.kill();
      expect(log).toEqual([
        'event hello, which has come over 17 bridges',
        expect.stringContaining('refused: event hello, which has come over 17 bridges'),
      ]);
    }));
});

describe('The lists of a bridge', () => {
  it('keep an event here that is not on the outgoing one', () =>
    bridged(function* ({ here, there, log }) {
      there.on(secret, () => void log.push('heard'));
      yield* here.call(secret());
      expect(log).toEqual([]);
    }));

  it('keep an event out that is not on the incoming one there, which its sender is told', () =>
    bridged(
      function* ({ here, there, thereBridge, log, lost }) {
        there.on(secret, () => void log.push('heard'));
        there.on(bridgeRefused, (bridge, reason) => void log.push(bridge === thereBridge, reason));
        const error = (yield* outcome(thrown(here.call(secret())))) as RemoteEventError;
        log.push(error.code, error.remote, thereBridge.refused);
        expect([log, lost]).toEqual([
          [
            true,
            'event "secret", which is not on its list',
            'ERR_REMOTE_EVENT',
            {
              name: 'EventRefused',
              message: 'refused: event "secret", which is not on its list',
              code: 'ERR_EVENT_REFUSED',
              stack: undefined,
            },
            1,
          ],
          [],
        ]);
      },
      { outgoing: [hello, secret] },
    ));

  it('end an event that is refused: it is complete, once and after its failure', () =>
    bridged(
      function* ({ here, hereBridge, log }) {
        for (const event of [secret(), hello(5 as never), hello('x')]) {
          const { complete } = event.type as typeof secret;
          const listening = here.on(complete, (firing) => void log.push(`${firing} is complete`));
          log.push(yield* outcome(here.fire(event).complete()));
          yield* here.settled();
          listening();
        }
        expect([log, hereBridge.pending]).toEqual([
          [
            'secret() on * is complete',
            expect.stringMatching(/^RemoteEventError: .* which is not on its list$/),
            'hello(5) on * is complete',
            expect.stringMatching(/^RemoteEventError: .* whose arguments are not such as it has$/),
            'hello("x") on * is complete',
            [],
          ],
          0,
        ]);
      },
      { outgoing: [hello, secret] },
    ));

  it('keep out what has the name and not the arguments', () =>
    bridged(function* ({ here, there, log }) {
      there.on(hello, (name) => void log.push(name));
      log.push(yield* outcome(here.call(hello(5 as never))));
      log.push(yield* outcome(here.call(hello.apply(undefined, ['a', 'b'] as never))));
      expect(log).toEqual([
        'RemoteEventError: hello(5) failed on the other side of the bridge: EventRefused: refused: event hello, whose arguments are not such as it has',
        'RemoteEventError: hello("a", "b") failed on the other side of the bridge: EventRefused: refused: event hello, whose arguments are not such as it has',
      ]);
    }));
});

describe('What cannot be read, or be checked', () => {
  it('is refused, and the bridge goes on', () =>
    play(function* () {
      const odd = defineEvent<[value: { deep: number }], number>('odd', {
        check: ([value]) => (value as { deep: number }).deep > 0,
      });
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      const log: unknown[] = [];
      new Bridge({ outbound: forth, inbound: back, outgoing: [odd] }).register(here);
      let broken = true;
      const inbound = {
        *receive(): Op<BridgeMessage> {
          const message = yield* forth.receive();
          if (!broken) return message;
          broken = false;
          throw new ChannelMessageError('receive', 'a channel', new Error('of another version'));
        },
      };
      new Bridge({ outbound: back, inbound, incoming: [odd] }).register(there);
      there.on(odd, ({ deep }) => deep);
      there.on(bridgeRefused, (_, reason) => void log.push(reason));
      const other = spawnQuietly(() => there.run());
      yield* here.run(function* () {
        log.push(yield* outcome(here.call(odd({ deep: 1 }))));
        log.push(yield* outcome(here.call(odd(null as never))));
        log.push(yield* here.call(odd({ deep: 3 })));
        here.kill();
      });
      other.kill();
      expect(log).toEqual([
        'a malformed message: it cannot be read',
        expect.stringContaining('the event, or the answer to it, could not be read on its way'),
        'event odd, whose arguments could not be checked',
        expect.stringContaining('refused: event odd, whose arguments could not be checked'),
        [3],
      ]);
    }));
});

describe('A message that cannot be read', () => {
  const blind = new Channel<BridgeMessage>();

  /** One that throws for what has `mark` in it, as a channel does for what it cannot read. */
  const shortsighted = (channel: Channel<BridgeMessage>, mark: string): BridgeOptions['inbound'] => ({
    *receive(): Op<BridgeMessage> {
      const message = yield* channel.receive();
      if (JSON.stringify(message).includes(mark))
        throw new ChannelMessageError('receive', 'a channel', new Error(mark));
      return message;
    },
  });

  it('fails what it was about, whether event or answer, and nothing else', () =>
    play(function* () {
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      const both = { outgoing: [slow, echo], incoming: [slow, echo] };
      const one = new Bridge({ outbound: forth, inbound: shortsighted(back, 'blurred'), ...both }).register(here);
      const two = new Bridge({ outbound: back, inbound: shortsighted(forth, 'faint'), ...both }).register(there);
      for (const side of [here, there]) {
        side.on(slow, function* (ms) {
          if (handling().source === side) return undefined;
          yield* sleep(ms);
          return ms;
        });
        side.on(exception, () => {});
      }
      there.on(echo, (text) => (text === 'well' ? text : 'blurred'));
      const serving = spawnQuietly(() => there.run());
      const log: unknown[] = [];
      yield* here.run(function* () {
        const long = [here, there].map((side) => side.fire(slow(50)).complete());
        yield* sleep(1);
        for (const text of ['faint', 'answer me', 'well']) {
          const firing = here.fire(echo(text));
          const complete = firing.complete();
          log.push(yield* outcome(firing.result()), yield* outcome(complete));
        }
        log.push(one.pending, two.pending);
        for (const each of long) log.push(yield* each);
        log.push(one.pending, two.pending, one.refused, two.refused);
      });
      serving.kill();
      const lost = expect.stringMatching(/^RemoteEventError: .* EventUnread: the event, or the answer to it/);
      expect(log).toEqual([lost, lost, lost, lost, ['well'], ['well'], 1, 1, [50], [50], 0, 0, 1, 1]);
    }));

  it('if none can be, is the loss of the link', () =>
    bridged(
      function* ({ here, hereBridge, thereBridge, log }) {
        log.push(yield* outcome(here.call(hello('Ada'))), String(hereBridge.lost?.cause));
        yield* sleep(1);
        log.push(String(thereBridge.lost?.cause));
        expect(log).toEqual([
          expect.stringMatching(/^BridgeLostError/),
          'Error: 100 messages in a row could not be read',
          'Error: the other side has ended',
        ]);
      },
      {
        inbound: {
          *receive(): Op<BridgeMessage> {
            yield* blind.receive();
            throw new ChannelMessageError('receive', 'a channel', new Error('of another version'));
          },
        },
      },
      { outbound: { send: (message) => blind.send(message) } },
    ));

  it('may be anything, anywhere, under any schedule: every call ends, with its own result or as lost', async () => {
    const report = await explore(
      function* (world) {
        const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
        const [forth, back] = [new Channel<BridgeMessage>(3), new Channel<BridgeMessage>(2)];
        let unread = 0;
        const blurring = (channel: Channel<BridgeMessage>): BridgeOptions['inbound'] => ({
          *receive(): Op<BridgeMessage> {
            const message = yield* channel.receive();
            const { kind } = message;
            if (kind === 'unread' || kind === 'open' || kind === 'end' || !world.chance(0.2, 'unread')) return message;
            unread += 1;
            throw new ChannelMessageError('receive', 'a channel', new Error('blurred'));
          },
        });
        const both = { outgoing: [slow], incoming: [slow] };
        const one = new Bridge({ outbound: forth, inbound: blurring(back), ...both }).register(here);
        const two = new Bridge({ outbound: back, inbound: blurring(forth), ...both }).register(there);
        let lost = 0;
        const calls = function* (side: Component, follow: boolean): Op<void> {
          const firings = [0, 1, 2].map((ms) => side.fire(slow(ms)));
          const ends = firings.map((firing) => (follow ? firing.complete() : firing.result()));
          for (const [ms, end] of ends.entries()) {
            const got = yield* outcome(end);
            if (String(got).includes('EventUnread')) lost += 1;
            else if (!Array.isArray(got) || got.join() !== String(ms)) throw new Error(`${ms} got ${String(got)}`);
          }
        };
        for (const side of [here, there]) {
          side.on(exception, () => {});
          side.on(slow, function* (ms) {
            if (handling().source === side) return undefined;
            yield* sleep(ms);
            return ms;
          });
        }
        const serving = spawnQuietly(() => there.run());
        yield* here.run(() => all([calls(here, world.chance(0.5, 'follow')), calls(there, true)]));
        serving.kill();
        yield* serving.join();
        if (lost > unread || one.pending + two.pending > 0) throw new Error(`${lost} of ${unread} lost`);
      },
      { seeds: 300 },
    );
    expect(report.runs).toBe(300);
  });
});

describe('What is no message', () => {
  const fire = { kind: 'fire', id: 1, name: 'hello', args: ['x'], channels: ['*'], priority: 0, hops: 1 };
  const throwing = new Proxy(
    {},
    {
      get: () => {
        throw new Error('hands off');
      },
      getOwnPropertyDescriptor: () => {
        throw new Error('hands off');
      },
    },
  );
  const garbage: [what: string, message: unknown, reason: string][] = [
    ['nothing', undefined, 'it is no object'],
    ['null', null, 'it is no object'],
    ['a text', 'hello', 'it is no object'],
    ['an empty object', {}, 'it has no id'],
    ['an id of 0', { kind: 'result', id: 0, results: [] }, 'it has no id'],
    ['a fraction as id', { ...fire, id: 1.5 }, 'it has no id'],
    ['no kind', { id: 1 }, 'it is of no kind that there is'],
    ['inherited fields', Object.create(fire), 'it has no id'],
    ['a name that is none', { ...fire, name: 5 }, 'the name of its event is no string'],
    ['arguments that are no list', { ...fire, args: { length: 1 } }, 'its arguments are no list'],
    ['no channel', { ...fire, channels: [] }, 'its channels are no list of names'],
    ['too many channels', { ...fire, channels: Array(101).fill('a') }, 'its channels are no list of names'],
    ['a channel without a name', { ...fire, channels: [''] }, 'its channels are no list of names'],
    ['a priority that is none', { ...fire, priority: Number.NaN }, 'its priority is no number'],
    ['hops that are none', { ...fire, hops: -1 }, 'its hops are no number'],
    ['results that are no list', { kind: 'result', id: 1, results: 5 }, 'its results are no list'],
    ['what is open as no list', { kind: 'open', upTo: 1, ids: 1 }, 'what it says to be open is no numbers'],
    ['a failure that is none', { kind: 'failure', id: 1, failure: 'x' }, 'its failure is no object'],
    ['what cannot be looked at', throwing, 'it cannot be read: hands off'],
  ];

  it('is refused, counted and told, and does no harm', () =>
    bridged(function* ({ here, there, forth, thereBridge, log, lost }) {
      const reasons: string[] = [];
      there.on(bridgeRefused, (_, reason) => void reasons.push(reason));
      there.on(hello, (name) => `hello ${name}`);
      for (const [, message] of garbage) yield* forth.send(message as BridgeMessage);
      log.push(yield* here.call(hello('Ada')));
      expect(reasons).toEqual(garbage.map(([, , reason]) => `a malformed message: ${reason}`));
      expect([log, lost, thereBridge.refused]).toEqual([[['hello Ada']], [], garbage.length]);
    }));

  it('nor is a list of arguments or results that is longer than a call may be', () =>
    bridged(function* ({ here, there, forth, back, thereBridge, hereBridge, log }) {
      const long = Array.from({ length: 300_000 }, () => 'x');
      there.on(exception, (error) => void log.push((error as Error).name));
      there.on(echo, () => void log.push('called'));
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const firing = here.fire(slow(10));
      yield* sleep(1);
      yield* back.send({ kind: 'result', id: 1, results: long });
      log.push(((yield* firing.result()) as unknown[]).length, hereBridge.lost);
      yield* forth.send({ ...fire, id: 2, name: 'echo', args: long, kind: 'fire', complete: false });
      yield* sleep(1);
      // No function can be called with them, neither this one nor that of the bridge.
      expect([log, thereBridge.lost]).toEqual([[300_000, undefined, 'RangeError', 'RangeError'], undefined]);
    }));

  it('nor is an answer to what was never asked, or to what was answered', () =>
    bridged(function* ({ here, there, back, hereBridge, log }) {
      const reasons: string[] = [];
      here.on(bridgeRefused, (_, reason) => void reasons.push(reason));
      there.on(hello, (name) => `hello ${name}`);
      yield* back.send({ kind: 'result', id: 7, results: ['forged'] });
      yield* back.send({ kind: 'complete', id: 7 });
      yield* back.send({ kind: 'cancel', id: 7 });
      log.push(yield* here.call(hello('Ada')));
      yield* back.send({ kind: 'result', id: 1, results: ['again'] });
      yield* back.send({ kind: 'complete', id: 1 });
      log.push(yield* here.call(hello('Bob')), hereBridge.pending);
      expect([log, reasons]).toEqual([
        [['hello Ada'], ['hello Bob'], 0],
        [
          'an answer (result) to event 7, which was never sent',
          'an answer (complete) to event 7, which was never sent',
        ],
      ]);
    }));

  it('nor is completion before the answer, or an event that comes twice', () =>
    bridged(function* ({ here, there, forth, back, log }) {
      there.on(bridgeRefused, (_, reason) => void log.push(reason));
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        log.push(`slow ${ms}`);
        return ms;
      });
      const firing = here.fire(slow(10));
      const complete = firing.complete();
      yield* sleep(1);
      yield* back.send({ kind: 'complete', id: 1 });
      yield* forth.send({ ...fire, name: 'slow', args: [1], kind: 'fire', complete: false });
      log.push(yield* complete);
      yield* forth.send({ ...fire, name: 'slow', args: [1], kind: 'fire', complete: false });
      log.push(yield* here.call(slow(2)));
      const twice = 'event "slow" a second time';
      expect(log).toEqual([twice, 'slow 10', [10], twice, 'slow 2', [2]]);
    }));
});

describe('A failure over there', () => {
  it('is the failure here, with what is known of the error; nobody else hears of it there', () =>
    bridged(function* ({ here, there, log, lost }) {
      there.on(hello, () => {
        throw Object.assign(new RangeError('too far'), { code: 'E_FAR' });
      });
      here.on(exception, (error) => void log.push(error instanceof RemoteEventError));
      const error = (yield* outcome(thrown(here.call(hello('Ada'))))) as RemoteEventError;
      log.push(error.message, error.remote.name, error.remote.message, error.remote.code);
      log.push(error.remote.stack?.includes('bridge.test') === true, lost);
      expect(log).toEqual([
        true,
        'hello("Ada") failed on the other side of the bridge: RangeError: too far',
        'RangeError',
        'too far',
        'E_FAR',
        true,
        [],
      ]);
    }));

  it('may be anything that can be thrown', () =>
    bridged(function* ({ here, there, log }) {
      const bad = new Error('x');
      Object.defineProperty(bad, 'message', {
        get: () => {
          throw new Error('no');
        },
      });
      const things = [undefined, 'a text', bad];
      there.on(echo, () => {
        throw things.shift();
      });
      for (let i = 0; i < 3; i += 1) log.push(yield* outcome(here.call(echo(i))));
      expect(log).toEqual([
        'RemoteEventError: echo(0) failed on the other side of the bridge: Error: undefined',
        'RemoteEventError: echo(1) failed on the other side of the bridge: Error: a text',
        'RemoteEventError: echo(2) failed on the other side of the bridge: Error: a value that cannot be printed',
      ]);
    }));

  it('of what cannot travel is that event’s alone', () => {
    const cloning = (end: Channel<BridgeMessage>): BridgeOptions['outbound'] => ({
      send: (message) => end.send(structuredClone(message)),
    });
    return play(function* () {
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(1), new Channel<BridgeMessage>(1)];
      new Bridge({ outbound: cloning(forth), inbound: back, outgoing: [echo] }).register(here);
      new Bridge({ outbound: cloning(back), inbound: forth, incoming: [echo] }).register(there);
      there.on(echo, (value) => (value === 'a function' ? () => {} : value));
      const log: unknown[] = [];
      const other = spawnQuietly(() => there.run());
      yield* here.run(function* () {
        log.push(yield* here.call(echo({ deep: [1n, new Date(0)] })));
        log.push(yield* outcome(here.call(echo(() => {}))));
        log.push(yield* outcome(here.fire(echo(Symbol('x'))).complete()));
        log.push(yield* outcome(here.call(echo('a function'))));
        log.push(yield* here.call(echo('well')));
      });
      other.kill();
      expect(log).toEqual([
        [{ deep: [1n, new Date(0)] }],
        expect.stringMatching(/^DataCloneError: .* could not be cloned/),
        expect.stringMatching(/^DataCloneError: .* could not be cloned/),
        expect.stringMatching(/RemoteEventError: .*DataCloneError/),
        ['well'],
      ]);
    });
  });

  it('of what the link refuses, for whatever reason, is that event’s alone', () => {
    // As a channel over a stream, for a frame that is too large, or one that clones, for a getter that throws.
    const refusing = (end: Channel<BridgeMessage>): BridgeOptions['outbound'] => ({
      send: (message) => {
        if (JSON.stringify(message).includes('much')) throw new Error('not over this link');
        return end.send(message);
      },
    });
    return play(function* () {
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      const bridge = new Bridge({ outbound: refusing(forth), inbound: back, outgoing: [echo] }).register(here);
      const other = new Bridge({ outbound: refusing(back), inbound: forth, incoming: [echo] }).register(there);
      there.on(echo, (text) => (text === 'answer' ? 'too much' : text));
      const serving = spawnQuietly(() => there.run());
      const log: unknown[] = [];
      yield* here.run(function* () {
        for (const text of ['much', 'answer', 'well']) log.push(yield* outcome(here.fire(echo(text)).complete()));
        log.push(bridge.lost, other.lost, bridge.pending);
      });
      serving.kill();
      expect(log).toEqual([
        'Error: not over this link',
        'RemoteEventError: echo("answer") failed on the other side of the bridge: Error: not over this link',
        ['well'],
        undefined,
        undefined,
        0,
      ]);
    });
  });

  it('of a result that cannot travel ends the event all the same', () =>
    play(function* () {
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      const narrow: BridgeOptions['outbound'] = {
        send: (message) => {
          if (JSON.stringify(message).length > 30_000) throw new RangeError('too large');
          return back.send(message);
        },
      };
      const bridge = new Bridge({ outbound: forth, inbound: back, outgoing: [echo] }).register(here);
      const other = new Bridge({ outbound: narrow, inbound: forth, incoming: [echo] }).register(there);
      there.on(echo, (text) => {
        if (text === 'fail') throw new Error('x'.repeat(50_000));
        return text === 'much' ? 'x'.repeat(50_000) : text;
      });
      here.on(exception, () => {});
      const serving = spawnQuietly(() => there.run());
      const log: unknown[] = [];
      yield* here.run(function* () {
        for (const text of ['much', 'fail', 'well']) {
          const result = yield* outcome(here.fire(echo(text)).complete());
          log.push(typeof result === 'string' ? result.slice(0, 100) : result, bridge.pending);
        }
        log.push(other.lost);
      });
      serving.kill();
      expect(log).toEqual([
        'RemoteEventError: echo("much") failed on the other side of the bridge: RangeError: too large',
        0,
        expect.stringContaining('RemoteEventError: echo("fail") failed on the other side of the bridge: Error: xxxx'),
        0,
        ['well'],
        0,
        undefined,
      ]);
    }));
});

describe('The loss of the link', () => {
  it('fails what is over there, and what comes later, and is told', () =>
    bridged(function* ({ here, there, hereBridge, back, log, lost }) {
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      here.on(bridgeLost, (bridge, error) => void log.push(bridge === hereBridge, error instanceof BridgeLostError));
      const pending = spawn(() => outcome(here.call(slow(50))));
      const following = spawn(() => outcome(here.fire(slow(60)).complete()));
      yield* sleep(10);
      back.close();
      log.push(yield* pending.get(), yield* following.get(), hereBridge.pending);
      log.push(yield* outcome(here.call(slow(1))));
      log.push(String(hereBridge.lost?.cause));
      const text =
        'BridgeLostError: component Bridge has lost its link: unregister it, and register one over a new link';
      expect([log, lost]).toEqual([
        [true, true, text, text, 0, text, 'ChannelClosedError: receive on a channel, which is closed'],
        [],
      ]);
    }));

  it('is noticed by whoever sends, too', () =>
    bridged(function* ({ here, forth, hereBridge, log }) {
      forth.close();
      log.push(yield* outcome(here.call(slow(1))));
      log.push(hereBridge.lost?.code);
      expect(log).toEqual([expect.stringContaining('BridgeLostError'), 'ERR_BRIDGE_LOST']);
    }));

  it('lets another bridge take its place', () =>
    bridged(function* ({ here, there, hereBridge, thereBridge, back, forth, log }) {
      there.on(hello, (name) => `hello ${name}`);
      back.close();
      forth.close();
      yield* here.wait(bridgeLost);
      yield* all([hereBridge.unregister().complete(), thereBridge.unregister().complete()]);
      log.push(yield* here.call(hello('nobody')));
      const [to, from] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      new Bridge({ outbound: to, inbound: from, outgoing: [hello] }).register(here);
      new Bridge({ outbound: from, inbound: to, incoming: [hello] }).register(there);
      log.push(yield* here.call(hello('Ada')));
      expect(log).toEqual([[], ['hello Ada']]);
    }));
});

describe('The end of a tree with a bridge', () => {
  it('comes when what it was asked is answered; then the other side is told that there will be no more', () =>
    play(function* () {
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      const bridge = new Bridge({ outbound: forth, inbound: back, outgoing: [slow] }).register(here);
      new Bridge({ outbound: back, inbound: forth, incoming: [slow] }).register(there);
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const log: unknown[] = [];
      here.on(bridgeLost, () => void log.push('lost'));
      const other = spawn(() => there.run(() => sleep(10)));
      yield* here.run(function* () {
        const pending = spawn(() => outcome(here.call(slow(50))));
        yield* sleep(20);
        log.push(yield* outcome(here.call(slow(1))));
        log.push(yield* pending.get());
        yield* other.join();
        yield* sleep(1);
        log.push((bridge.lost?.cause as Error | undefined)?.message);
      });
      expect(log).toEqual([
        expect.stringContaining('refused: event slow: the tree is ending'),
        [50],
        'lost',
        'the other side has ended',
      ]);
    }));

  it('and its own wait for what is over there', () =>
    play(function* () {
      const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      new Bridge({ outbound: forth, inbound: back, outgoing: [slow] }).register(here);
      new Bridge({ outbound: back, inbound: forth, incoming: [slow] }).register(there);
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const other = spawnQuietly(() => there.run());
      const firing = yield* here.run(function* () {
        return here.fire(slow(50));
      });
      other.kill();
      expect(firing.results).toEqual([50]);
    }));

  it('by a kill does not take longer than its last words may, if nobody reads', () =>
    play(function* () {
      const here = new Component({ name: 'here' });
      const [forth, back] = [new Channel<BridgeMessage>(), new Channel<BridgeMessage>()];
      new Bridge({ outbound: forth, inbound: back, outgoing: [slow] }).register(here);
      const running = spawnQuietly(() => here.run());
      yield* sleep(1);
      const firing = here.fire(slow(1));
      yield* sleep(1);
      running.kill();
      yield* timeout(1100, running.join());
      expect(yield* outcome(firing.result())).toMatch(/GreenletKilledError/);
    }));

  it('that is unregistered fails what is over there, and tells the other side', () =>
    bridged(function* ({ here, there, hereBridge, thereBridge, log }) {
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const pending = spawn(() => outcome(here.call(slow(50))));
      yield* sleep(10);
      hereBridge.unregister();
      yield* here.wait(unregistered);
      log.push(yield* pending.get());
      yield* sleep(1);
      log.push(String(thereBridge.lost?.cause));
      yield* sleep(100);
      expect(log).toEqual([expect.stringContaining('BridgeLostError'), 'Error: the other side has ended']);
    }));
});

describe('An event whose handler here is killed', () => {
  it('is for nobody any more, and neither is its answer', () =>
    bridged(function* ({ here, there, hereBridge, log }) {
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        log.push(`ends ${ms}`);
        return ms;
      });
      const call = spawnQuietly(() => here.call(slow(20)));
      yield* sleep(5);
      log.push(hereBridge.pending, hereBridge.kill());
      yield* call.join();
      log.push(hereBridge.pending, call.outcome?.ok);
      yield* sleep(50);
      log.push(yield* here.call(slow(2)));
      expect(log).toEqual([1, 1, 0, false, 'ends 20', 'ends 2', [2]]);
    }));

  it('is not begun over there if it was still queued', () =>
    bridged(function* ({ there, forth, back, hereBridge, log }) {
      there.on(slow, (ms) => void log.push(ms));
      there.on(slow.success, () => void log.push('success'));
      const message = { kind: 'fire', id: 1, name: 'slow', args: [1], channels: ['*'], priority: 0, hops: 1 } as const;
      yield* all([forth.send({ ...message, complete: true }), forth.send({ kind: 'cancel', id: 1 })]);
      yield* sleep(1);
      yield* forth.send({ ...message, id: 2, args: [2], complete: false });
      yield* sleep(1);
      // Its answers are none that were asked for.
      expect([log, hereBridge.refused, back.balance]).toEqual([[2, 'success'], 3, -1]);
    }));

  it('is not complete over there for nobody', () =>
    bridged(function* ({ here, there, hereBridge }) {
      there.on(slow, function* (ms) {
        yield* sleep(ms);
        return ms;
      });
      const firing = here.fire(slow(20));
      const complete = firing.complete();
      yield* sleep(5);
      hereBridge.kill();
      expect(yield* outcome(complete)).toMatch(/GreenletKilledError/);
      expect(hereBridge.pending).toBe(0);
    }));
});

describe('The limits of a bridge', () => {
  it('let so many be over there, and the others wait here', () =>
    bridged(
      function* ({ here, there, hereBridge, log }) {
        let most = 0;
        let now = 0;
        there.on(slow, function* (ms) {
          now += 1;
          most = Math.max(most, now);
          yield* sleep(ms);
          now -= 1;
          return ms;
        });
        const firings = Array.from({ length: 10 }, () => here.fire(slow(10)));
        yield* sleep(5);
        log.push(hereBridge.pending);
        for (const firing of firings) yield* firing.result();
        expect([log, most]).toEqual([[3], 3]);
      },
      { maxPending: 3 },
    ));

  it('refuse what is too much at once', () =>
    bridged(
      function* ({ here, there, log }) {
        there.on(slow, function* (ms) {
          yield* sleep(ms);
          return ms;
        });
        const firings = Array.from({ length: 3 }, () => here.fire(slow(10)));
        for (const firing of firings) log.push(yield* outcome(firing.result()));
        expect(log).toEqual([[10], [10], expect.stringContaining('refused: event slow: 2 are in work already')]);
      },
      {},
      { maxIncoming: 2 },
    ));

  it('carry thousands of events that are fired at once', () =>
    bridged(function* ({ here, there }) {
      let sum = 0;
      there.on(slow, (n) => {
        sum += n;
      });
      for (let i = 1; i <= 3000; i += 1) here.fire(slow(i));
      yield* here.settled();
      expect(sum).toBe(4_501_500);
    }));
});

describe('Under many schedules', () => {
  it('every call over a link that may break ends, and a result is never that of another', async () => {
    const report = await explore(
      function* (world) {
        const [here, there] = [new Component({ name: 'here' }), new Component({ name: 'there' })];
        const [forth, back] = [new Channel<BridgeMessage>(1), new Channel<BridgeMessage>(1)];
        const ends = { outgoing: [slow], incoming: [slow] };
        const bridge = new Bridge({ outbound: forth, inbound: back, ...ends }).register(here);
        new Bridge({ outbound: back, inbound: forth, ...ends }).register(there);
        for (const tree of [here, there]) {
          tree.on(slow, function* (ms) {
            yield* sleep(ms % 3);
            return tree === there ? ms : undefined;
          });
          tree.on(exception, () => {});
        }
        const other = spawn(() => there.run());
        other.link(() => {});
        let ended = 0;
        yield* here.run(function* () {
          const calls = Array.from({ length: 4 }, (_, i) =>
            spawn(function* (): Op<void> {
              const got = yield* outcome(here.call(slow(i)));
              ended += 1;
              if (Array.isArray(got) ? got.join() !== String(i) : !String(got).startsWith('BridgeLostError'))
                throw new Error(`call ${i} got ${String(got)}`);
            }),
          );
          if (world.chance(0.5, 'break')) {
            yield* sleep(world.choose(3, 'break after'));
            world.pick([forth, back]).close();
          }
          for (const call of calls) yield* call.get();
        });
        if (ended !== 4 || bridge.pending !== 0) throw new Error(`${ended} calls ended, ${bridge.pending} pending`);
        other.kill();
        yield* other.join();
      },
      { seeds: 300 },
    );
    expect(report.runs).toBe(300);
  });
});

describe('A bridge takes', () => {
  const end = new Channel<BridgeMessage>();
  const refusals: [string, object][] = [
    ['Bridge: outbound must have a method send', { outbound: {}, inbound: end }],
    ['Bridge: inbound must have a method receive', { outbound: end }],
    ['Bridge: outgoing must be a list of event types', { outbound: end, inbound: end, outgoing: hello }],
    ['Bridge: outgoing takes a type of events', { outbound: end, inbound: end, outgoing: ['hello'] }],
    ['Bridge: outgoing: hello.success cannot be carried', { outbound: end, inbound: end, outgoing: [hello.success] }],
    ['Bridge: outgoing: anyEvent cannot be carried', { outbound: end, inbound: end, outgoing: [anyEvent] }],
    [
      'Bridge: incoming: there are two events called hello',
      { outbound: end, inbound: end, incoming: [hello, defineEvent('hello')] },
    ],
    ['Bridge: maxPending must be an integer >= 1', { outbound: end, inbound: end, maxPending: 0 }],
    ['Bridge: maxIncoming must be an integer >= 1', { outbound: end, inbound: end, maxIncoming: 1.5 }],
    ['Bridge: a channel is a string', { outbound: end, inbound: end, channel: '' }],
    ['Bridge: name must be a string', { outbound: end, inbound: end, name: 5 }],
  ];
  it.each(refusals)('nothing of which it would say: %s', (message, options) => {
    expect(() => new Bridge(options as BridgeOptions)).toThrow(message);
  });
});

/** What `op` throws, itself. */
function* thrown(op: Op<unknown>): Op<unknown> {
  try {
    yield* op;
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}
