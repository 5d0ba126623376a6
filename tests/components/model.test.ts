// model.test.ts: components that come and go, events that are fired, cancelled and stopped, handlers that wait, fail, fire, are killed and taken out: in any order, under many schedules.
//
// What has to hold: the tree's invariants after every step; each event that was fired ends exactly once; nothing is begun for a component that has been told to leave; nobody is left
// when the tree has ended.
import { type Greenlet, killAll, type Op, rethrowKilled, sleep, spawn } from 'tendril';
import { Component, defineEvent, exception, type Firing, handling, Timer, unregistering } from 'tendril/components';
import { explore, type World } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import { nodeOf } from '../../components/component-node.ts';
import { collectErrors, spawnQuietly, unwatchAll, watch } from '../core/world.ts';

const poke = defineEvent<[depth: number], number>('poke');
const tick = defineEvent('tick');

const CHANNELS = ['a', 'b', '*'] as const;

class Play {
  readonly #world: World;
  readonly app: Component = new Component({ name: 'app' });
  readonly #components: Component[] = [];
  readonly #offs: (() => void)[] = [];
  readonly #firings: Firing<[number], number>[] = [];
  #ends = 0;
  #actsWithin = 10;
  readonly #waiters: Greenlet<void>[] = [];

  /** What reached the hub: failures that were not handled when the tree came down. */
  readonly #lost: unknown[] = collectErrors();

  constructor(world: World) {
    this.#world = world;
    this.app.on(exception, () => {});
    watch({ check: () => nodeOf(this.app).tree.check() });
  }

  /** One random thing. */
  act(): void {
    const { app } = this;
    switch (this.#world.choose(9, 'act')) {
      case 0:
      case 1:
        this.fire(2);
        return;
      case 2: {
        const parent = this.#any() ?? app;
        if (!nodeOf(parent).leaving) this.#components.push(this.#made().register(parent.root === app ? parent : app));
        return;
      }
      case 3: {
        const one = this.#any();
        if (one?.parent !== undefined && one.root === app) one.unregister();
        return;
      }
      case 4:
        this.#listen(this.#any() ?? app);
        return;
      case 5:
        this.#offs.splice(this.#world.choose(this.#offs.length + 1, 'handler'), 1)[0]?.();
        return;
      case 6:
        (this.#any() ?? app).kill('chosen');
        return;
      case 7:
        this.#firings[this.#world.choose(this.#firings.length + 1, 'firing')]?.cancel();
        return;
      case 8:
        this.#waits();
        return;
    }
  }

  fire(depth: number): void {
    const { app } = this;
    const source = this.#any() ?? app;
    const firing = (source.root === app ? source : app).fire(poke(depth), {
      channel: this.#world.pick(CHANNELS),
      priority: this.#world.choose(3, 'priority'),
    });
    this.#firings.push(firing);
    if (this.#world.chance(0.3, 'follow')) this.#counted(firing.complete());
    else this.#counted(firing.result());
  }

  /** Nothing is open any more. */
  *judge(): Op<void> {
    const { tree } = nodeOf(this.app);
    // Who came too late waits for the next time that the tree runs.
    yield* killAll(this.#waiters);
    tree.check();
    const open = this.#firings.filter(({ state }) => state !== 'handled' && state !== 'cancelled');
    if (open.length > 0) throw new Error(`${open.length} events have not ended: ${open[0]}`);
    const strange = this.#lost.find((error) => (error as Error).message !== 'chosen to fail');
    if (strange !== undefined) throw strange;
    if (this.#ends !== this.#firings.length) throw new Error(`${this.#firings.length} events, ${this.#ends} ends`);
    if (tree.active !== 0 || tree.waits.size !== 0) throw new Error('the tree is not at rest');
    for (const component of [this.app, ...this.#components])
      if (nodeOf(component).runs.size !== 0) throw new Error(`${component} has handlers that run`);
  }

  #any(): Component | undefined {
    return this.#components[this.#world.choose(this.#components.length + 1, 'component') - 1];
  }

  #made(): Component {
    const made = new Component({ name: `c${this.#components.length}`, channel: this.#world.pick(CHANNELS) });
    made.on(unregistering, function* () {
      yield* sleep(1);
    });
    if (this.#world.chance(0.3, 'timer')) new Timer(tick(), { everyMs: 3 }).register(made);
    this.#listen(made);
    return made;
  }

  #listen(component: Component): void {
    const play = this;
    const world = this.#world;
    const priority = world.choose(3, 'priority');
    const plain = world.chance(0.5, 'plain');
    const step = (depth: number): number => {
      if (nodeOf(component).leaving) throw new Error(`${component} is given an event while it leaves`);
      if (world.chance(0.1, 'stop')) handling().stop();
      if (depth > 0 && world.chance(0.5, 'effect')) play.fire(depth - 1);
      if (world.chance(0.1, 'fail')) throw new Error('chosen to fail');
      return depth;
    };
    this.#offs.push(
      plain
        ? component.on(poke, step, { priority })
        : component.on(
            poke,
            function* (depth) {
              const result = step(depth);
              yield* sleep(world.choose(3, 'ms'));
              // So many, or events would come faster than they are handled.
              if (play.#actsWithin > 0 && world.chance(0.2, 'act within')) {
                play.#actsWithin -= 1;
                play.act();
              }
              return result;
            },
            { priority },
          ),
    );
  }

  #counted(wait: Op<unknown>): void {
    spawnQuietly(() => this.#ended(wait));
  }

  *#ended(wait: Op<unknown>): Op<void> {
    try {
      yield* wait;
    } catch {}
    this.#ends += 1;
  }

  #waits(): void {
    const through = this.#any() ?? this.app;
    if (through.root !== this.app) return;
    this.#waiters.push(spawn(() => this.#waited(through)));
  }

  *#waited(through: Component): Op<void> {
    try {
      yield* through.wait(poke, { where: (depth) => depth === 0 });
    } catch (error) {
      rethrowKilled(error);
    }
  }
}

describe('Components under many schedules', () => {
  it('keep their books, whatever comes in whatever order, and however the tree ends', async () => {
    const report = await explore(
      function* (world) {
        unwatchAll();
        const play = new Play(world);
        const running = spawn(() =>
          play.app.run(function* () {
            for (let acts = 4 + world.choose(8, 'acts'); acts > 0; acts -= 1) {
              play.act();
              if (world.chance(0.4, 'pause')) yield* sleep(world.choose(3, 'ms'));
            }
            if (world.chance(0.2, 'body fails')) throw new Error('the body failed');
          }),
        );
        running.link(() => {});
        if (world.chance(0.2, 'kill')) {
          yield* sleep(world.choose(6, 'ms'));
          running.kill();
        }
        yield* running.join();
        yield* sleep(5); // handlers of components that have left, and whoever waits
        yield* play.judge();
      },
      { seeds: 600 },
    );
    expect(report.runs).toBe(600);
  });
});
