// scopes.ts: properties of scopes: nothing outlives them, the first error is the one that is thrown, and a dying one makes nothing live.
import { type Greenlet, type Op, type Scope, scope, shield, sleep, suppressedErrors, yieldNow } from 'tendril/core';
import type { World } from 'tendril/testing';
import { killSome, must, type Property, pause, same, spawnQuietly, thrownBy } from './property.ts';

/** Children that count themselves, end in several ways and may have a cleanup that waits. */
class Nursery {
  alive = 0;
  readonly errors: Error[] = [];
  readonly world: World;
  constructor(world: World) {
    this.world = world;
  }

  *child(s: Scope, depth: number): Op<void> {
    const { world } = this;
    this.alive += 1;
    try {
      yield* pause(world);
      if (depth > 0 && world.chance(0.3, 'child of child')) this.spawn(s, depth - 1);
      if (world.chance(0.3, 'fails')) throw this.#fail();
      yield* pause(world);
    } finally {
      if (world.chance(0.3, 'slow cleanup')) yield* shield(sleep(1));
      this.alive -= 1;
    }
  }

  spawn(s: Scope, depth = 1): Greenlet<void> {
    return s.spawn(() => this.child(s, depth));
  }

  #fail(): Error {
    const error = new Error(`failure ${this.errors.length}`);
    this.errors.push(error);
    return error;
  }
}

export const SCOPES: readonly Property[] = [
  {
    name: 'a scope ends after all of its children, whatever fails and whoever is killed',
    rules: 'S9',
    *body(world) {
      const nursery = new Nursery(world);
      const children: Greenlet<void>[] = [];
      let ended = false;
      const owner = spawnQuietly(function* () {
        try {
          yield* scope(function* (s) {
            for (let i = 0; i < 3; i += 1) children.push(nursery.spawn(s));
            yield* pause(world);
            if (world.chance(0.2, 'body fails')) throw new Error('body');
          });
        } finally {
          ended = true;
          same(nursery.alive, 0, 'no child is alive when the scope has ended');
        }
      });
      world.always(() => must(!ended || nursery.alive === 0, 'nothing outlives its scope'));
      yield* killSome(world, [owner, ...children], 2);
      yield* owner.join();
      same(nursery.alive, 0, 'no child is alive when the owner has ended');
    },
  },
  {
    name: 'a scope throws the first error in time, and carries the later ones',
    rules: 'S9 S10',
    times: 2,
    *body(world) {
      const thrown: Error[] = [];
      const fail = function* (): Op<void> {
        try {
          yield* pause(world);
        } finally {
          // Also when it is killed because a sibling failed: an error in its cleanup.
          if (world.chance(0.6, 'fails')) {
            const error = new Error(`failure ${thrown.length}`);
            thrown.push(error);
            // biome-ignore lint/correctness/noUnsafeFinally: this is what a cleanup that fails does
            throw error;
          }
        }
      };
      const error = yield* thrownBy(
        scope(function* (s) {
          for (let i = 0; i < 4; i += 1) s.spawn(fail);
          yield* pause(world);
        }),
      );
      must(error === thrown[0], 'the very error that came first');
      if (error !== undefined) same(suppressedErrors(error).length, thrown.length - 1, 'the others hang on it');
    },
  },
  {
    name: 'in a dying scope nothing comes to life',
    rules: 'S9',
    times: 2,
    *body(world) {
      let dead = false;
      let bornLater = 0;
      const tries: string[] = [];
      const attempt = (s: Scope): void => {
        tries.push(s.state);
        const wasOpen = s.state === 'open';
        s.spawn(function* () {
          // A child of an open scope may run while it is dying, if it was born before; its first wait throws then.
          if (!wasOpen) bornLater += 1;
          yield* yieldNow();
        });
      };
      const error = yield* thrownBy(
        scope(function* (s) {
          s.spawn(function* () {
            try {
              yield* sleep(9);
            } finally {
              dead = true;
              attempt(s);
              yield* shield(pause(world));
              attempt(s);
            }
          });
          s.spawn(function* () {
            yield* pause(world, 2);
            throw new Error('failed');
          });
          yield* pause(world);
          if (world.chance(0.5, 'body spawns')) attempt(s);
          yield* sleep(5);
        }),
      );
      same((error as Error).message, 'failed', 'the scope failed');
      must(bornLater === 0 && (!dead || tries.includes('dying')), 'what is spawned then never runs');
    },
  },
  {
    name: 'nested scopes end from the inside out, and cleanup runs once',
    rules: 'S5 S9',
    times: 2,
    *body(world) {
      const log: string[] = [];
      const leave = (name: string): void => {
        must(!log.includes(name), 'a finally block runs once');
        log.push(name);
      };
      const owner = spawnQuietly(function* () {
        try {
          yield* scope(function* (outer) {
            outer.spawn(function* () {
              try {
                yield* sleep(world.pick([1, 3]));
                if (world.chance(0.3, 'outer child fails')) throw new Error('outer child');
              } finally {
                leave('outer child');
              }
            });
            try {
              yield* scope(function* (inner) {
                inner.spawn(function* () {
                  try {
                    yield* sleep(world.pick([2, 4]));
                    if (world.chance(0.3, 'inner child fails')) throw new Error('inner child');
                  } finally {
                    yield* shield(pause(world, 2));
                    leave('inner child');
                  }
                });
                yield* pause(world);
              });
            } finally {
              leave('inner');
            }
          });
        } finally {
          leave('outer');
        }
      });
      yield* killSome(world, [owner], 2);
      yield* owner.join();
      const at = (name: string): number => log.indexOf(name);
      if (log.includes('inner child')) must(at('inner child') < at('inner'), 'the inner scope ends after its child');
      if (log.includes('outer child')) must(at('outer child') < at('outer'), 'the outer scope ends after its child');
      if (log.includes('inner')) must(at('inner') < at('outer'), 'the inner one ends first');
    },
  },
];
