// twins-dns.test.ts: the twin of dns: what the system and name servers answer, errors with the stack of who asked, and that a kill, a timeout or cancel() leaves nothing.
import nodeDns from 'node:dns';
import {
  DnsError,
  hub,
  type Op,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  type Waitable,
  yieldNow,
} from 'tendril';
import * as dns from 'tendril/patches/dns';
import { afterAll, afterEach, beforeAll, describe, expect, it } from 'vitest';
import { answerTo, NXDOMAIN, type Query, type Rude, startRudeServer } from '../io/dns-servers.ts';
import { failure, nothingLeft } from '../io/peers.ts';

afterEach(nothingLeft);

/** By the number of the type: A, MX, TXT. */
const RECORDS: ReadonlyMap<number, Buffer> = new Map([
  [1, Buffer.from([192, 0, 2, 1])],
  [15, Buffer.from('\0\x0a\x04mail\x04test\0', 'latin1')],
  [16, Buffer.from('\x05hello')],
]);
// Newer Nodes say the type of a record too.
const MAIL = [expect.objectContaining({ exchange: 'mail.test', priority: 10 })];
let server: Rude;
const systemServers = nodeDns.getServers();

/** Answers for `a.test`, denies `none.test`, and says nothing of `silent.test`. */
function respond(query: Query, send: (answer: Buffer) => void): void {
  if (query.name.startsWith('silent')) return;
  const record = RECORDS.get(query.type);
  if (query.name.startsWith('none')) send(answerTo(query, { code: NXDOMAIN }));
  else send(answerTo(query, record === undefined ? {} : { records: [record] }));
}

beforeAll(async () => {
  server = await startRudeServer(respond);
});
afterAll(() => server.end());

function resolver(options?: dns.ResolverOptions): dns.Resolver {
  const made = new dns.Resolver(options);
  made.setServers([server.address]);
  return made;
}

/** Wait until the server has been asked for `name`. */
function* asked(name: string, times = 1): Op<void> {
  while (server.log.filter((line) => line.endsWith(name)).length < times) yield* sleep(1);
}

describe('lookup of the twin of dns', () => {
  it('gives an address of a name, or all of them, by the family and in the order that is asked for', () =>
    run(function* () {
      const found = yield* dns.lookup('localhost', 4);
      expect(found).toEqual({ address: '127.0.0.1', family: 4 });
      expect(yield* dns.lookup('127.0.0.1')).toEqual(found);
      expect(yield* dns.lookup('localhost', { family: 'IPv4', all: true })).toEqual([found]);
      expect((yield* dns.lookup('localhost', { all: true, order: 'ipv4first' }))[0]).toEqual(found);
      expect(yield* dns.lookup('localhost', { verbatim: false })).toEqual(found);
    }));

  it('with hints asks the system directly', () =>
    run(function* () {
      expect(yield* dns.lookup('localhost', { family: 4, hints: dns.ADDRCONFIG })).toMatchObject({ family: 4 });
      expect(yield* dns.lookup('127.0.0.1', { hints: dns.ADDRCONFIG, all: true })).toEqual([
        { address: '127.0.0.1', family: 4 },
      ]);
      const error = yield* failure(dns.lookup('none.invalid', { hints: dns.ADDRCONFIG }));
      expect(error).toBeInstanceOf(DnsError);
      expect(error.stack).toContain('twins-dns.test.ts');
    }));

  it('keeps the order of the system if that is asked for although another is set', () =>
    run(function* () {
      const before = dns.getDefaultResultOrder();
      dns.setDefaultResultOrder('ipv4first');
      try {
        const found = yield* dns.lookup('localhost', { order: 'verbatim', all: true });
        expect(found).toContainEqual({ address: '127.0.0.1', family: 4 });
      } finally {
        dns.setDefaultResultOrder(before);
      }
    }));

  it('fails with the code of Node and the stack of who asked', () =>
    run(function* () {
      const error = yield* failure(dns.lookup('none.invalid'));
      expect(error).toBeInstanceOf(DnsError);
      expect(['ENOTFOUND', 'EAI_AGAIN', 'ETIMEDOUT']).toContain(error.code);
      expect(error.stack).toContain('twins-dns.test.ts');
    }));

  it('is given up at once by a kill, and can be an arm of a select', () =>
    run(function* () {
      const victim = spawn(() => dns.lookup('localhost'));
      yield* yieldNow();
      victim.kill();
      yield* victim.join();
      const { key } = yield* select({ found: dns.lookup('localhost'), late: sleep(10_000) });
      expect(key).toBe('found');
      while (hub.stats().orphans > 0) yield* sleep(1);
    }));
});

describe('lookupService of the twin of dns', () => {
  it('names an address and a port', () =>
    run(function* () {
      const named = yield* dns.lookupService('127.0.0.1', 22);
      expect(named).toEqual({ hostname: expect.any(String), service: expect.any(String) });
    }));
});

const questions: Record<string, [ask: (of: dns.Resolver) => Waitable<unknown>, gives: unknown]> = {
  resolve: [(of) => of.resolve('a.test'), ['192.0.2.1']],
  'resolve of MX': [(of) => of.resolve('a.test', 'MX'), MAIL],
  resolve4: [(of) => of.resolve4('a.test'), ['192.0.2.1']],
  'resolve4 with ttl': [(of) => of.resolve4('a.test', { ttl: true }), [{ address: '192.0.2.1', ttl: 60 }]],
  resolveMx: [(of) => of.resolveMx('a.test'), MAIL],
  resolveTxt: [(of) => of.resolveTxt('a.test'), [['hello']]],
};

