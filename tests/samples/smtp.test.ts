// smtp.test.ts: the SMTP sample against a real server (aiosmtpd), and against one that says what a real one would not.
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { createInterface, type Interface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import fc from 'fast-check';
import { listen, type Op, run, type Socket, scope, serve, sleep, spawn, timeout, until } from 'tendril';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { compose, dotStuffed, optionsOf, SmtpConnection, type SmtpOptions, sendMail } from '../../samples/smtp.ts';
import { ca } from '../io/certificates.ts';
import { probeProgram } from '../services.ts';
import { expectNothingLeft } from './settled.ts';

const host = '127.0.0.1';
afterEach(expectNothingLeft);

interface Received {
  readonly from: string;
  readonly to: string[];
  readonly content: string;
  readonly tls: boolean;
  readonly user: string | null;
}

/** A server in a process of its own, and the mails that it got. */
class Server {
  readonly #child: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  readonly #interface: Interface;
  port = 0;

  constructor(python: string, security: string) {
    const file = (path: string): string => fileURLToPath(new URL(path, import.meta.url));
    const certificates = ['../io/certificates/server.pem', '../io/certificates/server-key.pem'].map(file);
    this.#child = spawnProcess(python, [file('./smtp-server.py'), ...certificates, security], {
      stdio: ['pipe', 'pipe', 'ignore'],
    });
    this.#interface = createInterface({ input: this.#child.stdout as NodeJS.ReadableStream });
    this.#lines = this.#interface[Symbol.asyncIterator]();
  }

  async start(): Promise<this> {
    this.port = Number((await this.#lines.next()).value);
    return this;
  }

  /** The next mail, with its content as Latin-1, so that no byte is lost. */
  async mail(): Promise<Received> {
    const mail = JSON.parse((await this.#lines.next()).value as string) as Received;
    return { ...mail, content: Buffer.from(mail.content, 'base64').toString('latin1') };
  }

  async end(): Promise<void> {
    const gone = new Promise((resolve) => this.#child.once('close', resolve));
    this.#child.stdin?.end();
    await gone;
    this.#interface.close();
  }
}

// Packaged for the system's own Python.
const python = probeProgram('aiosmtpd') === undefined ? undefined : '/usr/bin/python3';

describe.skipIf(python === undefined)('The SMTP client, with a real server', () => {
  const servers = new Map<string, Server>();
  beforeAll(async () => {
    for (const security of ['starttls', 'implicit', 'none'])
      servers.set(security, await new Server(python as string, security).start());
  });
  afterAll(async () => {
    for (const server of servers.values()) await server.end();
  });
  const to = (security: string, options: Partial<SmtpOptions> = {}): SmtpOptions => ({
    host,
    port: (servers.get(security) as Server).port,
    security: security as 'starttls',
    tls: { ca },
    ...options,
  });
  const received = (security: string): Promise<Received> => (servers.get(security) as Server).mail();

  it.each(['starttls', 'implicit'])('logs in and sends a mail, with TLS by %s', async (security) => {
    const mail = { from: 'a@x.test', to: ['bob@mail.test'], subject: 'Brot für alle 🥖', text: '.\nhello\r\n.dots.\n' };
    const delivery = await run(sendMail, to(security, { user: 'alice', password: 'open sesame' }), mail);
    expect(delivery).toEqual({ accepted: ['bob@mail.test'], rejected: new Map(), reply: '2.0.0 kept' });
    const { content, ...rest } = await received(security);
    expect(rest).toEqual({ from: 'a@x.test', to: ['bob@mail.test'], tls: true, user: 'alice' });
    const [head = '', body = ''] = content.split('\r\n\r\n');
    expect(head).toContain(`Subject: =?utf-8?B?${Buffer.from(mail.subject).toString('base64')}?=`);
    expect(Buffer.from(body, 'base64').toString()).toBe('.\r\nhello\r\n.dots.\r\n');
  });

  it('sends several mails over one connection, dots and line ends whole, and goes on after a refusal', async () => {
    await run(function* () {
      const connection = yield* SmtpConnection.open(to('none'));
      const texts = [
        '.',
        '..',
        '.\r\n.\r\n',
        'a\n.\nb',
        'a\r.\rb',
        '',
        'no end',
        '\r\n',
        '\n\n.x',
        'QUIT\r\n.QUIT\r\n',
      ];
      for (const text of texts) {
        yield* connection.send('', ['bob@mail.test'], text);
        const whole = text === '' || /[\r\n]$/.test(text) ? text : `${text}\n`;
        expect(yield* until(received('none'))).toMatchObject({
          from: '',
          content: whole.replace(/\r\n|\r|\n/g, '\r\n'),
        });
      }
      const refused = yield* failure(connection.send('a@x.test', ['nobody@mail.test'], 'x'));
      expect(refused).toMatchObject({ code: 'ERR_SMTP_REPLY', status: 550, enhanced: '5.1.1', temporary: false });
      const some = yield* connection.send('a@x.test', ['nobody@mail.test', 'c@mail.test', 'later@mail.test'], 'x');
      expect(some.accepted).toEqual(['c@mail.test']);
      expect([...some.rejected].map(([address, error]) => [address, error.status, error.temporary])).toEqual([
        ['nobody@mail.test', 550, false],
        ['later@mail.test', 450, true],
      ]);
      expect((yield* until(received('none'))).to).toEqual(['c@mail.test']);
      yield* connection.quit();
    });
  });

  it('carries any bytes that its lines can hold, as they are', async () => {
    await run(function* () {
      const connection = yield* SmtpConnection.open(to('none'));
      const line = fc.uint8Array({ maxLength: 60 }).map((bytes) => bytes.filter((byte) => byte !== 10 && byte !== 13));
      const mails = fc.sample(fc.array(line, { maxLength: 6 }), { seed: 11, numRuns: 100 });
      for (const lines of mails) {
        const text = lines.map((each) => `${Buffer.from(each).toString('latin1')}\r\n`).join('');
        yield* connection.send('a@x.test', ['bob@mail.test'], Buffer.from(text, 'latin1'));
        expect((yield* until(received('none'))).content).toBe(text);
      }
      yield* connection.quit();
    });
  });

  it('is told a wrong password, a certificate that it does not trust, and a server without STARTTLS', async () => {
    await run(function* () {
      const open = (options: SmtpOptions) => failure(SmtpConnection.open(options));
      const wrong = yield* open(to('starttls', { user: 'alice', password: 'wrong' }));
      expect(wrong).toMatchObject({ code: 'ERR_SMTP_REPLY', status: 535 });
      expect(wrong.message).not.toContain(Buffer.from('\0alice\0wrong').toString('base64'));
      expect((yield* open(to('starttls', { tls: {} }))).name).toBe('TlsError');
      expect((yield* open(to('starttls', { tls: { ca, servername: 'other.test' } }))).name).toBe('TlsError');
      expect(yield* open({ ...to('none'), security: 'starttls' })).toMatchObject({ code: 'ERR_SMTP_PROTOCOL' });
      expect(yield* open(to('none', { user: 'alice', password: 'x' }))).toMatchObject({ code: 'ERR_SMTP_PROTOCOL' });
    });
  });

  it('refuses a mail that is too large or beyond the server, before anything of it is sent', async () => {
    await run(function* () {
      const connection = yield* SmtpConnection.open(to('none'));
      const large = yield* failure(connection.send('a@x.test', ['b@x.test'], 'x\n'.repeat(500_000)));
      expect(large.message).toMatch(/up to 1000000 bytes/);
      const long = yield* failure(connection.send('a@x.test', ['b@x.test'], 'x'.repeat(999)));
      expect(long.message).toMatch(/at most 998/);
      yield* connection.send('a@x.test', ['jürgen@mail.test'], 'x');
      expect((yield* until(received('none'))).to).toEqual(['jürgen@mail.test']);
      yield* connection.quit();
    });
  });
});

function* failure(op: Op<unknown>): Op<Error & { code?: string }> {
  try {
    yield* op;
  } catch (error) {
    return error as Error;
  }
  throw new Error('it did not fail');
}

/** Run `body` beside a server whose connections are handled by `handler`. */
function withServer<T>(handler: (socket: Socket) => Op<void>, body: (port: number) => Op<T>): Promise<T> {
  return run(function* (): Op<T> {
    const listener = yield* listen({ host, port: 0 });
    return yield* scope(function* (s): Op<T> {
      const server = s.spawn(serve, listener, handler, { graceMs: 0 });
      try {
        return yield* body(listener.address.port);
      } finally {
        server.kill();
        listener.close();
      }
    });
  });
}

/** A strict server: one command a line, each with its answer; the commands that it saw, and the content of each mail. */
function* strict(socket: Socket, commands: string[], answers: Record<string, string | null> = {}): Op<void> {
  yield* socket.write('220 here\r\n');
  for (let line = yield* socket.readLine(); line !== null; line = yield* socket.readLine()) {
    commands.push(line);
    const verb = (line.split(/[ :]/)[0] as string).toUpperCase();
    const answer = answers[verb];
    if (answer === null) return;
    yield* socket.write(
      answer ??
        { EHLO: '250-here\r\n250 8BITMIME\r\n', DATA: '354 go on\r\n', QUIT: '221 bye\r\n' }[verb] ??
        '250 OK\r\n',
    );
    if (verb !== 'DATA') continue;
    const content: string[] = [];
    for (
      let text = yield* socket.readLine({ limit: 1e6 });
      text !== '.' && text !== null;
      text = yield* socket.readLine()
    )
      content.push(text);
    commands.push(`content of ${content.length} lines`);
    const last = answers['.'];
    if (last === null) return;
    yield* socket.write(last ?? '250 kept\r\n');
  }
}

describe('The SMTP client, with a scripted server', () => {
  const plain = (port: number): SmtpOptions => ({ host, port, security: 'none', timeoutMs: 30_000 });

  it('sends one command for each address, whatever is in it, or refuses it before anything is sent', async () => {
    const commands: string[] = [];
    await withServer(
      (socket) => strict(socket, commands),
      function* (port) {
        const connection = yield* SmtpConnection.open(plain(port));
        const seed = Number(process.env.TENDRIL_SEED ?? 7);
        const text = fc.oneof(
          fc.string({ unit: 'binary' }),
          fc.stringMatching(/^[a-z.+]{1,9}@[a-z.]{1,9}$/),
          fc.constantFrom('a@b\r\nRSET', 'a@b> SIZE=1', 'a b@c', 'a@b\0', '@', 'a@b\n'),
        );
        for (const address of fc.sample(text, { seed, numRuns: 120 })) {
          commands.length = 0;
          try {
            yield* connection.send(address, [address], 'x');
          } catch (error) {
            expect(error).toBeInstanceOf(TypeError);
            expect(commands).toEqual([]);
            continue;
          }
          const from = address === '' ? 'MAIL FROM:<>' : `MAIL FROM:<${address}>`;
          expect(commands).toEqual([`${from}`, `RCPT TO:<${address}>`, 'DATA', 'content of 1 lines']);
        }
        yield* connection.quit();
      },
    );
  });

  it('puts no field of a mail into another header', () => {
    const seed = Number(process.env.TENDRIL_SEED ?? 8);
    for (const field of ['subject', 'from', 'text'] as const) {
      for (const text of fc.sample(
        fc.oneof(fc.string({ unit: 'binary' }), fc.constantFrom('a\r\nBcc: x@y', 'a\nb', 'a\0')),
        { seed, numRuns: 300 },
      )) {
        const mail = { from: 'a@x.test', to: ['b@x.test'], subject: 's', text: 't', [field]: text };
        let composed: string;
        try {
          composed = compose(mail);
        } catch (error) {
          expect(error).toBeInstanceOf(TypeError);
          continue;
        }
        const [head = '', body = ''] = composed.split('\r\n\r\n');
        expect(
          head
            .replaceAll('\r\n ', ' ')
            .split('\r\n')
            .map((line) => line.split(':')[0]),
        ).toEqual([
          'From',
          'To',
          'Subject',
          'Date',
          'Message-ID',
          'MIME-Version',
          'Content-Type',
          'Content-Transfer-Encoding',
        ]);
        expect(dotStuffed(composed).toString()).not.toMatch(/\n\.\r?\n[\s\S]/);
        if (field === 'text')
          expect(Buffer.from(body, 'base64').toString()).toBe(Buffer.from(text.replace(/\r?\n/g, '\r\n')).toString());
      }
    }
  });

  it.each([
    ['no greeting of SMTP', 'SSH-2.0-x\r\n'],
    ['a line without end', 'x'.repeat(10_000)],
    ['too many lines', '220-x\r\n'.repeat(101)],
    ['an answer to another question', '354 go on\r\n'],
    ['nothing, and the end', ''],
  ])('closes the connection at %s', (_what, greeting) =>
    withServer(
      function* (socket) {
        yield* socket.write(greeting);
        if (greeting === '') return;
        yield* socket.read();
      },
      function* (port) {
        const error = yield* failure(SmtpConnection.open(plain(port)));
        expect(error.code).toMatch(/^ERR_(SMTP_PROTOCOL|LINE_TOO_LONG)$/);
      },
    ),
  );

  it('says that a mail is in doubt if the connection ends after it, and that it is not if the server had said no', async () => {
    for (const [answers, code] of [
      [{ '.': null }, 'ERR_SMTP_IN_DOUBT'],
      [{ '.': '554 no\r\n' }, 'ERR_SMTP_REPLY'],
      [{ '.': 'nonsense\r\n' }, 'ERR_SMTP_IN_DOUBT'],
      [{ DATA: '554 no\r\n' }, 'ERR_SMTP_REPLY'],
      [{ MAIL: '421 closing\r\n' }, 'ERR_SMTP_REPLY'],
      [{ MAIL: null }, 'ERR_SMTP_PROTOCOL'],
    ] as const) {
      await withServer(
        (socket) => strict(socket, [], answers),
        function* (port) {
          const connection = yield* SmtpConnection.open(plain(port));
          expect(yield* failure(connection.send('a@x.test', ['b@x.test'], 'x'))).toMatchObject({ code });
          connection.close();
        },
      );
    }
  });

  it('closes the connection when it is killed or times out while it waits for an answer', () =>
    withServer(
      function* (socket) {
        yield* strict(socket, [], { MAIL: '' });
      },
      function* (port) {
        for (const how of ['kill', 'timeout'] as const) {
          const connection = yield* SmtpConnection.open(plain(port));
          const send = () => connection.send('a@x.test', ['b@x.test'], 'x');
          if (how === 'timeout') {
            expect((yield* failure(timeout(20, send()))).code).toBe('ERR_TIMEOUT');
          } else {
            const victim = spawn(send);
            yield* sleep(5);
            victim.kill();
            yield* victim.join();
          }
          expect((yield* failure(connection.send('a@x.test', ['b@x.test'], 'x'))).code).toBe('ERR_CLOSED');
        }
      },
    ));
});

describe('The URL of an SMTP server', () => {
  it('gives its options', () => {
    expect(optionsOf('smtp://me:p%40ss@mail.test')).toMatchObject({
      host: 'mail.test',
      security: 'starttls',
      user: 'me',
      password: 'p@ss',
    });
    expect(optionsOf('smtps://[::1]:465')).toMatchObject({ host: '::1', port: 465, security: 'implicit' });
    expect(optionsOf('smtp://h?security=none').security).toBe('none');
    expect(() => optionsOf('http://x')).toThrow(TypeError);
  });
});
