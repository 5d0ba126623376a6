// memcached.ts: a memcached client in sequential style: one connection, and greenlets that take turns on it.
//
// Where to read on: memcached/client.ts (the conversation, and what happens when it is given up), memcached/checks.ts (what may be sent).
//
// How to run: npx tsx samples/memcached.ts [port]      (on 127.0.0.1, 11211 by default; it uses keys that begin with tendril:sample:)

import { ConnectError, main, type Op, scope, TimeoutError } from 'tendril';
import { MemcachedError } from './memcached/checks.ts';
import { Memcached } from './memcached/client.ts';

export { MemcachedError, MemcachedProtocolError } from './memcached/checks.ts';
export { type Item, Memcached, type MemcachedOptions, type StoreOptions } from './memcached/client.ts';

const prefix = `tendril:sample:${process.pid}:`;

/** Add a loaf to a list that others change too: read it, change it, and store it if nobody was faster. */
function* bake(cache: Memcached, key: string, loaf: string): Op<void> {
  for (;;) {
    const list = yield* cache.gets(key);
    if (list?.cas === undefined) return;
    if ((yield* cache.cas(key, `${list.value} ${loaf}`, list.cas)) === 'stored') return;
  }
}

function* tour(cache: Memcached): Op<void> {
  const [bread, count] = [`${prefix}bread`, `${prefix}count`];
  yield* cache.set(bread, 'rye', { ttlSeconds: 60 });
  yield* cache.set(count, '41', { ttlSeconds: 60 });
  console.log(`a number: ${yield* cache.incr(count)}`);
  console.log(`added again: ${yield* cache.add(bread, 'wheat')}`);
  const found = yield* cache.getMany([bread, count, `${prefix}nothing`]);
  console.log(`found: ${[...found.values()].join(', ')}`);

  yield* scope(function* bakers(s): Op<void> {
    for (const loaf of ['wheat', 'spelt', 'oat']) s.spawn(bake, cache, bread, loaf);
  });
  const loaves = String(yield* cache.get(bread)).split(' ');
  console.log(`three bakers, no loaf lost: ${loaves.sort().join(', ')}`);

  try {
    yield* cache.incr(bread);
  } catch (error) {
    if (!(error instanceof MemcachedError)) throw error;
    console.log(`an error, where it belongs: ${error.message}`);
  }
  for (const key of [bread, count]) yield* cache.delete(key);
}

function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 11_211);
  const cache = new Memcached({ port });
  try {
    yield* tour(cache);
  } catch (error) {
    if (!(error instanceof ConnectError || error instanceof TimeoutError)) throw error;
    console.error(`No memcached answers: ${error.message}. Start one with: memcached -l 127.0.0.1`);
    process.exitCode = 1;
  } finally {
    cache.close();
  }
}

if (process.argv[1] === import.meta.filename) main(program);
