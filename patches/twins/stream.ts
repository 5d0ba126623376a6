// stream.ts: the public names of `tendril/patches/stream`: those of node:stream, with `finished` and `pipeline` as Ops.
//
//   yield* pipeline(createReadStream('a'), createGzip(), createWriteStream('a.gz'));
//
// finished only listens: a kill takes its listeners away and leaves the stream as it is. pipeline drives: a kill or a timeout destroys every stream of it, and what has
// been written stays written, so it is no arm of a select.
// Streams themselves are Node's own, passed through. Their methods that give promises (`toArray`, `forEach`, ...) are for until(); to read and write them with Ops,
// `fromReadable` and `fromDuplex` of 'tendril' make sockets of them.

import stream from 'node:stream';
import { pipeline as pipe } from 'node:stream/promises';
import { typeError } from '../../core/bad-argument.ts';
import { composite } from '../../core/composite.ts';
import { ExternalWait, type Ticket } from '../../core/external.ts';
import type { Op, Waitable, WaitDescription } from '../../core/op.ts';
import { created } from '../../core/unstarted.ts';
import { checkOptions, own } from '../../io/address.ts';
import { located, looking, settle } from '../../io/files-call.ts';
import { eitherSignal } from '../../io/files-look.ts';
import { withoutInnerFrames } from './node-call.ts';

export {
  addAbortSignal,
  Duplex,
  duplexPair,
  getDefaultHighWaterMark,
  isErrored,
  isReadable,
  PassThrough,
  promises,
  Readable,
  Stream,
  setDefaultHighWaterMark,
  Transform,
  Writable,
} from 'node:stream';

type Streams = NodeJS.ReadableStream | NodeJS.WritableStream | NodeJS.ReadWriteStream;
// biome-ignore lint/suspicious/noExplicitAny: chunks are whatever the stream before gives, as in Node's own types
type Chunks = any;
/** What a pipeline is made of. */
export type PipelinePart =
  | Streams
  | Iterable<unknown>
  | AsyncIterable<unknown>
  | ((source: AsyncIterable<Chunks>, options: { readonly signal: AbortSignal }) => AsyncIterable<unknown>);
/** Its end, if that is to give a value. */
export type PipelineEnd<T> = (source: AsyncIterable<Chunks>, options: { readonly signal: AbortSignal }) => Promise<T>;
export interface PipelineOptions {
  readonly signal?: AbortSignal | undefined;
  /** False leaves the last stream open. */
  readonly end?: boolean | undefined;
}
interface Pipeline {
  <T>(...parts: [PipelinePart, ...PipelinePart[], PipelineEnd<T>]): Op<T>;
  (...parts: [PipelinePart, ...PipelinePart[], PipelinePart | PipelineOptions]): Op<void>;
  (parts: readonly PipelinePart[], options?: PipelineOptions): Op<void>;
}

// Taken at load: patches never reach us.
const { finished: listenForEnd } = stream;
const pipeAll = pipe as (...parts: unknown[]) => Promise<unknown>;

/**
 * Pass everything through `parts`, from the first to the last, and wait until it has arrived; return what the last one returns, if that is a function.
 *
 * Switches. If it throws, every stream has been destroyed, also by a kill; a part may have been written.
 *
 * @throws the first error of a stream. @throws TypeError at the call for fewer than two parts. @throws Error of Node's for what is no stream. @throws Killed
 * @see https://nodejs.org/api/stream.html#streampipelinesource-transforms-destination-options
 */
