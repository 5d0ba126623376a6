// headers.ts: headers of a NATS message: names with values, as in HTTP, and a status in messages of the server itself.
//
// A line break in a name or value would be another header, so it is refused before anything is sent.
// Source: https://docs.nats.io/reference/reference-protocols/nats-protocol#hpub

import { NatsProtocolError } from './errors.ts';
import { invalid } from './protocol.ts';

/** Each name, as it came, with all its values. */
export type Headers = ReadonlyMap<string, readonly string[]>;
export type HeadersToSend = Headers | Readonly<Record<string, string>>;

const VERSION = 'NATS/1.0';

/** @throws TypeError for a name or value that would not arrive as it is. */
export function encodeHeaders(headers: HeadersToSend): Buffer {
  const entries = headers instanceof Map ? [...(headers as Headers)] : Object.entries(headers);
  const lines = entries.flatMap(([name, values]) =>
    (typeof values === 'string' ? [values] : (values as readonly string[])).map((value) => {
      if (!/^[!-9;-~]+$/.test(name)) throw invalid(`${JSON.stringify(name)} is no name of a header`);
      // The server's own clients trim values, so spaces around one would be lost.
      if (typeof value !== 'string' || /[\r\n\0\p{Surrogate}]|^\s|\s$/u.test(value))
        throw invalid(`${JSON.stringify(value)} is no value of a header`);
      return `${name}: ${value}\r\n`;
    }),
  );
  return Buffer.from(`${VERSION}\r\n${lines.join('')}\r\n`);
}

export function readHeaders(bytes: Buffer): { headers: Headers; status: number | undefined } {
  const [first = '', ...lines] = bytes.toString().split('\r\n');
  const [, status] = /^NATS\/1\.0(?: +(\d{3})(?: .*)?)?$/.exec(first) ?? [];
  if (!first.startsWith(VERSION)) throw new NatsProtocolError('headers without a version');
  const headers = new Map<string, string[]>();
  for (const line of lines) {
    if (line === '') continue;
    const colon = line.indexOf(':');
    if (colon < 1) throw new NatsProtocolError('a header without a name');
    const name = line.slice(0, colon);
    headers.set(name, [...(headers.get(name) ?? []), line.slice(colon + 1).trim()]);
  }
  return { headers, status: status === undefined ? undefined : Number(status) };
}
