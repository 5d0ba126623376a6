// direct-writes.ts: writes straight to the handle of a socket of Node's, past the machinery of its stream.
//
// socket.write() makes an entry, a callback and a tick for bytes that the system takes at once, which is what happens to nearly all of them. Node's own net does no
// more below that than call one method of the handle; we call it where nothing else of this socket is on its way, so the order is that of the calls.
//
// How that method is called is not documented, and there are two ways: the request is given to it (Node 20 to 25), or comes back from it if there
// has to be one (Node 26). Which it is here is seen at the first write of all, which Node makes itself while we look on. If it is neither, or a socket has no such handle,
// everything goes through socket.write(). `tests/io/direct-writes.test.ts` fails if a version of Node has changed it.
//
// A request is made for each write and never used again, as Node does it: one that is used while another write has it ends the process.
//
// Source: writeGeneric and afterWriteDispatched (lib/internal/stream_base_commons.js), StreamBase::Write (src/stream_base.cc).

import type net from 'node:net';
import { getSystemErrorName } from 'node:util';

/** What the handle is given, or gives back, for a write that does not leave at once. */
interface WriteRequest {
  oncomplete: ((this: WriteRequest, status: number) => void) | undefined;
  /** What is written must not be collected before it has left. */
  buffer: unknown;
  /** Node 26: how it went, if it was over before anybody could be told. */
  readonly writeStatus?: number | null;
  /** Negative if no write uses it. */
  getAsyncId(): number;
}

type Answer = number | WriteRequest;

interface WriteHandle {
  writeBuffer(request: WriteRequest | null, bytes: Uint8Array): Answer;
  writeUtf8String(request: WriteRequest | null, text: string): Answer;
}

type WithHandle = { readonly _handle?: WriteHandle | null };

/** given: the request is an argument; returned: it is the result; none: neither, so nothing is written directly. */
let way: 'unknown' | 'given' | 'returned' | 'none' = 'unknown';
let Request: (new () => WriteRequest) | undefined;

/** What has become of a write: NOT_TRIED, the stream must take it; LEFT, the system has it; LEAVING, it is told later; FAILED, the socket is destroyed. */
export const NOT_TRIED = 0;
export const LEFT = 1;
export const LEAVING = 2;
export const FAILED = 3;
export type DirectWrite = typeof NOT_TRIED | typeof LEFT | typeof LEAVING | typeof FAILED;

/**
 * Write `bytes` to the handle of `socket`, which is connected and has nothing in its stream and not been ended. LEAVING: `left` is called when they
 * have left. After a failure the socket is destroyed, and `left` is not called.
 */
export function writeDirectly(socket: net.Socket, bytes: string | Uint8Array, left: () => void): DirectWrite {
  if (way === 'none') return NOT_TRIED;
  const handle = (socket as WithHandle)._handle;
  if (handle === null || handle === undefined) return NOT_TRIED;
  if (way === 'unknown') {
    watchFirst(handle, typeof bytes === 'string' ? 'writeUtf8String' : 'writeBuffer');
    return NOT_TRIED;
  }
  let request: WriteRequest | undefined;
  if (way === 'given') request = new (Request as new () => WriteRequest)();
  const answer =
    typeof bytes === 'string'
      ? handle.writeUtf8String(request ?? null, bytes)
      : handle.writeBuffer(request ?? null, bytes);
  if (typeof answer === 'number') {
    if (answer !== 0) return failed(socket, answer);
    if (request === undefined || request.getAsyncId() < 0) return LEFT;
  } else {
    request = answer;
    // A request that nothing uses any more is over.
    if (typeof request.writeStatus === 'number')
      return request.writeStatus < 0 ? failed(socket, request.writeStatus) : LEFT;
    if (request.getAsyncId() < 0) return failed(socket, BROKEN);
  }
  request.buffer = bytes;
  request.oncomplete = (status) => {
    if (status >= 0) left();
    else if (!socket.destroyed) failed(socket, status);
  };
  return LEAVING;
}

/** A request could not even be begun, and the system's reason is out of reach. */
const BROKEN = -32;

function failed(socket: net.Socket, errno: number): typeof FAILED {
  const code = getSystemErrorName(errno);
  socket.destroy(Object.assign(new Error(`write ${code}`), { errno, code, syscall: 'write' }));
  return FAILED;
}

/** The first write of all: Node makes it, and this sees how. */
function watchFirst(handle: WriteHandle, method: 'writeBuffer' | 'writeUtf8String'): void {
  const native = handle[method] as unknown as ((given: unknown, bytes: unknown) => unknown) | undefined;
  if (typeof native !== 'function') {
    way = 'none';
    return;
  }
  Object.defineProperty(handle, method, {
    configurable: true,
    value(given: unknown, bytes: unknown): unknown {
      Reflect.deleteProperty(handle, method);
      const unused = isRequest(given) && given.getAsyncId() < 0;
      const answer = native.call(handle, given, bytes);
      if (unused && typeof answer === 'number') {
        way = 'given';
        Request = given.constructor as new () => WriteRequest;
      } else {
        way = given === null && (typeof answer === 'number' || isRequest(answer)) ? 'returned' : 'none';
      }
      return answer;
    },
  });
}

function isRequest(value: unknown): value is WriteRequest {
  return (
    typeof value === 'object' && value !== null && typeof (value as Partial<WriteRequest>).getAsyncId === 'function'
  );
}
