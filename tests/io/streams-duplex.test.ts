// streams-duplex.test.ts: a Duplex of Node's as a socket behaves as a socket does: the same suite, on net.Sockets that know nothing of us.
import net from 'node:net';
import { callback, fromDuplex, type Op, openHandles, run, type Socket, timeout, until } from 'tendril';
import { describe, expect, it } from 'vitest';
import type { Case } from '../conformance/case.ts';
import { endingCases } from '../conformance/cases-end.ts';
import { closingGracefully } from '../conformance/cases-graceful.ts';
import { killing } from '../conformance/cases-kill.ts';
import { reading } from '../conformance/cases-read.ts';
import { resetting } from '../conformance/cases-reset.ts';
import { selecting } from '../conformance/cases-select.ts';
import { writing } from '../conformance/cases-write.ts';
import { type PairOptions, Place, type Role, type Site } from '../conformance/ground.ts';
import { bareServer, host } from './peers.ts';

const nowhere = (): never => {
  throw new Error('there are no addresses here');
};
const site: Site = { kind: 'TCP', free: nowhere, deserted: nowhere, silent: nowhere, settleMs: 5, limitMs: 8_000 };

class DuplexPlace extends Place {
  override *pair(role: Role, { near, far }: PairOptions = {}): Op<{ near: Socket; far: Socket }> {
    const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true });
    const accepted = new Promise<net.Socket>((resolve) => server.once('connection', resolve));
    const port = yield* bareServer(server);
    const connected = net.connect({ host, port, allowHalfOpen: true });
    yield* callback<void>((done) => void connected.once('connect', () => done()));
    const [one, other] = [connected, yield* until(accepted)];
    server.close();
    const [a, b] = role === 'connected' ? [one, other] : [other, one];
    return { near: this.keep(fromDuplex(a, near)), far: this.keep(fromDuplex(b, far)) };
  }
}

function* visit(body: Case['body']): Op<unknown> {
  const place = new DuplexPlace(site);
  try {
    return yield* timeout(site.limitMs, body(place));
  } finally {
    place.close();
  }
}

const subjects: Readonly<Record<string, readonly Case[]>> = {
  Reading: reading,
  Writing: writing,
  Ending: endingCases,
  'Closing with care': closingGracefully,
  Resetting: resetting,
  'Giving up': killing,
  Selecting: selecting,
};

const needsAddress = (body: Case['body']): boolean => /place\.listen/.test(String(body));

/** What a foreign stream loses its connection with is an error of its own class. */
function named(seen: unknown): unknown {
  return JSON.parse((JSON.stringify(seen) ?? 'null').replaceAll('StreamError', 'ConnectionResetError')) as unknown;
}

describe.each(Object.entries(subjects))('%s through a Duplex', (_subject, cases) => {
  for (const { title, expected, body } of cases) {
    if (needsAddress(body)) continue;
    // It compares names of errors by itself.
    if (title.startsWith('is reset if data comes for it')) continue;
    it(title, async () => {
      expect(named(await run(visit, body))).toEqual(expected);
      expect(openHandles().names).toEqual([]);
    });
  }
});
