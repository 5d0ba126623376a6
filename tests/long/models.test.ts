// models.test.ts: random programs of each primitive against a plain model of it; prints how many were played.
//
// The kernel's invariants and those of the primitive are asserted after every step (world.ts). A failure is shrunk by fast-check, which prints
// the seed and the path that play it again.
import fc from 'fast-check';
import type { Op } from 'tendril/core';
import { afterEach, describe, expect, it } from 'vitest';
import { checks, play, unwatchAll } from '../core/world.ts';
import { outcomes } from './models/actors.ts';
import * as channels from './models/channels.ts';
import * as conditions from './models/conditions.ts';
import * as locks from './models/locks.ts';
import * as pools from './models/pools.ts';
import * as queues from './models/queues.ts';
import * as selects from './models/selects.ts';
import * as semaphores from './models/semaphores.ts';
import * as treePrograms from './models/tree-programs.ts';
import { playTree } from './models/trees.ts';

afterEach(unwatchAll);

const PROGRAMS = Number(process.env.TENDRIL_MODEL_PROGRAMS ?? 2000);

async function playAll<P>(title: string, programs: fc.Arbitrary<P>, perform: (program: P) => Op<void>): Promise<void> {
  let played = 0;
  outcomes.clear();
  const before = checks.steps;
  const startMs = performance.now();
  const details = await fc.check(
    fc.asyncProperty(programs, async (program) => {
      unwatchAll();
      played += 1;
      await play(() => perform(program));
    }),
    { numRuns: PROGRAMS },
  );
  const seconds = ((performance.now() - startMs) / 1000).toFixed(1);
  console.log(
    `${title}: ${played} programs, ${checks.steps - before} steps checked, ${seconds} s, seed ${details.seed}`,
  );
  console.log([...outcomes].map(([kind, times]) => `${kind} ${times}`).join(', '));
  if (details.failed) throw new Error(fc.defaultReportMessage(details), { cause: details.errorInstance });
  expect(played).toBeGreaterThanOrEqual(PROGRAMS);
}

describe('agrees with a plain model after every command, under kill, throw and timeout:', () => {
  it('S7: a channel', () => playAll('channel', channels.programs, channels.playChannel));
  it('S8a: select over channels, a lock and sleeps', () => playAll('select', selects.programs, selects.playSelects));
  it.each(['mutex', 'rlock', 'rwlock'] as const)('S11, S12: two locks of the kind %s', (kind) =>
    playAll(kind, locks.programs(kind), locks.playLocks),
  );
  it('S21: a condition', () => playAll('condition', conditions.programs, conditions.playCondition));
  it.each(['fifo', 'lifo', 'priority', 'joinable'] as const)('S7, S12: a %s queue', (order) =>
    playAll(`${order} queue`, queues.programs(order), queues.playQueue),
  );
  it('S21: a pool', () => playAll('pool', pools.programs, pools.playPool));
  it('S21: map and imap of a pool', () => playAll('map', pools.mapPrograms, pools.playMaps));
  it('S9: nested scopes', () => playAll('scope', treePrograms.programs(['spawn', 'scope']), playTree));
  it('S5, S8: nested timeouts, deadlines and shields', () =>
    playAll('timeout', treePrograms.programs(['timeout', 'deadline', 'limit', 'shield']), playTree));
  it('S5, S8, S9: scopes, timeouts and shields in one another', () =>
    playAll(
      'scope and timeout',
      treePrograms.programs(['spawn', 'scope', 'timeout', 'deadline', 'limit', 'shield']),
      playTree,
    ));
  it('S12: a semaphore', () => playAll('semaphore', semaphores.programs(false), semaphores.playSemaphore));
  it('S12: a bounded semaphore', () =>
    playAll('bounded semaphore', semaphores.programs(true), semaphores.playSemaphore));
});
