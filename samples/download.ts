// download.ts: fetch a file over HTTP, with a bar, and go on where it stopped: after a lost connection by itself, after Ctrl-C when it is started again.
//
// What has come is in FILE.part; beside it FILE.part.json says of which version of the file, by the server's own mark (ETag, or Last-Modified). The rest is
// asked for with Range and If-Range: if the file has changed meanwhile the server sends all of it, and we begin anew. A server without such a mark, or
// without ranges, costs a new beginning each time. Only a file of the length that the server said gets its name.
//
// How to run: npx tsx samples/download.ts URL [FILE]

import path from 'node:path';
import {
  ConnectError,
  DnsError,
  files,
  http,
  IncompleteBodyError,
  main,
  type Op,
  rethrowKilled,
  sleep,
  TimeoutError,
} from 'tendril';
import { progressBar } from './progress-bar.ts';

export interface DownloadOptions {
  /** How often it is tried again, without a byte of progress in between: 5 by default. */
  readonly tries?: number;
  /** How long is waited before that, at first: 500 by default. Twice as long each time. */
  readonly delayMs?: number;
  readonly onProgress?: (done: number, total: number) => void;
}

export interface Downloaded {
  readonly file: string;
  readonly bytes: number;
  /** How many requests it took, and with how many bytes it began. */
  readonly requests: number;
  readonly resumedAt: number;
}

/** What we know of the file of which FILE.part is the beginning. */
interface Mark {
  readonly url: string;
  /** What If-Range takes: a strong ETag, or a date. */
  readonly version: string;
}

/** Fetch `url` into `file`. What has come stays in `file.part` if it throws or is killed. */
export function* download(url: string, file: string, options: DownloadOptions = {}): Op<Downloaded> {
  const { tries = 5, delayMs = 500, onProgress } = options;
  const resumedAt = yield* lengthOf(`${file}.part`);
  let failures = 0;
  for (let requests = 1; ; requests += 1) {
    const before = yield* lengthOf(`${file}.part`);
    try {
      const bytes = yield* attempt(url, file, onProgress);
      return { file, bytes, requests, resumedAt };
    } catch (error) {
      rethrowKilled(error);
      failures = (yield* lengthOf(`${file}.part`)) > before ? 1 : failures + 1;
      if (!isPassing(error) || failures >= tries) throw error;
      yield* sleep(delayMs * 2 ** (failures - 1));
    }
  }
}

/** One request: for all of it, or for what is missing. */
function* attempt(url: string, file: string, onProgress: DownloadOptions['onProgress']): Op<number> {
  const part = `${file}.part`;
  const mark = yield* readMark(file, url);
  const have = mark === undefined ? 0 : yield* lengthOf(part);
  const headers: Record<string, string> = { 'accept-encoding': 'identity' };
  if (mark !== undefined && have > 0) Object.assign(headers, { range: `bytes=${have}-`, 'if-range': mark.version });
  const response = yield* http.get(url, { headers, decompress: false });
  try {
    const range = rangeOf(response);
    // We have more than there is: of another version, perhaps.
    if (response.status === 416) return yield* againstNothingMore(url, file, range?.total, have);
    if (!response.ok) throw new DownloadError(`${url}: ${response.status} ${response.statusText}`);
    const goesOn = response.status === 206 && range?.from === have;
    if (response.status === 206 && !goesOn)
      throw new DownloadError(`${url}: the server sent another part than was asked for`);
    const from = goesOn ? have : 0;
    const length = response.headers['content-length'];
    const total = goesOn ? range?.total : length === undefined ? undefined : Number(length);
    if (!goesOn) yield* writeMark(file, url, response);
    const bytes = yield* append(response, part, from, (done) => onProgress?.(done, total ?? done));
    if (total !== undefined && bytes !== total)
      throw new DownloadError(`${url}: ${bytes} bytes have come, not ${total}`);
    return yield* finish(file, bytes);
  } finally {
    response.close();
  }
}