describe('Resolver of the twin of dns', () => {
  it.each(Object.entries(questions))('%s gives the records, to two at once', (_name, [ask, gives]) =>
    run(function* () {
      const of = resolver();
      const other = spawn(() => ask(of));
      expect([yield* ask(of), yield* other.get()]).toEqual([gives, gives]);
    }),
  );

  it('has every method of the one of Node, each an Op', () => {
    const of = resolver();
    const methods = Object.getOwnPropertyNames(nodeDns.Resolver.prototype).filter((name) => name.startsWith('re'));
    const given = methods.map((name) => {
      const method = (of as unknown as Record<string, (name: string) => Waitable<unknown>>)[name];
      return [name, typeof method?.call(of, name === 'reverse' ? '127.0.0.1' : 'a.test').look];
    });
    expect(given).toEqual(methods.map((name) => [name, 'function']));
  });

  it('fails with the code of Node and the stack of who asked', () =>
    run(function* () {
      const error = yield* failure(resolver().resolve4('none.test'));
      expect(error).toBeInstanceOf(DnsError);
      expect(error).toMatchObject({ code: 'ENOTFOUND', host: 'none.test', cause: { syscall: 'queryA' } });
      expect(error.stack).toContain('twins-dns.test.ts');
      expect((yield* failure(resolver().resolve6('a.test'))).code).toBe('ENODATA');
    }));

  it('keeps to its own limits of time', () =>
    run(function* () {
      const error = yield* failure(resolver({ timeout: 20, tries: 1 }).resolve4('silent1.test'));
      expect(error.code).toBe('ETIMEOUT');
    }));

  it('cancels the query of a greenlet that is killed, and no other', () =>
    run(function* () {
      const of = resolver();
      const victim = spawn(() => of.resolve4('silent2.test'));
      const other = spawn(() => of.resolve4('silent3.test'));
      yield* asked('silent2.test');
      yield* asked('silent3.test');
      victim.kill();
      yield* victim.join();
      expect([victim.outcome?.ok, other.state, hub.stats().orphans]).toEqual([false, 'parked', 0]);
      expect(yield* failure(timeout(2, of.resolve4('silent4.test')))).toBeInstanceOf(TimeoutError);
      const { key } = yield* select({ found: of.resolve4('silent5.test'), tick: sleep(2) });
      expect([key, hub.stats().orphans]).toEqual(['tick', 0]);
      of.cancel();
      expect((yield* failure(other.get())).code).toBe('ECANCELLED');
    }));

  it('lets others run meanwhile', () =>
    run(function* () {
      const of = resolver();
      const asking = spawn(() => of.resolve4('silent6.test'));
      let ticks = 0;
      const ticking = setInterval(() => {
        ticks += 1;
      }, 1);
      while (ticks < 5) yield* sleep(1);
      clearInterval(ticking);
      asking.kill();
      yield* asking.join();
    }));

  it('says which servers it asks, and refuses what is none at the call', () => {
    const of = resolver();
    expect(of.getServers()).toEqual([server.address]);
    const bad: [unknown, () => unknown][] = [
      ['ERR_INVALID_IP_ADDRESS', () => of.setServers(['localhost'])],
      ['ERR_SOCKET_BAD_PORT', () => of.setServers(['127.0.0.1:0'])],
      ['ERR_INVALID_ARG_TYPE', () => of.setServers('127.0.0.1' as never)],
      ['ERR_INVALID_ARG_TYPE', () => of.setLocalAddress(5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => new dns.Resolver({ timeout: 'soon' as never })],
      ['ERR_INVALID_ARG_TYPE', () => of.resolve4(5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => of.resolve4('a.test', (() => {}) as never)],
      ['ERR_INVALID_ARG_VALUE', () => of.resolve('a.test', 'NONE')],
      ['ERR_INVALID_ARG_TYPE', () => of.reverse('a.test')],
      ['ERR_INVALID_ARG_TYPE', () => dns.lookup(5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => dns.lookup('a.test', (() => {}) as never)],
      ['ERR_OUT_OF_RANGE', () => dns.lookup('a.test', 5 as never)],
      ['ERR_INVALID_ARG_TYPE', () => dns.lookup('a.test', { order: 'any' as never })],
      ['ERR_INVALID_ARG_TYPE', () => dns.lookup('a.test', { hints: 1 })],
      ['ERR_SOCKET_BAD_PORT', () => dns.lookupService('127.0.0.1', 99_999)],
      ['ERR_INVALID_ARG_VALUE', () => dns.lookupService('a.test', 22)],
    ];
    expect(bad.map(([, call]) => codeOf(call))).toEqual(bad.map(([code]) => code));
    expect(of.getServers()).toEqual([server.address]);
  });

  it('may be told from which address to ask', () =>
    run(function* () {
      const of = resolver();
      of.setLocalAddress('127.0.0.1');
      expect(yield* of.resolve4('a.test')).toEqual(['192.0.2.1']);
    }));
});

describe('The plain functions of the twin of dns', () => {
  it('ask the servers that setServers has set', () =>
    run(function* () {
      dns.setServers([server.address]);
      try {
        expect(dns.getServers()).toEqual([server.address]);
        expect(yield* dns.resolve4('a.test')).toEqual(['192.0.2.1']);
        expect(yield* dns.resolve('a.test', 'TXT')).toEqual([['hello']]);
        expect((yield* failure(dns.resolveMx('none.test'))).code).toBe('ENOTFOUND');
      } finally {
        dns.setServers(systemServers);
      }
    }));
});

function codeOf(call: () => unknown): unknown {
  try {
    return call();
  } catch (error) {
    return (error as NodeJS.ErrnoException).code;
  }
}
