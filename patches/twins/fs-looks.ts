// fs-looks.ts: the twins of fs that only look: at what a path leads to, at folders, at contents; and those that open.
//
// Each is one wait that a kill or a timeout ends at once; what comes late is dropped, and a descriptor that was opened too late is closed. The exception is
// readFile of a descriptor: that moves its position, so it finishes first.
// A name in ...Sync has the arguments and the result of Node's, and does the asynchronous call.

import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import type { Waitable } from '../../core/op.ts';
import type { Done } from '../../io/callback.ts';
import { codeOf } from '../../io/errors.ts';
import { settle } from '../../io/files-call.ts';
import { eitherSignal } from '../../io/files-look.ts';
import { namedOptions } from '../../io/files-path.ts';
import {
  anything,
  count,
  descriptor,
  maybe,
  numberOrText,
  options,
  path,
  pathOrDescriptor,
} from './argument-checks.ts';
import { type CallSpec, eitherTwin, lookingTwin } from './node-call.ts';
import { realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

const real = realModule('fs', fs);
const { native } = fs.realpath;
const { readdir: listBelow } = realModule('fs/promises', fsPromises);

const pathOptions = [path, maybe(options)];

const accessing = { checks: [path, maybe(count)], call: real.access };
export const access: Twin<typeof fs.access.__promisify__, 'promise'> = lookingTwin('fs.access', accessing);
export const accessSync: Twin<typeof fs.accessSync, 'sync'> = lookingTwin('fs.accessSync', accessing);

const existing: CallSpec = {
  checks: [path],
  call: real.exists,
  start: ([file], done) => real.exists(file, (is) => done(null, is)),
};
export const exists: Twin<typeof fs.exists.__promisify__, 'promise'> = lookingTwin('fs.exists', existing);
export const existsSync: Twin<typeof fs.existsSync, 'sync'> = lookingTwin('fs.existsSync', existing);

export const stat: Twin<typeof fs.stat.__promisify__, 'promise'> = lookingTwin('fs.stat', {
  checks: pathOptions,
  call: real.stat,
});
export const lstat: Twin<typeof fs.lstat.__promisify__, 'promise'> = lookingTwin('fs.lstat', {
  checks: pathOptions,
  call: real.lstat,
});
export const statSync: Twin<typeof fs.statSync, 'sync'> = lookingTwin('fs.statSync', statOrNothing(real.stat));
export const lstatSync: Twin<typeof fs.lstatSync, 'sync'> = lookingTwin('fs.lstatSync', statOrNothing(real.lstat));

/** With `throwIfNoEntry: false`, what is not there is undefined. */
function statOrNothing(call: typeof fs.stat): CallSpec {
  const start: CallSpec['start'] = ([file, given = {}], done) =>
    call(file, given, (error, stats) => {
      const missing = codeOf(error) === 'ENOENT' || codeOf(error) === 'ENOTDIR';
      if (missing && given?.throwIfNoEntry === false) done(null, undefined);
      else done(error, stats);
    });
  return { checks: pathOptions, call, start };
}

const descriptorOptions = [descriptor, maybe(options)];
export const fstat: Twin<typeof fs.fstat.__promisify__, 'promise'> = lookingTwin('fs.fstat', {
  checks: descriptorOptions,
  call: real.fstat,
});
export const fstatSync: Twin<typeof fs.fstatSync, 'sync'> = lookingTwin('fs.fstatSync', {
  checks: descriptorOptions,
  call: real.fstat,
});

const ofPath = (call: CallSpec['call']): CallSpec => ({ checks: pathOptions, call });
export const statfs: Twin<typeof fs.statfs.__promisify__, 'promise'> = lookingTwin('fs.statfs', ofPath(real.statfs));
export const statfsSync: Twin<typeof fs.statfsSync, 'sync'> = lookingTwin('fs.statfsSync', { ...ofPath(real.statfs) });
export const readlink: Twin<typeof fs.readlink.__promisify__, 'promise'> = lookingTwin(
  'fs.readlink',
  ofPath(real.readlink),
);
export const readlinkSync: Twin<typeof fs.readlinkSync, 'sync'> = lookingTwin('fs.readlinkSync', ofPath(real.readlink));

type Realpath = Twin<typeof fs.realpath.__promisify__, 'promise'> & {
  readonly native: Twin<typeof fs.realpath.native, 'callback'>;
};
type RealpathSync = Twin<typeof fs.realpathSync, 'sync'> & {
  readonly native: Twin<typeof fs.realpathSync.native, 'sync'>;
};
export const realpath: Realpath = Object.assign(
  lookingTwin<Twin<typeof fs.realpath.__promisify__, 'promise'>>('fs.realpath', ofPath(real.realpath)),
  {
    native: lookingTwin<Twin<typeof fs.realpath.native, 'callback'>>('fs.realpath.native', ofPath(native)),
  },
);
export const realpathSync: RealpathSync = Object.assign(
  lookingTwin<Twin<typeof fs.realpathSync, 'sync'>>('fs.realpathSync', ofPath(real.realpath)),
  {
    native: lookingTwin<Twin<typeof fs.realpathSync.native, 'sync'>>('fs.realpathSync.native', ofPath(native)),
  },
);

// The form with a callback goes down into folders without giving way, in Node 20: for seconds if there are many.
const listing: CallSpec = {
  checks: pathOptions,
  call: real.readdir,
  start: ([folder, given], done) => {
    if (given?.recursive === true) settle(listBelow(folder, given), done);
    else real.readdir(folder, given, done);
  },
};
export const readdir: Twin<typeof fs.readdir.__promisify__, 'promise'> = lookingTwin('fs.readdir', listing);
export const readdirSync: Twin<typeof fs.readdirSync, 'sync'> = lookingTwin('fs.readdirSync', listing);

const reading: CallSpec = {
  checks: [pathOrDescriptor, maybe(options)],
  call: real.readFile,
  abortable: true,
  start: ([file, given], done, signal) => {
    const own = namedOptions<{ signal?: AbortSignal }>(given, 'fs.readFile');
    real.readFile(file, { ...own, signal: eitherSignal(own.signal, signal) } as object, done);
  },
};
const ofDescriptor = ([file]: readonly unknown[]): boolean => typeof file === 'number';
type ReadFile = Twin<typeof fs.readFile, 'callback', 'wait on a path'> &
  Twin<typeof fs.readFile, 'callback', 'op on a descriptor'>;
type ReadFileSync = Twin<typeof fs.readFileSync, 'sync', 'wait on a path'> &
  Twin<typeof fs.readFileSync, 'sync', 'op on a descriptor'>;
export const readFile: ReadFile = eitherTwin('fs.readFile', reading, ofDescriptor);
export const readFileSync: ReadFileSync = eitherTwin('fs.readFileSync', reading, ofDescriptor);

type Open = (path: fs.PathLike, flags?: fs.OpenMode, mode?: fs.Mode | null) => Waitable<number>;
const opening: CallSpec = {
  checks: [path, maybe(numberOrText), maybe(numberOrText)],
  call: real.open,
  late: (opened: number) => real.close(opened, () => {}),
};
export const open: Open = lookingTwin('fs.open', opening);
export const openSync: Open = lookingTwin('fs.openSync', opening);

/** What Node 22 and newer have. */
interface Newer {
  readonly glob?: (pattern: string | readonly string[], options: object, done: Done<unknown>) => void;
}
export interface GlobOptions {
  readonly cwd?: string | URL | undefined;
  readonly withFileTypes?: boolean | undefined;
  readonly exclude?: ((entry: never) => boolean) | readonly string[] | undefined;
}
interface Glob {
  (
    pattern: string | readonly string[],
    options?: GlobOptions & { readonly withFileTypes?: false | undefined },
  ): Waitable<string[]>;
  (pattern: string | readonly string[], options: GlobOptions & { readonly withFileTypes: true }): Waitable<fs.Dirent[]>;
}
const { glob: findAll } = real as Newer;
const finding: CallSpec = {
  checks: [anything, maybe(options)],
  call: findAll,
  since: 'Node 22',
  start: ([pattern, given = {}], done) => findAll?.(pattern, given, done),
};
export const glob: Glob = lookingTwin('fs.glob', finding);
export const globSync: Glob = lookingTwin('fs.globSync', finding);

const asBlob: CallSpec = {
  checks: pathOptions,
  call: real.openAsBlob,
  start: ([file, given], done) => settle(real.openAsBlob(file, given), done),
};
export const openAsBlob: Twin<typeof fs.openAsBlob, 'promise'> = lookingTwin('fs.openAsBlob', asBlob);
export const openAsBlobSync: Twin<typeof fs.openAsBlob, 'promise'> = lookingTwin('fs.openAsBlobSync', asBlob);
