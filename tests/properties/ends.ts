// ends.ts: properties of ends and of what comes after them: joiners, links, answers of the host that nobody waits for any more.
import { Channel, GreenletKilledError, isKilled, type Op, sleep, spawn, timeout } from 'tendril/core';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import { joinEach, must, type Property, pause, same, spawnQuietly, thrownBy } from './property.ts';

/** A wait that a host ends which may be late: what it waits for cannot be taken back. */
class HostCall extends ExternalWait<number> {
  readonly #calls: Ticket<number>[];
  constructor(calls: Ticket<number>[]) {
    super();
    this.#calls = calls;
  }
  protected begin(ticket: Ticket<number>): void {
    this.#calls.push(ticket);
  }
  protected override counted(): boolean {
    return false;
  }
  describe(): { op: string } {
    return { op: 'call of the host' };
  }
}

export const ENDS: readonly Property[] = [
  {
    name: 'an answer of the host that comes when nobody waits for it any more wakes nobody',
    rules: 'S6',
    *body(world) {
      const calls: Ticket<number>[] = [];
      const late: number[] = [];
      const channel = new Channel<string>();
      const host = spawn(function* () {
        for (let i = 0; i < 6; i += 1) {
          yield* pause(world);
          const ticket = calls.splice(world.choose(Math.max(calls.length, 1), 'which'), 1)[0];
          ticket?.resolve(i);
          if (world.chance(0.2, 'twice')) ticket?.resolve(99);
        }
      });
      const caller = function* (): Op<void> {
        for (let i = 0; i < 3; i += 1) {
          const answer = yield* timeout(world.choose(3, 'limit'), new HostCall(calls), { else: undefined });
          if (answer !== undefined) must(answer < 99 && !late.includes(answer), 'each answer is heard once');
          if (answer !== undefined) late.push(answer);
          const word = yield* timeout(world.choose(3, 'limit'), channel.receive(), { else: 'none' });
          must(word === 'none' || word === 'word', 'no other wait gets the answer of the host');
        }
      };
      const callers = [spawn(caller), spawn(caller)];
      const speaker = spawn(function* () {
        for (let i = 0; i < 3; i += 1) {
          yield* pause(world);
          channel.trySend('word');
        }
      });
      if (world.chance(0.4, 'kill')) {
        yield* pause(world);
        world.pick(callers).kill();
      }
      yield* joinEach([host, speaker, ...callers]);
    },
  },
  {
    name: 'join and get tell every joiner of the end, early or late, and a killed joiner disturbs nobody',
    rules: 'S4 S6 S10',
    *body(world) {
      const error = new Error('failed');
      const how = world.pick(['value', 'error', 'kill'] as const);
      const target = spawnQuietly(function* () {
        yield* pause(world);
        if (how === 'error') throw error;
        if (how === 'kill') yield* sleep(Number.POSITIVE_INFINITY);
        return 7;
      });
      let told = 0;
      const ask = function* (): Op<void> {
        yield* pause(world);
        if (world.chance(0.4, 'join')) {
          yield* target.join();
        } else {
          const thrown = yield* thrownBy(target.get());
          if (isKilled(thrown)) throw thrown;
          if (how === 'error') must(thrown === error, 'the very error');
          if (how === 'kill') must(thrown instanceof GreenletKilledError, 'or that it was killed');
          if (how === 'value') same(thrown, undefined, 'or its value');
        }
        same(target.state, 'done', 'and not before its end');
        told += 1;
      };
      const joiners = [spawn(ask), spawn(ask), spawn(ask), spawn(ask)];
      const victim = world.chance(0.4, 'kill joiner') ? world.pick(joiners) : undefined;
      yield* pause(world);
      victim?.kill();
      yield* sleep(3);
      if (how === 'kill') target.kill();
      yield* target.join();
      yield* joinEach(joiners);
      must(told === 4 || (told === 3 && victim !== undefined), 'everybody else was told');
    },
  },
  {
    name: 'links are told once of an end, by its kind, and not when they were taken out before',
    rules: 'S20',
    times: 2,
    *body(world) {
      const told: string[] = [];
      const how = world.pick(['value', 'error', 'kill'] as const);
      const target = spawn(function* () {
        yield* pause(world);
        if (how === 'error') throw new Error('failed');
        if (how === 'kill') yield* sleep(9);
      });
      const any = (): void => void told.push('any');
      const gone = (): void => void told.push('gone');
      target.link(any);
      target.link(gone);
      target.linkValue(() => void told.push('value'));
      target.linkError(() => void told.push('error'));
      const late = spawn(function* () {
        yield* pause(world, 4);
        target.link(() => void told.push('late'));
      });
      must(target.unlink(gone) && !target.unlink(gone), 'a link is taken out once');
      if (how === 'kill') {
        yield* pause(world);
        target.kill();
      }
      yield* target.join();
      yield* late.join();
      // Links run at the end of the turn.
      yield* sleep(1);
      const killedLate = how === 'kill' && target.outcome?.ok === true;
      const kind = how === 'value' || killedLate ? 'value' : 'error';
      same([...told].sort(), ['any', 'late', kind].sort(), 'each link is told once');
    },
  },
];
