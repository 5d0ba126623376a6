// dns-over-tcp.ts: ask a name server over TCP: four questions at once, on one connection.
//
// Where to read on: dns-over-tcp/messages.ts (bytes, and how an answer that means harm is recognized), dns-over-tcp/client.ts (questions and answers
// in any order).
//
// How to run: npx tsx samples/dns-over-tcp.ts [name] [server[:port]]      (the server is the machine's own by default)

import { getServers } from 'node:dns';
import { allSettled, main, type Op } from 'tendril';
import { TcpResolver } from './dns-over-tcp/client.ts';
import type { Answer, RecordType } from './dns-over-tcp/messages.ts';

export { type ResolverOptions, TcpResolver } from './dns-over-tcp/client.ts';
export { type Answer, DnsMessageError, type RecordType } from './dns-over-tcp/messages.ts';

function shown(answer: Answer): string {
  if (answer.type === 'MX') return `${answer.priority} ${answer.exchange}`;
  if (answer.type === 'TXT') return JSON.stringify(answer.texts.join(''));
  return String(answer.data);
}

function* program(): Op<void> {
  const [, , name = 'example.com', server = getServers()[0] ?? '127.0.0.1'] = process.argv;
  const [, host, port = '53'] =
    /^\[?(.+?)\]?(?::(\d+))?$/.exec(/^[0-9a-f:]+:[0-9a-f:]*$/i.test(server) ? `[${server}]` : server) ?? [];
  const resolver = new TcpResolver({ host, port: Number(port) });
  const wanted: RecordType[] = ['A', 'AAAA', 'MX', 'TXT'];
  try {
    const outcomes = yield* allSettled(wanted.map((type) => resolver.resolve<RecordType>(name, type)));
    for (const [i, outcome] of outcomes.entries()) {
      const lines =
        outcome.status === 'fulfilled' ? outcome.value.map(shown).sort() : [(outcome.reason as { code?: string }).code];
      for (const line of lines) console.log(`${wanted[i]} ${line}`);
    }
    const failures = outcomes.flatMap((outcome) =>
      outcome.status === 'rejected' ? [outcome.reason as { code: string; message: string }] : [],
    );
    if (failures.length < wanted.length) return;
    console.error(`No answer from ${host}:${port}: ${failures[0]?.message}`);
    process.exitCode = 1;
  } finally {
    resolver.close();
  }
}

if (process.argv[1] === import.meta.filename) main(program);
