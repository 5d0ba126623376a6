// bugs.test.ts: each of the bugs is found, made simple, and repeated from the printed token, here and in a fresh process.
import { execFile } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { ExplorationError, explore, replay } from 'tendril/testing';
import { describe, expect, inject, it } from 'vitest';
import { BUGS, type Bug } from './bugs.ts';

const script = fileURLToPath(new URL('replay-one.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

async function find(bug: Bug, seeds = 10_000): Promise<ExplorationError> {
  try {
    await explore(bug.body, { seeds });
  } catch (error) {
    if (error instanceof ExplorationError) return error;
    throw error;
  }
  throw new Error(`${bug.name} was not found in ${seeds} runs`);
}

describe('explore', () => {
  it.each(BUGS)('finds, shrinks and replays: $name', async (bug) => {
    const found = await find(bug);
    const printed = /replay\('([^']+)'/.exec(found.message)?.[1] as string;
    expect(printed).toBe(found.token);
    expect((found.cause as Error).message).toMatch(bug.message);
    expect(found.choices.filter((n) => n !== 0).length).toBeLessThanOrEqual(8);
    await expect(replay(printed, bug.body)).rejects.toThrow(bug.message);
    const { stdout } = await promisify(execFile)(process.execPath, ['--import', 'tsx', script, bug.name, printed], {
      cwd: root,
      env: { ...process.env, TSX_TSCONFIG_PATH: `${inject('library')}/tsconfig.json` },
    });
    expect(stdout.trim()).toMatch(bug.message);
    console.log(`${bug.name}: run ${found.runs}, token ${found.token}, ${found.choices.length} choices`);
  });
});
