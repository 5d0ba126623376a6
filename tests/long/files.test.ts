// files.test.ts: changes that are stuck in the thread pool for longer than the grace are given up, and what they do afterwards disturbs nothing.
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { files, hub, now, type Op, run, sleep, spawn, TimeoutError, timeout, until, yieldNow } from 'tendril';
import { expect, it } from 'vitest';
import { failure, nothingLeft } from '../io/peers.ts';
import { stuckPool } from '../io/stuck-pool.ts';

it('A change that is stuck for 5 s longer is given up, and no later write overtakes it', {
  timeout: 20_000,
}, async () => {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), 'tendril-grace-'));
  const at = (name: string): string => path.join(folder, name);
  fs.writeFileSync(at('file'), 'x'.repeat(100));
  const file = await run(() => files.open(at('order'), 'w'));
  const pool = await stuckPool();
  await run(function* () {
    const killed = [
      () => files.writeFile(at('written'), 'all'),
      () => files.mkdtemp(at('temp-')),
      () => files.rename(at('file'), at('renamed')),
      () => file.write('first '),
    ].map((op) => spawn<[], unknown>(op));
    const late = spawn(() => failure(timeout(10, files.mkdir(at('made')))));
    const next = spawn(() => file.write('second'));
    yield* yieldNow();
    const startMs = now();
    for (const victim of killed) victim.kill();
    yield* sleep(4900);
    expect(killed.map(({ state }) => state)).toEqual(killed.map(() => 'parked'));
    for (const victim of killed) yield* victim.join();
    expect(yield* late.get()).toBeInstanceOf(TimeoutError);
    const tookMs = now() - startMs;
    expect(tookMs >= 4999 && tookMs < 6500).toBe(true);
    expect(killed.map(({ killed, outcome }) => [killed, outcome?.ok])).toEqual(killed.map(() => [true, false]));
    // The write that is stuck still has its turn.
    expect([hub.stats().orphans, next.state]).toEqual([5, 'parked']);
    yield* until(pool.free());
    yield* next.get() as Op<void>;
    while (hub.stats().orphans > 0) yield* sleep(1);
    yield* file.closeGracefully();
    expect(fs.readFileSync(at('order'), 'utf8')).toBe('first second');
    // What was given up may still have happened; a folder that nobody knows of is removed again.
    expect(fs.existsSync(at('renamed'))).toBe(true);
    for (let i = 0; i < 1000 && fs.readdirSync(folder).some((name) => name.startsWith('temp-')); i += 1)
      yield* sleep(1);
    expect(fs.readdirSync(folder).filter((name) => name.startsWith('temp-'))).toEqual([]);
    // It was told to stop before a thread was free.
    expect(fs.existsSync(at('written')) && fs.readFileSync(at('written'), 'utf8') !== '').toBe(false);
  });
  nothingLeft();
  fs.rmSync(folder, { recursive: true });
});
