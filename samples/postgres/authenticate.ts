// authenticate.ts: the beginning of a connection: who we are, and whatever the server wants to see for it.
//
// A server chooses how the password is shown. One that asks for it in the clear gets it only over TLS or a Unix socket, or if the caller allows it: anybody
// on the way could read it. A server that begins SCRAM has to finish it: one that says "welcome" without its own proof is not the one that we know.
// Source: https://www.postgresql.org/docs/current/protocol-flow.html#PROTOCOL-FLOW-START-UP

import { createHash } from 'node:crypto';
import type { Op } from 'tendril';
import { PostgresProtocolError } from './errors.ts';
import { BodyReader, int32, type Message, message, text } from './messages.ts';
import { Scram } from './scram.ts';

/** What it takes to talk to the server. */
export interface Talk {
  /** The next message that is no error. */
  next(): Op<Message>;
  send(bytes: Uint8Array): Op<void>;
}

export interface Credentials {
  readonly user: string;
  readonly password: string | undefined;
  /** May the password be sent as it is? */
  readonly mayShow: boolean;
}

const md5 = (...parts: readonly (string | Uint8Array)[]): string => {
  const hash = createHash('md5');
  for (const part of parts) hash.update(part);
  return hash.digest('hex');
};

/** Answer what the server asks until it is content. @throws PostgresError if it refuses. @throws PostgresProtocolError if it does not prove itself. */
export function* authenticate(talk: Talk, credentials: Credentials): Op<void> {
  for (;;) {
    const { type, body } = yield* talk.next();
    if (type !== 'R') throw new PostgresProtocolError(`a message '${type}' before the authentication`);
    const reader = new BodyReader(body);
    const kind = reader.int32();
    if (kind === 0) return;
    const { user, password, mayShow } = credentials;
    if (password === undefined) throw new PostgresProtocolError('the server asks for a password: give one');
    if (kind === 3) {
      if (!mayShow)
        throw new PostgresProtocolError(
          'the server asks for the password in the clear: use TLS, or allow it with showPassword',
        );
      yield* talk.send(message('p', text(password)));
    } else if (kind === 5) {
      const digest = md5(md5(password, user), reader.bytes(4));
      yield* talk.send(message('p', text(`md5${digest}`)));
    } else if (kind === 10) {
      yield* scram(talk, password, reader);
    } else {
      throw new PostgresProtocolError(`the server asks for an authentication that is not known here (${kind})`);
    }
  }
}

function* scram(talk: Talk, password: string, mechanisms: BodyReader): Op<void> {
  const offered: string[] = [];
  for (let name = mechanisms.text(); name !== ''; name = mechanisms.text()) offered.push(name);
  if (!offered.includes('SCRAM-SHA-256'))
    throw new PostgresProtocolError(`the server offers ${offered.join(', ')} only, not SCRAM-SHA-256`);
  const conversation = new Scram(password);
  const first = Buffer.from(conversation.first);
  yield* talk.send(message('p', text('SCRAM-SHA-256'), int32(first.length), first));
  const proof = yield* conversation.prove(yield* said(talk, 11));
  yield* talk.send(message('p', Buffer.from(proof)));
  conversation.check(yield* said(talk, 12));
}

/** What the server says in its turn of SCRAM: 11 is its first, 12 its last. */
function* said(talk: Talk, expected: number): Op<string> {
  const { type, body } = yield* talk.next();
  const reader = new BodyReader(body);
  if (type !== 'R' || reader.int32() !== expected) throw new PostgresProtocolError('SCRAM: the server skips a step');
  return reader.bytes(reader.left).toString();
}
