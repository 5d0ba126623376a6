// twins-patched.test.ts: a twin calls Node as it was before any patch, also if it is loaded after one.
import node from 'node:fs';
import { run } from 'tendril';
import { patchBlocking } from 'tendril/patches';
import { afterEach, describe, expect, it } from 'vitest';
import { realModule } from '../../patches/twins/real-module.ts';
import { nothingLeft } from '../io/peers.ts';

afterEach(nothingLeft);

describe('A twin', () => {
  it('gets the functions of Node that a patch has replaced', () => {
    const { readFileSync } = node;
    const patch = patchBlocking();
    try {
      expect(node.readFileSync).not.toBe(readFileSync);
      expect(realModule('fs', node).readFileSync).toBe(readFileSync);
    } finally {
      patch.undo();
    }
    expect(realModule('fs', node).readFileSync).toBe(readFileSync);
  });

  it('that is loaded after the patches blocks nobody, so nobody is warned', async () => {
    const warnings: unknown[] = [];
    const warn = (warning: unknown): unknown => warnings.push(warning);
    process.on('warning', warn);
    const patch = patchBlocking();
    try {
      const fs = await import('tendril/patches/fs');
      const crypto = await import('tendril/patches/crypto');
      const zlib = await import('tendril/patches/zlib');
      await run(function* () {
        const { length } = yield* fs.readFileSync('package.json');
        expect(length).toBe((yield* fs.statSync('package.json')).size);
        yield* crypto.scryptSync('a', 'b', 8);
        yield* zlib.gzipSync('a');
      });
      // A process warning comes a tick later.
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toEqual([]);
      // Only that nothing was warned of because nothing is watched is ruled out by this.
      await run(function* () {
        node.statSync('package.json');
      });
      await new Promise((resolve) => setImmediate(resolve));
      expect(warnings).toHaveLength(1);
    } finally {
      patch.undo();
      process.off('warning', warn);
    }
  });
});
