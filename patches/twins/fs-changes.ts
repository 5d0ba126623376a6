// fs-changes.ts: the twins of fs that change what a path leads to: contents, names, folders, rights, times.
//
// Each finishes first when its greenlet is killed or its time is over, as in io/files-change.ts, so none can be an arm of a select. A name in ...Sync has
// the arguments and the result of Node's, and does the asynchronous call.

import fs from 'node:fs';
import fsPromises from 'node:fs/promises';
import { settle } from '../../io/files-call.ts';
import { eitherSignal } from '../../io/files-look.ts';
import { namedOptions } from '../../io/files-path.ts';
import {
  content,
  count,
  maybe,
  numberOrText,
  options,
  owner,
  path,
  pathOrDescriptor,
  text,
  time,
} from './argument-checks.ts';
import { type CallSpec, changingTwin, plain } from './node-call.ts';
import { realModule } from './real-module.ts';
import type { Twin } from './signatures.ts';

const real = realModule('fs', fs);
const { cp: copyTree } = realModule('fs/promises', fsPromises);

const write = (call: typeof fs.writeFile | typeof fs.appendFile): CallSpec => ({
  checks: [pathOrDescriptor, content, maybe(options)],
  call,
  abortable: true,
  start: ([file, data, given], done, signal) => {
    const own = namedOptions<{ signal?: AbortSignal }>(given, 'fs.writeFile');
    call(file, data, { ...own, signal: eitherSignal(own.signal, signal) } as object, done);
  },
});
const writing = write(real.writeFile);
export const writeFile: Twin<typeof fs.writeFile.__promisify__, 'promise', 'op'> = changingTwin(
  'fs.writeFile',
  writing,
);
export const writeFileSync: Twin<typeof fs.writeFileSync, 'sync', 'op'> = changingTwin('fs.writeFileSync', writing);
const appending = write(real.appendFile);
export const appendFile: Twin<typeof fs.appendFile.__promisify__, 'promise', 'op'> = changingTwin(
  'fs.appendFile',
  appending,
);
export const appendFileSync: Twin<typeof fs.appendFileSync, 'sync', 'op'> = changingTwin(
  'fs.appendFileSync',
  appending,
);

const copyingFile = plain(real.copyFile, path, path, maybe(count));
export const copyFile: Twin<typeof fs.copyFile.__promisify__, 'promise', 'op'> = changingTwin(
  'fs.copyFile',
  copyingFile,
);
export const copyFileSync: Twin<typeof fs.copyFileSync, 'sync', 'op'> = changingTwin('fs.copyFileSync', copyingFile);

// One that is given up stops after the entry that it is at.
const copyingTree: CallSpec = {
  checks: [path, path, maybe(options)],
  call: real.cp,
  abortable: true,
  start: ([source, target, given], done, signal) => {
    const filter = (from: string, to: string): boolean | Promise<boolean> => {
      signal?.throwIfAborted();
      return given?.filter?.(from, to) ?? true;
    };
    settle(copyTree(source, target, { ...given, filter }), done);
  },
};
export const cp: Twin<typeof fsPromises.cp, 'promise', 'op'> = changingTwin('fs.cp', copyingTree);
export const cpSync: Twin<typeof fs.cpSync, 'sync', 'op'> = changingTwin('fs.cpSync', copyingTree);

const making = plain(real.mkdir, path, maybe(options));
export const mkdir: Twin<typeof fs.mkdir.__promisify__, 'promise', 'op'> = changingTwin('fs.mkdir', making);
export const mkdirSync: Twin<typeof fs.mkdirSync, 'sync', 'op'> = changingTwin('fs.mkdirSync', making);

const makingTemporary: CallSpec = {
  checks: [path, maybe(options)],
  call: real.mkdtemp,
  late: (made: string) => real.rmdir(made, () => {}),
};
export const mkdtemp: Twin<typeof fs.mkdtemp.__promisify__, 'promise', 'op'> = changingTwin(
  'fs.mkdtemp',
  makingTemporary,
);
export const mkdtempSync: Twin<typeof fs.mkdtempSync, 'sync', 'op'> = changingTwin('fs.mkdtempSync', makingTemporary);

