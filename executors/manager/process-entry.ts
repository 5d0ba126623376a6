// process-entry.ts: the program of a manager's process. Manager.start() forks it; nothing imports it.
//
// It loads the module of the definition, listens, says so, and serves until whoever started it has disconnected, which is also what happens when that process
// dies. A thread looks whether our parent is still the same, because a method that never returns keeps us from hearing of it.
//
// An interrupt from the terminal goes to the whole group: the parent decides what becomes of us, so it is ignored.

import { rmSync } from 'node:fs';
import { dirname } from 'node:path';
import { Worker } from 'node:worker_threads';
import type { Op } from '../../core/op.ts';
import { spawnWith } from '../../core/spawn.ts';
import '../../io/hub.ts';
import { listen } from '../../io/listen.ts';
import { beginWorker, importedFor } from '../../io/nesting.ts';
import { serve } from '../../io/serve.ts';
import { until } from '../../io/until.ts';
import { describeThrown } from '../thrown.ts';
import { classesOf, type ManagedClass } from './definition.ts';
import type { ManagerStart, ManagerStarted } from './host.ts';
import { ManagedObjects } from './managed-objects.ts';
import { readyMade } from './ready-made.ts';
import { serveClient } from './session.ts';

/** How long objects that are disposed of may take, once nobody is there to stop us any more. */
const MOST_MS = 4000;

/** Ends this process, whatever the main thread does, when its parent is another one than at the start. */
const WATCH = `
const { workerData: { parent, folder } } = require('node:worker_threads');
setInterval(() => {
  if (process.ppid === parent) return;
  require('node:fs').rmSync(folder, { recursive: true, force: true });
  process.kill(process.pid, 'SIGKILL');
}, 1000);
`;

function tell(message: ManagerStarted): void {
  if (process.connected) process.send?.(message, undefined, undefined, () => {});
}

function* classes(module: string | undefined): Op<ReadonlyMap<string, ManagedClass>> {
  if (module === undefined) return readyMade;
  yield* until(importedFor(module, () => import(module)));
  const found = classesOf(module);
  if (found === undefined)
    throw new TypeError(`${module} defines no managed classes: call defineManaged(import.meta.url, {...}) in it`);
  return new Map([...readyMade, ...found]);
}

function* manage({ address, module }: ManagerStart): Op<void> {
  const objects = new ManagedObjects(yield* classes(module));
  const listener = yield* listen({ path: address });
  tell({ listens: true });
  yield* serve(listener, (socket) => serveClient(objects, socket), {
    maxConnections: Number.POSITIVE_INFINITY,
    graceMs: 0,
  });
}

beginWorker(process.argv);
process.on('SIGINT', () => {});
process.once('message', (start: ManagerStart) => {
  const folder = dirname(start.address);
  const manager = spawnWith({ name: 'manager' }, manage, start);
  const end = (): void => {
    manager.kill('the parent process has gone');
    setTimeout(exit, MOST_MS).unref();
    manager.link(exit);
  };
  const exit = (): void => {
    rmSync(folder, { recursive: true, force: true });
    process.exit();
  };
  // A failure is told, and whoever has started us ends us.
  manager.linkError(({ outcome }) => {
    if (outcome?.ok === false && !outcome.killed) tell({ failed: describeThrown(outcome.error) });
  });
  process.on('disconnect', end);
  if (!process.connected) end();
  new Worker(WATCH, { eval: true, workerData: { parent: process.ppid, folder } }).unref();
});
