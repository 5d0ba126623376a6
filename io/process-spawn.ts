// process-spawn.ts: starting a child process, and saying what is to blame if that fails.
//
// Node starts a child within the call, so a spawn either has happened when it returns or never will: a kill cannot come in between. What fails is told in one
// of two ways, by an exception (E2BIG, ENOTDIR) or by an event a tick later (ENOENT, EACCES, EAGAIN, EMFILE); both become one SpawnError here.
//
// Facts about Node that this rests on, found by tests:
//   for a working directory that does not exist it blames the program: ENOENT is looked into
//   after ENOENT, EACCES and EAGAIN the child has three pipes that lead nowhere, which have to be destroyed
//   after EMFILE and ENFILE its three pipe handles can neither be reached nor closed, for ever: so the descriptors are tried before

import childProcess, { type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { ExternalWait, type Ticket } from '../core/external.ts';
import type { WaitDescription } from '../core/op.ts';
import { codeOf } from './errors.ts';
import { Process } from './process-child.ts';
import { SpawnError } from './process-errors.ts';
import type { Settings } from './process-options.ts';

// Taken at load: patches never reach us.
const { spawn } = childProcess;
const { accessSync, closeSync, existsSync, openSync, statSync } = fs;
const ignore = (): void => {};

export class SpawnWait extends ExternalWait<Process> {
  readonly #settings: Settings;

  constructor(settings: Settings) {
    super();
    this.#settings = settings;
  }

  protected begin(ticket: Ticket<Process>): void {
    const settings = this.#settings;
    let child: ChildProcess;
    try {
      requireDescriptors(settings);
      child = start(settings);
    } catch (error) {
      ticket.rejectWith(() => spawnError(settings, error));
      return;
    }
    const { pid } = child;
    if (pid !== undefined) {
      ticket.resolve(new Process(child, pid, settings));
      return;
    }
    ticket.onRetract = () => ticket.withdraw();
    child.on('error', (error) => ticket.rejectWith(() => spawnError(settings, error)));
    for (const stream of [child.stdin, child.stdout, child.stderr]) {
      stream?.on('error', ignore);
      stream?.destroy();
    }
  }

  describe(): WaitDescription {
    return { op: 'spawn', object: this.#settings.file };
  }
}

function start({ file, args, cwd, env, stdio, detached, uid, gid }: Settings): ChildProcess {
  return spawn(file, args, {
    stdio: [...stdio],
    detached,
    windowsHide: true,
    // Given also when they are undefined, so that nothing is inherited from a prototype.
    cwd,
    env,
    shell: false,
    argv0: undefined,
    uid,
    gid,
    signal: undefined,
    timeout: undefined,
    killSignal: undefined,
    serialization: undefined,
    windowsVerbatimArguments: undefined,
  });
}

/** Throw EMFILE or ENFILE now if the pipes of a child would not find descriptors: two for each, and two by which the child reports its start. */
export function requireDescriptors({ stdio }: { readonly stdio: readonly unknown[] }): void {
  const pipes = stdio.filter((target) => target === 'pipe').length;
  if (pipes === 0) return;
  const opened: number[] = [];
  try {
    for (let i = 0; i < 2 * pipes + 2; i += 1) opened.push(openSync(os.devNull, 'r'));
  } finally {
    for (const descriptor of opened) closeSync(descriptor);
  }
}

function spawnError(settings: Settings, cause: unknown): SpawnError {
  const { file, cwd } = settings;
  const code = codeOf(cause) ?? 'ERR_SPAWN';
  if (cwd !== undefined && (code === 'ENOENT' || code === 'EACCES' || code === 'ENOTDIR')) {
    const problem = problemOf(cwd);
    if (problem !== undefined) {
      return new SpawnError(file, cwd, problem.code, `the working directory ${cwd} ${problem.why}`, cause);
    }
  }
  return new SpawnError(file, file, code, whyOf(code, settings), cause);
}

/** Why a process cannot work in `folder`; undefined if it can. */
function problemOf(folder: string): { readonly code: string; readonly why: string } | undefined {
  try {
    if (!statSync(folder).isDirectory()) return { code: 'ENOTDIR', why: 'is no directory' };
    accessSync(folder, fs.constants.X_OK);
    return undefined;
  } catch (error) {
    const code = codeOf(error) ?? 'ERR_SPAWN';
    return { code, why: code === 'ENOENT' ? 'does not exist' : 'may not be entered' };
  }
}

function whyOf(code: string, { file, cwd }: Settings): string {
  const isPath = file.includes('/');
  switch (code) {
    case 'ENOENT':
      if (!isPath) return 'there is no such program on the PATH';
      return existsSync(path.resolve(cwd ?? '.', file))
        ? 'the file is there, but not the interpreter that it asks for'
        : 'there is no such file';
    case 'EACCES':
      return 'the file may not be executed';
    case 'ENOTDIR':
      return 'a part of its path is no directory';
    case 'ENOEXEC':
      return 'the file is no program';
    case 'E2BIG':
      return 'the arguments and the environment are too long together, or one of them alone';
    case 'EAGAIN':
      return 'there are too many processes';
    case 'ENOMEM':
      return 'there is too little memory';
    case 'EMFILE':
      return 'this process has too many open files';
    case 'ENFILE':
      return 'the system has too many open files';
    case 'EBADF':
      return 'a file descriptor in stdio is not open';
    default:
      return 'the system refuses';
  }
}
