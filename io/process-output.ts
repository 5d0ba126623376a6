// process-output.ts: a whole conversation with a child: its input written, its outputs read, its exit waited for, all at the same time.
//
// One after the other would deadlock: a child that fills a pipe that nobody reads waits for us while we wait for its exit, and one that answers before it
// has read everything waits for us while we write.
//
// The child belongs to whoever has this conversation: an error, a kill or a timeout stops it, and it has exited before that goes on.
// Source: Python's subprocess.communicate.

import { typeError } from '../core/bad-argument.ts';
import { composite } from '../core/composite.ts';
import type { Op } from '../core/op.ts';
import { scope } from '../core/scope.ts';
import { shield } from '../core/shield.ts';
import { checkOptions, own, ownCount, ownFlag, shownValue } from './address.ts';
import { ConnectionResetError } from './errors.ts';
import type { Process } from './process-child.ts';
import { ExitError, MaxBufferError, type Printed } from './process-errors.ts';
import type { ExitStatus } from './process-wait.ts';
import type { Socket } from './socket.ts';
import { pieceOf, type Writable } from './writable.ts';

const MAX_BUFFER = 16 * 1024 * 1024;

/** How printed bytes are given back: as text, or as they are. */
export type OutputEncoding = 'utf8' | 'latin1' | 'buffer';

export interface CommunicateOptions {
  /** How many bytes the child may print to stdout, and to stderr: 16 MiB each by default. */
  readonly maxBuffer?: number | undefined;
  /** 'utf8' by default; 'buffer' for bytes. */
  readonly encoding?: OutputEncoding | undefined;
  /** True: an exit code other than 0, or an end by a signal, is an ExitError. False by default. */
  readonly check?: boolean | undefined;
}

/** What a child has printed and how it ended. */
export interface Output<T = string> extends Printed<T>, ExitStatus {}

/** Checked CommunicateOptions. */
export interface Conversation {
  readonly input: Writable | undefined;
  readonly maxBuffer: number;
  readonly encoding: OutputEncoding;
  readonly check: boolean;
}

/** Check the options of a conversation. @internal */
export function checkConversation(input: unknown, options: unknown, where: string): Conversation {
  const given = checkOptions(options, where);
  const encoding = own<OutputEncoding>(given, 'encoding') ?? 'utf8';
  if (encoding !== 'utf8' && encoding !== 'latin1' && encoding !== 'buffer') {
    throw typeError(`${where}: encoding must be 'utf8', 'latin1' or 'buffer', not ${shownValue(encoding)}`);
  }
  return {
    input: input === undefined ? undefined : pieceOf(input, where),
    maxBuffer: ownCount(given, 'maxBuffer', MAX_BUFFER, 0, where),
    encoding,
    check: ownFlag(given, 'check', false, where),
  };
}

/** Process.communicate. @internal */
export function communicate(
  child: Process,
  input: unknown,
  options: unknown,
  where: string,
): Op<Output<string | Buffer>> {
  return composite(converse, child, checkConversation(input, options, where));
}

/** Have a checked conversation. @internal */
export function* converse(
  child: Process,
  conversation: Conversation,
  printed: Collected = new Collected(child, conversation),
): Op<Output<string | Buffer>> {
  const { stdin, stdout, stderr } = child.pipes;
  let status: ExitStatus;
  let finished = false;
  try {
    status = yield* scope(function* (s) {
      if (stdin !== undefined) s.spawn(feed, stdin, conversation.input);
      if (stdout !== undefined) s.spawn(collect, stdout, 'stdout', printed);
      if (stderr !== undefined) s.spawn(collect, stderr, 'stderr', printed);
      return yield* child.exit();
    });
    finished = true;
  } finally {
    if (!finished) yield* shield(Number.POSITIVE_INFINITY, child.stop());
  }
  const output = { ...printed.read(), ...status };
  if (conversation.check && status.exitCode !== 0) {
    throw new ExitError(child.toString(), status.exitCode, status.signal, output);
  }
  return output;
}

/** Everything that has come so far. @internal */
export class Collected {
  readonly child: Process;
  readonly maxBuffer: number;
  readonly #encoding: OutputEncoding;
  readonly #chunks: Readonly<Record<OutputName, Buffer[]>> = { stdout: [], stderr: [] };
  readonly #sizes: Record<OutputName, number> = { stdout: 0, stderr: 0 };

  constructor(child: Process, { maxBuffer, encoding }: Conversation) {
    this.child = child;
    this.maxBuffer = maxBuffer;
    this.#encoding = encoding;
  }

  add(name: OutputName, chunk: Buffer): void {
    const room = this.maxBuffer - this.#sizes[name];
    this.#chunks[name].push(chunk.length <= room ? chunk : chunk.subarray(0, room));
    this.#sizes[name] += chunk.length;
    if (chunk.length > room) throw new MaxBufferError(this.child.toString(), name, this.maxBuffer, this.read());
  }

  read(): Printed<string | Buffer> {
    return { stdout: this.#whole('stdout'), stderr: this.#whole('stderr') };
  }

  #whole(name: OutputName): string | Buffer {
    const bytes = Buffer.concat(this.#chunks[name]);
    return this.#encoding === 'buffer' ? bytes : bytes.toString(this.#encoding);
  }
}

type OutputName = 'stdout' | 'stderr';

function* collect(socket: Socket, name: OutputName, printed: Collected): Op<void> {
  for (let chunk = yield* socket.read(); chunk !== null; chunk = yield* socket.read()) printed.add(name, chunk);
}

function* feed(socket: Socket, input: Writable | undefined): Op<void> {
  try {
    if (input !== undefined) yield* socket.write(input);
    yield* socket.flush();
    socket.end();
  } catch (error) {
    // It has exited, or has closed its stdin: what it did not read it did not need.
    if (!(error instanceof ConnectionResetError)) throw error;
  }
}
