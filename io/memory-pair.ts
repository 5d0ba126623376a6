// memory-pair.ts: `memoryPair()`: two Sockets that are connected to each other in memory.
//
// For tests, and for protocols within one process. They behave as Unix sockets do (memory-transport.ts). They need neither time nor chance, so they are the
// same in every run, in a simulated world as outside.

import { checkOptions, ownCount, ownFlag } from './address.ts';
import { memoryTransports } from './memory-transport.ts';
import { DEFAULT_HIGH_WATER_MARK, Socket, type SocketOptions } from './socket.ts';

/** As much as a pipe of Linux holds. */
const DEFAULT_CAPACITY = 65_536;

export interface MemoryOptions extends SocketOptions {
  /** How many bytes are kept for this end before its peer has to wait, besides what both sockets buffer: 64 KiB by default. */
  readonly capacity?: number | undefined;
}

interface Settings {
  readonly capacity: number;
  readonly highWaterMark: number;
  readonly halfOpen: boolean;
}

function settingsOf(options: MemoryOptions | undefined): Settings {
  const where = 'memoryPair';
  const given = checkOptions(options, where);
  return {
    capacity: ownCount(given, 'capacity', DEFAULT_CAPACITY, 1, where),
    highWaterMark: ownCount(given, 'highWaterMark', DEFAULT_HIGH_WATER_MARK, 1, where),
    halfOpen: ownFlag(given, 'halfOpen', true, where),
  };
}

/**
 * Make two sockets that are connected to each other in memory: what one writes the other reads.
 *
 * Never switches. They belong to the world in which they were made: that of a simulation, or the process. `far` are the options of the second one, if they
 * are to differ. They are sockets like any other: close both.
 *
 * @throws TypeError or RangeError for bad options. @throws UsageError if there is no scheduler.
 * @see https://man7.org/linux/man-pages/man2/socketpair.2.html
 */
export function memoryPair(near?: MemoryOptions, far: MemoryOptions | undefined = near): readonly [Socket, Socket] {
  const nearer = settingsOf(near);
  const farther = settingsOf(far);
  const [one, other] = memoryTransports(nearer.capacity, farther.capacity);
  return [
    new Socket(one, nearer.highWaterMark, nearer.halfOpen),
    new Socket(other, farther.highWaterMark, farther.halfOpen),
  ];
}
