// overloaded-server.test.ts: a server that has no descriptor left: it lives, says so, pauses, and serves again when there are some.
import { execFileSync, spawn as spawnChild } from 'node:child_process';
import path from 'node:path';
import { ConnectionResetError, connect, type Op, run, type Socket, sleep, timeout } from 'tendril';
import { expect, it } from 'vitest';
import { probeProgram } from '../services.ts';
import { host, nothingLeft } from './peers.ts';

const prlimit = probeProgram('prlimit');

class Program {
  readonly lines: string[] = [];
  readonly #child = spawnChild(
    process.execPath,
    ['--import', 'tsx', path.join(import.meta.dirname, 'overloaded-server-program.ts')],
    { stdio: ['pipe', 'pipe', 'inherit'] },
  );
  #ended = false;

  constructor() {
    let rest = '';
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => {
      const lines = (rest + text).split('\n');
      rest = lines.pop() as string;
      this.lines.push(...lines);
    });
    this.#child.on('close', () => {
      this.#ended = true;
    });
  }

  /** The rest of the first line that begins with `word`, when it has come. */
  *line(word: string): Op<string> {
    for (;;) {
      const line = this.lines.find((each) => each.split(' ')[0] === word);
      if (line !== undefined) return line.slice(word.length + 1);
      if (this.#ended) throw new Error(`it ended without '${word}': ${this.lines.join(', ')}`);
      yield* sleep(5);
    }
  }

  /** What it has said until now is old. */
  forget(): void {
    this.lines.length = 0;
  }

  limitDescriptors(): void {
    execFileSync(prlimit as string, ['--pid', String(this.#child.pid), '--nofile=64:64']);
  }

  say(word: string): void {
    this.#child.stdin.write(word);
  }

  kill(): void {
    if (!this.#ended) this.#child.kill('SIGKILL');
  }
}

/** Start the program, call `body` with its port, end it, and return what it said. */
async function overloaded(body: (program: Program, port: number) => Op<void>): Promise<readonly string[]> {
  const program = new Program();
  try {
    await run(function* () {
      yield* program.line('loaded');
      program.limitDescriptors();
      program.say('go');
      yield* body(program, Number(yield* program.line('port')));
      program.say('stop');
      yield* program.line('open');
    });
  } finally {
    program.kill();
  }
  nothingLeft();
  return program.lines;
}

/** Say `word` on a connection of its own until it is answered: one that is refused for want of a descriptor is tried again. */
function* heard(port: number, word: string): Op<void> {
  for (;;) {
    const socket = yield* connect({ host, port });
    try {
      if ((yield* said(socket, word)) === 'pong') return;
    } finally {
      socket.close();
    }
    yield* sleep(10);
  }
}

function* said(socket: Socket, word: string): Op<string | null> {
  try {
    yield* socket.write(`${word}\n`);
    return yield* timeout(20_000, socket.readLine());
  } catch (error) {
    if (error instanceof ConnectionResetError) return null;
    throw error;
  }
}

it.skipIf(prlimit === undefined)(
  'F32: a server that has no descriptor left lives, says so, pauses for 100 ms first, and serves again when some are free',
  async () => {
    const lines = await overloaded(function* (program, port) {
      // Its connections take them all.
      const sockets: Socket[] = [];
      for (let i = 0; i < 100; i += 1) sockets.push(yield* connect({ host, port }));
      expect(yield* program.line('overload')).toBe('100');
      // Each is answered or ended, none is left hanging.
      const answers: (string | null)[] = [];
      for (const socket of sockets) answers.push(yield* said(socket, 'ping'));
      expect(answers.slice(0, 20)).toEqual(new Array(20).fill('pong'));
      expect(answers.filter((answer) => answer === null).length).toBeGreaterThan(30);
      for (const socket of sockets) socket.close();
      yield* heard(port, 'ping');

      // Somebody else takes them all, and nobody connects: it notices by itself.
      program.forget();
      const hog = yield* connect({ host, port });
      expect(yield* said(hog, 'hog')).toBe('pong');
      yield* program.line('hog');
      yield* program.line('overload');
      hog.close();
      yield* heard(port, 'ping');
    });
    expect(lines.slice(-2)).toEqual([
      'stats {"overloads":true,"acceptErrors":0,"handlerErrors":0,"dropped":0,"active":0}',
      'open 0',
    ]);
  },
  60_000,
);
