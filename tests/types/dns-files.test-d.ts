// dns-files.test-d.ts: what lookups and files give, by their options, and what they refuse.
//
// Checked by `npm run typecheck` and never run. A line under `@ts-expect-error` must not compile: tsc reports one that does.
import type { MxRecord, RecordWithTtl } from 'node:dns';
import type { BigIntStats, Dirent, Stats } from 'node:fs';
import { type ByteSource, dns, files, forEach, type Op, select, type Waitable } from 'tendril';
import { expectTypeOf } from 'vitest';

expectTypeOf(dns.lookup('a')).toEqualTypeOf<Waitable<dns.LookupAddress>>();
expectTypeOf(dns.lookup('a', { all: true })).toEqualTypeOf<Waitable<readonly dns.LookupAddress[]>>();
expectTypeOf(dns.resolve4('a')).toEqualTypeOf<Waitable<string[]>>();
expectTypeOf(dns.resolve6('a', { ttl: true })).toEqualTypeOf<Waitable<RecordWithTtl[]>>();
expectTypeOf(new dns.Resolver({ servers: ['127.0.0.1'] }).resolveMx('a')).toEqualTypeOf<Waitable<MxRecord[]>>();
// @ts-expect-error a family is 0, 4 or 6
dns.lookup('a', { family: 5 });
// @ts-expect-error servers are an array
new dns.Resolver({ servers: '127.0.0.1' });

expectTypeOf(files.readFile('a')).toEqualTypeOf<Waitable<Buffer>>();
expectTypeOf(files.readFile('a', 'utf8')).toEqualTypeOf<Waitable<string>>();
expectTypeOf(files.readFile('a', { encoding: 'utf8' })).toEqualTypeOf<Waitable<string>>();
expectTypeOf(files.stat('a')).toEqualTypeOf<Waitable<Stats>>();
expectTypeOf(files.stat('a', { bigint: true })).toEqualTypeOf<Waitable<BigIntStats>>();
expectTypeOf(files.readdir('a')).toEqualTypeOf<Waitable<string[]>>();
expectTypeOf(files.readdir('a', { withFileTypes: true })).toEqualTypeOf<Waitable<Dirent[]>>();
expectTypeOf(files.readdir('a', 'buffer')).toEqualTypeOf<Waitable<Buffer[]>>();
expectTypeOf(files.mkdir('a')).toEqualTypeOf<Op<undefined>>();
expectTypeOf(files.mkdir('a', { recursive: true })).toEqualTypeOf<Op<string | undefined>>();
expectTypeOf(files.open('a')).toEqualTypeOf<Waitable<files.File>>();
expectTypeOf<files.File>().toExtend<ByteSource>();

select({ stat: files.stat('a'), name: dns.lookup('a') });
// @ts-expect-error a change cannot be taken back, so it is no arm
select({ write: files.writeFile('a', 'b') });
// @ts-expect-error a path is a string, bytes or a URL
files.stat(5);
// @ts-expect-error flags and modes are no objects
files.open('a', {});

forEach(files.lines('a'), function* (line) {
  expectTypeOf(line).toEqualTypeOf<string>();
});
forEach(files.watch('a'), function* ({ eventType, filename }) {
  expectTypeOf(eventType).toEqualTypeOf<'rename' | 'change' | 'overflow'>();
  expectTypeOf(filename).toEqualTypeOf<string | null>();
});
