// connection.ts: one conversation with an SMTP server, which reads as the RFC tells it: greeting, EHLO, STARTTLS, AUTH, and then mail by mail.
//
// Invariants:
//   after an SmtpError the server waits for the next command; after any other error, a kill or a timeout the connection is closed: an answer that comes
//   late would be taken for that of the next command
//   nothing secret is sent before TLS has verified the server
// Sources: RFC 5321, RFC 3207 (STARTTLS), RFC 4954 (AUTH), RFC 1870 (SIZE), RFC 6531 (SMTPUTF8).

import { connect, connectTls, type Op, rethrowKilled, type Socket, type TlsClientOptions, timeout } from 'tendril';
import { SmtpError, SmtpInDoubtError, SmtpProtocolError } from './errors.ts';
import { dotStuffed } from './message.ts';

/** A reply has lines of at most 512 bytes by the RFC; some servers do not count. */
const LINE_LIMIT = 4096;
const MOST_LINES = 100;
/** What could end the command, or be another parameter of it, is in none. */
const ADDRESS = /^[^\s\p{Cc}<>"@]{1,64}@[^\s\p{Cc}<>"@]+$/u;

export interface SmtpOptions {
  readonly host: string;
  readonly port?: number | undefined;
  /** 'starttls' (the default, required), 'implicit' (from the first byte, port 465), or 'none'. */
  readonly security?: 'starttls' | 'implicit' | 'none' | undefined;
  readonly tls?: TlsClientOptions | undefined;
  readonly user?: string | undefined;
  readonly password?: string | undefined;
  /** How long each step may take: 60,000 ms by default. */
  readonly timeoutMs?: number | undefined;
}

/** What became of one mail. */
export interface Delivery {
  readonly accepted: readonly string[];
  /** Who does not get it, and why. */
  readonly rejected: ReadonlyMap<string, SmtpError>;
  /** The server's last word, often with the number of the mail in its queue. */
  readonly reply: string;
}

interface Reply {
  readonly status: number;
  readonly lines: readonly string[];
}

export class SmtpConnection {
  readonly #socket: Socket;
  readonly #timeoutMs: number;
  /** What the server says it can do, by name in capitals, with its parameters. */
  features: ReadonlyMap<string, string> = new Map();

  constructor(socket: Socket, timeoutMs: number) {
    this.#socket = socket;
    this.#timeoutMs = timeoutMs;
  }

  /** Connect, secure the connection and log in. */
  static *open(options: SmtpOptions): Op<SmtpConnection> {
    const { host, security = 'starttls', tls = {}, user, password, timeoutMs = 60_000 } = options;
    const port = options.port ?? (security === 'implicit' ? 465 : 587);
    const socket = yield* security === 'implicit' ? connectTls({ host, port }, tls) : connect({ host, port });
    const connection = new SmtpConnection(socket, timeoutMs);
    try {
      yield* connection.#expect('greeting', 220);
      yield* connection.#hello();
      if (security === 'starttls') {
        if (!connection.features.has('STARTTLS'))
          throw new SmtpProtocolError(`${host} offers no STARTTLS: its mail could be read by anybody`);
        yield* connection.#command('STARTTLS', 220);
        yield* socket.startTls(tls);
        // What it said in plain text may have been said by somebody else.
        yield* connection.#hello();
      }
      if (user !== undefined) yield* connection.#authenticate(user, password ?? '', security === 'none');
      return connection;
    } catch (error) {
      connection.close();
      throw error;
    }
  }

  /**
   * Send a message to all of `to`. A recipient that is refused does not keep the others from getting it.
   *
   * @throws SmtpError if nobody gets it. @throws SmtpInDoubtError if it may have been taken. @throws TypeError for what is no address, before anything is sent.
   */
  *send(from: string, to: readonly string[], message: string | Uint8Array): Op<Delivery> {
    for (const address of to) checkAddress(address);
    if (from !== '') checkAddress(from);
    if (to.length === 0) throw new TypeError('a mail needs somebody to go to');
    const data = dotStuffed(message);
    const parameters = this.#parametersFor([from, ...to], data);
    const rejected = new Map<string, SmtpError>();
    yield* this.#command(`MAIL FROM:<${from}>${parameters}`, 250);
    for (const address of to) {
      try {
        yield* this.#command(`RCPT TO:<${address}>`, 250, 251);
      } catch (error) {
        if (!(error instanceof SmtpError)) throw error;
        rejected.set(address, error);
      }
    }
    const accepted = to.filter((address) => !rejected.has(address));
    if (accepted.length === 0) {
      yield* this.#command('RSET', 250);
      throw rejected.values().next().value as SmtpError;
    }
    yield* this.#command('DATA', 354);
    const { lines } = yield* this.#content(data);
    return { accepted, rejected, reply: lines.join('\n') };
  }

