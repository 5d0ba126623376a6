// docs.test.ts: what docs/libraries.md shows of libraries that need a server compiles with those libraries.
import { spawnSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { expect, it } from 'vitest';
import type {} from '../compile.ts';
import { blocksOf, root } from '../pages/blocks.ts';

it('The fragments of the page on libraries compile', () => {
  const page = 'docs/libraries.md';
  const fragments = blocksOf(page, readFileSync(`${root}${page}`, 'utf8')).filter(({ fragment }) => fragment);
  // Where their imports lead to the packages.
  const packages = `${root}tests/libraries/node_modules`;
  mkdirSync(packages, { recursive: true });
  const workspace = mkdtempSync(`${packages}/.docs-`);
  try {
    const files = fragments.map(({ file }) => file.replace(/ts$/, 'mts'));
    for (const [i, { code }] of fragments.entries()) writeFileSync(`${workspace}/${files[i]}`, code);
    const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
    const config = { extends: `${root}tests/libraries/tsconfig.json`, compilerOptions, files, include: [] };
    writeFileSync(`${workspace}/tsconfig.json`, JSON.stringify(config));
    const tsc = `${root}node_modules/.bin/tsc`;
    const { status, stdout } = spawnSync(process.execPath, [tsc, '-p', workspace, '--pretty', 'false'], {
      encoding: 'utf8',
    });
    expect({ status, stdout, fragments: fragments.length }).toEqual({ status: 0, stdout: '', fragments: 3 });
  } finally {
    rmSync(workspace, { recursive: true });
  }
});
