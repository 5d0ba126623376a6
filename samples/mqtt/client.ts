// client.ts: what one does with MQTT: publish, subscribe. Any number of greenlets use one client.
//
// Two daemons do the rest: one reads what the server sends, the other asks for a sign of life now and then. A publication with a QoS of 1 or 2 has a number
// until the server has acknowledged it, also if whoever published it was killed: so no two share a number, and a handshake that was begun is finished.
//
// A connection that is lost is not made again by itself: everybody gets MqttConnectionError. With a session (session.ts) the next client takes up
// what was on its way.
//
// Invariants, between any two steps:
//   permits of `places` + publications on their way = MOST_ON_THE_WAY
//   closed  implies  nobody waits for an acknowledgement, and every subscription is closed

import {
  AsyncResult,
  ClosedError,
  type Framed,
  type Greenlet,
  isKilled,
  type Op,
  ResourceError,
  rethrowKilled,
  Semaphore,
  type Socket,
  shield,
  sleep,
  spawnWith,
  timeout,
} from 'tendril';
import { invalid, MqttConnectionError, MqttError, MqttProtocolError } from './errors.ts';
import { bytesOf, checkQos, greet, helloOf, type MqttOptions } from './hello.ts';
import * as packets from './packets.ts';
import { MqttSession } from './session.ts';
import { Delivery, Subscription } from './subscription.ts';
import { checkFilter, checkTopic, matches } from './topics.ts';

export interface PublishOptions {
  /** 0: at most once, not acknowledged (default); 1: at least once; 2: exactly once. */
  readonly qos?: packets.Qos | undefined;
  /** The server keeps it for those who come later. */
  readonly retain?: boolean | undefined;
}

export interface SubscribeOptions {
  readonly qos?: packets.Qos | undefined;
  /** How many messages may wait: 1,024 by default. */
  readonly capacity?: number | undefined;
}

const MOST_ON_THE_WAY = 1_000;
const MOST_UNCLAIMED = 1_000;

export class MqttClient {
  readonly #socket: Socket;
  readonly #packets: Framed<Uint8Array, packets.Packet, Socket>;
  readonly #session: MqttSession;
  readonly #persistent: boolean;
  readonly #subscriptions = new Set<Subscription>();
  /** Answers to SUBSCRIBE and UNSUBSCRIBE that are due. */
  readonly #asked = new Map<number, AsyncResult<number>>();
  readonly #places = new Semaphore(MOST_ON_THE_WAY, { name: 'MQTT publications on their way' });
  /** Messages of the session that came before anybody subscribed again. */
  #unclaimed: packets.Publish[] = [];
  readonly #daemons: Greenlet<void>[] = [];
  #closed: Error | undefined;
  /** How many pings have not been answered. */
  #pings = 0;

  private constructor(frames: Framed<Uint8Array, packets.Packet, Socket>, session: MqttSession | undefined) {
    this.#packets = frames;
    this.#socket = frames.stream;
    this.#persistent = session !== undefined;
    this.#session = session ?? new MqttSession();
  }

