// http-server-refusal.ts: what is answered without asking the handler, and requests for other protocols that we do not change to.
//
// node:http lets some requests pass that two servers in a row could understand differently; those are refused here.
// Sources: RFC 9112 (3.2 host, 6.1 transfer-encoding, 2.3 versions), RFC 9110 7.8 (an upgrade may be ignored).

import { type IncomingMessage, STATUS_CODES } from 'node:http';
import type { ServerSettings } from './http-server-settings.ts';

/** An answer that needs no response object, and after which the connection is closed. */
export function refusalText(status: number): string {
  return `HTTP/1.1 ${status} ${STATUS_CODES[status]}\r\nconnection: close\r\ncontent-length: 0\r\n\r\n`;
}

/** The status to refuse a request with that node:http has let pass; 0 to serve it. */
export function refusalOf(message: IncomingMessage, settings: ServerSettings): number {
  const { rawHeaders, httpVersion } = message;
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return 505;
  if (rawHeaders.length > 2 * settings.maxHeaders) return 431;
  let hosts = 0;
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    if (name.length === 4 && name.toLowerCase() === 'host') hosts += 1;
  }
  if (hosts > 1) return 400;
  const coding = message.headers['transfer-encoding'];
  if (coding === undefined) return 0;
  // In HTTP/1.0 there is no such thing: two readers would see two messages.
  if (httpVersion === '1.0') return 400;
  return coding.toLowerCase() === 'chunked' ? 0 : 501;
}

/**
 * May this request change the protocol of its connection? HTTP/2 we do not speak, and with a body it could not be told where the other protocol begins: then it
 * is a request as any other.
 */
export function mayUpgrade({ headers }: IncomingMessage): boolean {
  const hasBody = headers['transfer-encoding'] !== undefined || Number(headers['content-length'] ?? 0) > 0;
  return !hasBody && String(headers.upgrade ?? '').toLowerCase() !== 'h2c';
}

/** The head of a request without its wish for another protocol. */
export function headWithoutUpgrade(message: IncomingMessage): Buffer {
  const { rawHeaders } = message;
  const lines = [`${message.method} ${message.url} HTTP/${message.httpVersion}`];
  for (let at = 0; at < rawHeaders.length; at += 2) {
    const name = rawHeaders[at] as string;
    const value = rawHeaders[at + 1] as string;
    if (/^(upgrade|http2-settings)$/i.test(name)) continue;
    const kept = name.toLowerCase() === 'connection' ? otherTokens(value) : value;
    if (kept !== '') lines.push(`${name}: ${kept}`);
  }
  return Buffer.from(`${lines.join('\r\n')}\r\n\r\n`, 'latin1');
}

function otherTokens(value: string): string {
  return value
    .split(',')
    .map((token) => token.trim())
    .filter((token) => !/^(upgrade|http2-settings)$/i.test(token))
    .join(', ');
}
