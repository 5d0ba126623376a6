// simulated-world.ts: a simulated world with a network: what a body gets that is played by `tendril/testing`.
//
// The network is made when it is first asked for, by the body or by the first socket, so that a body without sockets pays nothing for it.

import type { Greenlet } from '../../core/greenlet.ts';
import type { WorldMaker } from '../../core/testing/play.ts';
import { World } from '../../core/testing/world.ts';
import { provideNetwork } from '../network.ts';
import { SimulatedNetwork, type SimulatedNetworkOptions } from './simulated-network.ts';

export class SimulatedWorld extends World {
  readonly #options: SimulatedNetworkOptions;
  #net: SimulatedNetwork | undefined;

  /** @internal */
  constructor(options: SimulatedNetworkOptions, ...rest: ConstructorParameters<typeof World>) {
    super(...rest);
    this.#options = options;
    provideNetwork(this.scheduler, () => this.net);
  }

  /** What runs on other hosts are servers, which wait for whoever may still come. */
  override countsAsLeak(greenlet: Greenlet): boolean {
    return this.#net?.residents.isElsewhere(greenlet) !== true;
  }

  override end(): void {
    this.#net?.end();
  }

  /** The network of this world: hosts, names, links, and their faults. `heal` heals it too. */
  get net(): SimulatedNetwork {
    if (this.#net === undefined) {
      const { log } = this;
      // A packet is nobody's, also when it leaves in a step of somebody.
      const logged = log === undefined ? {} : { log: (line: string) => log(line, '') };
      this.#net = new SimulatedNetwork(this.scheduler, this, { ...logged, ...this.#options });
      if (this.healed) this.#net.heal();
      else this.onHeal(() => this.#net?.heal());
    }
    return this.#net;
  }
}

/** What makes worlds with such a network. */
export function worldMaker(options: SimulatedNetworkOptions): WorldMaker<SimulatedWorld> {
  return (...rest) => new SimulatedWorld(options, ...rest);
}
