// host.ts: the process of a manager, as the one that has started it has it.
//
// The child is this program's Node with the entry file beside this one. It lives no longer than we do: its end of the IPC connection tells it that we have gone, also if
// we were killed. Its handles do not keep us alive.
//
// Invariants:
//   the folder exists  only as long as the child does, or until kill()
//   the registry of handles has this  if and only if  the child has not exited

import childProcess, { type ChildProcess } from 'node:child_process';
import fs from 'node:fs';
import os from 'node:os';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { handleClosed, handleOpened } from '../../io/handles.ts';
import { depthArgument } from '../../io/nesting.ts';
import { nodeOptions } from '../local/node-options.ts';
import type { Thrown } from '../thrown.ts';

// Taken at load: patches never reach us.
const { fork } = childProcess;
const { mkdtempSync, rmSync } = fs;

/** What the child is told, and what it says. @internal */
export interface ManagerStart {
  readonly address: string;
  readonly module: string | undefined;
}
export type ManagerStarted = { readonly listens: true } | { readonly failed: Thrown };

/** How to start one. */
export interface HostSettings {
  readonly module: string | undefined;
  readonly execArgv: readonly string[] | undefined;
  readonly env: NodeJS.ProcessEnv | undefined;
  readonly startMs: number;
}

/** The process of a manager. */
export class Host {
  readonly child: ChildProcess;
  readonly address: string;
  /** How it ended, in words; or why it was never there. */
  readonly exited: Promise<string>;
  readonly #folder: string;

  constructor({ module, execArgv, env }: HostSettings) {
    this.#folder = mkdtempSync(path.join(os.tmpdir(), 'tendril-manager-'));
    this.address = path.join(this.#folder, 'socket');
    const entry = new URL(
      import.meta.url.endsWith('.ts') ? './process-entry.ts' : './process-entry.js',
      import.meta.url,
    );
    try {
      this.child = fork(fileURLToPath(entry), [depthArgument()], {
        execArgv: nodeOptions(execArgv),
        ...(env === undefined ? {} : { env }),
        stdio: ['ignore', 'inherit', 'inherit', 'ipc'],
        serialization: 'advanced',
      });
    } catch (error) {
      this.#removeFolder();
      throw error;
    }
    const { child } = this;
    this.exited = new Promise((resolve) => {
      child.on('error', (error) => {
        if (child.pid === undefined) handleClosed(this);
        resolve(`its process could not be started: ${error.message}`);
      });
      child.once('exit', (code, signal) => {
        this.#removeFolder();
        handleClosed(this);
        resolve(signal === null ? `its process has exited with code ${code}` : `its process was killed by ${signal}`);
      });
    });
    handleOpened('process', this);
    child.unref();
    child.channel?.unref();
    const start: ManagerStart = { address: this.address, module };
    child.send(start, () => {});
  }

  /** Resolves when it listens, or cannot. */
  started(): Promise<ManagerStarted> {
    return new Promise((resolve) => {
      this.child.once('message', (message) => resolve(message as ManagerStarted));
      void this.exited.then((why) => {
        const error = { name: 'Error', message: why, stack: `Error: ${why}`, own: {} };
        resolve({ failed: { error } });
      });
    });
  }

  /** Ask it to end. */
  stop(): void {
    if (this.child.connected) this.child.disconnect();
  }

  kill(): void {
    this.child.kill('SIGKILL');
    this.#removeFolder();
  }

  toString(): string {
    return `process ${this.child.pid} of a manager`;
  }

  #removeFolder(): void {
    rmSync(this.#folder, { recursive: true, force: true });
  }
}
