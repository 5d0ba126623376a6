// crypto.ts: the public names of `tendril/patches/crypto`: those of node:crypto, each call that waits being an Op.
//
//   const key = yield* scrypt(password, salt, 32);
//
// An Op is what Node offers with a callback, done in libuv's thread pool: deriving, generating, signing, random bytes. That is so of those too that Node does at once without a
// callback (randomBytes, randomInt, sign, verify): who wants the value without a wait takes node:crypto. A name in ...Sync gives an Op too, which does the
// asynchronous call. A kill or a timeout ends the wait at once and the result is dropped, except of randomFill, which writes into the caller's
// buffer and finishes first.
// Hashes, ciphers and keys work at once and are Node's own, passed through; so are `subtle` and `webcrypto`, whose promises are for until().

import crypto from 'node:crypto';
import type { Transform, TransformOptions } from 'node:stream';
import type { Op, Waitable } from '../../core/op.ts';
import type { Done } from '../../io/callback.ts';
import { bytes, count, key, largeNumber, maybe, options, text, view, whole } from './argument-checks.ts';
import type { ManyOverloads } from './key-pair-signatures.ts';
import { type CallSpec, changingTwin, lookingTwin, plain } from './node-call.ts';
import { realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

export {
  Certificate,
  constants,
  createCipheriv,
  createDecipheriv,
  createDiffieHellman,
  createDiffieHellmanGroup,
  createECDH,
  createHash,
  createHmac,
  createPrivateKey,
  createPublicKey,
  createSecretKey,
  createSign,
  createVerify,
  DiffieHellman,
  DiffieHellmanGroup,
  ECDH,
  getCipherInfo,
  getCiphers,
  getCurves,
  getDiffieHellman,
  getFips,
  getHashes,
  getRandomValues,
  Hash,
  Hmac,
  hash,
  KeyObject,
  privateDecrypt,
  privateEncrypt,
  publicDecrypt,
  publicEncrypt,
  randomUUID,
  Sign,
  secureHeapUsed,
  setEngine,
  setFips,
  subtle,
  timingSafeEqual,
  Verify,
  webcrypto,
  X509Certificate,
} from 'node:crypto';

const real = realModule('crypto', crypto);

const ofPbkdf2 = plain(real.pbkdf2, bytes, bytes, count, count, text);
export const pbkdf2: Twin<typeof crypto.pbkdf2, 'callback'> = lookingTwin('crypto.pbkdf2', ofPbkdf2);
export const pbkdf2Sync: Twin<typeof crypto.pbkdf2Sync, 'sync'> = lookingTwin('crypto.pbkdf2Sync', ofPbkdf2);
const ofScrypt = plain(real.scrypt, bytes, bytes, count, maybe(options));
export const scrypt: Twin<typeof crypto.scrypt, 'callback'> = lookingTwin('crypto.scrypt', ofScrypt);
export const scryptSync: Twin<typeof crypto.scryptSync, 'sync'> = lookingTwin('crypto.scryptSync', ofScrypt);
const ofHkdf = plain(real.hkdf, text, key, bytes, bytes, count);
export const hkdf: Twin<typeof crypto.hkdf, 'callback'> = lookingTwin('crypto.hkdf', ofHkdf);
export const hkdfSync: Twin<typeof crypto.hkdfSync, 'sync'> = lookingTwin('crypto.hkdfSync', ofHkdf);

const ofGenerateKey = plain(real.generateKey, text, options);
export const generateKey: Twin<typeof crypto.generateKey, 'callback'> = lookingTwin(
  'crypto.generateKey',
  ofGenerateKey,
);
export const generateKeySync: Twin<typeof crypto.generateKeySync, 'sync'> = lookingTwin(
  'crypto.generateKeySync',
  ofGenerateKey,
);

type GenerateKeyPair = ManyOverloads<typeof crypto.generateKeyPair.__promisify__>;
const ofGenerateKeyPair = { ...plain(real.generateKeyPair, text, maybe(options)), names: ['publicKey', 'privateKey'] };
export const generateKeyPair: GenerateKeyPair = lookingTwin('crypto.generateKeyPair', ofGenerateKeyPair);
export const generateKeyPairSync: GenerateKeyPair = lookingTwin('crypto.generateKeyPairSync', ofGenerateKeyPair);

const ofGeneratePrime = plain(real.generatePrime, count, maybe(options));
export const generatePrime: Twin<typeof crypto.generatePrime, 'callback'> = lookingTwin(
  'crypto.generatePrime',
  ofGeneratePrime,
);
export const generatePrimeSync: Twin<typeof crypto.generatePrimeSync, 'sync'> = lookingTwin(
  'crypto.generatePrimeSync',
  ofGeneratePrime,
);
const ofCheckPrime = plain(real.checkPrime, largeNumber, maybe(options));
export const checkPrime: Twin<typeof crypto.checkPrime, 'callback'> = lookingTwin('crypto.checkPrime', ofCheckPrime);
export const checkPrimeSync: Twin<typeof crypto.checkPrimeSync, 'sync'> = lookingTwin(
  'crypto.checkPrimeSync',
  ofCheckPrime,
);

export const randomBytes: (size: number) => Waitable<Buffer> = lookingTwin('crypto.randomBytes', {
  ...plain(real.randomBytes, count),
});
export const randomInt: Twin<typeof crypto.randomInt, 'callback'> = lookingTwin('crypto.randomInt', {
  ...plain(real.randomInt, whole, maybe(whole)),
});
type RandomFill = <B extends NodeJS.ArrayBufferView>(buffer: B, offset?: number, size?: number) => Op<B>;
const ofRandomFill = plain(real.randomFill, view, maybe(count), maybe(count));
export const randomFill: RandomFill = changingTwin('crypto.randomFill', ofRandomFill);
export const randomFillSync: RandomFill = changingTwin('crypto.randomFillSync', ofRandomFill);

export const sign: Twin<typeof crypto.sign, 'callback'> = lookingTwin('crypto.sign', {
  ...plain(real.sign, maybe(text), bytes, key),
});
export const verify: Twin<typeof crypto.verify, 'callback'> = lookingTwin('crypto.verify', {
  ...plain(real.verify, maybe(text), bytes, key, bytes),
});

type CipherClass = new (
  algorithm: string,
  key: crypto.CipherKey,
  iv: crypto.BinaryLike | null,
  options?: TransformOptions,
) => Transform;

/** What newer Nodes have, or the types of Node 20 do not name. */
interface Newer {
  readonly argon2?: NonNullable<CallSpec['call']>;
  readonly encapsulate?: NonNullable<CallSpec['call']>;
  readonly decapsulate?: NonNullable<CallSpec['call']>;
  readonly diffieHellman: (keys: never, done?: Done<Buffer>) => Buffer;
  readonly randomUUIDv7?: (options?: { readonly disableEntropyCache?: boolean }) => string;
  readonly Cipheriv: CipherClass;
  readonly Decipheriv: CipherClass;
  readonly createMac?: (algorithm: string, key: object, options?: object) => object;
  readonly getMacs?: () => string[];
  readonly parsePKCS12?: (bundle: NodeJS.ArrayBufferView, options?: object) => object;
}
const newer: Newer = real as unknown as Newer;

const agree = newer.diffieHellman;
type DiffieHellman = (keys: {
  readonly privateKey: crypto.KeyObject;
  readonly publicKey: crypto.KeyObject;
}) => Waitable<Buffer>;
/** Node's own. */
export const Cipheriv: CipherClass = newer.Cipheriv;
/** Node's own. */
export const Decipheriv: CipherClass = newer.Decipheriv;

/** Node takes a callback from 24 on; before, the work is done on the calling thread. */
export const diffieHellman: DiffieHellman = lookingTwin('crypto.diffieHellman', {
  ...plain(agree, options),
  start: ([keys], done) => {
    if (agree.length > 1) agree(keys as never, done);
    else done(null, agree(keys as never));
  },
});

/** A key and its encrypted form, for who has the private one. */
export interface Encapsulated {
  readonly sharedKey: Buffer;
  readonly ciphertext: Buffer;
}
type Key = crypto.KeyLike | object;
export const encapsulate: (key: Key) => Waitable<Encapsulated> = lookingTwin('crypto.encapsulate', {
  ...plain(newer.encapsulate, key),
  since: 'Node 24.7',
});
export const decapsulate: (key: Key, ciphertext: NodeJS.ArrayBufferView | ArrayBuffer) => Waitable<Buffer> =
  lookingTwin('crypto.decapsulate', { ...plain(newer.decapsulate, key, bytes), since: 'Node 24.7' });

type Argon2 = (
  algorithm: 'argon2d' | 'argon2i' | 'argon2id',
  parameters: {
    readonly message: string | NodeJS.ArrayBufferView | ArrayBuffer;
    readonly nonce: string | NodeJS.ArrayBufferView | ArrayBuffer;
    readonly parallelism: number;
    readonly tagLength: number;
    readonly memory: number;
    readonly passes: number;
    readonly secret?: string | NodeJS.ArrayBufferView | ArrayBuffer;
    readonly associatedData?: string | NodeJS.ArrayBufferView | ArrayBuffer;
  },
) => Waitable<Buffer>;
const ofArgon2 = { ...plain(newer.argon2, text, options), since: 'Node 24.7' };
export const argon2: Argon2 = lookingTwin('crypto.argon2', ofArgon2);
export const argon2Sync: Argon2 = lookingTwin('crypto.argon2Sync', ofArgon2);

/** Node's own; undefined before Node 24. */
export const randomUUIDv7: Newer['randomUUIDv7'] = newer.randomUUIDv7;

/** Node's own; undefined before Node 26. */
export const createMac: Newer['createMac'] = newer.createMac;

/** Node's own; undefined before Node 26. */
export const getMacs: Newer['getMacs'] = newer.getMacs;

/** Node's own; undefined before Node 26. */
export const parsePKCS12: Newer['parsePKCS12'] = newer.parsePKCS12;
