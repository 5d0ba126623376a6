// dns.test.ts: questions to name servers: every type of record against dnsmasq, and the ways in which a server can fail against one of our own.
import fc from 'fast-check';
import {
  DnsError,
  dns,
  hub,
  now,
  type Op,
  run,
  select,
  sleep,
  spawn,
  TimeoutError,
  timeout,
  until,
  type Waitable,
  yieldNow,
} from 'tendril';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { probeProgram } from '../services.ts';
import { descriptors, descriptorsBackAt } from './descriptors.ts';
import {
  answerTo,
  type NameServer,
  NXDOMAIN,
  REFUSED,
  type Responder,
  type Rude,
  SERVFAIL,
  startDnsmasq,
  startRudeServer,
} from './dns-servers.ts';
import { failure, nothingLeft } from './peers.ts';

const dnsmasq = probeProgram('dnsmasq');

describe.skipIf(dnsmasq === undefined)('A resolver with a server of its own', () => {
  let server: NameServer;
  let resolver: dns.Resolver;
  beforeAll(async () => {
    server = await startDnsmasq(dnsmasq as string);
    resolver = new dns.Resolver({ servers: [server.address], timeoutMs: 4000 });
  });
  afterAll(() => server.end());

  const questions: [type: string, ask: () => Waitable<unknown>, answer: unknown][] = [
    ['A', () => resolver.resolve4('a.test'), ['192.0.2.1', '192.0.2.2']],
    ['A of an alias', () => resolver.resolve4('alias.test'), ['192.0.2.1', '192.0.2.2']],
    [
      'A with ttl',
      () => resolver.resolve4('a.test', { ttl: true }),
      [
        { address: '192.0.2.1', ttl: 300 },
        { address: '192.0.2.2', ttl: 300 },
      ],
    ],
    ['AAAA', () => resolver.resolve6('a.test'), ['2001:db8::1']],
    ['AAAA with ttl', () => resolver.resolve6('a.test', { ttl: true }), [{ address: '2001:db8::1', ttl: 300 }]],
    [
      'MX',
      () => resolver.resolveMx('test'),
      [
        { exchange: 'backup.test', priority: 20 },
        { exchange: 'mail.test', priority: 10 },
      ],
    ],
    ['TXT', () => resolver.resolveTxt('text.test'), [['hello world', 'second piece']]],
    ['SRV', () => resolver.resolveSrv('_sip._tcp.test'), [{ name: 'sip.test', port: 5060, priority: 10, weight: 20 }]],
    ['NS', () => resolver.resolveNs('zone.test'), ['ns.zone.test']],
    ['CNAME', () => resolver.resolveCname('alias.test'), ['a.test']],
    [
      'SOA',
      () => resolver.resolveSoa('zone.test'),
      {
        nsname: 'ns.zone.test',
        hostmaster: 'host.zone.test',
        serial: 2024,
        refresh: 1200,
        retry: 120,
        expire: 604_800,
        minttl: 600,
      },
    ],
    ['CAA', () => resolver.resolveCaa('test'), [{ critical: 0, issue: 'ca.test' }]],
    [
      'NAPTR',
      () => resolver.resolveNaptr('naptr.test'),
      [
        {
          flags: 's',
          service: 'SIP+D2U',
          regexp: '',
          replacement: '_sip._udp.test',
          order: 100,
          preference: 50,
        },
      ],
    ],
    ['PTR', () => resolver.resolvePtr('1.2.0.192.in-addr.arpa'), ['a.test']],
    ['names of an address', () => resolver.reverse('192.0.2.1'), ['a.test']],
  ];

  /** Servers turn the order of records round from one answer to the next; newer versions of Node add the type to some. */
  const comparable = (found: unknown): unknown => {
    if (!Array.isArray(found)) return found;
    const plain = found.map((one) => (typeof one === 'string' ? one : JSON.stringify({ ...one, type: undefined })));
    return plain.sort();
  };

  it.each(questions)('finds %s', (_type, ask, answer) =>
    run(function* () {
      expect(comparable(yield* ask())).toEqual(comparable(answer));
    }).then(nothingLeft),
  );

  it.each(questions)('can be asked twice for %s', (_type, ask) =>
    run(function* () {
      const op = ask();
      expect(comparable(yield* op)).toEqual(comparable(yield* op));
    }).then(nothingLeft),
  );

  it('finds records of any type, or learns that the server does not tell', () =>
    run(function* () {
      const refused = yield* failure(resolver.resolveAny('nothing.test'));
      expect(refused).toMatchObject({ name: 'DnsError', code: 'ENOTFOUND', host: 'nothing.test' });
      const any = yield* resolver.resolveAny('a.test');
      expect(any).toContainEqual(expect.objectContaining({ type: 'A', address: '192.0.2.1' }));
    }).then(nothingLeft));

  it('throws DnsError for a name that does not exist, and for one that has no such record', () =>
    run(function* () {
      const unknown = yield* failure(resolver.resolve4('nothing.test'));
      expect(unknown).toBeInstanceOf(DnsError);
      expect(unknown.message).toBe('resolve4 of nothing.test failed: ENOTFOUND');
      expect(unknown).toMatchObject({ code: 'ENOTFOUND', host: 'nothing.test', cause: { syscall: 'queryA' } });
      expect(yield* failure(resolver.resolveMx('a.test'))).toMatchObject({ code: 'ENODATA', host: 'a.test' });
      expect(yield* failure(resolver.reverse('192.0.2.77'))).toMatchObject({ host: '192.0.2.77' });
    }).then(nothingLeft));

  it('asks many questions at once', () =>
    run(function* () {
      const asked = Array.from({ length: 200 }, () => spawn(() => resolver.resolve6('a.test')));
      for (const one of asked) expect(yield* one.get()).toEqual(['2001:db8::1']);
    }).then(nothingLeft));
});

