// compile.ts: makes JavaScript of the library once for a run of vitest, for programs that tests start in processes of their own.
//
// A program over the sources spends most of a second on compiling them, and tests start a hundred. Each run has a folder of its own, so several may run
// side by side. Tests of what a user types (`npx tsx ...`) go over the sources as ever.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, rmSync } from 'node:fs';
import path from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder that has io/index.js. */
    library: string;
  }
}

const root = path.resolve(import.meta.dirname, '..');

export default function setup({ provide }: TestProject): () => void {
  mkdirSync(path.join(root, 'tests/.tmp'), { recursive: true });
  const library = mkdtempSync(path.join(root, 'tests/.tmp/library-'));
  const options = [
    '--noCheck',
    '--declaration',
    'false',
    '--isolatedDeclarations',
    'false',
    '--declarationMap',
    'false',
  ];
  const tsc = path.join(root, 'node_modules/.bin/tsc');
  execFileSync(process.execPath, [tsc, '-p', 'tsconfig.build.json', ...options, '--outDir', library], { cwd: root });
  provide('library', library);
  return () => rmSync(library, { recursive: true });
}
