// index.ts: the public names of `tendril/testing`: code with timeouts, deadlocks and races, tested without waiting.
//
// No test runner is needed. Importing it installs nothing beyond what `tendril` itself does.

export { type WaitAllBlockedOptions, waitAllBlocked } from '../../core/testing/blocked.ts';
export type { Choices } from '../../core/testing/choices.ts';
export {
  ExplorationError,
  LeakedGreenletsError,
  LivenessError,
  NondeterminismError,
} from '../../core/testing/errors.ts';
export type { ExploreReport } from '../../core/testing/explore.ts';
export type { HealOptions, PlayLimits } from '../../core/testing/limits.ts';
export type { Schedule } from '../../core/testing/schedules.ts';
export { Sequencer, SequencerBrokenError } from '../../core/testing/sequencer.ts';
export type { SimulationReport } from '../../core/testing/simulate.ts';
export { assertNoSwitch, assertSwitches, SwitchAssertionError } from '../../core/testing/switches.ts';
export { Trace, type TraceStep } from '../../core/testing/trace.ts';
export type { ClockLeftovers, VirtualClock, VirtualClockOptions } from '../../core/testing/virtual-clock.ts';
export { VirtualDriver, type VirtualDriverOptions } from '../../core/testing/virtual-driver.ts';
export { World } from '../../core/testing/world.ts';
export { Guard, type GuardOptions, RealHandleError } from './guard.ts';
export { type LeakCheckOptions, LeakError, type Leftover, leakCheck } from './leak-check.ts';
export {
  type ExploreOptions,
  explore,
  type GuardedOptions,
  type NetworkOptions,
  type ReplayOptions,
  replay,
  type SimulateOptions,
  simulate,
} from './simulate.ts';
export type { LookupFailure } from './simulated-dns.ts';
export type { HostOptions, SimulatedHost } from './simulated-host.ts';
export type { Latency } from './simulated-link.ts';
export type { Faults } from './simulated-nemesis.ts';
export { SimulatedNetwork, type SimulatedNetworkOptions } from './simulated-network.ts';
export { SimulatedWorld } from './simulated-world.ts';
export { virtualClock } from './virtual-clock.ts';
