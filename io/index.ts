// index.ts: the public names of `tendril`: the kernel, the hub and everything that waits for something outside.
//
// Importing it installs the Node driver, and does nothing else.

import * as dns from './dns.ts';
import * as files from './files.ts';
import * as http from './http.ts';
import './hub.ts';
import * as process from './process.ts';
import * as signals from './signals.ts';
import * as stdio from './stdio.ts';

export {
  AsyncResult,
  type Awaitable,
  all,
  allSettled,
  any,
  type Backoff,
  Barrier,
  type BarrierOptions,
  type Body,
  BoundedSemaphore,
  BrokenBarrierError,
  BusyError,
  Channel,
  ChannelClosedError,
  type ChannelOptions,
  type ChannelPreference,
  ClosedError,
  Condition,
  Coroutine,
  call,
  callerFrames,
  current,
  DeadlockError,
  deadline,
  Event,
  fn,
  Greenlet,
  GreenletKilledError,
  type GreenletOutcome,
  Group,
  type ImapOptions,
  type Instrument,
  InternalError,
  idle,
  isKilled,
  iwait,
  type JoinAllOptions,
  JoinableQueue,
  joinAll,
  Killed,
  KillIgnoredError,
  killAll,
  LifoQueue,
  type LinkTarget,
  Local,
  type LocalOptions,
  type LockSide,
  type MapIterator,
  Mutex,
  NotInGreenletError,
  NotOwnerError,
  noBlock,
  now,
  type Op,
  OpIteratedError,
  OpReusedError,
  Pool,
  PriorityQueue,
  type PriorityQueueOptions,
  park,
  Queue,
  QueueClosedError,
  QueueEmptyError,
  QueueFullError,
  type QueueOptions,
  type Readiness,
  type Ready,
  type ReadyValue,
  ResourceError,
  type ResultOf,
  ResultSetError,
  RLock,
  RWLock,
  race,
  rethrowKilled,
  run,
  type Scope,
  ScopeClosedError,
  type SelectArms,
  type Selected,
  type SelectedElse,
  type SelectOptions,
  Semaphore,
  type Settled,
  type SpawnOptions,
  type SuperviseOptions,
  scope,
  select,
  shield,
  sleep,
  sleepUntil,
  spawn,
  spawnLater,
  spawnWith,
  supervise,
  suppressedErrors,
  TendrilError,
  TimeoutError,
  type TimeoutOptions,
  type Trap,
  timeout,
  UsageError,
  unpark,
  type Waitable,
  type WaitDescription,
  type WaitOptions,
  WouldBlockError,
  wait,
  yieldNow,
} from '../core/index.ts';
export { signal } from './abort-signal.ts';
export { Address, type Endpoint } from './address.ts';
export { fromAsyncIterable } from './async-iterables.ts';
export type { ByteReader, ByteSink, ByteSource, ByteWriter, StreamReader, StreamWriter } from './byte-streams.ts';
export { callback, type Done } from './callback.ts';
export type { Codec, DecodeBuffer } from './codec.ts';
export { type ConnectOptions, connect } from './connect.ts';
export {
  type DatagramHandler,
  DatagramServer,
  type DatagramServerOptions,
  type DatagramServerStats,
} from './datagram-server.ts';
export {
  type Datagram,
  type DatagramPeer,
  DatagramSocket,
  type DatagramStats,
} from './datagram-socket.ts';
export { Decoder } from './decoder.ts';
export { type EmitterLike, EventChannel, type EventSource, on, once } from './emitter.ts';
export {
  type ConnectAttempt,
  ConnectError,
  ConnectionResetError,
  DatagramError,
  DnsError,
  IncompleteReadError,
  LineTooLongError,
  ListenError,
  NestedProgramError,
  ServerClosedError,
} from './errors.ts';
export { type ChunkSource, type ConnectionSource, forEach, type Source, type WaitableIterator } from './for-each.ts';
export type { ForeignOptions } from './foreign-stream.ts';
export { Framed, framed } from './framed.ts';
export { DecodeError, FrameTooLargeError, PipeError, StreamError } from './framing-errors.ts';
export { type FrameLimit, fixedSizeCodec, type LengthPrefix, lengthPrefixedCodec } from './framing-lengths.ts';
export { delimiterCodec, type LineCodecOptions, lineCodec } from './framing-marks.ts';
export { type OpenHandles, openHandles } from './handles.ts';
export {
  BodyTooLargeError,
  BodyUsedError,
  DecompressionError,
  HttpError,
  IncompleteBodyError,
  ParseError,
  ProxyError,
  RedirectError,
  RetryError,
} from './http.ts';
export { type Hub, type HubStats, hub, type ReportOptions } from './hub.ts';
export { Listener, type ListenerStats, type ListenOptions, listen } from './listen.ts';
export { main } from './main.ts';
export { type MemoryOptions, memoryPair } from './memory-pair.ts';
export { toDuplex, toReadable, toWritable } from './node-bridges.ts';
export { fromDuplex, fromReadable, fromWritable, type NodePair } from './node-streams.ts';
export { type PipedBytes, type PipeOptions, pipe, pipeBoth } from './pipe.ts';
export { ExecTimeoutError, ExitError, MaxBufferError, SignalError, SpawnError } from './process-errors.ts';
export type { TextEncoding } from './reads.ts';
export { type ServeOptions, serve } from './serve.ts';
export {
  type CloseOptions,
  type ReadLineOptions,
  type ReadUntilOptions,
  Socket,
  type SocketOptions,
} from './socket.ts';
export { type AsyncIterableOptions, type Iterated, toAsyncIterable } from './stream-iterator.ts';
export {
  type StopOptions,
  StreamServer,
  type StreamServerListeners,
  type StreamServerOptions,
  type StreamServerState,
} from './stream-server.ts';
export { type ConnectTlsOptions, connectTls } from './tls-connect.ts';
export { TlsError } from './tls-errors.ts';
export type { TlsInfo } from './tls-info.ts';
export { type ListenTlsOptions, listenTls, type OnTlsError } from './tls-listen.ts';
export type { Pem, TlsClientOptions, TlsIdentity, TlsOptions, TlsVersion } from './tls-options.ts';
export type { SniFunction, TlsServerOptions } from './tls-server-options.ts';
export type { StartTlsOptions } from './tls-start.ts';
export { type UdpEndpoint, type UdpOptions, udp } from './udp.ts';
export { type UntilOptions, until } from './until.ts';
export type { Stall, Watchdog, WatchdogOptions } from './watchdog.ts';
export {
  fromReadableStream,
  fromTransformStream,
  fromWritableStream,
  toReadableStream,
  toWritableStream,
  type WebPair,
  type WebReadable,
  type WebWritable,
} from './web-streams.ts';
export type { Writable } from './writable.ts';
export { dns, files, http, process, signals, stdio };
