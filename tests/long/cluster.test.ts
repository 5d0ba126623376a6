// cluster.test.ts: a server in several processes: one of them is killed, all of them are stopped in the middle of their work.
//
// Long because each process has to load the sources first.
import { type ChildProcess, spawn as spawnChild } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { connect, type Op, ResourceError, run, type Socket, sleep, spawn, timeout } from 'tendril';
import { describe, expect, it } from 'vitest';
import { runSample } from '../samples/run-sample.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const host = '127.0.0.1';

class Cluster {
  readonly #child: ChildProcess;
  readonly #workers: { readonly pid: number; readonly port: number }[] = [];
  ended: { readonly code: number | null; readonly signal: string | null } | undefined = undefined;

  constructor(workers: number) {
    const command = ['--import', 'tsx', 'samples/cluster-server.ts', '0', String(workers)];
    this.#child = spawnChild(process.execPath, command, { cwd: root, stdio: ['ignore', 'pipe', 'inherit'] });
    let rest = '';
    this.#child.stdout?.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      for (const line of lines) {
        const [, pid, port] = /^worker (\d+) listens on .*:(\d+)$/.exec(line) ?? [];
        this.#workers.push({ pid: Number(pid), port: Number(port) });
      }
    });
    this.#child.on('exit', (code, signal) => {
      this.ended = { code, signal };
    });
  }

  /** The workers that have ever listened, when there are so many. */
  *workers(count: number): Op<readonly { readonly pid: number; readonly port: number }[]> {
    while (this.#workers.length < count) yield* sleep(10);
    return this.#workers;
  }

  kill(signal: NodeJS.Signals): void {
    this.#child.kill(signal);
  }

  *end(): Op<typeof this.ended> {
    while (this.ended === undefined) yield* sleep(10);
    return this.ended;
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

/**
 * Ask on a connection of its own until it is answered: a worker that is killed takes the connections that it had with it. One that Node was handing to
 * it at that moment stays open and is never served, so a client needs a limit in time.
 */
function* answered(port: number, word: string): Op<number> {
  for (;;) {
    let line: string | null | undefined;
    let socket: Socket | undefined;
    try {
      socket = yield* connect({ host, port });
      yield* socket.write(`${word}\n`);
      line = yield* timeout(2000, socket.readLine(), { else: undefined });
    } catch (error) {
      if (!(error instanceof ResourceError)) throw error;
    } finally {
      socket?.close();
    }
    if (line?.endsWith(` ${word}`) === true) return Number(line.split(' ')[0]);
    yield* sleep(10);
  }
}

describe('A server in several processes', () => {
  it('replaces a worker that is killed with SIGKILL, and serves all the while', async () => {
    const cluster = new Cluster(2);
    try {
      await run(function* () {
        const [first, second] = yield* cluster.workers(2);
        const port = first?.port as number;
        expect(second?.port).toBe(port);
        const both = new Set<number>();
        while (both.size < 2) both.add(yield* answered(port, 'hello'));
        expect([...both].sort()).toEqual([first?.pid, second?.pid].sort());
        process.kill(first?.pid as number, 'SIGKILL');
        // The other one answers while the new one is not there yet.
        expect(yield* answered(port, 'still there?')).toBe(second?.pid);
        const third = (yield* cluster.workers(3))[2];
        expect(third?.port).toBe(port);
        const now = new Set<number>();
        while (now.size < 2) now.add(yield* answered(port, 'hello again'));
        expect([...now].sort()).toEqual([second?.pid, third?.pid].sort());
      });
    } finally {
      cluster.kill('SIGTERM');
      await run(() => cluster.end());
    }
  });

  it('lets every worker answer what it was asked when the first process gets SIGTERM, and leaves no process behind', async () => {
    const cluster = new Cluster(2);
    await run(function* () {
      const workers = yield* cluster.workers(2);
      const port = workers[0]?.port as number;
      const sockets: Socket[] = [];
      const answers = [];
      for (let i = 0; i < 8; i += 1) {
        const socket = yield* connect({ host, port });
        sockets.push(socket);
        yield* socket.write('first\n');
        yield* socket.readLine(); // it is served by now
        yield* socket.write('slowly\n');
        answers.push(spawn(() => socket.readLine()));
      }
      yield* sleep(50); // they have read the question: it takes them half a second to answer
      cluster.kill('SIGTERM');
      const pids = new Set<number>();
      for (const answer of answers) {
        const line = yield* answer.get();
        expect(line).toMatch(/^\d+ slowly$/);
        pids.add(Number(line?.split(' ')[0]));
      }
      expect(pids.size).toBe(2);
      for (const socket of sockets) socket.close();
      expect(yield* cluster.end()).toEqual({ code: null, signal: 'SIGTERM' });
      expect(workers.map(({ pid }) => isAlive(pid))).toEqual([false, false]);
    });
  });

  it('samples/cluster-server prints what it is meant to print', async () => {
    const { status, stdout, stderr } = await runSample('cluster-server');
    expect({ status, stdout, stderr }).toEqual({
      status: 0,
      stdout: [
        'answered by both: true',
        'another one is there: true',
        'all are answered: true',
        'what was begun is answered: true',
        'workers left: 0',
        '',
      ].join('\n'),
      stderr: '',
    });
  });
});