  /** Take leave. The connection is closed, however that goes. */
  *quit(): Op<void> {
    try {
      yield* this.#command('QUIT', 221);
      yield* this.#socket.closeGracefully();
    } finally {
      this.close();
    }
  }

  close(): void {
    this.#socket.close();
  }

  *#hello(): Op<void> {
    const { host } = this.#socket.localAddress;
    const { lines } = yield* this.#command(`EHLO [${host?.includes(':') ? 'IPv6:' : ''}${host}]`, 250);
    this.features = new Map(
      lines.slice(1).map((line) => {
        const [name = '', ...parameters] = line.split(' ');
        return [name.toUpperCase(), parameters.join(' ')];
      }),
    );
  }

  *#authenticate(user: string, password: string, plainText: boolean): Op<void> {
    if (plainText) throw new SmtpProtocolError('a password is not sent without TLS: use {security: "starttls"}');
    const methods = this.features.get('AUTH')?.toUpperCase().split(' ') ?? [];
    const base64 = (text: string): string => Buffer.from(text).toString('base64');
    if (methods.includes('PLAIN')) {
      yield* this.#command(`AUTH PLAIN ${base64(`\0${user}\0${password}`)}`, 235);
    } else if (methods.includes('LOGIN')) {
      yield* this.#command('AUTH LOGIN', 334);
      yield* this.#command(base64(user), 334);
      yield* this.#command(base64(password), 235);
    } else {
      throw new SmtpProtocolError(
        `the server takes no password by PLAIN or LOGIN, only by ${methods.join(', ') || 'nothing'}`,
      );
    }
  }

  #parametersFor(addresses: readonly string[], data: Buffer): string {
    const most = Number(this.features.get('SIZE') ?? 0);
    if (most > 0 && data.length > most)
      throw new RangeError(`the server takes mails of up to ${most} bytes, not ${data.length}`);
    const wide = data.some((byte) => byte > 127);
    if (wide && !this.features.has('8BITMIME'))
      throw new TypeError('the server takes ASCII only: encode the message, as compose() does');
    const international = addresses.some((address) => !/^\p{ASCII}*$/u.test(address));
    if (international && !this.features.has('SMTPUTF8'))
      throw new TypeError('the server takes addresses in ASCII only');
    const size = this.features.has('SIZE') ? ` SIZE=${data.length}` : '';
    return `${size}${wide ? ' BODY=8BITMIME' : ''}${international ? ' SMTPUTF8' : ''}`;
  }

  *#command(line: string, ...expected: number[]): Op<Reply> {
    // A password must not get into a message.
    const shown = /^(AUTH PLAIN|[A-Z]+( (FROM|TO):.*)?)/.exec(line)?.[0] ?? 'AUTH';
    return yield* this.#step(shown, expected, `${line}\r\n`);
  }

  #expect(what: string, ...expected: number[]): Op<Reply> {
    return this.#step(what, expected, '');
  }

  *#content(data: Buffer): Op<Reply> {
    try {
      return yield* this.#step('the mail', [250], data);
    } catch (error) {
      rethrowKilled(error);
      if (error instanceof SmtpError) throw error;
      throw new SmtpInDoubtError(error);
    }
  }

  /** Send one thing and read the answer to it. */
  *#step(what: string, expected: readonly number[], bytes: string | Uint8Array): Op<Reply> {
    try {
      const reply = yield* timeout(this.#timeoutMs, this.#exchange(bytes));
      if (expected.includes(reply.status)) return reply;
      if (reply.status >= 400) throw new SmtpError(reply.status, reply.lines.join('\n'), what);
      throw new SmtpProtocolError(`${what}: expected ${expected.join(' or ')}, got ${reply.status} ${reply.lines[0]}`);
    } catch (error) {
      // 421: the server closes.
      if (!(error instanceof SmtpError) || error.status === 421) this.close();
      throw error;
    }
  }

  *#exchange(bytes: string | Uint8Array): Op<Reply> {
    yield* this.#socket.write(bytes);
    yield* this.#socket.flush();
    const lines: string[] = [];
    for (;;) {
      const line = yield* this.#socket.readLine({ limit: LINE_LIMIT });
      if (line === null) throw new SmtpProtocolError('the server ended the conversation');
      const [, status, separator, text] = /^([2-5]\d\d)([- ]|$)(.*)$/.exec(line) ?? [];
      if (status === undefined || lines.length >= MOST_LINES)
        throw new SmtpProtocolError(`no SMTP reply: ${JSON.stringify(line.slice(0, 80))}`);
      lines.push(text as string);
      if (separator !== '-') return { status: Number(status), lines };
    }
  }
}

/** @throws TypeError for what is no address, or would be more than one command. */
function checkAddress(address: string): void {
  if (typeof address !== 'string' || address.length > 254 || !ADDRESS.test(address)) {
    throw new TypeError(`not an address that can be sent to: ${JSON.stringify(String(address).slice(0, 80))}`);
  }
}
