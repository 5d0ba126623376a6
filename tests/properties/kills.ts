// kills.ts: properties of kill and throw: an Op has happened or it has not, a kill is delivered until the end, and what comes late goes nowhere.
import {
  Channel,
  current,
  type Greenlet,
  GreenletKilledError,
  isKilled,
  Mutex,
  type Op,
  Queue,
  Semaphore,
  shield,
  sleep,
  spawn,
  spawnLater,
  yieldNow,
} from 'tendril/core';
import type { World } from 'tendril/testing';
import { endAll, joinEach, must, type Property, pause, same, spawnQuietly, thrownBy } from './property.ts';

/** A wait whose effect can be seen from outside. */
interface Effect {
  readonly wait: Op<unknown>;
  /** Make it possible; called once. */
  readonly enable: () => void;
  /** Has it happened, for `greenlet`? Asked before the greenlet undoes it. */
  readonly happened: (greenlet: Greenlet) => boolean;
  readonly undo?: () => void;
}

/** Each makes one for the greenlet that calls it, which enables it too. */
const EFFECTS: readonly (() => Effect)[] = [
  () => {
    const channel = new Channel<number>();
    let taken = false;
    return {
      wait: channel.send(1),
      enable: () => void (taken = channel.tryReceive() !== undefined),
      happened: () => taken || channel.tryReceive() !== undefined,
    };
  },
  () => {
    const channel = new Channel<number>(1);
    let sent = false;
    return {
      wait: channel.receive(),
      enable: () => void (sent = channel.trySend(1)),
      happened: () => sent && channel.length === 0,
    };
  },
  () => {
    const queue = new Queue<number>(1, { items: [1] });
    return {
      wait: queue.put(2),
      enable: () => void queue.tryGet(),
      happened: () => queue.tryGet()?.value === 2,
    };
  },
  () => {
    const semaphore = new Semaphore(0);
    let released = false;
    return {
      wait: semaphore.acquire(),
      enable: () => {
        released = true;
        semaphore.release();
      },
      happened: () => released && semaphore.permits === 0,
    };
  },
  () => {
    const mutex = new Mutex();
    must(mutex.tryAcquire(), 'a new lock is free');
    return {
      wait: mutex.acquire(),
      enable: () => mutex.release(),
      happened: (greenlet) => mutex.owner === greenlet,
      undo: () => mutex.release(),
    };
  },
];

/** Catch what comes for so long as `going`, and note it. */
function* catching(world: World, caught: unknown[], going: () => boolean): Op<void> {
  while (going()) {
    try {
      yield* world.chance(0.3, 'shielded') ? shield(pause(world, 2)) : pause(world, 2);
    } catch (error) {
      if (isKilled(error)) throw error;
      caught.push(error);
    }
  }
}

export const KILLS: readonly Property[] = [
  {
    name: 'an Op that throws Killed has not happened, and one that has happened returns',
    rules: 'S2 S6',
    times: 2,
    *body(world) {
      const effects = [world.pick(EFFECTS)(), world.pick(EFFECTS)()];
      const victims = effects.map((effect) =>
        spawnQuietly(function* () {
          let returned = false;
          try {
            yield* effect.wait;
            returned = true;
          } finally {
            const happened = effect.happened(current());
            if (returned) must(happened, 'an Op that returned has happened');
            else must(!happened, 'an Op that threw Killed has not happened');
            if (returned) effect.undo?.();
          }
        }),
      );
      yield* pause(world, 2);
      const acts = effects.flatMap((effect, index) => [effect.enable, () => void victims[index]?.kill()]);
      while (acts.length > 0) {
        acts.splice(world.choose(acts.length, 'act'), 1)[0]?.();
        if (world.chance(0.5, 'pause')) yield* pause(world, 2);
      }
      yield* endAll(victims);
    },
  },
  {
    name: 'a killed greenlet is killed at every Op until it ends, whatever it catches',
    rules: 'S3 S4 S5',
    times: 2,
    *body(world) {
      const log: string[] = [];
      const channel = new Channel<number>(3);
      const stubborn = spawn(function* () {
        let killed = false;
        for (let i = 0; i < 9; i += 1) {
          try {
            yield* world.pick([() => yieldNow(), () => channel.send(1), () => sleep(1), () => channel.receive()])();
            must(!killed, 'no Op returns after a kill');
          } catch (error) {
            must(isKilled(error) && error.reason === 'enough', 'each of them throws the kill, with its reason');
            killed = true;
            if (world.chance(0.3, 'shield')) {
              yield* shield(pause(world, 2));
              log.push('shielded');
            }
          }
          if (killed && world.chance(0.2, 'rethrow')) yield* sleep(0);
        }
        return 'returned';
      });
      yield* pause(world, 3);
      const asked = stubborn.kill('enough');
      yield* pause(world, 2);
      must(!stubborn.kill('again'), 'the first kill is the one that counts');
      yield* stubborn.join();
      const { outcome } = stubborn;
      must(outcome?.killed === asked, 'it is known that it was killed');
      if (outcome?.ok === true) same(outcome.value, 'returned', 'one that returns all the same has returned');
      else must(outcome?.error instanceof GreenletKilledError, 'one that lets the kill pass was killed');
    },
  },
  {
    name: 'errors that are thrown into a greenlet arrive once each, in order, also in a shield',
    rules: 'S2 S4 S5',
    times: 2,
    *body(world) {
      const caught: unknown[] = [];
      const victim = spawn(function* () {
        yield* catching(world, caught, () => caught.length < 4);
      });
      const thrower = function* (errors: readonly number[]): Op<void> {
        for (const error of errors) {
          yield* pause(world, 2);
          victim.throw(error);
        }
      };
      yield* sleep(0);
      if (victim.state === 'new') {
        yield* endAll([victim]);
        return;
      }
      const throwers = [spawn(thrower, [1, 2]), spawn(thrower, [11, 12])];
      yield* joinEach([...throwers, victim]);
      const of = (first: number): unknown[] => caught.filter((error) => Math.floor((error as number) / 10) === first);
      same(
        [of(0), of(1)],
        [
          [1, 2],
          [11, 12],
        ],
        'each arrives once, in its order',
      );
    },
  },
  {
    name: 'a greenlet that is killed before its first step never runs, and its joiners see that',
    rules: 'S2 S4',
    times: 3,
    *body(world) {
      let ran = 0;
      const body = function* (): Op<string> {
        ran += 1;
        yield* pause(world, 2);
        return 'ran';
      };
      const late = world.chance(0.5, 'later');
      const victim = late ? spawnLater(2, body) : spawn(body);
      const joiner = spawn(function* () {
        const error = yield* thrownBy(victim.get());
        if (error !== undefined)
          must(error instanceof GreenletKilledError, 'who asks for its value is told of the kill');
        return error === undefined;
      });
      yield* pause(world, 4);
      const { state } = victim;
      const asked = victim.kill();
      if (state === 'new') same([ran, asked, victim.state], [0, true, 'done'], 'it ends within the kill, unrun');
      yield* victim.join();
      same(yield* joiner.get(), victim.outcome?.ok === true, 'its joiner sees how it ended');
      if (state === 'new') same(ran, 0, 'it never runs');
    },
  },
];