/** Run `body` with a server that answers with `respond`; afterwards nothing may be left, and no descriptor. */
async function withServer(
  respond: Responder,
  body: (resolver: (options?: dns.ResolverOptions) => dns.Resolver, server: Rude) => Op<void>,
): Promise<void> {
  const server = await startRudeServer(respond);
  try {
    await run(function* () {
      const before = descriptors();
      yield* body(
        (options) => new dns.Resolver({ servers: [server.address], timeoutMs: 3000, tries: 1, ...options }),
        server,
      );
      yield* descriptorsBackAt(before);
    });
  } finally {
    await server.end();
  }
  nothingLeft();
}

const one = Buffer.from([192, 0, 2, 1]);
const good: Responder = (query, send) => send(answerTo(query, { records: [one] }));
const silent: Responder = () => {};

describe('A query', () => {
  it('is answered, and asked again each time: nothing is cached', () =>
    withServer(good, function* (resolver, { log }) {
      expect(yield* resolver().resolve4('a.test')).toEqual(['192.0.2.1']);
      const mine = resolver();
      for (let i = 0; i < 3; i += 1) expect(yield* mine.resolve4('a.test')).toEqual(['192.0.2.1']);
      expect(log).toEqual(Array.from({ length: 4 }, () => 'udp 1 a.test'));
    }));

  it.each([
    ['ESERVFAIL', SERVFAIL],
    ['ENOTFOUND', NXDOMAIN],
    ['EREFUSED', REFUSED],
    ['ENODATA', 0],
  ])('throws %s when the server says so', (code, answered) =>
    withServer(
      (query, send) => send(answerTo(query, { code: answered })),
      function* (resolver) {
        const error = yield* failure(resolver().resolveMx('b.test'));
        expect(error.message).toBe(`resolveMx of b.test failed: ${code}`);
        expect(error).toMatchObject({ name: 'DnsError', code, host: 'b.test', cause: { code } });
        expect(error.stack).toContain('dns.test.ts');
      },
    ),
  );

  it('throws ETIMEOUT when the time is over, all tries included', () =>
    withServer(silent, function* (resolver, { log }) {
      const startMs = now();
      const error = yield* failure(resolver({ timeoutMs: 700, tries: 2 }).resolve4('a.test'));
      const tookMs = now() - startMs;
      expect(error).toMatchObject({ name: 'DnsError', code: 'ETIMEOUT', host: 'a.test' });
      // 140 and 280 ms, each up to 140 more, and sometimes a little less at random.
      expect(tookMs).toBeGreaterThanOrEqual(280);
      expect(tookMs).toBeLessThan(7000);
      expect(log).toEqual(['udp 1 a.test', 'udp 1 a.test']);
    }));

  it('ends at its time although c-ares would wait on', () =>
    withServer(silent, function* (resolver) {
      const startMs = now();
      const error = yield* failure(resolver({ timeoutMs: 30 }).resolveTxt('a.test'));
      expect(error.message).toMatch(/^resolveTxt of a.test failed: ETIMEOUT/);
      expect(now() - startMs).toBeGreaterThanOrEqual(29);
      expect(now() - startMs).toBeLessThan(3000);
      expect(hub.stats().orphans).toBe(0);
    }));

  it('is tried again when an answer is lost', () => {
    let asked = 0;
    return withServer(
      (query, send) => {
        asked += 1;
        if (asked === 3) good(query, send);
      },
      function* (resolver, { log }) {
        expect(yield* resolver({ timeoutMs: 3500, tries: 3 }).resolve4('a.test')).toEqual(['192.0.2.1']);
        expect(log.length).toBe(3);
      },
    );
  });

  it('goes to the next server when one is dead', () =>
    withServer(good, function* (_resolver, server) {
      const dead = yield* until(startRudeServer(silent));
      const resolver = new dns.Resolver({ servers: [dead.address, server.address], timeoutMs: 1500, tries: 1 });
      expect(resolver.servers).toEqual([dead.address, server.address]);
      expect(yield* resolver.resolve4('a.test')).toEqual(['192.0.2.1']);
      expect([dead.log.length, server.log.length]).toEqual([1, 1]);
      yield* until(dead.end());
    }));

  it('takes no answer with a wrong id', () =>
    withServer(
      (query, send) => {
        for (let i = 1; i < 10; i += 1)
          send(answerTo(query, { id: (query.id + i) & 0xffff, records: [Buffer.from([6, 6, 6, 6])] }));
        good(query, send);
      },
      function* (resolver) {
        expect(yield* resolver().resolve4('a.test')).toEqual(['192.0.2.1']);
      },
    ));

  it('asks over TCP when the answer was cut', () => {
    const many = Array.from({ length: 500 }, (_, index) => Buffer.from([10, 0, index >> 8, index & 255]));
    return withServer(
      (query, send) => send(answerTo(query, query.over === 'udp' ? { truncated: true } : { records: many })),
      function* (resolver, { log }) {
        const addresses = yield* resolver().resolve4('many.test');
        expect([addresses.length, addresses[0], addresses[499]]).toEqual([500, '10.0.0.0', '10.0.1.243']);
        expect(log).toEqual(['udp 1 many.test', 'tcp 1 many.test']);
      },
    );
  });

  it.each([
    ['nothing', Buffer.alloc(0)],
    ['one byte', Buffer.from([1])],
    ['a cut header', Buffer.alloc(11)],
  ])('takes %s for no answer', (_what, junk) =>
    withServer(
      (_query, send) => send(junk),
      function* (resolver) {
        const error = yield* failure(resolver({ timeoutMs: 60 }).resolve4('a.test'));
        expect(error).toMatchObject({ name: 'DnsError', code: expect.stringMatching(/^(ETIMEOUT|EBADRESP)$/) });
      },
    ),
  );

  it.each([
    ['an address of three bytes', [Buffer.from([1, 2, 3])]],
    ['a record of no length', [Buffer.alloc(0)]],
  ])('throws DnsError for an answer with %s', (_what, records) =>
    withServer(
      (query, send) => send(answerTo(query, { records })),
      function* (resolver) {
        const error = yield* failure(resolver({ timeoutMs: 300 }).resolve4('a.test'));
        expect(error).toMatchObject({ name: 'DnsError', code: expect.stringMatching(/^(EBADRESP|ETIMEOUT)$/) });
      },
    ),
  );

  it('ends in an answer or in DnsError, whatever the bytes are', () => {
    const seed = Number(process.env.TENDRIL_SEED ?? 20_240_602);
    const changes = fc.sample(fc.array(fc.tuple(fc.nat(80), fc.nat(255)), { minLength: 1, maxLength: 8 }), {
      seed,
      numRuns: 2000,
    });
    let at = 0;
    return withServer(
      (query, send) => {
        const answer = answerTo(query, { records: [one, one] });
        // The id stays: else it would be no answer at all.
        for (const [index, byte] of changes[at++ % changes.length] ?? [])
          answer[2 + (index % (answer.length - 2))] = byte;
        send(answer.subarray(0, at % 5 === 0 ? at % answer.length : answer.length));
      },
      function* (make) {
        const resolver = make({ timeoutMs: 100 });
        const asks = [
          () => resolver.resolve4('a.test', { ttl: true }),
          () => resolver.resolve6('a.test'),
          () => resolver.resolveMx('a.test'),
          () => resolver.resolveTxt('a.test'),
          () => resolver.resolveSrv('a.test'),
          () => resolver.resolveSoa('a.test'),
          () => resolver.resolveCaa('a.test'),
          () => resolver.resolveNaptr('a.test'),
          () => resolver.resolveAny('a.test'),
          () => resolver.reverse('192.0.2.9'),
        ];
        const ends = { answered: 0, failed: 0 };
        for (let round = 0; round < 5; round += 1) {
          const asked = Array.from({ length: 200 }, (_, index) =>
            spawn(function* () {
              try {
                yield* (asks[index % asks.length] as () => Op<unknown>)();
                return 'answered';
              } catch (error) {
                if (error instanceof DnsError) return 'failed';
                throw new Error(`undeclared, seed ${seed}`, { cause: error });
              }
            }),
          );
          for (const asking of asked) ends[yield* asking.get()] += 1;
        }
        expect(ends.answered + ends.failed).toBe(1000);
        expect(ends.failed).toBeGreaterThan(500);
      },
    );
  });

  it('throws when nobody listens', () =>
    withServer(good, function* (_resolver, { address }) {
      const closed = yield* until(startRudeServer(silent));
      yield* until(closed.end());
      expect(closed.address).not.toBe(address);
      const resolver = new dns.Resolver({ servers: [closed.address], timeoutMs: 300, tries: 1 });
      const error = yield* failure(resolver.resolve4('a.test'));
      expect(error).toMatchObject({ name: 'DnsError', code: expect.stringMatching(/^(ECONNREFUSED|ETIMEOUT)$/) });
    }));

  it('is cancelled by a kill, and no other with it', () => {
    const held: (() => void)[] = [];
    return withServer(
      (query, send) => void held.push(() => good(query, send)),
      function* (resolver, { log }) {
        const shared = resolver();
        const [victim, other] = ['victim', 'other'].map((name) => spawn(() => shared.resolve4(`${name}.test`)));
        while (log.length < 2) yield* sleep(1);
        const waits = hub.stats().externalWaits;
        victim?.kill();
        yield* victim?.join() as Op<unknown>;
        expect([waits, hub.stats().externalWaits, hub.stats().orphans, hub.stats().timers]).toEqual([2, 1, 0, 1]);
        expect(victim?.killed).toBe(true);
        for (const answer of held) answer(); // to both: one is late
        expect(yield* other?.get() as Op<string[]>).toEqual(['192.0.2.1']);
      },
    );
  });

  it('gives its socket back at once when it is killed', () =>
    withServer(silent, function* (resolver, { log }) {
      const idle = descriptors();
      const victim = spawn(() => resolver({ timeoutMs: 60_000 }).resolve4('a.test'));
      while (log.length === 0) yield* sleep(1);
      expect(descriptors()).toBe(idle + 1);
      victim.kill();
      yield* victim.join();
      for (let i = 0; i < 200 && descriptors() > idle; i += 1) yield* sleep(1);
      expect(descriptors()).toBe(idle);
    }));

  it('times out, loses a select, and is asked again all the same', () => {
    let silence = true;
    return withServer(
      (query, send) => (silence ? undefined : good(query, send)),
      function* (resolver) {
        const query = resolver().resolve4('a.test');
        expect(yield* failure(timeout(10, query))).toBeInstanceOf(TimeoutError);
        expect((yield* select({ query, tick: sleep(5) })).key).toBe('tick');
        expect([hub.stats().orphans, hub.stats().externalWaits]).toEqual([0, 0]);
        silence = false;
        expect(yield* query).toEqual(['192.0.2.1']);
      },
    );
  });

  it('leaves nothing behind after a thousand kills', () =>
    withServer(silent, function* (resolver) {
      const mine = resolver();
      for (let round = 0; round < 10; round += 1) {
        const victims = Array.from({ length: 100 }, (_, index) => spawn(() => mine.resolve4(`n${index}.test`)));
        yield* yieldNow();
        if (round % 2 === 0) yield* sleep(1);
        for (const victim of victims) victim.kill();
        for (const victim of victims) yield* victim.join();
      }
    }));

  it('is killed before it has begun, and never asks', () =>
    withServer(good, function* (resolver, { log }) {
      const mine = resolver();
      const victim = spawn(() => mine.resolve4('a.test'));
      victim.kill();
      yield* victim.join();
      yield* sleep(2);
      expect(log).toEqual([]);
    }));
});

