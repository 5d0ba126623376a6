// process-channel.ts: channels between processes: over the connection of a parent and its child, or over any stream of bytes.
//
//   const child = fork('worker.js', { serialization: 'advanced' });
//   const jobs = processChannel<Job, Done>(child, 'jobs', { capacity: 16 });
//   // in the child:
//   const jobs = processChannel<Done, Job>(process, 'jobs', { capacity: 16 });
//
// Each side says how much it has room for itself; the two capacities may differ.

import type { Duplex } from 'node:stream';
import { typeError } from '../../core/bad-argument.ts';
import { BusyError, ClosedError } from '../../core/errors.ts';
import { nameOf } from '../../core/op.ts';
import { checkOptions, ownCount, shownValue } from '../../io/address.ts';
import '../../io/hub.ts';
import { ChannelEnd } from './channel-end.ts';
import { hubOf, IpcLink, type IpcPeer } from './ipc-link.ts';
import { type ChannelEndOptions, checkChannel } from './pair.ts';
import { StreamLink } from './stream-link.ts';

export interface StreamChannelOptions extends ChannelEndOptions {
  /** The most bytes of one message: 64 MiB by default, 1 MiB at least. */
  readonly limit?: number | undefined;
}

const LEAST_LIMIT = 1024 * 1024;
const DEFAULT_LIMIT = 64 * LEAST_LIMIT;

/** The streams that have a channel. Two would each get a part of the bytes. */
const taken = new WeakSet<Duplex>();

/**
 * Open one end of the channel `name` between this process and `peer`: a child that was started with an IPC connection and `serialization: 'advanced'`, or
 * in such a child `process`. Never switches.
 *
 * The other process opens the same name, before or after. Until it has, sends wait. Other messages over that connection are left alone. The capacity is
 * how many values have room at this end, whatever the other side says.
 *
 * @throws TypeError if `peer` is neither, or for a bad name or option. @throws BusyError if that name is open here. @throws ClosedError if the
 * connection has ended.
 */
export function processChannel<Sent, Received = Sent>(
  peer: IpcPeer,
  name: string,
  options?: Omit<ChannelEndOptions, 'name'>,
): ChannelEnd<Sent, Received> {
  const where = 'processChannel';
  if (typeof name !== 'string' || name === '')
    throw typeError(`${where}: a name is a string that is not empty, not ${shownValue(name)}`);
  const { capacity } = checkChannel(options, where);
  if (typeof peer !== 'object' || peer === null || typeof peer.on !== 'function')
    throw typeError(`${where} takes a child process, or process, not ${nameOf(peer)}`);
  if (peer.connected === undefined || typeof peer.send !== 'function')
    throw typeError(`${where}: the process has no IPC connection: start the child with fork(), or with 'ipc' in stdio`);
  if (!peer.connected) throw new ClosedError(`${where}: the connection of the two processes has ended`);
  const hub = hubOf(peer);
  if (hub.has(name))
    throw new BusyError(`${where}: channel ${name} with ${hub.name} is open: use that, or another name`);
  return new ChannelEnd<Sent, Received>(new IpcLink(hub, name), { capacity, name, agreed: false });
}

/**
 * Open one end of a channel over `stream`, whose other end somebody else gives to streamChannel() too: a connection of node:net, or `toDuplex(socket)`. Never switches.
 *
 * The stream belongs to the channel from then on, and is closed with it. Values are written as v8.serialize does: talk to your own programs only, because what
 * a stranger sends is not safe to read. The capacity is how many values have room at this end.
 *
 * @throws TypeError or RangeError for a bad stream or option, also for a stream of objects or of text. @throws BusyError if the stream has a channel already. @throws
 * ClosedError if the stream has ended.
 */
export function streamChannel<Sent, Received = Sent>(
  stream: Duplex,
  options?: StreamChannelOptions,
): ChannelEnd<Sent, Received> {
  const where = 'streamChannel';
  const given = checkOptions(options, where);
  const { capacity, name } = checkChannel(options, where);
  const limit = ownCount(given, 'limit', DEFAULT_LIMIT, LEAST_LIMIT, where);
  const candidate = stream as Partial<Duplex> | null | undefined;
  if (
    typeof candidate?.on !== 'function' ||
    typeof candidate.write !== 'function' ||
    typeof candidate.destroy !== 'function'
  )
    throw typeError(`${where} takes a duplex stream of Node, not ${nameOf(stream)}`);
  if (stream.readableObjectMode || stream.writableObjectMode || (stream.readableEncoding ?? null) !== null)
    throw typeError(`${where} takes a stream of bytes: without objectMode, and without setEncoding()`);
  if (taken.has(stream))
    throw new BusyError(`${where}: this stream has a channel already: use that, or a stream for each channel`);
  if (stream.destroyed || stream.readableEnded || stream.writableEnded)
    throw new ClosedError(`${where}: the stream has ended`);
  taken.add(stream);
  return new ChannelEnd<Sent, Received>(new StreamLink(stream, limit), { capacity, name, agreed: false });
}
