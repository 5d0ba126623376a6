// scram.ts: SCRAM-SHA-256: prove to the server that we know the password, without telling it, and check that the server knows it too.
//
// The server asks for a number of rounds of hashing; they run in Node's thread pool, and more than ten million are refused, so that a server that is none
// cannot keep the machine busy. No channel binding.
// Sources: RFC 5802, RFC 7677.

import { createHash, createHmac, pbkdf2, randomBytes, timingSafeEqual } from 'node:crypto';
import { callback, type Op } from 'tendril';
import { PostgresProtocolError } from './errors.ts';

const MOST_ROUNDS = 10_000_000;

const hmac = (key: Buffer, data: string): Buffer => createHmac('sha256', key).update(data).digest();

/** One authentication. */
export class Scram {
  readonly #password: string;
  readonly #nonce: string;
  readonly #bare: string;
  #serverSignature: Buffer | undefined;

  constructor(password: string, nonce: string = randomBytes(18).toString('base64')) {
    this.#password = password.normalize('NFKC');
    this.#nonce = nonce;
    // The name is the one of the startup message.
    this.#bare = `n=,r=${nonce}`;
  }

  /** What we say first. */
  get first(): string {
    return `n,,${this.#bare}`;
  }

  /** Our proof, for what the server has said. */
  *prove(serverFirst: string): Op<string> {
    const match = /^r=([^,]+),s=([A-Za-z0-9+/=]+),i=([0-9]{1,10})$/.exec(serverFirst);
    const [, nonce = '', salt = '', rounds = ''] = match ?? [];
    if (match === null || nonce.length <= this.#nonce.length || !nonce.startsWith(this.#nonce))
      throw new PostgresProtocolError('SCRAM: the server does not continue what we began');
    const count = Number(rounds);
    if (count < 1 || count > MOST_ROUNDS)
      throw new PostgresProtocolError(`SCRAM: the server asks for ${rounds} rounds`);
    const salted = yield* callback<Buffer>((done) =>
      pbkdf2(this.#password, Buffer.from(salt, 'base64'), count, 32, 'sha256', done),
    );
    const clientKey = hmac(salted, 'Client Key');
    const withoutProof = `c=biws,r=${nonce}`;
    const said = `${this.#bare},${serverFirst},${withoutProof}`;
    const signature = hmac(createHash('sha256').update(clientKey).digest(), said);
    this.#serverSignature = hmac(hmac(salted, 'Server Key'), said);
    const proof = clientKey.map((byte, i) => byte ^ (signature[i] as number));
    return `${withoutProof},p=${Buffer.from(proof).toString('base64')}`;
  }

  /** The server's own proof. @throws PostgresProtocolError if it is wrong: the server does not know the password, so it is another. */
  check(serverFinal: string): void {
    const said = Buffer.from(/^v=([A-Za-z0-9+/=]+)$/.exec(serverFinal)?.[1] ?? '', 'base64');
    const expected = this.#serverSignature;
    if (expected === undefined || said.length !== expected.length || !timingSafeEqual(said, expected))
      throw new PostgresProtocolError('SCRAM: the server does not know the password: it is not who it says');
  }
}
