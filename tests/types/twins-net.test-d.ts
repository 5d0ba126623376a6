// twins-net.test-d.ts: what the twins of net, http and child_process take and give: Node's own types, with an Op where Node has a callback or a promise.
import type childProcess from 'node:child_process';
import type nodeHttp from 'node:http';
import {
  type ByteReader,
  type ByteSink,
  type ByteSource,
  forEach,
  type Op,
  pipe,
  select,
  timeout,
  type Waitable,
} from 'tendril';
import * as cp from 'tendril/patches/child_process';
import * as http from 'tendril/patches/http';
import * as net from 'tendril/patches/net';
import { expectTypeOf } from 'vitest';

export function* ofNet(): Op<void> {
  expectTypeOf(net.connect(80, 'host')).toEqualTypeOf<Waitable<net.Socket>>();
  expectTypeOf(net.createConnection('/path')).toEqualTypeOf<Waitable<net.Socket>>();
  expectTypeOf(net.connect({ port: '80', family: 6, noDelay: true, timeout: 5 })).toEqualTypeOf<Waitable<net.Socket>>();
  // @ts-expect-error an option of Node's that cannot be honoured
  net.connect({ port: 80, lookup() {} });
  // @ts-expect-error no callback: it is an Op
  net.connect(80, 'host', () => {});
  const socket = yield* net.connect(80);
  expectTypeOf(socket).toExtend<ByteReader & ByteSource & ByteSink>();
  expectTypeOf(socket.remoteAddress).toEqualTypeOf<string | undefined>();
  expectTypeOf(yield* socket.read()).toEqualTypeOf<Buffer | null>();
  expectTypeOf(yield* socket.readLine()).toEqualTypeOf<string | null>();
  expectTypeOf(socket.end('text', 'latin1')).toEqualTypeOf<Op<void>>();
  expectTypeOf(socket.setNoDelay().setKeepAlive().setTimeout(5).destroy()).toEqualTypeOf<net.Socket>();
  expectTypeOf(new net.Socket().connect(80)).toEqualTypeOf<Waitable<net.Socket>>();
  yield* pipe(socket, socket);
  yield* forEach(socket, function* (chunk) {
    expectTypeOf(chunk).toEqualTypeOf<Buffer>();
  });
  yield* select({ chunk: socket.read(), written: socket.write('x'), other: net.connect(1) });
  // @ts-expect-error it ends in several waits
  yield* select({ end: socket.end() });

  const server = net.createServer({ allowHalfOpen: true }, function* (connection) {
    expectTypeOf(connection).toEqualTypeOf<net.Socket>();
  });
  expectTypeOf(server.listen(0, 'host', 5)).toEqualTypeOf<Op<net.Server>>();
  server.listen('/path', 5);
  server.listen({ port: 0, backlog: 5, exclusive: true });
  expectTypeOf(server.address()).toEqualTypeOf<net.AddressInfo | string | null>();
  expectTypeOf(yield* server.getConnections()).toEqualTypeOf<number>();
  // @ts-expect-error the handler waits: it is a generator function
  net.createServer((connection) => connection.destroy());
  // @ts-expect-error a server needs one
  net.createServer({});
  // @ts-expect-error an option of Node's that cannot be honoured
  server.listen({ fd: 3 });
}

