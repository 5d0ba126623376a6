// twins-zlib-crypto.test.ts: the twins of zlib and crypto: what each function gives, Node's own errors with the stack of who waited, and what a kill and a timeout find
// and leave, also when no thread is free.
import nodeCrypto from 'node:crypto';
import nodeZlib from 'node:zlib';
import {
  hub,
  type Op,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  type Waitable,
  yieldNow,
} from 'tendril';
import * as crypto from 'tendril/patches/crypto';
import * as zlib from 'tendril/patches/zlib';
import { afterEach, describe, expect, it } from 'vitest';
import { failure, nothingLeft } from '../io/peers.ts';
import { type StuckPool, stuckPool } from '../io/stuck-pool.ts';

afterEach(nothingLeft);

const bytes = Buffer.from('tendril');
const pair = nodeCrypto.generateKeyPairSync('ec', { namedCurve: 'P-256' });
const signature = nodeCrypto.sign('sha256', bytes, pair.privateKey);
const key = (type: string): unknown => expect.objectContaining({ type });
const ofLength = (length: number): unknown => expect.objectContaining({ length });

type Case = readonly [op: () => Waitable<unknown>, gives: unknown];

const compressions: Record<string, Case> = {
  gzip: [() => zlib.gzip(bytes), nodeZlib.gzipSync(bytes)],
  gunzip: [() => zlib.gunzip(nodeZlib.gzipSync(bytes)), bytes],
  deflate: [() => zlib.deflate('tendril', { level: 1 }), nodeZlib.deflateSync(bytes, { level: 1 })],
  inflate: [() => zlib.inflate(nodeZlib.deflateSync(bytes)), bytes],
  deflateRaw: [() => zlib.deflateRaw(bytes), nodeZlib.deflateRawSync(bytes)],
  inflateRaw: [() => zlib.inflateRaw(nodeZlib.deflateRawSync(bytes)), bytes],
  unzip: [() => zlib.unzip(nodeZlib.deflateSync(bytes)), bytes],
  brotliCompress: [() => zlib.brotliCompress(bytes), nodeZlib.brotliCompressSync(bytes)],
  brotliDecompress: [() => zlib.brotliDecompress(nodeZlib.brotliCompressSync(bytes)), bytes],
  gzipSync: [() => zlib.gzipSync(bytes), nodeZlib.gzipSync(bytes)],
  gunzipSync: [() => zlib.gunzipSync(nodeZlib.gzipSync(bytes)), bytes],
  deflateSync: [() => zlib.deflateSync(bytes), nodeZlib.deflateSync(bytes)],
  inflateSync: [() => zlib.inflateSync(nodeZlib.deflateSync(bytes)), bytes],
  deflateRawSync: [() => zlib.deflateRawSync(bytes), nodeZlib.deflateRawSync(bytes)],
  inflateRawSync: [() => zlib.inflateRawSync(nodeZlib.deflateRawSync(bytes)), bytes],
  unzipSync: [() => zlib.unzipSync(nodeZlib.gzipSync(bytes)), bytes],
  brotliCompressSync: [() => zlib.brotliCompressSync(bytes), nodeZlib.brotliCompressSync(bytes)],
  brotliDecompressSync: [() => zlib.brotliDecompressSync(nodeZlib.brotliCompressSync(bytes)), bytes],
};
if ('zstdCompressSync' in nodeZlib) {
  const packed = (nodeZlib.zstdCompressSync as (data: Buffer) => Buffer)(bytes);
  // Node's own two forms differ in the header: one says how long the data is.
  const magic = expect.objectContaining({ 0: packed[0], 1: packed[1], 2: packed[2], 3: packed[3] });
  compressions.zstdCompress = [() => zlib.zstdCompress(bytes), magic];
  compressions.zstdCompressSync = [() => zlib.zstdCompressSync(bytes), magic];
  compressions.zstdDecompress = [() => zlib.zstdDecompress(packed), bytes];
  compressions.zstdDecompressSync = [() => zlib.zstdDecompressSync(packed), bytes];
}

