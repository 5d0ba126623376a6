// events.test-d.ts: generator functions are listeners and callbacks by the types of Node as they are; parameters get their types from there.
//
// Checked by `npm run typecheck` and never run.
import { EventEmitter } from 'node:events';
import fs from 'node:fs';
import http from 'node:http';
import net from 'node:net';
import { Readable } from 'node:stream';
import { type Op, sleep } from 'tendril';

function* wait(ms: number): Op<void> {
  yield* sleep(ms);
}

export function typed(): void {
  http.createServer(function* (request, response) {
    yield* wait(1);
    response.end(request.url?.slice(1));
  });
  net
    .createServer(function* (socket) {
      yield* wait(1);
      socket.setNoDelay(true);
    })
    .listen(0, function* () {
      yield* wait(1);
    });
  http.get('http://localhost', function* (response) {
    yield* wait(response.statusCode ?? 0);
  });
  setTimeout(wait, 1, 2);
  setInterval(wait, 1, 2);
  setImmediate(wait, 1);
  setTimeout(
    function* (text) {
      yield* wait(text.length);
    },
    1,
    'text',
  );
  queueMicrotask(function* () {
    yield* wait(1);
  });
  process.nextTick(wait, 1);
  process.on('SIGTERM', function* (signal) {
    yield* wait(signal.length);
  });
  fs.readFile('file', 'utf8', function* (error, text) {
    if (error !== null) throw error;
    yield* wait(text.length);
  });
  new EventEmitter().once('event', wait).removeListener('event', wait);
  new Readable().on('data', function* (chunk: Buffer) {
    yield* wait(chunk.length);
  });
  new AbortController().signal.addEventListener('abort', function* (event) {
    yield* wait(event.timeStamp);
  });

  // @ts-expect-error a callback whose arguments are others
  fs.readFile('file', function* (error: string) {
    yield* wait(error.length);
  });
}