export function* ofHttp(): Op<void> {
  expectTypeOf(http.get('http://host')).toEqualTypeOf<Op<http.IncomingMessage>>();
  http.get(new URL('http://host'), { agent: new http.Agent(), timeout: 5 });
  // @ts-expect-error no callback: it is an Op
  http.get('http://host', (response) => response);
  const request = http.request({ host: 'host', method: 'POST', headers: { a: ['b'] } });
  expectTypeOf(request.setHeader('a', 1)).toEqualTypeOf<http.ClientRequest>();
  expectTypeOf(request.write('x')).toEqualTypeOf<Waitable<void>>();
  // @ts-expect-error no chunk
  request.write(5);
  const response = yield* request.end('x', 'hex');
  expectTypeOf(response.headers).toEqualTypeOf<nodeHttp.IncomingHttpHeaders>();
  expectTypeOf(response.statusCode).toEqualTypeOf<number | undefined>();
  expectTypeOf(yield* response.text({ limit: 5 })).toEqualTypeOf<string>();
  expectTypeOf(yield* response.json()).toEqualTypeOf<unknown>();
  expectTypeOf(timeout(5, response.read())).toEqualTypeOf<Waitable<Buffer | null>>();
  yield* forEach(response, function* (chunk) {
    expectTypeOf(chunk).toEqualTypeOf<Buffer>();
  });

  const server = http.createServer({ keepAliveTimeout: 5 }, function* (req, res) {
    expectTypeOf(req).toEqualTypeOf<http.IncomingMessage>();
    expectTypeOf(res).toEqualTypeOf<http.ServerResponse>();
    expectTypeOf(res.req).toEqualTypeOf<http.IncomingMessage>();
    yield* res.writeHead(200, { a: 'b' }).end('x');
  });
  expectTypeOf(server.listen(0)).toEqualTypeOf<Op<http.Server>>();
  // @ts-expect-error the handler waits: it is a generator function
  http.createServer((_req, res) => void res.end());
  // @ts-expect-error the handler gets classes of the twin
  http.createServer({ IncomingMessage: http.IncomingMessage }, function* () {});
}

export function* ofChildProcess(): Op<void> {
  type Texts = { stdout: string; stderr: string };
  type Bytes = { stdout: childProcess.SpawnSyncReturns<Buffer<ArrayBuffer>>['stdout']; stderr: Buffer<ArrayBuffer> };
  expectTypeOf(cp.exec('ls')).toEqualTypeOf<Op<Texts>>();
  expectTypeOf(cp.exec('ls', { encoding: 'utf8', timeout: 5 })).toEqualTypeOf<Op<Texts>>();
  expectTypeOf(cp.exec('ls', { encoding: 'buffer' })).toEqualTypeOf<Op<Bytes>>();
  expectTypeOf(cp.execFile('ls', ['-l'])).toEqualTypeOf<Op<Texts>>();
  expectTypeOf(cp.execFile('ls', { cwd: '/' })).toEqualTypeOf<Op<Texts>>();
  expectTypeOf(cp.execFile('ls', ['-l'], { encoding: null })).toEqualTypeOf<Op<Bytes>>();
  // @ts-expect-error no callback: it is an Op
  cp.exec('ls', () => {});
  // @ts-expect-error no such option
  cp.exec('ls', { timeoutMs: 5 });
  // @ts-expect-error arguments are strings
  cp.execFile('ls', [1]);

  expectTypeOf(yield* cp.execSync('ls')).toEqualTypeOf<ReturnType<typeof Buffer.from>>();
  expectTypeOf(yield* cp.execSync('ls', { encoding: 'utf8' })).toEqualTypeOf<string>();
  expectTypeOf(yield* cp.execFileSync('ls', ['-l'], { encoding: 'utf8', input: 'x' })).toEqualTypeOf<string>();
  expectTypeOf(yield* cp.spawnSync('ls', { encoding: 'utf8' })).toEqualTypeOf<childProcess.SpawnSyncReturns<string>>();
  expectTypeOf((yield* cp.spawnSync('ls', ['-l'])).status).toEqualTypeOf<number | null>();
  // @ts-expect-error no such encoding
  cp.execSync('ls', { encoding: 'nope' });

  const piped = cp.spawn('cat', ['-'], { cwd: '/' });
  expectTypeOf(piped.stdin).toEqualTypeOf<net.Socket>();
  const child = cp.spawn('cat', { stdio: ['pipe', 'inherit', 3] });
  expectTypeOf(child.stdin).toEqualTypeOf<net.Socket | null>();
  expectTypeOf(child.wait()).toExtend<Waitable<{ readonly exitCode: number | null }>>();
  expectTypeOf(yield* child.once('exit')).toEqualTypeOf<[code: number | null, signal: NodeJS.Signals | null]>();
  expectTypeOf((yield* child.once('message'))[0]).toEqualTypeOf<childProcess.Serializable>();
  expectTypeOf(cp.fork('module.js', ['a'], { silent: true }).send({ a: 1 })).toEqualTypeOf<Op<void>>();
  // @ts-expect-error no such event
  child.once('data');
  // @ts-expect-error no such signal
  child.kill('SIGNOPE');
}
