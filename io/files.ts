// files.ts: the names of the namespace `files`: those of node:fs/promises, each an Op; open files as byte streams; lines; watches.
//
//   const text = yield* files.readFile('notes.txt', 'utf8');
//   yield* forEach(files.lines('access.log'), function* (line) { ... });
//   const file = yield* files.open('data', 'r+');
//
// Errors are Node's own, with `code`, `syscall` and `path`.

export {
  appendFile,
  chmod,
  chown,
  copyFile,
  cp,
  type FileContent,
  lchown,
  link,
  lutimes,
  mkdir,
  mkdtemp,
  rename,
  rm,
  rmdir,
  symlink,
  truncate,
  unlink,
  utimes,
  type WriteFileOptions,
  writeFile,
} from './files-change.ts';
export { Directory, opendir } from './files-directory.ts';
export { File } from './files-file.ts';
export { FileLines, type FileLinesOptions, lines } from './files-lines.ts';
export {
  access,
  constants,
  lstat,
  type ReaddirOptions,
  type ReadFileOptions,
  readdir,
  readFile,
  readlink,
  realpath,
  stat,
  statfs,
} from './files-look.ts';
export { open } from './files-open.ts';
export type { FilePath } from './files-path.ts';
export { type WatchEvent, Watcher, type WatchOptions, watch } from './files-watch.ts';