/** Write what comes behind the first `from` bytes of `part`; the length that it has then. */
function* append(response: http.Response, part: string, from: number, onProgress: (done: number) => void): Op<number> {
  const output = yield* files.open(part, from === 0 ? 'w' : 'a');
  let done = from;
  try {
    for (let piece = yield* response.body.read(); piece !== null; piece = yield* response.body.read()) {
      yield* output.write(piece);
      done += piece.length;
      onProgress(done);
    }
    yield* output.sync();
    return done;
  } finally {
    output.close();
  }
}

/** The server has nothing behind what we have: that is the end if all has come, and a reason to begin anew if not. */
function* againstNothingMore(url: string, file: string, total: number | undefined, have: number): Op<number> {
  if (total === have) return yield* finish(file, have);
  yield* remove(`${file}.part.json`);
  yield* remove(`${file}.part`);
  throw new DownloadError(`${url}: the file has changed; begin again`);
}

function* finish(file: string, bytes: number): Op<number> {
  yield* files.rename(`${file}.part`, file);
  yield* remove(`${file}.part.json`);
  return bytes;
}

class DownloadError extends Error {
  override readonly name = 'DownloadError';
}

/** Could it be better in a moment? */
function isPassing(error: unknown): boolean {
  return [IncompleteBodyError, ConnectError, DnsError, TimeoutError].some((kind) => error instanceof kind);
}

/** What Content-Range says: `bytes 5-9/10`, or that there are 10 and no such part. */
function rangeOf({ headers }: http.Response): { from: number; total: number } | undefined {
  const [, from, total] = /^bytes (?:(\d+)-\d+|\*)\/(\d+)$/.exec(headers['content-range'] ?? '') ?? [];
  return total === undefined ? undefined : { from: Number(from ?? -1), total: Number(total) };
}

function* readMark(file: string, url: string): Op<Mark | undefined> {
  try {
    const mark = JSON.parse(yield* files.readFile(`${file}.part.json`, 'utf8')) as Mark;
    return mark.url === url && typeof mark.version === 'string' ? mark : undefined;
  } catch (error) {
    rethrowKilled(error);
    return undefined;
  }
}

function* writeMark(file: string, url: string, { headers }: http.Response): Op<void> {
  const { etag } = headers;
  // A weak ETag promises less than the same bytes.
  const version = etag?.startsWith('"') ? etag : headers['last-modified'];
  yield* remove(`${file}.part`);
  if (version === undefined) yield* remove(`${file}.part.json`);
  else yield* files.writeFile(`${file}.part.json`, JSON.stringify({ url, version } satisfies Mark));
}

function* lengthOf(file: string): Op<number> {
  try {
    return (yield* files.stat(file)).size;
  } catch (error) {
    rethrowKilled(error);
    return 0;
  }
}

function* remove(file: string): Op<void> {
  yield* files.rm(file, { force: true });
}

function* program(): Op<void> {
  const [url, given] = process.argv.slice(2);
  if (url === undefined || !URL.canParse(url)) {
    console.error('usage: npx tsx samples/download.ts URL [FILE]');
    process.exitCode = 2;
    return;
  }
  const file = given ?? (path.posix.basename(decodeURIComponent(new URL(url).pathname)) || 'download');
  const bar = progressBar(path.basename(file));
  try {
    const { bytes, requests, resumedAt } = yield* download(url, path.resolve(file), { onProgress: bar.draw });
    bar.end();
    const from = resumedAt > 0 ? `, from byte ${resumedAt} on` : '';
    console.log(`${file}: ${bytes} bytes in ${requests} ${requests === 1 ? 'request' : 'requests'}${from}`);
  } catch (error) {
    rethrowKilled(error);
    bar.end();
    console.error(`${(error as Error).message}\nWhat has come is kept: start it again to go on.`);
    process.exitCode = 1;
  }
}

if (process.argv[1] === import.meta.filename) main(program);
