// postgres-peer.test.ts: the PostgreSQL sample against peers that are none, and what it puts on the wire. Needs no PostgreSQL.
import fc from 'fast-check';
import { framed, listen, memoryPair, type Op, run, type Socket, scope, serve, spawn, timeout } from 'tendril';
import { afterEach, describe, expect, it } from 'vitest';
import { PostgresLink } from '../../samples/postgres/link.ts';
import { int32, MessageCodec, message, text } from '../../samples/postgres/messages.ts';
import { Scram } from '../../samples/postgres/scram.ts';
import { type Parameter, PostgresConnection, type PostgresOptions, quotedName } from '../../samples/postgres.ts';
import { codeOf, outcomeOf } from './outcome.ts';
import { expectNothingLeft } from './settled.ts';

const host = '127.0.0.1';

afterEach(expectNothingLeft);

/** Connect to a server that does with a connection what `handler` does. */
function connectTo(handler: (socket: Socket) => Op<void>, options: Partial<PostgresOptions> = {}): Promise<unknown> {
  return run(function* test(): Op<unknown> {
    const listener = yield* listen({ host, port: 0 });
    return yield* scope(function* beside(s): Op<unknown> {
      const server = s.spawn(serve, listener, handler, { graceMs: 0 });
      try {
        const { port } = listener.address;
        const db = yield* PostgresConnection.connect({ host, port, user: 'ada', password: 'secret', ...options });
        db.close();
        return 'let in';
      } catch (error) {
        return `${codeOf(error)}: ${(error as Error).message}`;
      } finally {
        server.kill();
        listener.close();
      }
    });
  });
}

/** Read the startup message, which has no letter. */
function* readStartup(socket: Socket): Op<void> {
  const length = (yield* socket.readExactly(4)).readInt32BE();
  yield* socket.readExactly(length - 4);
}

/** A server that asks for SCRAM and says what `say` makes of what it was told. */
function scramming(say: (told: string, step: number) => Buffer[]): (socket: Socket) => Op<void> {
  return function* handler(socket): Op<void> {
    yield* readStartup(socket);
    const messages = framed(socket, new MessageCodec(10_000));
    yield* messages.send(message('R', int32(10), text('SCRAM-SHA-256-PLUS'), text('SCRAM-SHA-256'), Buffer.alloc(1)));
    for (let step = 0; step < 3; step += 1) {
      const told = yield* messages.receive();
      if (told === null) return;
      for (const bytes of say(told.body.toString(), step)) yield* messages.send(bytes);
    }
    yield* socket.read();
  };
}

const welcome = [message('R', int32(0)), message('K', int32(1), int32(2)), message('Z', Buffer.from('I'))];
const continued = (told: string, rest: string): Buffer =>
  message('R', int32(11), Buffer.from(`r=${/r=(.*)$/.exec(told)?.[1]}${rest}`));

