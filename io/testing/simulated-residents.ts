// simulated-residents.ts: which greenlet runs on which host.
//
// A greenlet lives where the one lives that spawned it; what nobody placed lives on the network's first host. As long as that is the only one, nothing
// is written down. Greenlets that ordinary code spawns (a callback, a promise) live on the first host too.
//
// Invariant: a greenlet that is not in the map lives on the first host.

import type { Greenlet } from '../../core/greenlet.ts';
import { kernel } from '../../core/kernel.ts';
import type { Body } from '../../core/op.ts';
import type { Scheduler } from '../../core/scheduler.ts';
import { spawnWith } from '../../core/spawn.ts';
import type { Boot } from './simulated-boot.ts';

export class Residents {
  readonly #scheduler: Scheduler;
  readonly #boots: WeakMap<Greenlet, Boot> = new WeakMap();
  #watching = false;
  /** Where the greenlet that is being spawned is to live. */
  #placing: Boot | undefined = undefined;

  constructor(scheduler: Scheduler) {
    this.#scheduler = scheduler;
  }

  /** From now on it matters who spawned whom. */
  watch(): void {
    if (this.#watching) return;
    this.#watching = true;
    this.#scheduler.instrument({
      spawned: (greenlet) => {
        const boot = this.#placing ?? this.#boots.get(kernel.current);
        if (boot !== undefined) this.#boots.set(greenlet, boot);
      },
    });
  }

  /** Where the greenlet that runs now lives; undefined for the first host. */
  current(): Boot | undefined {
    return this.#watching ? this.#boots.get(kernel.current) : undefined;
  }

  /** Does `greenlet` live on another host than the first? */
  isElsewhere(greenlet: Greenlet): boolean {
    const boot = this.#boots.get(greenlet);
    return boot !== undefined && boot.host !== boot.net.home;
  }

  /** Spawn a greenlet that lives in `boot`. */
  spawn<A extends readonly unknown[], T>(boot: Boot, name: string | undefined, body: Body<A, T>, args: A): Greenlet<T> {
    this.watch();
    const outer = kernel.scheduler;
    const placing = this.#placing;
    kernel.scheduler = this.#scheduler;
    this.#placing = boot;
    try {
      return spawnWith({ name }, body, ...args);
    } finally {
      kernel.scheduler = outer;
      this.#placing = placing;
    }
  }

  /** Kill everyone who lives in `boot`. Nobody is told of what their cleanup throws: nobody would know. */
  killAll(boot: Boot): void {
    for (const greenlet of this.#scheduler.greenlets()) {
      if (this.#boots.get(greenlet) !== boot) continue;
      greenlet.markSeen();
      greenlet.kill(`host ${boot.host.name} has crashed`);
    }
  }
}
