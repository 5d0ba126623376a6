// net.ts: patchNet: sockets, servers, datagram sockets and HTTP requests that a greenlet opens are destroyed when it, or its scope, ends.
//
// It sits at the methods through which every way to open one leads: `net.connect`, `tls.connect` and `new net.Socket().connect()` are one method,
// `http.createServer(...).listen` and `net.createServer(...).listen` another. A connection that a server accepts belongs to its listener, which runs outside
// greenlets. The sockets of an http.Agent are the agent's; the requests are the greenlet's, and are aborted as soon as it is cancelled.
//
// Source: Node's lib/net.js, lib/dgram.js and lib/_http_client.js for what calls what.

import { errorMonitor } from 'node:events';
import type { Server } from 'node:net';
import { kernel } from '../core/kernel.ts';
import { runningGreenlet, take } from './ownership.ts';
import { datagrams, type Kind, listensLater, request, server, socket } from './ownership-kinds.ts';
import { openerOf } from './ownership-opener.ts';
import { type AnyFunction, applyPatch, type Patch, type PatchSite } from './patch.ts';

/** From net.connect, tls.connect and http2.connect to Socket.prototype.connect; from createSocket and send to the bind. Not through an agent. */
const OPENERS = /^node:(net|tls|_tls_wrap|internal\/tls\/wrap|dgram|http2|internal\/http2\/core)$/;
/** From https.get to https.request. */
const REQUESTERS = /^node:(http|https)$/;

/** A method that opens its object. */
function opening(site: PatchSite, kind: Kind, opened?: (handle: object) => void): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: object, ...args: unknown[]): unknown {
      if (kernel.current === kernel.nobody || !site.switch.on) return below.apply(this, args);
      const me = runningGreenlet();
      const opener = me === undefined ? undefined : openerOf(patched, OPENERS);
      const result: unknown = below.apply(this, args);
      if (me === undefined || opener === undefined) return result;
      opened?.(this);
      take(me, kind, this, opener);
      return result;
    };
}

function requesting(site: PatchSite): (below: AnyFunction) => AnyFunction {
  return (below) =>
    function patched(this: unknown, ...args: unknown[]): unknown {
      const made: unknown = below.apply(this, args);
      if (kernel.current === kernel.nobody || !site.switch.on) return made;
      const me = runningGreenlet();
      const opener = me === undefined ? undefined : openerOf(patched, REQUESTERS);
      if (me !== undefined && opener !== undefined) take(me, request, made as object, opener);
      return made;
    };
}

function noteListening(handle: object): void {
  const listening = handle as Server;
  if (listening.listening) return;
  listensLater(listening, (done) => {
    listening.once('listening', done);
    // Not 'error': a listener there would keep an error from being an uncaught exception.
    listening.once(errorMonitor as unknown as 'error', done);
  });
}

/**
 * Let sockets (also TLS and datagrams), servers and HTTP requests belong to the greenlet that opens them: they are destroyed when it ends, requests as soon as it
 * is cancelled. Never switches. Idempotent; after `undo()` what is owned stays so.
 *
 * @throws PatchConflictError if another copy of tendril has patched them.
 * @see https://nodejs.org/api/net.html
 */
export function patchNet(): Patch {
  return applyPatch('net', (site) => {
    site.replace('net', 'Socket.prototype.connect', opening(site, socket));
    site.replace('net', 'Server.prototype.listen', opening(site, server, noteListening));
    site.replace('dgram', 'Socket.prototype.bind', opening(site, datagrams));
    for (const module of ['http', 'https']) {
      site.replace(module, 'request', requesting(site));
      site.replace(module, 'get', requesting(site));
    }
  });
}
