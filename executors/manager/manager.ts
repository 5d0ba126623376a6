// manager.ts: a process of its own for objects that other processes and threads use: starting and stopping it.
//
// It loads the module of the definition and listens on a path in a folder that only this user may enter. The process itself is in host.ts, its program in
// process-entry.ts; a connection to it in client.ts.
//
// Invariant: however `start` ends without a manager, there is no child.
// Source: multiprocessing.managers.BaseManager.start.

import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { nameOf, type Op } from '../../core/op.ts';
import { timeout } from '../../core/timeout.ts';
import { checkOptions, own, ownMs } from '../../io/address.ts';
import { connect } from '../../io/connect.ts';
import { checkNesting } from '../../io/nesting.ts';
import type { Socket } from '../../io/socket.ts';
import { until } from '../../io/until.ts';
import { revive } from '../thrown.ts';
import { ManagerClient } from './client.ts';
import type { ManagedClasses, ManagedDefinition } from './definition.ts';
import { ManagerStartError } from './errors.ts';
import { Host, type HostSettings } from './host.ts';

const START_MS = 30_000;
const GRACE_MS = 5000;
/** The connection may end before the exit of the process is told. */
const EXIT_MS = 1000;

export interface ManagerOptions {
  /** Options of Node for the process: those of this one by default, so that what compiles this program compiles it there too. */
  readonly execArgv?: readonly string[] | undefined;
  /** Its environment: that of this process by default. */
  readonly env?: NodeJS.ProcessEnv | undefined;
  /** How long it may take to start: 30,000 ms by default. */
  readonly startMs?: number | undefined;
}

export interface ManagerStopOptions {
  /** How long it may take to end before SIGKILL: 5,000 ms by default. */
  readonly graceMs?: number | undefined;
}

/** A manager that this process has started, and a connection to it. */
export class Manager<C extends ManagedClasses = Record<never, never>> extends ManagerClient<C> {
  readonly #host: Host;

  /** @internal: Manager.start() makes them. */
  constructor(socket: Socket, host: Host) {
    super(socket, host.address, () => whyEnded(host));
    this.#host = host;
  }

  /**
   * Start a manager: a process whose objects are used through proxies, from here and from whoever connects to its `address`.
   *
   * Switches. `definition` is what defineManaged() gave, or the URL of a module that calls it; without one there are the ready-made classes. The process ends
   * with this one, however that ends. Stop or close it when it is done; it does not keep this process alive. What it prints goes where ours goes.
   *
   * @throws TypeError, at the call, for a bad argument. @throws ManagerStartError if its module does not load, it exits, or takes longer than `startMs`.
   * @throws Killed if killed while waiting. However it throws, there is no process.
   */
  static start<C extends ManagedClasses = Record<never, never>>(
    definition?: ManagedDefinition<C> | URL | string,
    options?: ManagerOptions,
  ): Op<Manager<C>> {
    const where = 'Manager.start';
    const given = checkOptions(options, where);
    const execArgv = own<unknown>(given, 'execArgv');
    if (execArgv !== undefined && !(Array.isArray(execArgv) && execArgv.every((word) => typeof word === 'string')))
      throw typeError(`${where}: execArgv must be an array of strings, not ${nameOf(execArgv)}`);
    const env = own<unknown>(given, 'env');
    if (env !== undefined && (typeof env !== 'object' || env === null))
      throw typeError(`${where}: env must be an object, not ${nameOf(env)}`);
    return composite(start<C>, {
      module: moduleOf(definition, where),
      execArgv: execArgv as readonly string[] | undefined,
      env: env as NodeJS.ProcessEnv | undefined,
      startMs: ownMs(given, 'startMs', START_MS, where),
    });
  }

  /** The process. */
  get pid(): number {
    return this.#host.child.pid as number;
  }

  /**
   * Stop the manager: its process ends, killed after `graceMs` if it does not by itself.
   *
   * Switches until it has. Calls that still wait get ClosedError; clients elsewhere find it lost. Idempotent. If it is killed the process is killed at once.
   *
   * @throws TypeError, at the call, for a bad option. @throws Killed if killed while waiting.
   */
  stop(options?: ManagerStopOptions): Op<void> {
    const graceMs = ownMs(checkOptions(options, 'stop'), 'graceMs', GRACE_MS, 'stop');
    return composite(stopped, this.#host, graceMs, () => super.close());
  }

  /** End the manager at once, with SIGKILL. Never switches; idempotent. Calls that wait get ClosedError. */
  override close(): void {
    super.close();
    this.#host.kill();
  }

  override toString(): string {
    return `manager ${this.pid} at ${this.address}`;
  }
}

function moduleOf(definition: unknown, where: string): string | undefined {
  if (definition === undefined) return undefined;
  const module = (definition as Partial<ManagedDefinition<ManagedClasses>> | null)?.module;
  if (typeof module === 'string') return module;
  if (definition instanceof URL) return definition.href;
  if (typeof definition === 'string' && URL.canParse(definition)) return definition;
  throw typeError(
    `${where} takes what defineManaged() gave, or the URL of a module that calls it, not ${nameOf(definition)}`,
  );
}

function* start<C extends ManagedClasses>(settings: HostSettings): Op<Manager<C>> {
  checkNesting('a manager was to be started');
  const host = new Host(settings);
  let manager: Manager<C> | undefined;
  try {
    const opened = timeout(settings.startMs, until(host.started()), { else: undefined });
    const started = yield* opened;
    if (started === undefined)
      throw new ManagerStartError(
        `a manager did not start within ${settings.startMs} ms: does its module wait for something? See startMs`,
      );
    if ('failed' in started) {
      const cause = revive(started.failed);
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new ManagerStartError(`a manager could not be started: ${why}`, { cause });
    }
    manager = new Manager<C>(yield* connect({ path: host.address }), host);
    return manager;
  } finally {
    if (manager === undefined) host.kill();
  }
}

function* stopped(host: Host, graceMs: number, close: () => void): Op<void> {
  close();
  host.stop();
  let ended = false;
  try {
    ended = (yield* timeout(graceMs, until(host.exited), { else: '' })) !== '';
  } finally {
    if (!ended) host.kill();
  }
  yield* until(host.exited);
}

function* whyEnded(host: Host): Op<string> {
  return yield* timeout(EXIT_MS, until(host.exited), { else: 'its connection has ended' });
}
