// http-server.ts: a small service over HTTP: notes as JSON, an upload, a download that is made while it is sent, events as they happen.
//
// Each request runs in a greenlet of its own, and is killed when its client leaves. So a handler may wait for as long as it likes, and its `finally` is enough
// to clean up after whoever closes the page.
//
// How to run: npx tsx samples/http-server.ts         a client asks for some of it, then it ends
//             npx tsx samples/http-server.ts 7002    it stays: try `curl -N http://127.0.0.1:7002/events`

import { createHash } from 'node:crypto';
import { Channel, http, main, type Op, sleep, spawn } from 'tendril';

const notes: string[] = [];
const listeners = new Set<Channel<string>>();

function* addNote(request: http.ServerRequest): Op<http.Answer> {
  const note = yield* request.json({ limit: 1000 }); // more than that is answered 413, no JSON 400
  if (typeof note !== 'string') return { status: 422, json: { error: 'a note is a string' } };
  notes.push(note);
  for (const channel of listeners) channel.trySend(note);
  return { status: 201, headers: { location: `/notes/${notes.length - 1}` }, json: note };
}

/** New notes, as server-sent events, until the client leaves. */
function* follow(response: http.ServerResponse): Op<void> {
  const channel = new Channel<string>(100);
  listeners.add(channel);
  try {
    const events = response.eventStream();
    yield* events.send({ event: 'count', data: String(notes.length) });
    for (;;) yield* events.send(yield* channel.receive());
  } finally {
    listeners.delete(channel);
  }
}

/** What is uploaded is hashed as it comes: it may be of any size. */
function* digest(request: http.ServerRequest): Op<string> {
  const hash = createHash('sha256');
  for (let chunk = yield* request.body.read(); chunk !== null; chunk = yield* request.body.read()) hash.update(chunk);
  return hash.digest('hex');
}

function* countDown(response: http.ServerResponse): Op<void> {
  for (let i = 3; i > 0; i -= 1) {
    yield* response.write(`${i}\n`);
    yield* sleep(5);
  }
}

function* handle(request: http.ServerRequest, response: http.ServerResponse): Op<http.HandlerResult> {
  switch (`${request.method} ${request.path}`) {
    case 'GET /notes':
      return { json: notes.filter((note) => note.includes(request.query.with ?? '')) };
    case 'POST /notes':
      return yield* addNote(request);
    case 'POST /digest':
      return yield* digest(request);
    case 'GET /countdown':
      return { headers: { 'content-type': 'text/plain' }, body: countDown };
    case 'GET /events':
      yield* follow(response);
      return undefined;
    default:
      return { status: 404, body: 'there is no such thing\n' };
  }
}

function* ask(url: string): Op<void> {
  const events = http.events(`${url}/events`);
  console.log('event', yield* events.receive());

  const { status, headers } = yield* http.post(`${url}/notes`, { body: JSON.stringify('buy milk') });
  console.log(status, headers.location);
  console.log('event', yield* events.receive());
  console.log((yield* http.post(`${url}/notes`, { body: 'no JSON' })).status);
  console.log(yield* (yield* http.get(`${url}/notes?with=milk`)).json());

  console.log((yield* (yield* http.post(`${url}/digest`, { body: 'x'.repeat(1_000_000) })).text()).slice(0, 16));
  const { body } = yield* http.get(`${url}/countdown`);
  for (let line = yield* body.readLine(); line !== null; line = yield* body.readLine()) console.log(line);
  console.log((yield* http.get(`${url}/nothing`)).status);

  events.close();
  http.closeIdle();
}

main(function* program(): Op<void> {
  const port = Number(process.argv[2] ?? 0);
  const server = http.serve({ host: '127.0.0.1', port }, handle);
  const serving = spawn(() => server);
  const address = yield* server.ready();
  if (port === 0) {
    yield* ask(`http://${address}`);
    yield* server.stop();
    console.log(`${server.stats.requests} requests, ${listeners.size} listeners left`);
  }
  yield* serving.get();
});