const derived = nodeCrypto.pbkdf2Sync('a', 'b', 1, 8, 'sha256');
const expanded = nodeCrypto.hkdfSync('sha256', 'a', 'b', 'c', 8);
const pems = {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'pem' },
} as const;
const calculations: Record<string, Case> = {
  pbkdf2: [() => crypto.pbkdf2('a', 'b', 1, 8, 'sha256'), derived],
  pbkdf2Sync: [() => crypto.pbkdf2Sync('a', Buffer.from('b'), 1, 8, 'sha256'), derived],
  scrypt: [() => crypto.scrypt('a', 'b', 8, { N: 2 }), nodeCrypto.scryptSync('a', 'b', 8, { N: 2 })],
  scryptSync: [() => crypto.scryptSync('a', 'b', 8), nodeCrypto.scryptSync('a', 'b', 8)],
  hkdf: [() => crypto.hkdf('sha256', 'a', 'b', 'c', 8), expanded],
  hkdfSync: [() => crypto.hkdfSync('sha256', 'a', 'b', 'c', 8), expanded],
  generateKey: [() => crypto.generateKey('hmac', { length: 64 }), key('secret')],
  generateKeySync: [() => crypto.generateKeySync('aes', { length: 128 }), key('secret')],
  generateKeyPair: [
    () => crypto.generateKeyPair('ec', { namedCurve: 'P-256' }),
    { publicKey: key('public'), privateKey: key('private') },
  ],
  generateKeyPairSync: [
    () => crypto.generateKeyPairSync('ec', pems),
    {
      publicKey: expect.stringContaining('BEGIN PUBLIC KEY'),
      privateKey: expect.stringContaining('BEGIN PRIVATE KEY'),
    },
  ],
  generatePrime: [() => crypto.generatePrime(16), expect.objectContaining({ byteLength: 2 })],
  generatePrimeSync: [() => crypto.generatePrimeSync(16, { bigint: true }), expect.any(BigInt)],
  checkPrime: [() => crypto.checkPrime(7n), true],
  checkPrimeSync: [() => crypto.checkPrimeSync(8n), false],
  randomBytes: [() => crypto.randomBytes(5), ofLength(5)],
  sign: [() => crypto.sign('sha256', bytes, pair.privateKey), expect.any(Buffer)],
  verify: [() => crypto.verify('sha256', bytes, pair.publicKey, signature), true],
};
const agreed = nodeCrypto.diffieHellman(pair);
// Without the thread pool: integers come from bytes that are there, and an older Node computes on the calling thread.
const atOnce: Record<string, Case> = {
  randomInt: [() => crypto.randomInt(7, 8), 7],
  diffieHellman: [() => crypto.diffieHellman(pair), agreed],
};
if ('argon2Sync' in nodeCrypto) {
  const parameters = { message: 'a', nonce: '12345678', parallelism: 1, tagLength: 8, memory: 8, passes: 1 };
  calculations.argon2 = [() => crypto.argon2('argon2id', parameters), ofLength(8)];
  calculations.argon2Sync = [() => crypto.argon2Sync('argon2d', parameters), ofLength(8)];
}
if ('encapsulate' in nodeCrypto) {
  const curve = nodeCrypto.generateKeyPairSync('x25519');
  const sent = (
    nodeCrypto.encapsulate as (key: nodeCrypto.KeyObject) => { readonly sharedKey: Buffer; readonly ciphertext: Buffer }
  )(curve.publicKey);
  calculations.encapsulate = [
    () => crypto.encapsulate(curve.publicKey),
    { sharedKey: ofLength(32), ciphertext: ofLength(32) },
  ];
  calculations.decapsulate = [() => crypto.decapsulate(curve.privateKey, sent.ciphertext), sent.sharedKey];
}

const waits = Object.entries({ ...compressions, ...calculations });

async function withStuckPool(body: (pool: StuckPool, free: () => Op<void>) => Op<void>): Promise<void> {
  const pool = await stuckPool();
  let freed: Promise<void> | undefined;
  try {
    await run(() =>
      body(pool, function* () {
        freed = pool.free();
        yield* until(freed);
        while (hub.stats().externalWaits + hub.stats().orphans > 0) yield* sleep(1);
      }),
    );
  } finally {
    await (freed ?? pool.free());
  }
}

