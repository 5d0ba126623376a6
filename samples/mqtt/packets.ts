// packets.ts: the packets of MQTT 3.1.1: how ours are built, and how those of the server are cut out of the stream and read.
//
// A packet is a byte of type and flags, a length of one to four bytes, and a body. The length is checked before anything is kept for it; a body has to be
// used up exactly.
// Source: http://docs.oasis-open.org/mqtt/mqtt/v3.1.1/os/mqtt-v3.1.1-os.html

import type { Codec } from 'tendril';
import { MqttProtocolError } from './errors.ts';

export type Qos = 0 | 1 | 2;

/** What the server sends. */
export type Packet =
  | { readonly type: 'connack'; readonly sessionPresent: boolean; readonly refusal: number }
  | Publish
  | { readonly type: 'puback' | 'pubrec' | 'pubrel' | 'pubcomp' | 'unsuback'; readonly id: number }
  | { readonly type: 'suback'; readonly id: number; readonly granted: number }
  | { readonly type: 'pingresp' };

export interface Publish {
  readonly type: 'publish';
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: Qos;
  readonly retain: boolean;
  /** The server has tried before. */
  readonly dup: boolean;
  /** 0 with a QoS of 0. */
  readonly id: number;
}

export class PacketCodec implements Codec<Uint8Array, Packet> {
  readonly limit: number;
  constructor(limit: number) {
    this.limit = limit;
  }

  encode(bytes: Uint8Array): Uint8Array {
    return bytes;
  }

  decode(input: Parameters<Codec<Uint8Array, Packet>['decode']>[0]): Packet | undefined {
    let length = 0;
    for (let i = 1; i <= 4; i += 1) {
      if (input.size <= i) return input.need(i + 1);
      const byte = input.at(i);
      length += (byte & 127) * 128 ** (i - 1);
      if (byte < 128) {
        const size = 1 + i + length;
        if (size > this.limit) throw input.tooLarge(size);
        if (input.size < size) return input.need(size);
        const head = input.at(0);
        input.skip(1 + i);
        return readPacket(head >> 4, head & 15, input.take(length));
      }
    }
    throw new MqttProtocolError('a length of more than four bytes');
  }
}

const NAMES = [
  '',
  '',
  'connack',
  'publish',
  'puback',
  'pubrec',
  'pubrel',
  'pubcomp',
  '',
  'suback',
  '',
  'unsuback',
  '',
  'pingresp',
] as const;
const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function readPacket(number: number, flags: number, body: Buffer): Packet {
  const type = NAMES[number] ?? '';
  if (type === '') throw new MqttProtocolError(`a packet of type ${number}, which no server sends`);
  if (type === 'publish') return readPublish(flags, body);
  const size = { connack: 2, suback: 3, pingresp: 0 }[type as string] ?? 2;
  if (flags !== (type === 'pubrel' ? 2 : 0) || body.length !== size) throw new MqttProtocolError(`a malformed ${type}`);
  if (type === 'pingresp') return { type };
  if (type === 'connack') return { type, sessionPresent: body[0] === 1, refusal: body[1] as number };
  const id = idIn(body);
  return type === 'suback' ? { type, id, granted: body[2] as number } : { type, id };
}

function readPublish(flags: number, body: Buffer): Publish {
  const qos = (flags >> 1) & 3;
  const end = body.length < 2 ? Number.POSITIVE_INFINITY : 2 + body.readUInt16BE();
  const start = end + (qos === 0 ? 0 : 2);
  if (qos === 3 || start > body.length) throw new MqttProtocolError('a malformed publish');
  let topic: string;
  try {
    topic = utf8.decode(body.subarray(2, end));
  } catch {
    throw new MqttProtocolError('a topic that is no text');
  }
  if (topic === '' || /[+#\0]/.test(topic)) throw new MqttProtocolError('a publish to no topic');
  const id = qos === 0 ? 0 : idIn(body.subarray(end));
  return {
    type: 'publish',
    topic,
    payload: body.subarray(start),
    qos: qos as Qos,
    retain: (flags & 1) === 1,
    dup: flags >= 8,
    id,
  };
}

function idIn(body: Buffer): number {
  const id = body.readUInt16BE();
  if (id === 0) throw new MqttProtocolError('a packet with the number 0');
  return id;
}

export function packet(type: number, flags: number, ...parts: readonly Uint8Array[]): Buffer {
  let left = parts.reduce((sum, part) => sum + part.length, 0);
  if (left > 268_435_455)
    throw Object.assign(new RangeError(`a packet of ${left} bytes: too large for MQTT`), { code: 'ERR_OUT_OF_RANGE' });
  const head = [(type << 4) | flags];
  do {
    head.push(left > 127 ? (left % 128) | 128 : left);
    left = Math.floor(left / 128);
  } while (left > 0);
  return Buffer.concat([Uint8Array.from(head), ...parts]);
}

function int16(value: number): Uint8Array {
  return Uint8Array.of(value >> 8, value & 255);
}

/** Bytes with their length before them. */
function counted(value: string | Uint8Array): Buffer {
  const bytes = Buffer.from(value);
  return Buffer.concat([int16(bytes.length), bytes]);
}

export interface Will {
  readonly topic: string;
  readonly payload: string | Uint8Array;
  readonly qos?: Qos | undefined;
  readonly retain?: boolean | undefined;
}

export interface Connecting {
  readonly clientId: string;
  readonly clean: boolean;
  readonly keepAliveSeconds: number;
  readonly username: string | undefined;
  readonly password: string | Uint8Array | undefined;
  readonly will: Will | undefined;
}

export function connectPacket({ clientId, clean, keepAliveSeconds, username, password, will }: Connecting): Buffer {
  const flags =
    (username === undefined ? 0 : 128) |
    (password === undefined ? 0 : 64) |
    (will === undefined ? 0 : 4 | ((will.qos ?? 0) << 3) | (will.retain === true ? 32 : 0)) |
    (clean ? 2 : 0);
  const fields = [clientId, will?.topic, will?.payload, username, password].filter((field) => field !== undefined);
  return packet(1, 0, counted('MQTT'), Uint8Array.of(4, flags), int16(keepAliveSeconds), ...fields.map(counted));
}

export function publishPacket(topic: string, payload: Uint8Array, qos: Qos, retain: boolean, id: number): Buffer {
  const number = qos === 0 ? [] : [int16(id)];
  return packet(3, (qos << 1) | (retain ? 1 : 0), counted(topic), ...number, payload);
}

/** The same again, and said so. */
export function duplicate(publish: Buffer): Buffer {
  const copy = Buffer.from(publish);
  copy[0] = (copy[0] as number) | 8;
  return copy;
}

export const puback = (id: number): Buffer => packet(4, 0, int16(id));
export const pubrec = (id: number): Buffer => packet(5, 0, int16(id));
export const pubrel = (id: number): Buffer => packet(6, 2, int16(id));
export const pubcomp = (id: number): Buffer => packet(7, 0, int16(id));
export const subscribePacket = (id: number, filter: string, qos: Qos): Buffer =>
  packet(8, 2, int16(id), counted(filter), Uint8Array.of(qos));
export const unsubscribePacket = (id: number, filter: string): Buffer => packet(10, 2, int16(id), counted(filter));
export const pingreq: Buffer = packet(12, 0);
export const disconnect: Buffer = packet(14, 0);
