// plague.ts: what is done to the network between the test's body and the server, on purpose and one thing after the other.
import { type Op, sleep } from 'tendril';
import type { SimulatedWorld } from 'tendril/testing';
import type { SimulatedHost } from '../../io/testing/simulated-host.ts';

const PORT = 6379;

type Mischief = (world: SimulatedWorld, host: SimulatedHost, lastsMs: number) => Op<void>;

/** `times` things go wrong. */
export function* plague(world: SimulatedWorld, host: SimulatedHost, times: number, crashes: boolean): Op<void> {
  for (let left = times; left > 0; left -= 1) {
    yield* sleep(world.pick([1, 5, 20, 100, 400]));
    if (world.healed) return;
    const mischief = world.pick(crashes ? [...MISCHIEF, crash, crash] : MISCHIEF);
    yield* mischief(world, host, world.pick([5, 50, 300, 1500, 6000]));
  }
}

function* reset(world: SimulatedWorld, host: SimulatedHost): Op<void> {
  world.net.reset(world.net.home, host);
}

function* resetAfter(world: SimulatedWorld, host: SimulatedHost): Op<void> {
  world.net.reset(world.net.home, host, { afterBytes: 1 + world.choose(200, 'after') });
}

function* endAfter(world: SimulatedWorld, host: SimulatedHost): Op<void> {
  world.net.endEarly(world.net.home, host, { afterBytes: 1 + world.choose(200, 'after') });
}

function* partition(world: SimulatedWorld, host: SimulatedHost, lastsMs: number): Op<void> {
  const { net } = world;
  const ways = world.choose(3, 'ways');
  const [a, b] = ways === 2 ? [host, net.home] : [net.home, host];
  net.partition(a, b, { oneWay: ways > 0 });
  yield* sleep(lastsMs);
  net.restoreLink(a, b);
}

function* clog(world: SimulatedWorld, host: SimulatedHost, lastsMs: number): Op<void> {
  world.net.clog(world.net.home, host);
  yield* sleep(lastsMs);
  world.net.unclog(world.net.home, host);
}

function* unwelcoming(world: SimulatedWorld, host: SimulatedHost, lastsMs: number): Op<void> {
  const how = world.choose(3, 'welcome');
  if (how === 0) host.refuse(PORT);
  else if (how === 1) host.blackhole(PORT);
  else host.stall(PORT);
  world.net.reset(world.net.home, host);
  yield* sleep(lastsMs);
  host.restore(PORT);
}

function* nameless(world: SimulatedWorld, host: SimulatedHost, lastsMs: number): Op<void> {
  const { dns } = world.net;
  if (world.chance(0.5, 'silent resolver')) dns.never(host.name);
  else dns.fail(host.name, 'EAI_AGAIN');
  world.net.reset(world.net.home, host);
  yield* sleep(lastsMs);
  dns.restore(host.name);
}

function* crash(_world: SimulatedWorld, host: SimulatedHost, lastsMs: number): Op<void> {
  host.crash();
  yield* sleep(lastsMs);
  host.restart();
}

const MISCHIEF: readonly Mischief[] = [reset, resetAfter, endAfter, partition, clog, unwelcoming, nameless];
