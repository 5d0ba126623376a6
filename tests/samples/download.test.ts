// download.test.ts: the download sample against servers that cut the connection, change the file, know no ranges, or lie.
import { createHash, randomBytes } from 'node:crypto';
import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { tmpdir } from 'node:os';
import path from 'node:path';
import { http, openHandles, run, sleep, spawn } from 'tendril';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { download } from '../../samples/download.ts';
import { httpServer } from '../io/http-servers.ts';
import { runSample } from './run-sample.ts';

let folder: string;
let file: string;
beforeEach(async () => {
  folder = await mkdtemp(path.join(tmpdir(), 'tendril-download-'));
  file = path.join(folder, 'data.bin');
});
afterEach(async () => {
  http.closeIdle();
  expect(openHandles().total).toBe(0);
  await rm(folder, { recursive: true });
});

const bytes = randomBytes(1_000_000);
const etag = (content: Buffer): string => `"${createHash('sha1').update(content).digest('hex')}"`;

/** Serves `content` with ranges, but no more than `most` bytes of it for each request. */
function serve(
  request: IncomingMessage,
  response: ServerResponse,
  content: Buffer,
  most = Number.POSITIVE_INFINITY,
): void {
  const tag = etag(content);
  const asked = /^bytes=(\d+)-$/.exec(request.headers.range ?? '');
  const from = asked !== null && request.headers['if-range'] === tag ? Number(asked[1]) : 0;
  const total = content.length;
  if (from > 0 && from >= total) {
    response.writeHead(416, { 'content-range': `bytes */${total}` }).end();
    return;
  }
  response.writeHead(from > 0 ? 206 : 200, {
    etag: tag,
    'content-length': total - from,
    ...(from > 0 ? { 'content-range': `bytes ${from}-${total - 1}/${total}` } : {}),
  });
  const piece = content.subarray(from, from + most);
  if (piece.length === total - from) response.end(piece);
  else response.write(piece, () => response.destroy());
}

const left = async () => (await readdir(folder)).sort();
const quick = { delayMs: 1 };

describe('The download sample', () => {
  it('fetches a file, and tells how far it has come', async () => {
    const { url } = await httpServer((request, response) => serve(request, response, bytes));
    const told: [number, number][] = [];
    const result = await run(() => download(url, file, { onProgress: (done, total) => void told.push([done, total]) }));
    expect(result).toEqual({ file, bytes: bytes.length, requests: 1, resumedAt: 0 });
    expect((await readFile(file)).equals(bytes)).toBe(true);
    expect(told.at(-1)).toEqual([bytes.length, bytes.length]);
    expect(await left()).toEqual(['data.bin']);
  });

  it('goes on by itself where the connection was cut, again and again', async () => {
    const ranges: (string | undefined)[] = [];
    const { url } = await httpServer((request, response) => {
      ranges.push(request.headers.range);
      serve(request, response, bytes, 300_000);
    });
    const result = await run(() => download(url, file, quick));
    expect((await readFile(file)).equals(bytes)).toBe(true);
    expect(result.requests).toBe(ranges.length);
    expect(ranges.length).toBeGreaterThanOrEqual(4);
    const starts = ranges.slice(1).map((range) => Number(/\d+/.exec(range ?? '')?.[0]));
    expect(starts).toEqual([...starts].sort((a, b) => a - b));
    expect(starts.every((start) => start > 0)).toBe(true);
    expect(await left()).toEqual(['data.bin']);
  });

  it('goes on in a new process after it was killed half-way', async () => {
    let slow = true;
    const { url } = await httpServer((request, response) => {
      if (!slow) return serve(request, response, bytes);
      response.writeHead(200, { etag: etag(bytes), 'content-length': bytes.length });
      response.write(bytes.subarray(0, 400_000));
    });
    await run(function* () {
      let got = 0;
      const victim = spawn(() => download(url, file, { onProgress: (done) => (got = done) }));
      while (got < 400_000) yield* sleep(1);
      victim.kill();
      yield* victim.join();
    });
    expect(await left()).toEqual(['data.bin.part', 'data.bin.part.json']);
    slow = false;
    const ending = await runSample('download', url, file);
    expect(ending).toEqual({
      status: 0,
      stdout: `${file}: 1000000 bytes in 1 request, from byte 400000 on\n`,
      stderr: '',
    });
    expect((await readFile(file)).equals(bytes)).toBe(true);
    expect(await left()).toEqual(['data.bin']);
  });

  it('begins anew when the file has changed meanwhile, and never mixes two versions', async () => {
    const other = randomBytes(700_000);
    let requests = 0;
    const { url } = await httpServer((request, response) => {
      requests += 1;
      if (requests === 1) serve(request, response, bytes, 500_000);
      else serve(request, response, other);
    });
    await run(() => download(url, file, quick));
    expect((await readFile(file)).equals(other)).toBe(true);
  });

  it('begins anew at a server that knows no ranges, or gives no mark of the version', async () => {
    let requests = 0;
    const ranges: unknown[] = [];
    const { url } = await httpServer((request, response) => {
      requests += 1;
      ranges.push(request.headers.range);
      response.writeHead(200, { 'content-length': bytes.length });
      if (requests === 1) response.write(bytes.subarray(0, 500_000), () => response.destroy());
      else response.end(bytes);
    });
    await run(() => download(url, file, quick));
    expect((await readFile(file)).equals(bytes)).toBe(true);
    expect(ranges).toEqual([undefined, undefined]);
  });

  it('knows that all has come already, and that more has come than there is', async () => {
    const { url } = await httpServer((request, response) => serve(request, response, bytes));
    const mark = JSON.stringify({ url, version: etag(bytes) });
    await writeFile(`${file}.part`, bytes);
    await writeFile(`${file}.part.json`, mark);
    expect(await run(() => download(url, file))).toMatchObject({ requests: 1, resumedAt: bytes.length });
    expect((await readFile(file)).equals(bytes)).toBe(true);
    await writeFile(`${file}.part`, Buffer.concat([bytes, bytes]));
    await writeFile(`${file}.part.json`, mark);
    await expect(run(() => download(url, file))).rejects.toThrow(/begin again/);
    expect(await run(() => download(url, file))).toMatchObject({ resumedAt: 0 });
    expect((await readFile(file)).equals(bytes)).toBe(true);
  });

  it('gives up when nothing more comes of it, keeps what it has, and says so', async () => {
    let requests = 0;
    const { url } = await httpServer((request, response) => {
      requests += 1;
      if (requests === 1) serve(request, response, bytes, 100_000);
      else response.destroy();
    });
    const failing = run(() => download(url, file, { tries: 3, delayMs: 1 }));
    await expect(failing).rejects.toMatchObject({ name: 'IncompleteBodyError' });
    expect(requests).toBeGreaterThanOrEqual(3);
    expect(await left()).toEqual(['data.bin.part', 'data.bin.part.json']);
  });

  it('refuses a part that was not asked for, and an answer that is an error', async () => {
    const lying = await httpServer((request, response) => {
      if (request.headers.range === undefined) return serve(request, response, bytes, 500_000);
      response.writeHead(206, { 'content-range': 'bytes 5-9/1000000', 'content-length': 5 }).end('12345');
    });
    await expect(run(() => download(lying.url, file, quick))).rejects.toThrow(/another part/);
    const missing = await httpServer((_request, response) => void response.writeHead(404).end());
    await expect(run(() => download(missing.url, path.join(folder, 'other')))).rejects.toThrow(/404 Not Found/);
  });
});
