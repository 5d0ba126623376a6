// reuse-port.ts: whether several processes can listen on one port here (SO_REUSEPORT).
//
// A Node that does not know the option ignores it without a word, and the second process fails with EADDRINUSE: so it is asked for by version.
// What the platform can do is for libuv to say, with ENOTSUP, when it listens.
// Source: https://nodejs.org/api/net.html#serverlistenoptions-callback

import { ListenError } from './errors.ts';

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
const known: boolean = major >= 24 || (major === 23 && minor >= 1) || (major === 22 && minor >= 12);

/** Check that `reusePort` can be honoured. @throws ListenError ENOTSUP if it cannot, with what to do. */
export function requireReusePort(address: string, isPath: boolean): void {
  if (isPath) throw notSupported(address, 'the path of a Unix socket cannot be shared: use node:cluster');
  if (!known) {
    const version = process.versions.node;
    throw notSupported(address, `Node ${version} has no reusePort: use Node 22.12 or later, or node:cluster`);
  }
}

/** The error of a network that has no such thing. */
export function notShared(address: string): ListenError {
  return notSupported(address, 'a simulated network shares no ports: leave reusePort out, or listen on several ports');
}

function notSupported(address: string, why: string): ListenError {
  return new ListenError(address, Object.assign(new Error(why), { code: 'ENOTSUP' }), why);
}
