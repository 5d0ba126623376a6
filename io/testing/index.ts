// index.ts: the public names of `tendril/testing`: code with timeouts, deadlocks and races, tested without waiting.
//
// No test runner is needed. Importing it installs nothing beyond what `tendril` itself does.

export { type SimulateOptions, type SimulationReport, simulate } from '../../core/testing/simulate.ts';
export { VirtualDriver, type VirtualDriverOptions } from '../../core/testing/virtual-driver.ts';
