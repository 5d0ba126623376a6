// twins.test-d.ts: what the twins of Node's modules take and give, by the overloads of Node's own functions, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import type { KeyObject } from 'node:crypto';
import type { AnyRecord, MxRecord, RecordWithTtl } from 'node:dns';
import type { BigIntStats, Dirent, Stats } from 'node:fs';
import { forEach, type Op, select, timeout, type Waitable } from 'tendril';
import * as crypto from 'tendril/patches/crypto';
import * as dns from 'tendril/patches/dns';
import * as fs from 'tendril/patches/fs';
import * as readline from 'tendril/patches/readline';
import * as stream from 'tendril/patches/stream';
import * as timers from 'tendril/patches/timers';
import * as zlib from 'tendril/patches/zlib';
import { expectTypeOf } from 'vitest';

expectTypeOf(fs.readFile('a')).toExtend<Waitable<Buffer>>();
expectTypeOf(fs.readFile('a', 'utf8')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(fs.readFile('a', { encoding: 'utf8', flag: 'r' })).toEqualTypeOf<Waitable<string>>();
expectTypeOf(fs.readFile(new URL('file:///a'), null)).toExtend<Waitable<Buffer>>();
expectTypeOf(fs.readFile(5, 'utf8')).toEqualTypeOf<Op<string>>();
expectTypeOf(fs.readFileSync('a', 'utf8')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(fs.readFileSync('a')).toExtend<Waitable<Buffer>>();
expectTypeOf(fs.stat('a')).toEqualTypeOf<Waitable<Stats>>();
expectTypeOf(fs.stat('a', { bigint: true })).toEqualTypeOf<Waitable<BigIntStats>>();
expectTypeOf(fs.statSync('a')).toEqualTypeOf<Waitable<Stats>>();
expectTypeOf(fs.statSync('a', { throwIfNoEntry: false })).toEqualTypeOf<Waitable<Stats | undefined>>();
expectTypeOf(fs.readdir('a')).toEqualTypeOf<Waitable<string[]>>();
expectTypeOf(fs.readdir('a', { withFileTypes: true })).toEqualTypeOf<Waitable<Dirent[]>>();
expectTypeOf(fs.readdirSync('a', 'buffer')).toExtend<Waitable<Buffer[]>>();
expectTypeOf(fs.mkdir('a')).toEqualTypeOf<Op<void>>();
expectTypeOf(fs.mkdir('a', { recursive: true })).toEqualTypeOf<Op<string | undefined>>();
expectTypeOf(fs.mkdtempSync('a')).toEqualTypeOf<Op<string>>();
expectTypeOf(fs.exists('a')).toEqualTypeOf<Waitable<boolean>>();
expectTypeOf(fs.existsSync('a')).toEqualTypeOf<Waitable<boolean>>();
expectTypeOf(fs.open('a')).toEqualTypeOf<Waitable<number>>();
expectTypeOf(fs.openSync('a', 'w', 0o600)).toEqualTypeOf<Waitable<number>>();
expectTypeOf(fs.close(5)).toEqualTypeOf<Op<void>>();
expectTypeOf(fs.read(5, new Uint8Array(8), 0, 8, null)).toEqualTypeOf<Op<fs.BytesRead<Uint8Array<ArrayBuffer>>>>();
expectTypeOf(fs.read(5)).toEqualTypeOf<Op<fs.BytesRead<Buffer>>>();
expectTypeOf(fs.readSync(5, Buffer.alloc(8))).toEqualTypeOf<Op<number>>();
expectTypeOf(fs.write(5, 'a')).toEqualTypeOf<Op<fs.BytesWritten<string>>>();
expectTypeOf(fs.writeSync(5, 'a')).toEqualTypeOf<Op<number>>();
expectTypeOf(fs.writeFile('a', 'b')).toEqualTypeOf<Op<void>>();
expectTypeOf(fs.realpath('a')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(fs.realpath.native('a')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(fs.realpathSync.native('a')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(fs.opendir('a')).toEqualTypeOf<Waitable<fs.Dir>>();
expectTypeOf(fs.glob('a')).toEqualTypeOf<Waitable<string[]>>();
expectTypeOf(fs.glob('a', { withFileTypes: true })).toEqualTypeOf<Waitable<Dirent[]>>();
expectTypeOf(fs.openAsBlob('a')).toExtend<Waitable<Blob>>();
expectTypeOf(fs.constants.O_APPEND).toEqualTypeOf<number>();

select({ stat: fs.stat('a'), text: fs.readFile('a', 'utf8') });
timeout(5, fs.rename('a', 'b'));
// @ts-expect-error a change cannot be taken back, so it is no arm
select({ write: fs.writeFile('a', 'b') });
// @ts-expect-error nor can a read of a descriptor
select({ read: fs.readFile(5) });
// @ts-expect-error a path is no number
fs.stat(5);
// @ts-expect-error a twin takes no callback
fs.readFile('a', () => {});
// @ts-expect-error text has no such encoding
fs.readFile('a', 'utf-9');
// @ts-expect-error data is needed
fs.writeFile('a');
// @ts-expect-error it is an Op, and no promise
fs.readFile('a').then(() => {});

expectTypeOf(dns.lookup('a')).toEqualTypeOf<Waitable<dns.LookupAddress>>();
expectTypeOf(dns.lookup('a', 4)).toEqualTypeOf<Waitable<dns.LookupAddress>>();
expectTypeOf(dns.lookup('a', { all: true })).toEqualTypeOf<Waitable<readonly dns.LookupAddress[]>>();
expectTypeOf(dns.lookupService('127.0.0.1', 22)).toEqualTypeOf<Waitable<{ hostname: string; service: string }>>();
expectTypeOf(dns.resolve('a')).toEqualTypeOf<Waitable<string[]>>();
expectTypeOf(dns.resolve('a', 'MX')).toEqualTypeOf<Waitable<MxRecord[]>>();
expectTypeOf(dns.resolve('a', 'ANY')).toEqualTypeOf<Waitable<AnyRecord[]>>();
expectTypeOf(dns.resolve4('a', { ttl: true })).toEqualTypeOf<Waitable<RecordWithTtl[]>>();
expectTypeOf(new dns.Resolver().resolve6('a')).toEqualTypeOf<Waitable<string[]>>();
// @ts-expect-error a family is 0, 4 or 6
dns.lookup('a', 5);
// @ts-expect-error the type of a record is text
dns.resolve('a', 5);

expectTypeOf(zlib.gzip('a')).toExtend<Waitable<Buffer>>();
expectTypeOf(zlib.brotliDecompressSync(Buffer.alloc(0), { maxOutputLength: 5 })).toExtend<Waitable<Buffer>>();
expectTypeOf(zlib.zstdCompress('a')).toEqualTypeOf<Waitable<Buffer>>();
// @ts-expect-error bytes or text
zlib.gzip(5);

expectTypeOf(crypto.randomBytes(5)).toEqualTypeOf<Waitable<Buffer>>();
expectTypeOf(crypto.randomInt(5)).toEqualTypeOf<Waitable<number>>();
expectTypeOf(crypto.randomFill(new Uint8Array(5))).toEqualTypeOf<Op<Uint8Array<ArrayBuffer>>>();
expectTypeOf(crypto.pbkdf2('a', 'b', 1, 8, 'sha1')).toExtend<Waitable<Buffer>>();
expectTypeOf(crypto.scrypt('a', 'b', 8, { N: 2 })).toExtend<Waitable<Buffer>>();
expectTypeOf(crypto.hkdfSync('sha1', 'a', 'b', 'c', 8)).toEqualTypeOf<Waitable<ArrayBuffer>>();
expectTypeOf(crypto.generatePrime(16)).toEqualTypeOf<Waitable<ArrayBuffer>>();
expectTypeOf(crypto.generatePrime(16, { bigint: true })).toEqualTypeOf<Waitable<bigint>>();
expectTypeOf(crypto.checkPrime(5n)).toEqualTypeOf<Waitable<boolean>>();
expectTypeOf(crypto.generateKeyPair('rsa', { modulusLength: 512 })).toExtend<
  Waitable<{ publicKey: KeyObject; privateKey: KeyObject }>
>();
const pem = crypto.generateKeyPairSync('ec', {
  namedCurve: 'P-256',
  publicKeyEncoding: { type: 'spki', format: 'pem' },
  privateKeyEncoding: { type: 'pkcs8', format: 'der' },
});
expectTypeOf(pem).toExtend<Waitable<{ publicKey: string; privateKey: Buffer }>>();
expectTypeOf(crypto.sign('sha1', Buffer.alloc(0), 'key')).toExtend<Waitable<Buffer>>();
expectTypeOf(crypto.verify('sha1', Buffer.alloc(0), 'key', Buffer.alloc(0))).toEqualTypeOf<Waitable<boolean>>();
// @ts-expect-error there is no such kind of key
crypto.generateKeyPair('rsb', {});
// @ts-expect-error the Buffer comes from `yield*`
crypto.randomBytes(5).toString('hex');

expectTypeOf(timers.setTimeout(5)).toEqualTypeOf<Waitable<void>>();
expectTypeOf(timers.setTimeout(5, 'a')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(timers.setImmediate(5)).toEqualTypeOf<Waitable<number>>();
expectTypeOf(timers.setInterval(5, 'a')).toEqualTypeOf<timers.Interval<string>>();
expectTypeOf(timers.scheduler.wait(5)).toEqualTypeOf<Waitable<void>>();
forEach(timers.setInterval(5, 'a'), function* (value) {
  expectTypeOf(value).toEqualTypeOf<string>();
});
// @ts-expect-error a function is called by spawnLater, or by node:timers
timers.setTimeout(() => {}, 5);
// @ts-expect-error the greenlet decides
timers.setTimeout(5, undefined, { ref: false });

const rl = readline.createInterface({ input: process.stdin });
expectTypeOf(rl).toEqualTypeOf<readline.Interface>();
expectTypeOf(rl.question('a')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(rl.readLine()).toEqualTypeOf<Waitable<string | null>>();
expectTypeOf(readline.cursorTo(process.stdout, 5)).toEqualTypeOf<Waitable<void>>();
rl.on('SIGINT', () => rl.close());
forEach(rl, function* (line) {
  expectTypeOf(line).toEqualTypeOf<string>();
});
// @ts-expect-error a twin takes no callback
rl.question('a', (_answer: string) => {});

expectTypeOf(stream.finished(process.stdin)).toEqualTypeOf<Waitable<void>>();
expectTypeOf(stream.pipeline(process.stdin, process.stdout)).toEqualTypeOf<Op<void>>();
expectTypeOf(stream.pipeline([process.stdin, process.stdout], { end: false })).toEqualTypeOf<Op<void>>();
expectTypeOf(stream.pipeline(process.stdin, async (_source) => 5)).toEqualTypeOf<Op<number>>();
// @ts-expect-error what has been written stays written, so it is no arm
select({ copy: stream.pipeline(process.stdin, process.stdout) });
// @ts-expect-error a source needs somewhere to go
stream.pipeline(process.stdin);