describe('SCRAM', () => {
  it('says what the example of RFC 7677 says', async () => {
    const scram = new Scram('pencil', 'rOprNGfwEbeRWgbNEkqO');
    expect(scram.first).toBe('n,,n=,r=rOprNGfwEbeRWgbNEkqO');
    const serverFirst = 'r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj)hNlF$k0,s=W22ZaJ0SNY7soEsUEjb6gQ==,i=4096';
    const proof = await run(() => scram.prove(serverFirst));
    expect(proof).toMatch(/^c=biws,r=rOprNGfwEbeRWgbNEkqO%hvYDpWUa2RaTCAfuxFIlj\)hNlF\$k0,p=[A-Za-z0-9+/]{43}=$/);
  });

  it.for([
    ['a nonce that is not ours', [message('R', int32(11), Buffer.from('r=other,s=AAAA,i=4096'))]],
    ['no rounds', 'x,s=AAAA,i=0'],
    ['rounds for an hour', 'x,s=AAAA,i=2000000000'],
    ['no salt', 'x,i=4096'],
    ['nothing new in the nonce', ',s=AAAA,i=4096'],
    ['a welcome without a proof', welcome],
    ['a proof before its turn', [message('R', int32(12), Buffer.from('v=AAAA'))]],
  ] as const)('lets nobody in who sends %s', async ([, what]) => {
    const outcome = await connectTo(
      scramming((told) => (typeof what === 'string' ? [continued(told, what)] : [...what])),
    );
    expect(outcome).toMatch(/^ERR_POSTGRES_PROTOCOL: SCRAM: /);
  });

  it.for([
    ['a wrong proof', [message('R', int32(12), Buffer.from(`v=${Buffer.alloc(32).toString('base64')}`)), ...welcome]],
    ['a short proof', [message('R', int32(12), Buffer.from('v=')), ...welcome]],
    ['an error for a proof', [message('R', int32(12), Buffer.from('e=other-error')), ...welcome]],
    ['a welcome for a proof', welcome],
  ] as const)('lets nobody in who ends with %s', async ([, last]) => {
    const outcome = await connectTo(
      scramming((told, step) => (step === 0 ? [continued(told, 'x,s=AAAA,i=1')] : [...last])),
    );
    expect(outcome).toMatch(/^ERR_POSTGRES_PROTOCOL: SCRAM: the server/);
  });
});

describe('A server that is none', () => {
  it.for([
    ['closes at once', [], 'ERR_POSTGRES_CONNECTION'],
    ['speaks HTTP', [Buffer.from('HTTP/1.1 400 Bad Request\r\n\r\n')], 'ERR_FRAME_TOO_LARGE'],
    ['ends inside a message', [message('R', int32(0)).subarray(0, 6)], 'ERR_INCOMPLETE_READ'],
    ['sends a length below four', [Buffer.from('R\0\0\0\x03')], 'ERR_DECODE'],
    ['asks for an authentication of the future', [message('R', int32(99))], 'ERR_POSTGRES_PROTOCOL'],
    ['cuts the salt', [message('R', int32(5), Buffer.alloc(2))], 'ERR_POSTGRES_PROTOCOL'],
    ['sends rows before it greets', [message('D', Buffer.alloc(2))], 'ERR_POSTGRES_PROTOCOL'],
    ['sends an error without an end', [message('E', Buffer.from('SERROR'))], 'ERR_POSTGRES_PROTOCOL'],
    ['is full', [message('E', text('SFATAL'), text('C53300'), text('Mfull'), Buffer.alloc(1))], 'ERR_POSTGRES'],
  ] as const)('is refused when it %s', async ([, says, code]) => {
    const outcome = await connectTo(function* handler(socket): Op<void> {
      yield* readStartup(socket);
      for (const bytes of says) yield* socket.write(bytes);
      yield* socket.closeGracefully({ lingerMs: 50 });
    });
    expect(String(outcome).split(':')[0]).toBe(code);
  });

  it.for([
    ['says that it has none', 'N', 'ERR_POSTGRES_PROTOCOL'],
    ['says what is no answer', 'E', 'ERR_POSTGRES_PROTOCOL'],
    ['closes', '', 'ERR_INCOMPLETE_READ'],
  ] as const)('is not spoken to in plain text when TLS was asked for and it %s', async ([, says, code]) => {
    const heard: string[] = [];
    const outcome = await connectTo(
      function* handler(socket): Op<void> {
        heard.push((yield* socket.readExactly(8)).toString('hex'));
        yield* socket.write(says);
        socket.end();
        for (let more = yield* socket.read(); more !== null; more = yield* socket.read()) heard.push(more.toString());
      },
      { tls: {} },
    );
    expect([String(outcome).split(':')[0], heard]).toEqual([code, ['0000000804d2162f']]);
  });

  it('is given up when it is silent', async () => {
    const outcome = await connectTo(
      function* handler(socket): Op<void> {
        while ((yield* socket.read()) !== null);
      },
      { connectMs: 20 },
    );
    expect(outcome).toMatch(/^ERR_TIMEOUT/);
  });
});