export const pipeline: Pipeline = ((...given: unknown[]) => {
  const last = given.at(-1);
  const options = isPart(last) ? {} : checkOptions(last as PipelineOptions, 'stream.pipeline');
  const listed = isPart(last) ? given : given.slice(0, -1);
  const parts: readonly unknown[] = listed.length === 1 && Array.isArray(listed[0]) ? [...listed[0]] : listed;
  if (parts.length < 2)
    throw typeError('stream.pipeline takes a source and where to: two streams or more', 'ERR_MISSING_ARGS');
  const run = (): Waitable<unknown> =>
    looking<unknown>({
      op: 'pipeline',
      object: `${parts.length} streams`,
      abortable: true,
      start: (done, signal) => {
        const end = own<boolean>(options, 'end') ?? true;
        const both = eitherSignal(own<AbortSignal>(options, 'signal'), signal);
        settle(pipeAll(...parts, { end, signal: both }), (error, value) => done(withoutInnerFrames(error), value));
      },
    });
  return composite(function* piping() {
    return yield* run();
  });
}) as Pipeline;

const MARKS = ['pipe', 'write', 'getReader', 'getWriter', Symbol.iterator, Symbol.asyncIterator, 'readable'] as const;

/** Is it part of a pipeline, and not its options? */
function isPart(value: unknown): boolean {
  if (typeof value !== 'object' || value === null) return value !== undefined && value !== null;
  return MARKS.some((mark) => mark in value);
}

export interface FinishedOptions {
  readonly error?: boolean | undefined;
  readonly readable?: boolean | undefined;
  readonly writable?: boolean | undefined;
  /** Ends the wait with AbortError. */
  readonly signal?: AbortSignal | undefined;
}

class Finished extends ExternalWait<void> {
  readonly #stream: Streams;
  readonly #options: FinishedOptions;
  constructor(of: Streams, options: FinishedOptions) {
    super();
    this.#stream = of;
    this.#options = options;
  }
  protected begin(ticket: Ticket<void>): void {
    const stopListening = listenForEnd(this.#stream, this.#options as stream.FinishedOptions, (error) => {
      // Node leaves listeners behind, so that a late error is none that nobody handles; a twin takes them away, as `cleanup: true` of node:stream/promises.
      stopListening();
      if (error === null || error === undefined) ticket.resolve();
      else ticket.rejectWith(() => located(withoutInnerFrames(error)));
    });
    ticket.onRetract = () => {
      stopListening();
      ticket.withdraw();
    };
  }
  describe(): WaitDescription {
    return { op: 'finished', object: 'a stream' };
  }
}

/**
 * Wait until `of` is not readable or writable any more, has failed or is closed. It only listens: a kill leaves the stream as it is.
 *
 * Switches. @throws the error of the stream, or ERR_STREAM_PREMATURE_CLOSE. @throws AbortError if `signal` aborts. @throws TypeError at the call. @throws Killed
 * @see https://nodejs.org/api/stream.html#streamfinishedstream-options-callback
 */
export function finished(of: Streams, options: FinishedOptions = {}): Waitable<void> {
  if (typeof of !== 'object' || !isPart(of)) throw typeError('stream.finished takes a stream');
  return created(new Finished(of, { ...checkOptions(options, 'stream.finished') }));
}

/** What the types of Node 20 do not name, or name as experimental. */
interface Unnamed {
  readonly compose: (...streams: readonly unknown[]) => stream.Duplex;
  readonly destroy: (of: Streams, error?: Error) => Streams;
  readonly isDestroyed: (of: Streams) => boolean | null;
  readonly isDisturbed: (of: unknown) => boolean;
  readonly isWritable: (of: Streams) => boolean | null;
}
const unnamed: Unnamed = stream as unknown as Unnamed;
/** Node's own. */
export const compose: Unnamed['compose'] = unnamed.compose;
/** Node's own. */
export const destroy: Unnamed['destroy'] = unnamed.destroy;
/** Node's own. */
export const isDestroyed: Unnamed['isDestroyed'] = unnamed.isDestroyed;
/** Node's own. */
export const isDisturbed: Unnamed['isDisturbed'] = unnamed.isDisturbed;
/** Node's own. */
export const isWritable: Unnamed['isWritable'] = unnamed.isWritable;
