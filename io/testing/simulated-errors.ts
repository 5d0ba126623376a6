// simulated-errors.ts: errors shaped as Node's, because what is above the seam reads their `code`, `syscall`, `address` and `port`.
//
// The numbers and messages are those of Linux, measured with Node 20 to 26. The message of a listen tells what the code means, that of a connect does
// not; a path has the port -1 when it is listened on and none when it is connected to.
// Sources: Node's lib/internal/errors.js (UVExceptionWithHostPort, ExceptionWithHostPort, DNSException), libuv's uv-errno.h.

/** Each code with its number on Linux, and what a listen says of it. */
const KNOWN: Readonly<Record<string, readonly [errno: number, text: string]>> = {
  ENOENT: [-2, 'no such file or directory'],
  EAGAIN: [-11, 'resource temporarily unavailable'],
  EINVAL: [-22, 'invalid argument'],
  EMFILE: [-24, 'too many open files'],
  EPIPE: [-32, 'broken pipe'],
  EMSGSIZE: [-90, 'message too long'],
  EADDRINUSE: [-98, 'address already in use'],
  EADDRNOTAVAIL: [-99, 'address not available'],
  ENETDOWN: [-100, 'network is down'],
  ENETUNREACH: [-101, 'network is unreachable'],
  ECONNRESET: [-104, 'connection reset by peer'],
  ETIMEDOUT: [-110, 'connection timed out'],
  ECONNREFUSED: [-111, 'connection refused'],
  EHOSTUNREACH: [-113, 'host is unreachable'],
  EAI_AGAIN: [-3001, 'temporary failure'],
  EAI_FAIL: [-3004, 'permanent failure'],
  ENOTFOUND: [-3008, 'unknown node or service'],
};

function nodeError(message: string, code: string, syscall: string, more: object): Error {
  return Object.assign(new Error(message), { errno: KNOWN[code]?.[0] ?? -1, code, syscall, ...more });
}

/** `read ECONNRESET`, `write EPIPE`. */
export function streamError(syscall: 'read' | 'write', code: string): Error {
  return nodeError(`${syscall} ${code}`, code, syscall, {});
}

/** `connect ECONNREFUSED 10.0.0.2:80`; of a Unix socket `address` is its path and there is no port. */
export function connectError(code: string, address: string, port: number | undefined): Error {
  const withPort = port !== undefined && port > 0;
  const where = withPort ? `${address}:${port}` : address;
  const local = code === 'EMFILE' && port !== undefined ? ' - Local (undefined:undefined)' : '';
  return nodeError(`connect ${code} ${where}${local}`, code, 'connect', { address, ...(withPort ? { port } : {}) });
}

/** `bind EADDRNOTAVAIL 10.0.0.9`: the local address of a connect. */
export function bindError(code: string, address: string): Error {
  return nodeError(`bind ${code} ${address}`, code, 'bind', { address });
}

/** `bind EADDRINUSE 10.0.0.2:53`, `send EMSGSIZE 10.0.0.2:53`. */
export function datagramError(syscall: 'bind' | 'send', code: string, address: string, port: number): Error {
  const where = port === 0 ? address : `${address}:${port}`;
  return nodeError(`${syscall} ${code} ${where}`, code, syscall, port === 0 ? { address } : { address, port });
}

/** `listen EADDRINUSE: address already in use 10.0.0.2:80`; a path has the port -1. */
export function listenError(code: string, address: string, port: number): Error {
  const where = port > 0 ? `${address}:${port}` : address;
  const more = port === 0 ? { address } : { address, port };
  return nodeError(`listen ${code}: ${KNOWN[code]?.[1] ?? code} ${where}`, code, 'listen', more);
}

/** `getaddrinfo ENOTFOUND name`. */
export function lookupError(code: string, hostname: string): Error {
  return nodeError(`getaddrinfo ${code} ${hostname}`, code, 'getaddrinfo', { hostname });
}