const removing = plain(real.rm, path, maybe(options));
export const rm: Twin<typeof fs.rm.__promisify__, 'promise', 'op'> = changingTwin('fs.rm', removing);
export const rmSync: Twin<typeof fs.rmSync, 'sync', 'op'> = changingTwin('fs.rmSync', removing);
const removingFolder = plain(real.rmdir, path, maybe(options));
export const rmdir: Twin<typeof fs.rmdir.__promisify__, 'promise', 'op'> = changingTwin('fs.rmdir', removingFolder);
export const rmdirSync: Twin<typeof fs.rmdirSync, 'sync', 'op'> = changingTwin('fs.rmdirSync', removingFolder);
const removingName = plain(real.unlink, path);
export const unlink: Twin<typeof fs.unlink.__promisify__, 'promise', 'op'> = changingTwin('fs.unlink', removingName);
export const unlinkSync: Twin<typeof fs.unlinkSync, 'sync', 'op'> = changingTwin('fs.unlinkSync', removingName);

const renaming = plain(real.rename, path, path);
export const rename: Twin<typeof fs.rename.__promisify__, 'promise', 'op'> = changingTwin('fs.rename', renaming);
export const renameSync: Twin<typeof fs.renameSync, 'sync', 'op'> = changingTwin('fs.renameSync', renaming);
const linking = plain(real.link, path, path);
export const link: Twin<typeof fs.link.__promisify__, 'promise', 'op'> = changingTwin('fs.link', linking);
export const linkSync: Twin<typeof fs.linkSync, 'sync', 'op'> = changingTwin('fs.linkSync', linking);
const symlinking = plain(real.symlink, path, path, maybe(text));
export const symlink: Twin<typeof fs.symlink.__promisify__, 'promise', 'op'> = changingTwin('fs.symlink', symlinking);
export const symlinkSync: Twin<typeof fs.symlinkSync, 'sync', 'op'> = changingTwin('fs.symlinkSync', symlinking);

const chmoding = plain(real.chmod, path, numberOrText);
export const chmod: Twin<typeof fs.chmod.__promisify__, 'promise', 'op'> = changingTwin('fs.chmod', chmoding);
export const chmodSync: Twin<typeof fs.chmodSync, 'sync', 'op'> = changingTwin('fs.chmodSync', chmoding);
const lchmoding: CallSpec = plain((real as Partial<typeof fs>).lchmod, path, numberOrText);
export const lchmod: Twin<typeof fs.lchmod.__promisify__, 'promise', 'op'> = changingTwin('fs.lchmod', lchmoding);
export const lchmodSync: Twin<typeof fs.lchmodSync, 'sync', 'op'> = changingTwin('fs.lchmodSync', lchmoding);
const chowning = plain(real.chown, path, owner, owner);
export const chown: Twin<typeof fs.chown.__promisify__, 'promise', 'op'> = changingTwin('fs.chown', chowning);
export const chownSync: Twin<typeof fs.chownSync, 'sync', 'op'> = changingTwin('fs.chownSync', chowning);
const lchowning = plain(real.lchown, path, owner, owner);
export const lchown: Twin<typeof fs.lchown.__promisify__, 'promise', 'op'> = changingTwin('fs.lchown', lchowning);
export const lchownSync: Twin<typeof fs.lchownSync, 'sync', 'op'> = changingTwin('fs.lchownSync', lchowning);
const timing = plain(real.utimes, path, time, time);
export const utimes: Twin<typeof fs.utimes.__promisify__, 'promise', 'op'> = changingTwin('fs.utimes', timing);
export const utimesSync: Twin<typeof fs.utimesSync, 'sync', 'op'> = changingTwin('fs.utimesSync', timing);
const timingLink = plain(real.lutimes, path, time, time);
export const lutimes: Twin<typeof fs.lutimes.__promisify__, 'promise', 'op'> = changingTwin('fs.lutimes', timingLink);
export const lutimesSync: Twin<typeof fs.lutimesSync, 'sync', 'op'> = changingTwin('fs.lutimesSync', timingLink);
const cutting = plain(real.truncate, path, maybe(count));
export const truncate: Twin<typeof fs.truncate.__promisify__, 'promise', 'op'> = changingTwin('fs.truncate', cutting);
export const truncateSync: Twin<typeof fs.truncateSync, 'sync', 'op'> = changingTwin('fs.truncateSync', cutting);
