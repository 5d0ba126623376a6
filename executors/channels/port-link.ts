// port-link.ts: a link between threads: a MessagePort.
//
// Whatever the structured clone algorithm copies can travel, and buffers and ports can be moved. Node delivers all that was posted before it tells that
// the other port is closed, also if the other thread was terminated or has crashed.
//
// The port is never referenced: a listener for messages does that, so it is taken back at once.

import type { MessagePort } from 'node:worker_threads';
import type { Link, LinkMessage, LinkSink, TransferItem } from './link.ts';

export class PortLink implements Link {
  readonly to: string = 'another thread';
  readonly transfers: boolean = true;
  readonly #port: MessagePort;
  /** Takes our listeners away; undefined before `start` and after `close`. */
  #unlisten: (() => void) | undefined = undefined;

  constructor(port: MessagePort) {
    this.#port = port;
  }

  start(sink: LinkSink): void {
    const port = this.#port;
    const onMessage = (message: unknown): void => sink.message(message);
    const onUnreadable = (error: unknown): void => sink.unreadable(error);
    const onClose = (): void => sink.closed('its thread has ended, or its port was closed');
    port.on('messageerror', onUnreadable);
    port.on('close', onClose);
    port.on('message', onMessage);
    port.unref();
    this.#unlisten = () => {
      port.off('message', onMessage);
      port.off('messageerror', onUnreadable);
      port.off('close', onClose);
    };
  }

  post(message: LinkMessage, transfer?: readonly TransferItem[]): void {
    this.#port.postMessage(message, transfer);
  }

  close(): void {
    this.#unlisten?.();
    this.#unlisten = undefined;
    this.#port.close();
  }
}
