// lent-reads.ts: has an accepted socket of Node's read into buffers of ours, as `onread` does for the sockets of clients.
//
// Without it each read of a server allocates 64 KiB, hands over a slice and goes through the machinery of a readable stream. Node has the option for sockets that
// connect and not for those that a server accepts, but the fields behind it are the same. They are not documented: whether they are there is looked up at load and at
// each socket, and a socket without them delivers through 'data'. `tests/io/lent-reads.test.ts` fails if a version of Node has changed them.
//
// Source: net.Socket's `onread` (lib/net.js, lib/internal/stream_base_commons.js).

import net from 'node:net';

/** What is called with what was read; false stops reading until resume(). The bytes are overwritten after the call. */
export type LentRead = (length: number, bytes: Buffer) => boolean;

type Fields = Record<symbol, unknown> & { readonly _handle?: { useUserBuffer?: unknown } | null };

const fields = Object.getOwnPropertySymbols(new net.Socket());
const bufferField = fields.find(({ description }) => description === 'kBuffer');
const callbackField = fields.find(({ description }) => description === 'kBufferCb');
const nextField = fields.find(({ description }) => description === 'kBufferGen');

/**
 * Deliver to `read` what `socket`, which has not begun to read, receives in `buffer`, and from then on in what `next` gives. False if this Node cannot: nothing has
 * changed.
 */
export function lendReads(
  socket: net.Socket,
  buffer: Uint8Array,
  next: () => Uint8Array | undefined,
  read: LentRead,
): boolean {
  if (bufferField === undefined || callbackField === undefined || nextField === undefined) return false;
  const inside = socket as unknown as Fields;
  const handle = inside._handle;
  if (typeof handle?.useUserBuffer !== 'function' || inside[bufferField] !== null || socket.readableFlowing === true)
    return false;
  handle.useUserBuffer(buffer);
  inside[bufferField] = buffer;
  inside[callbackField] = read;
  inside[nextField] = next;
  return true;
}
