// simulated-unix.ts: connecting to the path of a Unix socket: on one host, and without taking time.
//
// The connection is there at once, both ends of it; that it is so is told a moment later, as everything. There are no files: a path is in use as long as
// somebody listens on it, and nothing is left of it then.
// Measured: a full backlog refuses with EAGAIN, and does not make anybody wait.

import { Address } from '../address.ts';
import type { Pending, TransportOptions } from '../network.ts';
import type { Boot } from './simulated-boot.ts';
import { Connection } from './simulated-connection.ts';
import { SystemEnd } from './simulated-end.ts';
import { connectError } from './simulated-errors.ts';
import type { Connected, Listening } from './simulated-handshake.ts';

/** Connect to `path` on the host of `boot`. */
export function connectPath(boot: Boot, path: string, options: TransportOptions, done: Connected): Pending {
  const listener = boot.alive ? boot.listenerOn(path) : undefined;
  if (listener === undefined || listener.full || boot.exhausted) {
    const code = refusal(boot, listener);
    return boot.failing(() => done(connectError(code, path, undefined), undefined));
  }
  const { net, host } = boot;
  const link = net.topology.localLink(host);
  const connection = new Connection(net, true, link, link, { arrived() {} });
  const { keepAliveMs } = options;
  const shape = { local: new Address('', 0, ''), remote: new Address('', 0, path), keepAliveMs, accepted: false };
  const end = new SystemEnd(boot, connection, shape);
  connection.client = end;
  connection.back.target = end;
  end.established();
  end.taken();
  let pending = true;
  net.clock.soon(() => {
    if (pending) done(undefined, end.stream);
  });
  const server = listener.join(connection);
  connection.server = server;
  connection.out.target = server;
  return {
    cancel() {
      pending = false;
      end.stream.destroy();
      return true;
    },
  };
}

function refusal(boot: Boot, listener: Listening | undefined): string {
  if (!boot.alive) return 'ENETDOWN';
  if (boot.exhausted) return 'EMFILE';
  return listener === undefined ? 'ENOENT' : 'EAGAIN';
}
