// pair.ts: channels between threads: a pair of ends, of which one travels.
//
//   const [near, far] = channelPair<Job, Done>({ capacity: 16, name: 'jobs' });
//   new Worker(file, { workerData: { far }, transferList: [far.port] });
//   // in the worker:
//   const jobs = openChannel<Done, Job>(workerData.far);
//
// What travels is a plain object with a MessagePort in it, so it goes wherever a port goes: in workerData, postMessage, a task's arguments, another channel. An end
// that was opened stays where it is.

import { MessageChannel, MessagePort } from 'node:worker_threads';
import { rangeError, typeError } from '../../core/bad-argument.ts';
import { UsageError } from '../../core/errors.ts';
import { nameOf } from '../../core/op.ts';
import { checkOptions, own, ownText, shownValue } from '../../io/address.ts';
import '../../io/hub.ts';
import { ChannelEnd } from './channel-end.ts';
import { PortLink } from './port-link.ts';

export interface ChannelEndOptions {
  /** How many values may be on their way or wait at the other end, in each direction: 0 (the default: a send waits for a receiver), an integer or Infinity. */
  readonly capacity?: number | undefined;
  /** Shown in reports and errors. */
  readonly name?: string | undefined;
}

/** An end that travels. Its `port` has to be in the list of what is transferred. `Sent` and `Received` are as seen by whoever opens it. */
export interface ChannelPort<Sent, Received = Sent> {
  readonly kind: 'tendril.ChannelPort';
  readonly port: MessagePort;
  readonly capacity: number;
  readonly name: string | undefined;
  /** Phantom: carries the types. @internal */
  readonly types?: (sent: Sent) => Received;
}

/** Check a capacity. @throws RangeError for anything but 0, a positive integer and Infinity. */
export function checkCapacity(capacity: unknown, where: string): number {
  if (capacity === undefined) return 0;
  const fits = typeof capacity === 'number' && (Number.isInteger(capacity) || capacity === Number.POSITIVE_INFINITY);
  if (fits && capacity >= 0) return capacity;
  throw rangeError(`${where}: capacity is 0, a positive integer or Infinity, not ${shownValue(capacity)}`);
}

/** Check the options of a channel. */
export function checkChannel(
  options: ChannelEndOptions | undefined,
  where: string,
): { readonly capacity: number; readonly name: string | undefined } {
  const given = checkOptions(options, where);
  return { capacity: checkCapacity(own(given, 'capacity'), where), name: ownText(given, 'name', where) };
}

/**
 * Make a channel of which both ends can travel, to connect two other threads. Never switches.
 *
 * @throws RangeError or TypeError for a bad option.
 */
export function channelPorts<A, B = A>(options?: ChannelEndOptions): [ChannelPort<A, B>, ChannelPort<B, A>] {
  const { capacity, name } = checkChannel(options, 'channelPorts');
  const { port1, port2 } = new MessageChannel();
  const kind = 'tendril.ChannelPort';
  return [
    { kind, port: port1, capacity, name },
    { kind, port: port2, capacity, name },
  ];
}

/**
 * Make a channel between threads: our end, and the one that travels, which the other thread gives to openChannel(). Never switches.
 *
 * `Sent` is what our end sends, `Received` what it receives.
 *
 * @throws RangeError or TypeError for a bad option.
 */
export function channelPair<Sent, Received = Sent>(
  options?: ChannelEndOptions,
): [ChannelEnd<Sent, Received>, ChannelPort<Received, Sent>] {
  checkChannel(options, 'channelPair');
  const [near, far] = channelPorts<Sent, Received>(options);
  return [openChannel(near), far];
}

/**
 * Open an end that has come from another thread. Never switches; once, by one thread.
 *
 * The other side may have sent already; nothing is lost.
 *
 * @throws TypeError if it is none. @throws UsageError if it was opened before, or has been transferred to another thread.
 */
export function openChannel<Sent, Received = Sent>(port: ChannelPort<Sent, Received>): ChannelEnd<Sent, Received> {
  const given = port as Partial<ChannelPort<Sent, Received>> | null | undefined;
  if (given?.kind !== 'tendril.ChannelPort' || !(given.port instanceof MessagePort))
    throw typeError(`openChannel takes what channelPair() or channelPorts() gave, not ${nameOf(port)}`);
  const name = ownText(given, 'name', 'openChannel');
  const capacity = checkCapacity(given.capacity, 'openChannel');
  return new ChannelEnd<Sent, Received>(new PortLink(takenOver(given.port, name)), { capacity, name, agreed: true });
}

/** Move `port` to ourselves: so it cannot be opened again, or travel. Node tells in no other way whether it is still here. */
function takenOver(port: MessagePort, name: string | undefined): MessagePort {
  try {
    return structuredClone(port, { transfer: [port] });
  } catch (error) {
    const label = name === undefined ? 'a channel' : `channel ${name}`;
    throw new UsageError(
      `openChannel: this end of ${label} was opened before, or has been transferred to another thread: an end has one owner`,
      { cause: error },
    );
  }
}
