// http-get.ts: How many HTTP GETs a second does one process make with 50 at once, each with its body read to the end?
//
// The server is a private nginx with a file of 512 bytes and keep-alive, or, where nginx is not installed, a node:http server in a process of
// its own (then the server is the limit, and the report says so). `dispatch` is undici with a handler written by hand and nothing around it:
// the floor that tendril stands on. wrk, written in C, is the ceiling.
//
// How to run: npm run bench -- --only http

import http from 'node:http';
import { type Contestant, goPrograms, type Outcome, ours, type Round, type Row, runProgram } from './contest.ts';
import { bodyBytes } from './servers.ts';

const atOnce = 50;

const tendril: Contestant = {
  name: ours,
  async start({ httpUrl }) {
    const { http, run, spawn } = await import('tendril');
    // As many connections as the others have: ten is what one gets without saying so.
    const client = new http.Client({ connections: atOnce });
    function* worker(count: number) {
      let bytes = 0;
      for (let i = 0; i < count; i += 1) {
        const response = yield* client.get(httpUrl);
        if (response.status !== 200) throw new Error(`status ${response.status}`);
        bytes += (yield* response.body.bytes()).length;
      }
      return bytes;
    }
    function* body(count: number) {
      const workers = [];
      for (let i = 0; i < atOnce; i += 1) workers.push(spawn(worker, count / atOnce));
      let bytes = 0;
      for (const each of workers) bytes += yield* each.get();
      return bytes;
    }
    return async (count) => ({ answer: await run(body, count) });
  },
};

/** Fifty async functions, each with one request on its way at a time; `get` returns the length of the body. */
function asyncWorkers(get: () => Promise<number>): Round {
  async function worker(count: number): Promise<number> {
    let bytes = 0;
    for (let i = 0; i < count; i += 1) bytes += await get();
    return bytes;
  }
  return async (count): Promise<Outcome> => {
    const bytes = await Promise.all(Array.from({ length: atOnce }, () => worker(count / atOnce)));
    return { answer: bytes.reduce((sum, each) => sum + each, 0) };
  };
}

const undiciRequest: Contestant = {
  name: 'undici.request',
  async start({ httpUrl }) {
    const { Agent, request } = await import('undici');
    const dispatcher = new Agent({ connections: atOnce });
    return asyncWorkers(async () => {
      const { statusCode, body } = await request(httpUrl, { dispatcher });
      if (statusCode !== 200) throw new Error(`status ${statusCode}`);
      return (await body.arrayBuffer()).byteLength;
    });
  },
};

const undiciDispatch: Contestant = {
  name: 'undici dispatch',
  async start({ httpUrl }): Promise<Round> {
    const { Pool } = await import('undici');
    const { origin, pathname } = new URL(httpUrl);
    const pool = new Pool(origin, { connections: atOnce });
    return (count) =>
      new Promise((resolve, reject) => {
        let left = count;
        let running = 0;
        let bytes = 0;
        const handler = {
          onRequestStart(): void {},
          onResponseStart(_controller: unknown, status: number): void {
            if (status !== 200) reject(new Error(`status ${status}`));
          },
          onResponseData(_controller: unknown, chunk: Buffer): void {
            bytes += chunk.length;
          },
          onResponseEnd(): void {
            running -= 1;
            if (left > 0) next();
            else if (running === 0) resolve({ answer: bytes });
          },
          onResponseError(_controller: unknown, error: Error): void {
            reject(error);
          },
        };
        function next(): void {
          left -= 1;
          running += 1;
          pool.dispatch({ path: pathname, method: 'GET' }, handler);
        }
        for (let i = 0; i < atOnce && left > 0; i += 1) next();
      });
  },
};

const builtInFetch: Contestant = {
  name: 'fetch',
  async start({ httpUrl }) {
    return asyncWorkers(async () => {
      const response = await fetch(httpUrl);
      if (response.status !== 200) throw new Error(`status ${response.status}`);
      return (await response.arrayBuffer()).byteLength;
    });
  },
};

const nodeHttp: Contestant = {
  name: 'http.get',
  async start({ httpUrl }) {
    const agent = new http.Agent({ keepAlive: true, maxSockets: atOnce });
    return asyncWorkers(
      () =>
        new Promise((resolve, reject) => {
          http
            .get(httpUrl, { agent }, (response) => {
              let bytes = 0;
              response.on('data', (chunk: Buffer) => {
                bytes += chunk.length;
              });
              response.on('end', () => resolve(bytes));
              response.on('error', reject);
            })
            .on('error', reject);
        }),
    );
  },
};

const wrk: Contestant = {
  name: `wrk -t 1 -c ${atOnce}`,
  async start({ httpUrl }): Promise<Round> {
    const play = () => runProgram('wrk', ['-t', '1', '-c', String(atOnce), '-d', '1s', httpUrl]);
    await play();
    return async (): Promise<Outcome> => {
      const printed = await play();
      const perSecond = Number(/Requests\/sec:\s*([\d.]+)/.exec(printed)?.[1]);
      if (!(perSecond > 0) || printed.includes('Non-2xx')) throw new Error(`wrk printed ${printed}`);
      const count = Math.round(perSecond);
      return { count, total: 1e9, answer: count * bodyBytes };
    };
  },
};

export const rows: readonly Row[] = [
  {
    name: `HTTP GET, ${atOnce} at once`,
    unit: 'k/s',
    measure: 'rate',
    better: 'higher',
    needs: 'nginx',
    answer: (count) => count * bodyBytes,
    contestants: [
      tendril,
      undiciRequest,
      builtInFetch,
      nodeHttp,
      undiciDispatch,
      ...goPrograms('http-get', { argument: atOnce }),
      { name: 'gevent', absent: 'no HTTP client of its own' },
      wrk,
    ],
    goals: [
      { stage: 'first', against: ['undici.request'], factor: 1.5 },
      { stage: 'target', against: ['undici.request'], factor: 2 },
      { stage: 'target', against: ['fetch'], factor: 4 },
    ],
  },
];
