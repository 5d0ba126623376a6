// http-server-events.test.ts: server-sent events: what is sent, what is received however it is cut, limits, heartbeats, connecting again.
import { FrameTooLargeError, http, LineTooLongError, memoryPair, type Op, run, sleep } from 'tendril';
import { describe, expect, it } from 'vitest';
import { EventParser, type ServerEvent } from '../../io/http-sse-parser.ts';
import { eventually, RawClient, served } from './http-exchanges.ts';
import { failure, nothingLeft } from './peers.ts';

const GET = 'GET / HTTP/1.1\r\nhost: a\r\n\r\n';

function parsed(pieces: readonly Uint8Array[], lineLimit = 1000, eventLimit = 1000): unknown[] {
  const parser = new EventParser(lineLimit, eventLimit);
  const events: ServerEvent[] = [];
  for (const piece of pieces) {
    // As a connection's buffer, each piece is overwritten as soon as it has been read.
    const copy = Buffer.from(piece);
    parser.push(copy, events);
    copy.fill(0x2a);
  }
  return [...events, parser.lastEventId, parser.retryMs];
}

const STREAM = Buffer.from(
  '\ufeffdata: one\r\n\r\n: comment\ndata\ndata:\ndata:  two ä🙂\rid: 7\revent: x\r\rretry: 250\nretry: 1x\nunknown: y\nid: a\0b\ndata:{"a":1}\n\nevent: only\n\ndata: cut',
);
const EXPECTED = [
  { event: 'message', data: 'one', id: '' },
  { event: 'x', data: '\n\n two ä🙂', id: '7' },
  { event: 'message', data: '{"a":1}', id: '7' },
  '7',
  250,
];

describe('An event stream', () => {
  it('is received the same at every place where it may be cut in two, in three, and byte by byte', () => {
    expect(parsed([STREAM])).toEqual(EXPECTED);
    const { length } = STREAM;
    for (let i = 0; i <= length; i += 1) {
      expect(parsed([STREAM.subarray(0, i), STREAM.subarray(i)])).toEqual(EXPECTED);
      for (let j = i; j <= length; j += 7) {
        const pieces = [STREAM.subarray(0, i), STREAM.subarray(i, j), STREAM.subarray(j)];
        if (JSON.stringify(parsed(pieces)) !== JSON.stringify(EXPECTED)) throw new Error(`cut at ${i} and ${j}`);
      }
    }
    expect(parsed(Array.from(STREAM, (byte) => Buffer.of(byte)))).toEqual(EXPECTED);
  });

  it('gives what was sent, whatever is in it', () =>
    served(
      function* (_request, response) {
        const stream = response.eventStream();
        yield* stream.send('plain');
        yield* stream.send({ data: 'two\nlines\r\nor\rfour', event: 'e v', id: 'ä:1', retry: 10 });
        yield* stream.send({ data: 'data: x\n\nid: forged' });
        yield* stream.send({ data: '' });
        yield* stream.comment('nobody\nsees this');
        yield* stream.send({ id: '' });
        yield* stream.send({ data: ' blank before' });
        yield* stream.close();
        expect((yield* failure(stream.send('late'))).code).toBe('ERR_CLOSED');
      },
      function* ({ url }) {
        const response = yield* http.get(url);
        expect(response.headers['content-type']).toBe('text/event-stream; charset=utf-8');
        const reader = http.eventStream(response.body);
        const seen: unknown[] = [];
        for (let event = yield* reader.receive(); event !== null; event = yield* reader.receive())
          seen.push([event.event, event.data, event.id]);
        expect(seen).toEqual([
          ['message', 'plain', ''],
          ['e v', 'two\nlines\nor\nfour', 'ä:1'],
          ['message', 'data: x\n\nid: forged', 'ä:1'],
          ['message', '', 'ä:1'],
          ['message', ' blank before', ''],
        ]);
        expect([reader.retryMs, yield* reader.receive()]).toEqual([10, null]);
      },
    ));

  it('refuses at the call what an event cannot hold', () =>
    served(
      function* (_request, response) {
        const stream = response.eventStream();
        for (const event of [
          { event: 'a\nb' },
          { id: 'a\rb' },
          { id: 'a\0' },
          { retry: -1 },
          { retry: 1.5 },
          {},
          { data: 5 },
          null,
          5,
        ]) {
          expect(() => stream.send(event as never)).toThrow(TypeError);
        }
        yield* stream.send('fine');
      },
      function* ({ port }) {
        const client = new RawClient(port).send(GET);
        yield* client.has('data: fine\n\n');
        client.close();
      },
    ));

  it('has a limit on lines and on events', () =>
    run(function* () {
      for (const [text, kind] of [
        [`data: ${'x'.repeat(200)}`, LineTooLongError],
        ['data: 0123456789012345678901234567890\n'.repeat(20), FrameTooLargeError],
      ] as const) {
        const [near, far] = memoryPair();
        yield* far.write(text);
        const reader = http.eventStream(near, { lineLimit: 100, eventLimit: 300 });
        expect(yield* failure(reader.receive())).toBeInstanceOf(kind);
        expect([near.closed, yield* reader.receive()]).toEqual([true, null]);
        far.close();
      }
    }).then(nothingLeft));

  it('sends comments while nothing happens, and ends when the client leaves', async () => {
    let ended = 0;
    const errors = await served(
      function* (_request, response) {
        const stream = response.eventStream({ heartbeatMs: 5 });
        try {
          yield* stream.send('hello');
          yield* sleep(Number.POSITIVE_INFINITY);
        } finally {
          ended += 1;
        }
      },
      function* ({ port, server }) {
        const client = new RawClient(port).send(GET);
        yield* client.until(({ text }) => text.split(':\n\n').length > 4);
        client.socket.resetAndDestroy();
        yield* eventually(() => ended === 1 && server.stats.connections === 0);
      },
    );
    expect(errors).toEqual([]);
  });
});

describe('http.events', () => {
  it('connects again with the id of the last event, after the time that the server asks for, until it says 204', () => {
    const asked: (string | undefined)[] = [];
    return served(
      function* (request, response) {
        const last = request.headers['last-event-id'] as string | undefined;
        asked.push(last);
        if (asked.length === 4) return { status: 204 };
        const stream = response.eventStream();
        if (asked.length === 2) throw new Error('cut');
        yield* stream.send({ retry: 5, data: `after ${last}`, id: `id-${asked.length}` });
        return undefined;
      },
      function* ({ url }) {
        const events = http.events(url, { retryMs: 5 });
        const seen: unknown[] = [];
        for (let event = yield* events.receive(); event !== null; event = yield* events.receive())
          seen.push(event.data);
        expect(seen).toEqual(['after undefined', 'after id-1']);
        expect(asked).toEqual([undefined, 'id-1', 'id-1', 'id-3']);
        expect([events.lastEventId, yield* events.receive()]).toEqual(['id-3', null]);
      },
    );
  });

  it('gives up when the answer is no event stream', () =>
    served(
      function* (): Op<string> {
        return 'a page';
      },
      function* ({ url }) {
        const events = http.events(url);
        expect((yield* failure(events.receive())).code).toBe('ERR_NO_EVENT_STREAM');
        expect(yield* events.receive()).toBe(null);
      },
    ));
});
