// process-errors.ts: what can go wrong with a child process. All of it is the world's fault (ResourceError).
//
// `code` is Node's own where there is one (ENOENT, EACCES, E2BIG, EAGAIN, EMFILE, EPERM, ...), else ERR_<NAME>. What Node threw is the `cause`.
//
// The caller's own mistakes are not here: TypeError and RangeError for arguments, UsageError for a pipe that was not asked for.

import { ResourceError, TimeoutError } from '../core/errors.ts';

/** What of an output is shown in a message, at most. */
const MOST_SHOWN = 200;

/** The program could not be started. Nothing is left of the attempt. */
export class SpawnError extends ResourceError {
  override readonly code: string;
  /** The program that was to be started. */
  readonly file: string;
  /** What is to blame: the program, or the working directory. */
  readonly path: string;
  constructor(file: string, path: string, code: string, why: string, cause: unknown) {
    super(`spawn of ${shown(file)} failed: ${code}, ${why}`, { cause });
    this.code = code;
    this.file = file;
    this.path = path;
  }
}

/** A signal could not be sent: EPERM, the process belongs to somebody else (it was started by sudo, say). It goes on. */
export class SignalError extends ResourceError {
  override readonly code: string;
  readonly signal: string;
  constructor(what: string, signal: string, code: string, cause: unknown) {
    super(`${signal} to ${what} failed: ${code}`, { cause });
    this.code = code;
    this.signal = signal;
  }
}

/** What a child has printed, as text or as bytes. */
export interface Printed<T> {
  readonly stdout: T;
  readonly stderr: T;
}

/** A child has printed more than the caller allowed. It has been stopped. */
export class MaxBufferError extends ResourceError {
  override readonly code: string = 'ERR_CHILD_PROCESS_STDIO_MAXBUFFER';
  /** Which output it was. */
  readonly stream: 'stdout' | 'stderr';
  readonly maxBuffer: number;
  /** What had come: of `stream` the first `maxBuffer` bytes. */
  declare readonly stdout: string | Buffer;
  declare readonly stderr: string | Buffer;
  constructor(what: string, stream: 'stdout' | 'stderr', maxBuffer: number, printed: Printed<string | Buffer>) {
    super(`${what} printed more than ${maxBuffer} bytes to ${stream}: raise {maxBuffer}, or read it in pieces`);
    this.stream = stream;
    this.maxBuffer = maxBuffer;
    keep(this, printed);
  }
}

/** A child ended otherwise than with exit code 0, and the caller had asked for `check`. */
export class ExitError extends ResourceError {
  override readonly code: string = 'ERR_EXIT';
  readonly exitCode: number | null;
  readonly signal: NodeJS.Signals | null;
  declare readonly stdout: string | Buffer;
  declare readonly stderr: string | Buffer;
  constructor(what: string, exitCode: number | null, signal: NodeJS.Signals | null, printed: Printed<string | Buffer>) {
    const how = signal === null ? `ended with exit code ${exitCode}` : `was ended by ${signal}`;
    const last = lastLine(printed.stderr);
    super(`${what} ${how}${last === '' ? '' : `: ${last}`}`);
    this.exitCode = exitCode;
    this.signal = signal;
    keep(this, printed);
  }
}

/** `exec` has taken longer than `timeoutMs`. The program has been stopped. */
export class ExecTimeoutError extends TimeoutError {
  /** What it had printed. */
  declare readonly stdout: string | Buffer;
  declare readonly stderr: string | Buffer;
  constructor({ timeoutMs, timeout }: TimeoutError, what: string, printed: Printed<string | Buffer>) {
    super(timeoutMs, timeout, `exec of ${what}`);
    keep(this, printed);
  }
}

// Not enumerable: a printed error would print megabytes.
function keep(error: Error, { stdout, stderr }: Printed<string | Buffer>): void {
  Object.defineProperty(error, 'stdout', { value: stdout, enumerable: false });
  Object.defineProperty(error, 'stderr', { value: stderr, enumerable: false });
}

function lastLine(output: string | Buffer): string {
  const end = output.slice(-4 * MOST_SHOWN).toString();
  return shown(end.trimEnd().split('\n').at(-1) ?? '');
}

function shown(text: string): string {
  return text.length <= MOST_SHOWN ? text : `${text.slice(0, MOST_SHOWN - 3)}...`;
}
