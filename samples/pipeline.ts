// pipeline.ts: `sort | uniq -c | sort -rn` in sequential style: programs, each reading what the one before it prints.
//
// Bytes flow with backpressure: a slow program slows those before it. When one stops reading, the one before it gets SIGPIPE, as in a shell: that is how
// `yes | head -n 1` ends. However the pipeline ends, by itself, by an error or by a kill, each of its programs has exited.
//
// How to run: npx tsx samples/pipeline.ts

import {
  all,
  main,
  type Op,
  PipeError,
  pipe,
  process as processes,
  ResourceError,
  scope,
  shield,
  timeout,
} from 'tendril';

type Child = processes.Process;
type ByteSink = Parameters<typeof pipe>[1];

export interface PipelineOptions {
  /** What the first program reads: nothing by default. */
  readonly input?: string | Uint8Array | undefined;
  /** Where the output goes, which is not ended; by default it is collected. */
  readonly output?: ByteSink | undefined;
  /** How much is collected: 16 MiB by default. */
  readonly maxBytes?: number | undefined;
}

export interface PipelineResult {
  /** How each program ended. */
  readonly statuses: readonly processes.ExitStatus[];
  /** The last program that failed, counted from 0, as with `pipefail`; undefined if none did. One that got SIGPIPE because its reader had had enough has not. */
  readonly failed: number | undefined;
  /** What was collected. */
  readonly output: Buffer;
}

/** More output than is collected. */
export class OutputTooLargeError extends ResourceError {
  override readonly code: string = 'ERR_OUTPUT_TOO_LARGE';
}

/** Copy what `writer` prints to `reader`; when that reads no more, tell the writer as the system does. */
function* carry(writer: Child, reader: Child): Op<void> {
  try {
    yield* pipe(writer.stdout, reader.stdin);
  } catch (error) {
    if (!(error instanceof PipeError)) throw error;
    // Our pipes are sockets, which would only give it an error (ECONNRESET).
    writer.kill('SIGPIPE');
    writer.stdout.close();
    reader.stdin.close();
  }
}

function* feed(input: string | Uint8Array, sink: Child['stdin']): Op<void> {
  try {
    yield* sink.write(input);
    yield* sink.closeGracefully();
  } catch (error) {
    // It did not want all of it.
    if (!(error instanceof ResourceError)) throw error;
  }
}

function collector(maxBytes: number): { write(bytes: Uint8Array): Op<void>; bytes(): Buffer } {
  const pieces: Uint8Array[] = [];
  let size = 0;
  return {
    *write(bytes): Op<void> {
      size += bytes.length;
      if (size > maxBytes) throw new OutputTooLargeError(`the pipeline prints more than ${maxBytes} bytes`);
      pieces.push(bytes);
    },
    bytes: () => Buffer.concat(pieces),
  };
}

/**
 * Run `commands`, each a program with its arguments, the output of one being the input of the next. Their stderr is ours.
 *
 * @throws SpawnError if one cannot be started: the others are stopped. @throws PipeError if the output is
 * not taken; its cause says why: an error of `output`, or OutputTooLargeError.
 */
export function* pipeline(
  commands: readonly (readonly [program: string, ...args: string[]])[],
  { input = '', output, maxBytes = 16 * 1024 * 1024 }: PipelineOptions = {},
): Op<PipelineResult> {
  const children: Child[] = [];
  const collected = collector(maxBytes);
  try {
    for (const [program, ...args] of commands)
      children.push(yield* processes.spawn(program, args, { stdio: ['pipe', 'pipe', 'inherit'] }));
    const statuses = yield* scope(function* flow(s): Op<processes.ExitStatus[]> {
      for (const [i, child] of children.entries()) {
        if (i === 0) s.spawn(feed, input, child.stdin);
        const next = children[i + 1];
        if (next === undefined) s.spawn(() => pipe(child.stdout, output ?? collected, { end: false }));
        else s.spawn(carry, child, next);
      }
      return yield* all(children.map((child) => child.wait()));
    });
    return { statuses, failed: lastFailed(statuses), output: collected.bytes() };
  } finally {
    // The grace of each program is over after a few seconds, so this ends.
    yield* shield(Number.POSITIVE_INFINITY, all(children.map((child) => child.stop())));
    for (const child of children) child.close();
  }
}

function lastFailed(statuses: readonly processes.ExitStatus[]): number | undefined {
  const failed = statuses.findLastIndex(
    ({ exitCode, signal }, i) => exitCode !== 0 && !(signal === 'SIGPIPE' && i < statuses.length - 1),
  );
  return failed === -1 ? undefined : failed;
}

const shown = ({ exitCode, signal }: processes.ExitStatus): string => signal ?? String(exitCode);

function* program(): Op<void> {
  const orders = ['rye', 'wheat', 'rye', 'spelt', 'wheat', 'rye'].join('\n');
  const counted = yield* pipeline([['sort'], ['uniq', '-c'], ['sort', '-rn']], { input: `${orders}\n` });
  console.log(counted.output.toString().replace(/^ +/gm, '').trimEnd());

  const enough = yield* pipeline([
    ['yes', 'bread'],
    ['head', '-n', '2'],
  ]);
  console.log(
    `${enough.output.toString().trimEnd().replace('\n', ', ')}: ended with ${enough.statuses.map(shown).join(', ')}`,
  );

  const broken = yield* pipeline([['sh', '-c', 'echo one; exit 3'], ['cat']]);
  console.log(
    `${broken.output.toString().trimEnd()}, but number ${broken.failed} failed: ${broken.statuses.map(shown).join(', ')}`,
  );

  const late = yield* timeout(50, pipeline([['sleep', '60'], ['cat'], ['cat']]), { else: undefined });
  console.log(late === undefined ? 'too late: all three were stopped' : 'in time');
}

if (process.argv[1] === import.meta.filename) main(program);
