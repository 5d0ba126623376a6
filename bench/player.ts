// player.ts: a contestant's process, as the runner sees it: started once, asked for rounds, ended.
//
// The line protocol is described in contestant.ts. A contestant that cannot play is `skipped` with a reason (something is not installed) or
// `failed` (it crashed, hung or gave a wrong answer); it is never left out silently, and the others go on.

import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import type { Contestant, Outcome, Row, Setting } from './contest.ts';
import type { Programs } from './programs.ts';

/** `cpu` is that of the process; left out if the contestant timed only a part of what it did. */
export type Reply = Outcome & Required<Omit<Outcome, 'cpu'>>;

/** Why a contestant has no figures. */
export class NoFigure extends Error {
  readonly status: 'skipped' | 'failed';

  constructor(status: 'skipped' | 'failed', reason: string) {
    super(reason);
    this.status = status;
  }
}

const roundLimitMs = 180_000;

export class Player {
  readonly contestant: Contestant;
  readonly #row: Row;
  readonly #process: ChildProcess;
  readonly #lines: AsyncIterator<string>;
  #printed = '';

  private constructor(row: Row, contestant: Contestant, child: ChildProcess) {
    this.contestant = contestant;
    this.#row = row;
    this.#process = child;
    if (child.stdout === null) throw new Error('a contestant has stdout');
    this.#lines = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
    child.stderr?.on('data', (chunk: Buffer) => {
      this.#printed = (this.#printed + chunk.toString()).slice(-4000);
    });
    child.stdin?.on('error', () => {});
  }

  /**
   * Start a contestant and wait until it is ready.
   *
   * @throws NoFigure if it has no answer, is not installed or does not start.
   */
  static async start(
    file: string,
    row: Row,
    contestant: Contestant,
    setting: Setting,
    programs: Programs,
  ): Promise<Player> {
    if (contestant.absent !== undefined) throw new NoFigure('skipped', contestant.absent);
    const [command, parameters] = await commandOf(file, row, contestant, setting, programs);
    const child = spawn(command, parameters, {
      stdio: ['pipe', 'pipe', 'pipe'],
      env: { ...process.env, NODE_ENV: 'production', ...contestant.environment },
    });
    const player = new Player(row, contestant, child);
    const failed = once(child, 'error').then(([error]: unknown[]) => {
      throw new NoFigure('skipped', `${command} cannot be started: ${String(error)}`);
    });
    failed.catch(() => {});
    const first = (await Promise.race([player.#read(), failed])) as { skip?: string };
    if (first.skip !== undefined) {
      await player.end();
      throw new NoFigure('skipped', first.skip);
    }
    return player;
  }

  /**
   * Play one round of `count` operations.
   *
   * @throws NoFigure if the process ends, hangs or answers wrongly.
   */
  async round(count: number): Promise<Reply> {
    this.#process.stdin?.write(`${JSON.stringify({ count })}\n`);
    const reply = (await this.#read()) as Reply;
    const expected = this.#row.answer?.(reply.count);
    if (expected !== undefined && reply.answer !== expected) {
      throw new NoFigure('failed', `wrong answer for ${reply.count} operations: ${reply.answer}, not ${expected}`);
    }
    return reply;
  }

  async end(): Promise<void> {
    if (this.#process.exitCode !== null || this.#process.signalCode !== null || this.#process.pid === undefined) return;
    const exit = once(this.#process, 'exit');
    this.#process.kill('SIGKILL');
    await exit;
  }

  async #read(): Promise<unknown> {
    let timer: NodeJS.Timeout | undefined;
    const late = new Promise<never>((_resolve, reject) => {
      timer = setTimeout(
        () => reject(new NoFigure('failed', `no answer within ${roundLimitMs / 1000} s`)),
        roundLimitMs,
      );
    });
    try {
      const line = await Promise.race([this.#lines.next(), late]);
      if (line.done !== true) return JSON.parse(line.value);
    } finally {
      clearTimeout(timer);
    }
    if (this.#process.exitCode === null && this.#process.signalCode === null) await once(this.#process, 'exit');
    throw new NoFigure('failed', lastWords(this.#printed, this.#process));
  }
}

/** The line of what a process printed that names the error, or how it ended. */
function lastWords(printed: string, child: ChildProcess): string {
  const lines = printed.split('\n').filter((line) => line.trim() !== '');
  const named = lines.find((line) => /^(\w*Error|\w*Exception|panic|error)\b.*:/.test(line));
  return named?.trim() ?? lines.at(-1)?.trim() ?? `ended with ${child.signalCode ?? `status ${child.exitCode}`}`;
}

async function commandOf(
  file: string,
  row: Row,
  contestant: Contestant,
  setting: Setting,
  programs: Programs,
): Promise<[command: string, parameters: string[]]> {
  const parameters = [String(contestant.argument ?? 0), setting.httpUrl];
  if (contestant.go !== undefined) return [await programs.go(), [contestant.go, ...parameters]];
  if (contestant.python !== undefined) {
    const { python, script } = await programs.python();
    return [python, [script, contestant.python, ...parameters]];
  }
  const flags = ['--expose-gc', '--max-old-space-size=8192'];
  return [process.execPath, [...flags, programs.contestant, file, row.name, contestant.name, JSON.stringify(setting)]];
}