  /** Connect. If it throws, nothing is left open. @throws MqttError if the server refuses; ConnectError, TimeoutError; TypeError for options that are none. */
  static *connect(options: MqttOptions = {}): Op<MqttClient> {
    const { host = '127.0.0.1', port = 1883, keepAliveMs = 60_000, connectMs = 10_000, session } = options;
    const hello = helloOf(options, keepAliveMs);
    const limit = options.maxPacketBytes ?? 16 * 1024 * 1024;
    const { frames, resumes } = yield* timeout(connectMs, greet({ host, port }, hello, limit));
    const client = new MqttClient(frames, session);
    client.#daemons.push(
      spawnWith({ name: 'mqtt reader', daemon: true }, () => client.#read()),
      spawnWith({ name: 'mqtt pinger', daemon: true }, () => client.#ping(keepAliveMs)),
    );
    try {
      if (!resumes) client.#session.clear();
      for (const bytes of client.#session.unfinished()) yield* client.#send(bytes);
    } catch (error) {
      client.close();
      throw error;
    }
    return client;
  }

  get closed(): boolean {
    return this.#closed !== undefined;
  }

  /**
   * Publish. With a QoS of 0 it returns when there is room in the socket; otherwise when the server has acknowledged it.
   *
   * If it throws Killed or TimeoutError with a QoS of 1 or 2 it may arrive all the same. @throws TypeError for a topic that is none: nothing was sent.
   * @throws MqttConnectionError if the connection is lost. @throws ClosedError after close().
   */
  *publish(topic: string, payload: string | Uint8Array, { qos = 0, retain = false }: PublishOptions = {}): Op<void> {
    checkTopic(topic);
    checkQos(qos);
    const bytes = bytesOf(payload);
    if (qos === 0) return yield* this.#send(packets.publishPacket(topic, bytes, 0, retain, 0));
    yield* this.#places.acquire();
    let sent = false;
    const id = this.#freeId();
    const done = new AsyncResult<void>({ name: `an acknowledgement of ${topic}` });
    try {
      const packet = packets.publishPacket(topic, bytes, qos, retain, id);
      // In the session first: what is sent must not be forgotten.
      this.#session.outgoing.set(id, { packet, released: false, done });
      yield* this.#send(packet);
      sent = true;
    } finally {
      if (!sent) this.#finished(id);
    }
    yield* done.get();
  }

  /** Subscribe: a channel of messages. @throws MqttError if the server refuses. @throws as publish. */
  *subscribe(filter: string, { qos = 0, capacity = 1_024 }: SubscribeOptions = {}): Op<Subscription> {
    checkFilter(filter);
    checkQos(qos);
    if (!(capacity >= 1)) throw invalid(`a capacity of ${capacity}: at least one message must have room`);
    const subscription = new Subscription(this, filter, qos, capacity);
    this.#subscriptions.add(subscription);
    let confirmed = false;
    try {
      const granted = yield* this.#ask((id) => packets.subscribePacket(id, filter, qos));
      if (granted > 2) throw new MqttError(`the server refuses a subscription to ${filter}`);
      confirmed = true;
    } finally {
      // Whoever is killed here must not leave behind a subscription that nobody reads.
      if (!confirmed) yield* this.#abandon(subscription);
    }
    const early = this.#unclaimed.filter(({ topic }) => matches(filter, topic));
    this.#unclaimed = this.#unclaimed.filter((message) => !early.includes(message));
    for (const message of early) yield* this.#deliver(message);
    return subscription;
  }

  /** Say goodbye, so that the server does not publish the will, and close. */
  *disconnect(): Op<void> {
    try {
      yield* this.#send(packets.disconnect);
      yield* this.#socket.flush();
    } finally {
      this.close();
    }
  }

  /** Close at once, without a goodbye. Who waits gets ClosedError. Never switches; idempotent. */
  close(): void {
    this.#end(new ClosedError('an MQTT client that is closed'));
  }

  /** @internal */
  *unsubscribe(subscription: Subscription): Op<void> {
    const { filter } = subscription;
    this.#subscriptions.delete(subscription);
    const shared = [...this.#subscriptions].some((other) => other.filter === filter);
    this.#subscriptions.add(subscription);
    if (!shared && !this.closed) yield* this.#ask((id) => packets.unsubscribePacket(id, filter));
  }

  /** @internal */
  forget(subscription: Subscription): void {
    this.#subscriptions.delete(subscription);
  }

  *#abandon(subscription: Subscription): Op<void> {
    subscription.close();
    if (this.closed) return;
    try {
      yield* shield(1_000, timeout(1_000, this.unsubscribe(subscription)));
    } catch (error) {
      rethrowKilled(error);
      // The connection is lost, or as good as that.
    } finally {
      subscription.close();
    }
  }

  /** Send a packet with a number, and wait for its acknowledgement. */
  *#ask(packetWith: (id: number) => Buffer): Op<number> {
    const id = this.#freeId();
    const answer = new AsyncResult<number>({ name: 'an MQTT acknowledgement' });
    this.#asked.set(id, answer);
    let sent = false;
    try {
      yield* this.#send(packetWith(id));
      sent = true;
    } finally {
      if (!sent) this.#asked.delete(id);
    }
    return yield* answer.get();
  }

  #freeId(): number {
    const { outgoing } = this.#session;
    do this.#session.lastId = (this.#session.lastId % 65_535) + 1;
    while (outgoing.has(this.#session.lastId) || this.#asked.has(this.#session.lastId));
    return this.#session.lastId;
  }

  /** Write all of a packet, or nothing if it throws. */
  *#send(packet: Uint8Array): Op<void> {
    if (this.#closed !== undefined) throw this.#closed;
    try {
      yield* this.#packets.send(packet);
    } catch (error) {
      rethrowKilled(error);
      if (error instanceof ResourceError) throw new MqttConnectionError('the connection was lost', error);
      throw this.#closed ?? error;
    }
  }

  *#read(): Op<void> {
    try {
      for (;;) {
        const packet = yield* this.#packets.receive();
        if (packet === null) throw new MqttConnectionError('the server closed the connection');
        yield* this.#handle(packet);
      }
    } catch (error) {
      this.#lost(error);
      rethrowKilled(error);
    }
  }

  /** Send something at least as often as we have promised, and require an answer. */
  *#ping(keepAliveMs: number): Op<void> {
    try {
      for (;;) {
        yield* sleep(keepAliveMs / 3);
        // Two, because after a long pause of our own the answer to one may be there and not read yet.
        if (this.#pings === 2) throw new MqttConnectionError(`no sign of life for ${keepAliveMs} ms`);
        this.#pings += 1;
        yield* timeout(keepAliveMs, this.#send(packets.pingreq));
      }
    } catch (error) {
      this.#lost(error);
      rethrowKilled(error);
    }
  }

  *#handle(packet: packets.Packet): Op<void> {
    const { outgoing, received } = this.#session;
    switch (packet.type) {
      case 'publish':
        return yield* this.#published(packet);
      case 'puback':
      case 'pubcomp':
        return this.#finished(packet.id);
      case 'pubrec': {
        const publication = outgoing.get(packet.id);
        if (publication !== undefined) publication.released = true;
        return yield* this.#send(packets.pubrel(packet.id));
      }
      case 'pubrel':
        received.delete(packet.id);
        return yield* this.#send(packets.pubcomp(packet.id));
      case 'suback':
      case 'unsuback': {
        const asked = this.#asked.get(packet.id);
        this.#asked.delete(packet.id);
        return asked?.set(packet.type === 'suback' ? packet.granted : 0);
      }
      case 'pingresp':
        this.#pings = 0;
        return;
      default:
        throw new MqttProtocolError(`a ${packet.type} in the middle of a connection`);
    }
  }

  /** A message has come. */
  *#published(message: packets.Publish): Op<void> {
    if (message.qos === 2) {
      // It has come before, and we have not said yet that we know: that is what makes it exactly once.
      if (this.#session.received.has(message.id)) {
        if (this.#session.received.get(message.id) === true) yield* this.#send(packets.pubrec(message.id));
        return;
      }
      this.#session.received.set(message.id, false);
    }
    yield* this.#deliver(message);
  }

  *#deliver(message: packets.Publish): Op<void> {
    const readers = [...this.#subscriptions].filter(({ filter }) => matches(filter, message.topic));
    if (readers.length === 0 && this.#persistent && message.qos > 0) {
      // Somebody may subscribe again. What there is no room for is not acknowledged, so it comes again with the next connection.
      if (this.#unclaimed.length < MOST_UNCLAIMED) this.#unclaimed.push(message);
      return;
    }
    const delivery = new Delivery(message, readers.length, () => this.#acknowledge(message));
    if (readers.length === 0) return yield* delivery.taken();
    for (const reader of readers) yield* reader.deliver(delivery);
  }

  *#acknowledge({ qos, id }: packets.Publish): Op<void> {
    if (qos === 0 || this.closed) return;
    if (qos === 2) this.#session.received.set(id, true);
    try {
      yield* this.#send(qos === 1 ? packets.puback(id) : packets.pubrec(id));
    } catch (error) {
      // The reader learns of it too, and says so.
      if (isKilled(error)) throw error;
    }
  }

  /** A publication needs its number no more. */
  #finished(id: number): void {
    const publication = this.#session.outgoing.get(id);
    if (publication === undefined) return;
    this.#session.outgoing.delete(id);
    // One that an earlier client has begun has no place here.
    if (publication.done === undefined) return;
    this.#places.release();
    if (!publication.done.ready) publication.done.set();
  }

  #lost(reason: unknown): void {
    if (isKilled(reason)) this.#end(new ClosedError('an MQTT client whose greenlets were killed'));
    else if (reason instanceof ClosedError || reason instanceof MqttConnectionError) this.#end(reason);
    else this.#end(new MqttConnectionError(`the connection was lost: ${(reason as Error).message}`, reason));
  }

  #end(reason: Error): void {
    if (this.#closed !== undefined) return;
    this.#closed = reason;
    this.#socket.close();
    for (const daemon of this.#daemons) daemon.kill();
    for (const answer of this.#asked.values()) answer.setError(reason);
    this.#asked.clear();
    for (const { done } of this.#session.suspend()) {
      this.#places.release();
      done.setError(reason);
    }
    for (const subscription of [...this.#subscriptions]) subscription.close();
  }
}
