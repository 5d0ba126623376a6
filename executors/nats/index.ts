// index.ts: the public names of `tendril/executors/nats`: tasks and channels across machines, over NATS JetStream.
//
// Needs the packages `@nats-io/transport-node` and `@nats-io/jetstream`, which whoever imports this installs, and a nats-server with JetStream (2.9 or newer).

export {
  EngineClosedError,
  EngineRefusedError,
  EngineUnreachableError,
  MessageMalformedError,
  TaskDeadError,
} from './errors.ts';
export { NatsLink } from './link.ts';
export type { NatsOptions } from './nats-options.ts';
export { openRemoteChannel, type RemoteChannelOptions, removeRemoteChannel } from './open-remote-channel.ts';
export { RemoteChannel } from './remote-channel.ts';
export { RemoteExecutor, type RemoteExecutorOptions, type RemoteExecutorStats } from './remote-executor.ts';
export { type AnyTaskSet, type ServeTasksOptions, serveTasks } from './serve-tasks.ts';
