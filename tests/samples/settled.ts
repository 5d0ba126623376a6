// settled.ts: after a test, nothing that it started may be left: no greenlet, no timer, no handle.
import { hub, type Op, openHandles, run, sleep } from 'tendril';
import { expect, vi } from 'vitest';

// These tests talk to other processes, which a busy machine may keep waiting.
vi.setConfig({ testTimeout: 60_000, hookTimeout: 60_000 });

/** Wait a little for what is on its way out, then require that nothing is left. */
export async function expectNothingLeft(): Promise<void> {
  await run(function* settle(): Op<void> {
    for (let i = 0; i < 400 && (hub.stats().greenlets > 1 || openHandles().total > 0); i += 1) yield* sleep(5);
  });
  const { greenlets, externalWaits, timers } = hub.stats();
  expect({ greenlets, externalWaits, timers, open: openHandles().names }).toEqual({
    greenlets: 0,
    externalWaits: 0,
    timers: 0,
    open: [],
  });
}