describe('A function of the twins of zlib and crypto', () => {
  it.each([...waits, ...Object.entries(atOnce)])('%s gives what Node gives, twice at once', (_name, [op, gives]) =>
    run(function* () {
      const other = spawn(op);
      expect([yield* op(), yield* other.get()]).toEqual([gives, gives]);
    }),
  );

  it.each(waits)('%s can be an arm of a select', (_name, [op, gives]) =>
    run(function* () {
      const selected = yield* select({ op: op(), never: sleep(Number.POSITIVE_INFINITY) });
      expect(selected).toEqual({ key: 'op', value: gives });
    }),
  );

  it.each(waits)('%s is given up at once by a kill and by a timeout', (_name, [op]) =>
    withStuckPool(function* (_pool, free) {
      const victim = spawn(op);
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      expect([victim.killed, victim.outcome?.ok]).toEqual([true, false]);
      expect(yield* failure(timeout(2, op()))).toBeInstanceOf(TimeoutError);
      expect(hub.stats().orphans).toBe(2);
      yield* free();
    }),
  );

  it('lets others run meanwhile, also under a name in ...Sync', () =>
    withStuckPool(function* (_pool, free) {
      const waiting = [spawn(() => zlib.gzipSync(bytes)), spawn(() => crypto.pbkdf2Sync('a', 'b', 1, 8, 'sha256'))];
      let ticks = 0;
      const ticking = setInterval(() => {
        ticks += 1;
      }, 1);
      while (ticks < 5) yield* sleep(1);
      clearInterval(ticking);
      expect(waiting.map(({ state }) => state)).toEqual(['parked', 'parked']);
      yield* free();
      for (const greenlet of waiting) yield* greenlet.get();
    }));

  it('that fills a buffer finishes first when it is killed', () =>
    withStuckPool(function* (_pool, free) {
      const target = new Uint8Array(64);
      const victims = [spawn(() => crypto.randomFill(target)), spawn(() => crypto.randomFillSync(target, 5, 6))];
      yield* yieldNow();
      for (const victim of victims) victim.kill();
      yield* sleep(2);
      expect(victims.map(({ state }) => state)).toEqual(['parked', 'parked']);
      yield* free();
      for (const victim of victims) yield* victim.join();
      expect(target.some((byte) => byte !== 0)).toBe(true);
    }));
});

describe('An error of the twins of zlib and crypto', () => {
  it("is Node's own, and its stack names who waited", () =>
    run(function* () {
      const attempts: [Op<unknown>, object][] = [
        [zlib.gunzip('no gzip'), { code: 'Z_DATA_ERROR' }],
        [zlib.inflateSync('no deflate'), { code: 'Z_DATA_ERROR' }],
        [zlib.gunzip(nodeZlib.gzipSync(Buffer.alloc(100)), { maxOutputLength: 5 }), { code: 'ERR_BUFFER_TOO_LARGE' }],
        [
          crypto.generateKeyPair('rsa', { modulusLength: 1 }),
          { message: expect.stringContaining('key size too small') },
        ],
        // What only Node can judge is refused where the wait begins.
        [zlib.gzip('a', { level: 55 }), { code: 'ERR_OUT_OF_RANGE' }],
        [crypto.pbkdf2('a', 'b', 1, 8, 'none'), { code: 'ERR_CRYPTO_INVALID_DIGEST' }],
        [crypto.randomInt(5, 4), { code: 'ERR_OUT_OF_RANGE' }],
        [crypto.verify('sha256', bytes, 'no key', signature), {}],
      ];
      for (const [op, expected] of attempts) {
        const error = yield* failure(op);
        expect(error).toMatchObject(expected);
        expect(error.stack).toContain('twins-zlib-crypto.test.ts');
      }
    }));

  it('for a bad argument, or a callback, is thrown at the call', () => {
    const bad: [unknown, () => unknown][] = [
      ['ERR_INVALID_ARG_TYPE', () => zlib.gzip(5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => zlib.gunzipSync(undefined as never)],
      ['ERR_INVALID_ARG_TYPE', () => zlib.gzip('a', (() => {}) as never)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.randomBytes('5' as never)],
      ['ERR_OUT_OF_RANGE', () => crypto.randomBytes(-1)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.randomInt(5, (() => {}) as never)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.pbkdf2('a', 'b', 1, 8, undefined as never)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.scrypt(5 as never, 'b', 8)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.randomFill('a' as never)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.sign('sha256', bytes, undefined as never)],
      ['ERR_INVALID_ARG_TYPE', () => crypto.checkPrime(7 as never)],
    ];
    expect(bad.map(([, call]) => codeOf(call))).toEqual(bad.map(([code]) => code));
  });
});

function codeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
