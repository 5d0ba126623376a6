// stdio-socket.ts: one direction of a pipe as a Socket, so that it is read and written like a connection.
//
// The direction that is missing has ended: read() of an output gives null, write() to an input throws ClosedError.

import type { Readable, Writable } from 'node:stream';
import { Socket } from './socket.ts';
import { InputTransport, OutputTransport, type Ownership } from './stdio-transport.ts';

/** A Socket to read `stream`, which is called `name` in messages. @internal */
export function inputSocket(stream: Readable, name: string, highWaterMark: number, ownership: Ownership): Socket {
  const socket = new Socket(new InputTransport(stream, name, ownership), highWaterMark, true);
  socket.end();
  return socket;
}

/** A Socket to write to `stream`, which is called `name` in messages. @internal */
export function outputSocket(stream: Writable, name: string, highWaterMark: number, ownership: Ownership): Socket {
  return new Socket(new OutputTransport(stream, name, ownership), highWaterMark, true);
}
