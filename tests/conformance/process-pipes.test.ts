// process-pipes.test.ts: the pipes of child processes behave as sockets do: the same suite, on two pipes for the two directions.
//
// What one end writes goes into the stdin of a `cat`, and comes to the other end from its stdout. So there is a process in the middle, which a kernel's connection
// does not have: what comes of a lost reader takes a write and a moment more, and there is no reset, only an end. Cases that ask for more are named below.
import { type ChildProcess, spawn as spawnProcess } from 'node:child_process';
import { openHandles, run, Socket } from 'tendril';
import { afterAll, describe, expect, it } from 'vitest';
import { InputTransport, OutputTransport } from '../../io/stdio-transport.ts';
import type { Transport, TransportSink } from '../../io/transport.ts';
import type { PairOptions, Role } from './ground.ts';
import { onPairs, pairCases } from './pairs.ts';

/** One end: reads from one child and writes to another. */
class TwoPipes implements Transport {
  readonly external = true;
  readonly name: string;
  readonly #input: InputTransport;
  readonly #output: OutputTransport;
  readonly localAddress;
  readonly remoteAddress;

  constructor(name: string, input: InputTransport, output: OutputTransport) {
    this.name = name;
    this.#input = input;
    this.#output = output;
    this.localAddress = input.localAddress;
    this.remoteAddress = input.remoteAddress;
  }

  get unsent(): number {
    return this.#output.unsent;
  }

  get failure(): unknown {
    return this.#output.failure;
  }

  start(sink: TransportSink): void {
    let open = 2;
    let failed = false;
    const both = {
      taken: () => sink.taken(),
      failed(error: unknown): void {
        if (failed) return;
        failed = true;
        sink.failed(error);
      },
      closed(): void {
        open -= 1;
        if (open === 0) sink.closed();
      },
    };
    this.#input.start({ ...both, received: (...args) => sink.received(...args), ended: () => sink.ended() });
    // The missing direction of an output has ended from the start, which says nothing here.
    this.#output.start({ ...both, received: () => true, ended() {} });
  }

  resume(): void {
    this.#input.resume();
  }

  write(bytes: string | Uint8Array): void {
    this.#output.write(bytes);
  }

  cork(): void {
    this.#output.cork();
  }

  uncork(): void {
    this.#output.uncork();
  }

  end(): void {
    this.#output.end();
  }

  destroy(): void {
    this.#input.destroy();
    this.#output.destroy();
  }
}

const HIGH_WATER_MARK = 65_536;
const children = new Set<ChildProcess>();

function cat(): ChildProcess {
  const child = spawnProcess('cat', { stdio: ['pipe', 'pipe', 'ignore'] });
  children.add(child);
  child.once('exit', () => children.delete(child));
  return child;
}

function end(name: string, from: ChildProcess, to: ChildProcess, options: PairOptions['near']): Socket {
  const transport = new TwoPipes(
    name,
    new InputTransport(from.stdout as NonNullable<ChildProcess['stdout']>, name, 'own'),
    new OutputTransport(to.stdin as NonNullable<ChildProcess['stdin']>, name, 'own'),
  );
  return new Socket(transport, options?.highWaterMark ?? HIGH_WATER_MARK, options?.halfOpen ?? true);
}

function* makePair(_role: Role, { near, far }: PairOptions) {
  const [there, back] = [cat(), cat()];
  return { near: end('near', back, there, near), far: end('far', there, back, far) };
}

const visit = onPairs(makePair, 'Unix', 20);

/** Which cases are not asked, by how their titles begin, and why. */
const absent: Readonly<Record<string, string>> = {
  'tells of a peer that resets before everything has left':
    'the process in the middle takes it all, and there is no reset',
};

afterAll(() => {
  for (const child of children) child.kill('SIGKILL');
});

// There is no reset.
const subjects = pairCases.filter(([subject]) => subject !== 'Resetting');

describe.each(subjects)('%s through pipes of processes', (_subject, cases) => {
  for (const { title, expected, body } of cases) {
    const reason = Object.entries(absent).find(([start]) => title.startsWith(start))?.[1];
    if (reason !== undefined) {
      console.log(`not on pipes: ${title} (${reason})`);
      continue;
    }
    it(title, async () => {
      expect(await run(visit, body)).toEqual(expected);
      expect(openHandles().names).toEqual([]);
    });
  }
});