/** Run `body` with a connection whose other end is `far`. */
function overMemory<T>(body: (db: PostgresConnection, far: Socket) => Op<T>): Promise<T> {
  return run(function* test(): Op<T> {
    const [near, far] = memoryPair();
    // Whoever cancels a query finds nobody.
    const options = { host, port: 1, user: 'ada', cancelMs: 50, maxMessageBytes: 65_536 };
    const db = PostgresConnection.over(new PostgresLink(near, options), 1_000_000);
    try {
      return yield* body(db, far);
    } finally {
      db.close();
      far.close();
    }
  });
}

interface Sent {
  readonly type: string;
  readonly fields: readonly string[];
}

/** What a server would read: exactly these messages, or an error. */
function* strictly(far: Socket): Op<Sent[]> {
  const messages = framed(far, new MessageCodec(10_000_000));
  const sent: Sent[] = [];
  for (;;) {
    const next = yield* messages.receive();
    if (next === null) return sent;
    const { type, body } = next;
    const fields: string[] = [];
    let at = 0;
    const string = (): void => {
      const end = body.indexOf(0, at);
      if (end === -1) throw new Error('a text without end');
      fields.push(body.toString('utf8', at, end));
      at = end + 1;
    };
    const number = (size: 2 | 4): number => {
      const value = size === 2 ? body.readUInt16BE(at) : body.readInt32BE(at);
      at += size;
      return value;
    };
    if (type === 'P') {
      string();
      string();
      if (number(2) !== 0) throw new Error('types');
    } else if (type === 'B') {
      string();
      string();
      if (number(2) !== 0) throw new Error('formats');
      for (let left = number(2); left > 0; left -= 1) {
        const size = number(4);
        fields.push(size === -1 ? '(null)' : body.toString('utf8', at, at + Math.max(size, 0)));
        at += Math.max(size, 0);
      }
      if (number(2) !== 0) throw new Error('formats');
    } else if (type === 'Q') {
      string();
    } else {
      at = body.length;
    }
    if (at !== body.length) throw new Error(`${type}: ${body.length - at} bytes too many`);
    sent.push({ type, fields });
  }
}

const anyText = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({
    unit: fc.constantFrom('\0', '\n', '"', "'", '\\', '$', ';', '\ud800', '\udc00', 'a', 'ž'),
    maxLength: 12,
  }),
);

describe('What is put on the wire', () => {
  it('is exactly one query with its parameters, or nothing at all', async () => {
    let refused = 0;
    await fc.assert(
      fc.asyncProperty(anyText, fc.array(fc.option(anyText), { maxLength: 4 }), async (sql, parameters) => {
        const seen = await overMemory(function* body(db, far) {
          const asking = spawn(outcomeOf<unknown>, db.query(sql, parameters as Parameter[]));
          const reading = spawn(strictly, far);
          if (asking.outcome === undefined) far.end();
          const outcome = yield* asking.get();
          db.close();
          return [outcome, yield* reading.get()];
        });
        if (seen[0] === 'ERR_INVALID_ARG_VALUE') {
          refused += 1;
          expect(seen[1]).toEqual([]);
          expect([sql, ...parameters].some((value) => /[\0\p{Surrogate}]/u.test(value ?? ''))).toBe(true);
        } else {
          expect(seen[1]).toEqual([
            { type: 'P', fields: ['', sql] },
            { type: 'B', fields: ['', '', ...parameters.map((value) => value ?? '(null)')] },
            { type: 'D', fields: [] },
            { type: 'E', fields: [] },
            { type: 'S', fields: [] },
          ]);
        }
      }),
      {
        numRuns: 150,
        seed: 8,
        examples: [
          ['\0', []],
          ['', ['a\0b']],
        ],
      },
    );
    expect(refused).toBeGreaterThan(5);
  });

  it('has each name as one name', () => {
    fc.assert(
      fc.property(anyText, (name) => {
        let quoted: string;
        try {
          quoted = quotedName(name);
        } catch (error) {
          expect(codeOf(error)).toBe('ERR_INVALID_ARG_VALUE');
          return;
        }
        expect(quoted).toMatch(/^"([^"\0]|"")*"$/u);
        expect(quoted.slice(1, -1).replaceAll('""', '"')).toBe(name);
      }),
      { numRuns: 300, seed: 8 },
    );
  });
});

