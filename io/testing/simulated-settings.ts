// simulated-settings.ts: what a simulated network is made with, checked and with defaults.
//
// The latencies are those of a small network. Buffers are smaller than Linux lets them grow, so that who does not read is felt soon.

import { checkOptions, own, ownCount, ownMs } from '../address.ts';
import { checkLatency, type Latency } from './simulated-link.ts';
import { checkFaults, type FaultName, type Faults } from './simulated-nemesis.ts';

export interface SimulatedNetworkOptions {
  /** Between two hosts: from 1 to 10 ms if not given. */
  readonly latency?: Latency | undefined;
  /** Of a host with itself: from 0 to 1 ms if not given. */
  readonly loopback?: Latency | undefined;
  /** How much a system takes of what is written, and keeps of what is not read: 65,536 bytes each if not given. */
  readonly sendBuffer?: number | undefined;
  readonly receiveBuffer?: number | undefined;
  /** How long something sent may stay unacknowledged before its connection is lost: 924,600 ms if not given, as on Linux. */
  readonly userTimeoutMs?: number | undefined;
  /** What happens at random until heal(). */
  readonly faults?: Faults | undefined;
  /** Called with a short line for every packet and fault. */
  readonly log?: ((line: string) => void) | undefined;
}

export interface Settings {
  readonly latency: Latency;
  readonly loopback: Latency;
  readonly sendBuffer: number;
  readonly receiveBuffer: number;
  readonly userTimeoutMs: number;
  readonly faults: Readonly<Record<FaultName, number>>;
  readonly log: ((line: string) => void) | undefined;
}

/** What tcp_retries2, 15 by default, comes to. */
const TCP_RETRIES_MS = 924_600;
const BUFFER = 65_536;

/** Check the options of a network. @throws TypeError or RangeError */
export function checkSettings(options: SimulatedNetworkOptions): Settings {
  const where = 'SimulatedNetwork';
  const given = checkOptions(options, where);
  return {
    latency: checkLatency(own(given, 'latency') ?? { minMs: 1, maxMs: 10 }, where),
    loopback: checkLatency(own(given, 'loopback') ?? { minMs: 0, maxMs: 1 }, where),
    sendBuffer: ownCount(given, 'sendBuffer', BUFFER, 1, where),
    receiveBuffer: ownCount(given, 'receiveBuffer', BUFFER, 1, where),
    userTimeoutMs: ownMs(given, 'userTimeoutMs', TCP_RETRIES_MS, where),
    faults: checkFaults(checkOptions(own(given, 'faults'), `${where}: faults`)),
    log: own(given, 'log'),
  };
}