describe('A name', () => {
  const methods = [
    'resolve4',
    'resolve6',
    'resolveMx',
    'resolveTxt',
    'resolveSrv',
    'resolveNs',
    'resolveCname',
    'resolveSoa',
    'resolveCaa',
    'resolveNaptr',
    'resolvePtr',
    'resolveAny',
  ] as const;
  const resolver = new dns.Resolver({ servers: ['127.0.0.1:9'], timeoutMs: 100, tries: 1 });

  it.each(methods)('that is none makes %s throw at the call, on a resolver and without', (method) => {
    for (const bad of ['', 'nul\0', 'a b', 'a\r\nb', 5, null, undefined, {}, ['a']]) {
      expect(() => resolver[method](bad as string)).toThrow(TypeError);
      expect(() => dns[method](bad as string)).toThrow(TypeError);
    }
  });

  it.each(methods)('that cannot exist makes %s throw DnsError without asking', (method) =>
    run(function* () {
      for (const bad of ['*'.repeat(64), `${'a.'.repeat(130)}a`, 'x'.repeat(1_000_000), '..', 'a..b', '.a']) {
        const error = yield* failure(dns[method](bad));
        expect(error).toMatchObject({ name: 'DnsError', code: 'ENOTFOUND', host: bad });
        expect(error.message.length).toBeLessThan(200);
      }
    }).then(nothingLeft),
  );

  it('may be the root, a wildcard, an underscore or written in another script', () =>
    withServer(
      (query, send) => send(answerTo(query, { code: NXDOMAIN })),
      function* (make, { log }) {
        const mine = make();
        for (const name of ['.', '*.test', '_dmarc.test', 'münchen.test'])
          expect((yield* failure(mine.resolveTxt(name))).code).toBe('ENOTFOUND');
        expect(log).toEqual(['udp 16 ', 'udp 16 *.test', 'udp 16 _dmarc.test', 'udp 16 xn--mnchen-3ya.test']);
      },
    ));

  it('that is no IP address makes reverse throw at the call', () => {
    for (const bad of ['', 'localhost', '1.2.3', '1.2.3.4.5', '::g', 5, null])
      expect(() => dns.reverse(bad as string)).toThrow(TypeError);
  });

  it('of the machine itself is found by reverse', () =>
    run(function* () {
      expect((yield* dns.reverse('127.0.0.1')).length).toBeGreaterThan(0);
    }).then(nothingLeft));
});

