// compile.ts: makes JavaScript of the library once for a run of vitest, for programs that tests start in processes of their own.
//
// A program over the sources spends most of a second on compiling them, and tests start a hundred. Each run has a folder of its own, so several may run
// side by side. CI runs what a user types (`npm run demo`) over the sources.
import { execFileSync } from 'node:child_process';
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    /** The folder that has io/index.js. */
    library: string;
  }
}

export const root: string = path.resolve(import.meta.dirname, '..');

interface TsConfig {
  readonly compilerOptions: { readonly paths: Readonly<Record<string, readonly string[]>> };
}

/** Where this run of vitest, which is one process and those that it starts, has the library. */
export function libraryFolder(): string {
  return path.join(root, `tests/.tmp/library-${process.pid}`);
}

export default function setup({ provide }: TestProject): () => void {
  const library = libraryFolder();
  rmSync(library, { recursive: true, force: true });
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
  // For what runs through tsx: `TSX_TSCONFIG_PATH` leads the public names here.
  const { compilerOptions } = JSON.parse(readFileSync(path.join(root, 'tsconfig.json'), 'utf8')) as TsConfig;
  const paths = Object.entries(compilerOptions.paths).map(([name, [target]]) => [name, [target?.replace(/ts$/, 'js')]]);
  const config = { compilerOptions: { ...compilerOptions, paths: Object.fromEntries(paths) } };
  writeFileSync(path.join(library, 'tsconfig.json'), JSON.stringify(config));
  provide('library', library);
  return () => rmSync(library, { recursive: true });
}
