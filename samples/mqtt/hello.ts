// hello.ts: how a connection to an MQTT server begins: what can be asked for, and what the server says to it.

import { connect, type Framed, framed, type Op, type Socket } from 'tendril';
import { invalid, MqttConnectionError, MqttError, MqttProtocolError } from './errors.ts';
import * as packets from './packets.ts';
import type { MqttSession } from './session.ts';
import { checkText, checkTopic } from './topics.ts';

export interface MqttOptions {
  /** 127.0.0.1 and 1883 by default. */
  readonly host?: string | undefined;
  readonly port?: number | undefined;
  /** Empty by default: the server makes one up. */
  readonly clientId?: string | undefined;
  readonly username?: string | undefined;
  readonly password?: string | Uint8Array | undefined;
  /** What the server publishes if this client goes without a goodbye. */
  readonly will?: packets.Will | undefined;
  /** Both sides notice within about this time that the other has gone: 60,000 ms by default. */
  readonly keepAliveMs?: number | undefined;
  /** How long connecting may take: 10,000 ms by default. */
  readonly connectMs?: number | undefined;
  /** The largest packet that is taken: 16 MiB by default. */
  readonly maxPacketBytes?: number | undefined;
  /** What outlives the connection: needs a `clientId`. Without one the server forgets this client when it goes. */
  readonly session?: MqttSession | undefined;
}

const REFUSALS = [
  '',
  'a protocol that it does not know',
  'the client id',
  'for now',
  'the name or password',
  'this client',
];

export function bytesOf(payload: string | Uint8Array): Uint8Array {
  if (payload instanceof Uint8Array) return payload;
  if (typeof payload !== 'string' || /\p{Surrogate}/u.test(payload)) throw invalid('a payload is text or bytes');
  return Buffer.from(payload);
}

export function checkQos(qos: number): void {
  if (qos !== 0 && qos !== 1 && qos !== 2) throw invalid(`a QoS is 0, 1 or 2, not ${String(qos)}`);
}

/** The first packet. @throws TypeError for options that no server takes. */
export function helloOf(
  { clientId = '', username, password, will, session }: MqttOptions,
  keepAliveMs: number,
): Buffer {
  checkText(clientId, 'client id');
  if (session !== undefined && clientId === '')
    throw invalid('a session needs a client id, by which the server knows it again');
  if (username !== undefined) checkText(username, 'user name');
  else if (password !== undefined) throw invalid('a password without a user name');
  const secret = password === undefined ? undefined : bytesOf(password);
  const last =
    will === undefined ? undefined : { ...will, topic: checkTopic(will.topic), payload: bytesOf(will.payload) };
  if (will?.qos !== undefined) checkQos(will.qos);
  if (Math.max(secret?.length ?? 0, last?.payload.length ?? 0) > 65_535)
    throw invalid('a password or a will of more than 65,535 bytes');
  if (!(keepAliveMs > 0 && keepAliveMs <= 65_535_000))
    throw invalid(`keepAliveMs must be from 1 to 65,535,000, not ${keepAliveMs}`);
  return packets.connectPacket({
    clientId,
    clean: session === undefined,
    keepAliveSeconds: Math.ceil(keepAliveMs / 1_000),
    username,
    password: secret,
    will: last,
  });
}

/** Connect and say hello. If it throws, nothing is left open. */
export function* greet(
  address: { host: string; port: number },
  hello: Uint8Array,
  limit: number,
): Op<{ frames: Framed<Uint8Array, packets.Packet, Socket>; resumes: boolean }> {
  const socket = yield* connect(address);
  const frames = framed(socket, new packets.PacketCodec(limit));
  let greeted = false;
  try {
    yield* frames.send(hello);
    const answer = yield* frames.receive();
    if (answer === null) throw new MqttConnectionError('the server closed the connection');
    if (answer.type !== 'connack') throw new MqttProtocolError(`a ${answer.type} in place of a connack`);
    if (answer.refusal !== 0)
      throw new MqttError(`the server refuses ${REFUSALS[answer.refusal] ?? `(${answer.refusal})`}`);
    greeted = true;
    return { frames, resumes: answer.sessionPresent };
  } finally {
    if (!greeted) socket.close();
  }
}
