// manager-ground.ts: a manager to test, of the classes in managed-classes.ts, and a folder for what they write.
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { type Op, sleep, timeout } from 'tendril';
import { Manager } from 'tendril/executors/manager';
import { afterAll } from 'vitest';
import { moduleFile } from '../program-file.ts';
import type { managed } from './managed-classes.ts';

export type Classes = (typeof managed)['classes'];
export const module = moduleFile(readFileSync(new URL('./managed-classes.ts', import.meta.url), 'utf8'));
/** Removed after the tests of a file. */
export const folder = mkdtempSync(path.join(os.tmpdir(), 'tendril-test-'));
afterAll(() => rmSync(folder, { recursive: true }));

export const start = (): Op<Manager<Classes>> => Manager.start<Classes>(module, { execArgv: [] });

/** Wait until `holds`, which another process brings about. */
export function* eventually(holds: () => boolean): Op<void> {
  yield* timeout(
    10_000,
    (function* () {
      while (!holds()) yield* sleep(5);
    })(),
  );
}
