// confirmed-end.ts: whether the end of a connection that Node reports is one, or a reset that came together with data.
//
// libuv before 1.52 (Node 20 and 22) takes a hang-up after a short read for the end and does not read on: an answer that a reset has cut looks whole.
// Reading once more tells. After a reset the system still has the error to give; after a true end it says so again, which changes nothing.
//
// Nothing has to be asked if there was a turn after a poll between the last bytes and the end: libuv has looked again since then.
//
// Meanwhile Node must not destroy the socket, as it does by itself when both sides have ended, so its destroy() is covered by one that lets errors pass only.
// Source: https://github.com/libuv/libuv/pull/4997

import type net from 'node:net';
import { kernel } from '../core/kernel.ts';

// Taken at load: patches never reach us.
const { setImmediate } = globalThis;

const [major = 0, minor = 0] = (process.versions.uv ?? '').split('.').map(Number);
const mustAsk: boolean = major === 1 && minor < 52;

/** What is needed of Node's own handle, if it has it. */
interface Reading {
  readonly _handle?: { readStart?(): number } | null;
}

/** May an end that comes now, after bytes that came after turn `cameIn`, be a reset? */
export function mayBeReset(cameIn: number): boolean {
  return mustAsk && cameIn === turnNow();
}

/** How many turns there have been, without those between two polls: a promise may let one run after the last bytes were handed on and before the end is. */
export function turnNow(): number {
  return kernel.scheduler === undefined ? 0 : kernel.scheduler.polls;
}

/**
 * Called for the 'end' of `socket`, whose last bytes came after turn `cameIn`: call `ended` if it is one, now or a little later; after a reset 'error' comes
 * instead.
 *
 * Returns a function that stops asking, to be called before the socket is destroyed; undefined if nothing is left to ask.
 */
export function confirmEnd(socket: net.Socket, cameIn: number, ended: () => void): (() => void) | undefined {
  if (!mayBeReset(cameIn) || (socket as Reading)._handle?.readStart?.() !== 0) {
    ended();
    return undefined;
  }
  let asking = true;
  let destroyed = false;
  const uncover = (): void => {
    asking = false;
    Reflect.deleteProperty(socket, 'destroy');
  };
  socket.destroy = (error?: Error): typeof socket => {
    if (error === undefined) {
      destroyed = true;
      return socket;
    }
    uncover();
    return socket.destroy(error);
  };
  // The first comes in this turn of the event loop at the earliest, the second after the next look at what has come.
  setImmediate(() => {
    setImmediate(() => {
      if (!asking) return;
      uncover();
      ended();
      if (destroyed) socket.destroy();
    });
  });
  return uncover;
}
