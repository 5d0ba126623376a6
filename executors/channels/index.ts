// index.ts: the public names of `tendril/executors/channels`: channels whose ends are in different threads or processes.
//
// The rules are in docs/channels-across.md, the protocol in channel-end.ts.

export { ChannelEnd, type SendOptions } from './channel-end.ts';
export { ChannelLostError, ChannelMessageError } from './errors.ts';
export type { IpcPeer } from './ipc-link.ts';
export type { TransferItem } from './link.ts';
export { type ChannelEndOptions, type ChannelPort, channelPair, channelPorts, openChannel } from './pair.ts';
export { processChannel, type StreamChannelOptions, streamChannel } from './process-channel.ts';
