// patched.ts: a program of a stranger that patches promises and uses twins of Node's modules, with their types.
import { run, timeout } from 'tendril';
import { patchAll, patchPromise } from 'tendril/patches';
import { createHash } from 'tendril/patches/crypto';
import { readFile } from 'tendril/patches/fs';
import type {} from 'tendril/patches/promise';

const patches = patchAll();
patchPromise();
const hash: string = await run(function* () {
  const text: string = yield* timeout(5_000, readFile('package.json', 'utf8'));
  const name: string = yield* Promise.resolve((JSON.parse(text) as { name: string }).name);
  return createHash('sha256').update(name).digest('hex');
});
patches.undo();
console.log(hash.length);