describe('new Resolver', () => {
  it('refuses bad options at the call', () => {
    const make = (options: unknown) => () => new dns.Resolver(options as object);
    for (const options of [5, null, { servers: [] }, { servers: 'a' }, { servers: [5] }, { timeoutMs: -1 }])
      expect(make(options)).toThrow(TypeError);
    for (const server of ['localhost', '1.2.3', '', '127.0.0.1:', '127.0.0.1:x', '127.0.0.1:-1', '[::1', '[1.2.3.4]'])
      expect(make({ servers: ['127.0.0.1', server] })).toThrow(
        expect.objectContaining({ code: 'ERR_INVALID_IP_ADDRESS' }),
      );
    for (const server of ['127.0.0.1:0', '[::1]:0', '127.0.0.1:65536', '127.0.0.1:99999'])
      expect(make({ servers: [server] })).toThrow(expect.objectContaining({ code: 'ERR_SOCKET_BAD_PORT' }));
    for (const options of [{ tries: 0 }, { tries: 1.5 }, { tries: 21 }, { tries: Number.POSITIVE_INFINITY }])
      expect(make(options)).toThrow(RangeError);
    expect(make(Object.create({ tries: 0 }))).not.toThrow();
    expect(() => new dns.Resolver().resolve4('a.test', { ttl: 1 as unknown as boolean })).toThrow(TypeError);
  });

  it('has the servers of the system unless others are given', () => {
    expect(new dns.Resolver().servers.length).toBeGreaterThan(0);
    expect(new dns.Resolver({ servers: ['[::1]:5353', '127.0.0.1'] }).servers).toEqual(['[::1]:5353', '127.0.0.1']);
  });

  it('without a time limit still ends when its server answers', () =>
    withServer(good, function* (resolver) {
      expect(yield* resolver({ timeoutMs: Number.POSITIVE_INFINITY }).resolve4('a.test')).toEqual(['192.0.2.1']);
      expect(yield* resolver({ timeoutMs: 2 ** 40 }).resolve4('a.test')).toEqual(['192.0.2.1']);
    }));
});