const expected = new Set([
  'ERR_POSTGRES_PROTOCOL',
  'ERR_POSTGRES_CONNECTION',
  'ERR_POSTGRES',
  'ERR_POSTGRES_RESULT_TOO_LARGE',
  'ERR_DECODE',
  'ERR_INCOMPLETE_READ',
  'ERR_FRAME_TOO_LARGE',
  'ERR_USAGE',
]);

/** Messages that are nearly right. */
const anyMessage = fc
  .tuple(fc.constantFrom(...'TDCEZINSA12ndcsGHRKx'), fc.uint8Array({ maxLength: 30 }), fc.boolean())
  .map(([type, body, proper]) => (proper ? message(type, body, Buffer.alloc(1)) : message(type, body)));
const anyBytes = fc.oneof(
  fc.array(anyMessage, { maxLength: 6 }).map((all) => Buffer.concat(all)),
  fc.uint8Array({ maxLength: 60 }).map((bytes) => Buffer.from(bytes)),
);

describe('Whatever a server answers', () => {
  it('ends each kind of query in a result or one of the errors of this client, however it is cut', async () => {
    await fc.assert(
      fc.asyncProperty(anyBytes, fc.nat(3), fc.nat(60), async (bytes, kind, cut) => {
        const outcome = await overMemory(function* body(db, far) {
          const source = {
            *read(): Op<null> {
              return null;
            },
          };
          const sink = { *write(): Op<void> {} };
          const queries = [
            () => db.query('a'),
            () => db.each('a', [], function* visit(): Op<void> {}),
            () => db.copyIn('a', source),
            () => db.copyOut('a', sink),
          ];
          const asking = spawn(outcomeOf<unknown>, (queries[kind] as () => Op<unknown>)());
          yield* far.read();
          yield* far.write(bytes.subarray(0, cut));
          yield* far.flush();
          yield* far.write(bytes.subarray(cut));
          far.end();
          return yield* timeout(5_000, asking.get());
        });
        if (typeof outcome === 'string') expect(expected).toContain(outcome);
      }),
      { numRuns: 150, seed: 21 },
    );
  });

  it('is one and the same answer at each way to cut it', async () => {
    const field = Buffer.concat([text('a'), Buffer.alloc(6), int32(25), Buffer.alloc(8)]);
    const answer = Buffer.concat([
      message('1'),
      message('2'),
      message('T', Buffer.from([0, 1]), field),
      message('N', text('MHello'), Buffer.alloc(1)),
      message('D', Buffer.from([0, 1, 0, 0, 0, 3]), Buffer.from('xyz')),
      message('D', Buffer.from([0, 1, 255, 255, 255, 255])),
      message('C', text('SELECT 2')),
      message('Z', Buffer.from('I')),
    ]);
    for (let cut = 0; cut <= answer.length; cut += 1) {
      const rows = await overMemory(function* body(db, far) {
        const asking = spawn(() => db.query('a'));
        yield* far.read();
        yield* far.write(answer.subarray(0, cut));
        yield* far.flush();
        yield* far.write(answer.subarray(cut));
        return (yield* asking.get()).rows;
      });
      expect(rows).toEqual([{ a: 'xyz' }, { a: null }]);
    }
  });

  it('keeps the memory within bounds: a message that is announced as larger is refused before it comes', async () => {
    const outcome = await overMemory(function* body(db, far) {
      const asking = spawn(outcomeOf<unknown>, db.query('a'));
      yield* far.write(Buffer.from([0x44, 0x7f, 0xff, 0xff, 0xff]));
      return [yield* asking.get(), db.closed];
    });
    expect(outcome).toEqual(['ERR_FRAME_TOO_LARGE', true]);
  });
});
