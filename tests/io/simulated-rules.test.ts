// simulated-rules.test.ts: what each end of a simulated connection is told when the other ends, closes or resets: the rules that were measured on Linux through
// our transport on Node 24 and 26 (and on 20 and 22, where a reset behind unread data looks like an end; our transport mends that).
import { type Op, sleep } from 'tendril';
import { simulate } from 'tendril/testing';
import { describe, expect, it } from 'vitest';
import type { SimulatedNetwork } from '../../io/testing/simulated-network.ts';
import { type Pair, pairOn, type Recorder } from './recorder.ts';

/** Longer than anything is under way. */
const AWHILE = 50;
const MUCH = 1_000_000;

type Side = 'made' | 'accepted';
interface Ends {
  /** The end that is looked at, and the other one. */
  readonly near: Recorder;
  readonly far: Recorder;
  readonly net: SimulatedNetwork;
}

async function on(side: Side, script: (ends: Ends) => Op<void>, path?: string): Promise<string[]> {
  const { value } = await simulate(function* (world) {
    const pair: Pair = yield* pairOn(world.net, path === undefined ? {} : { path });
    const [near, far] = side === 'made' ? [pair.client, pair.server] : [pair.server, pair.client];
    yield* script({ near, far, net: world.net });
    yield* sleep(AWHILE);
    near.transport.destroy();
    far.transport.destroy();
    yield* sleep(AWHILE);
    expect(world.net.leftovers()).toEqual([]);
    expect(world.net.connections()).toEqual([]);
    return near.events;
  });
  return value;
}

function* reset({ net }: Ends): Op<void> {
  net.reset('client', 'server');
  yield* sleep(AWHILE);
}

/** Leave `near` paused, with `count` bytes that its system holds. */
function* pausedWith({ near, far }: Ends, count: number): Op<void> {
  near.pauses = true;
  far.write(1);
  yield* sleep(AWHILE);
  if (count > 0) far.write(count);
  yield* sleep(AWHILE);
}

interface Rule {
  readonly title: string;
  readonly script: (ends: Ends) => Op<void>;
  readonly made: readonly string[];
  /** The same for an end that was accepted, if it is not given. */
  readonly accepted?: readonly string[];
}

const RESET = ['failed: read ECONNRESET', 'closed'];

const rules: readonly Rule[] = [
  {
    title: 'a reset while it reads',
    script: reset,
    made: RESET,
  },
  {
    title: 'bytes, then a reset',
    *script(ends) {
      ends.far.write(100);
      yield* sleep(AWHILE);
      yield* reset(ends);
    },
    made: ['100 bytes', ...RESET],
  },
  {
    title: 'a reset while it has paused with 100 bytes unread, then resume',
    *script(ends) {
      yield* pausedWith(ends, 100);
      yield* reset(ends);
      ends.near.resume();
    },
    made: ['1 bytes', 'resume', '100 bytes', ...RESET],
    accepted: ['101 bytes', ...RESET, 'resume'],
  },
  {
    title: 'a reset while it has paused with 200,000 bytes unread, then resume',
    *script(ends) {
      yield* pausedWith(ends, 200_000);
      yield* reset(ends);
      ends.near.resume();
    },
    made: ['1 bytes', 'resume', '65536 bytes', ...RESET],
    accepted: ['1 bytes', 'resume', '131072 bytes', ...RESET],
  },
  {
    title: 'a reset while it has paused with 100 bytes unread, then two writes',
    *script(ends) {
      yield* pausedWith(ends, 100);
      yield* reset(ends);
      ends.near.write(5);
      yield* sleep(AWHILE);
      ends.near.write(5);
    },
    made: ['1 bytes', 'write: write ECONNRESET', 'failed: write ECONNRESET', 'closed', 'write: write ECONNRESET'],
    accepted: ['101 bytes', ...RESET, 'write: read ECONNRESET', 'write: read ECONNRESET'],
  },
  {
    title: 'a reset while it has paused with 200,000 bytes unread, then a write',
    *script(ends) {
      yield* pausedWith(ends, 200_000);
      yield* reset(ends);
      ends.near.write(5);
    },
    made: ['1 bytes', 'write: write ECONNRESET', 'failed: write ECONNRESET', 'closed'],
    accepted: ['1 bytes', 'write: write ECONNRESET', '65536 bytes', 'failed: write ECONNRESET', 'closed'],
  },
  {
    title: 'a reset while it has paused with 100 bytes unread, then its own end, then resume',
    *script(ends) {
      yield* pausedWith(ends, 100);
      yield* reset(ends);
      ends.near.end();
      yield* sleep(AWHILE);
      ends.near.resume();
    },
    made: ['1 bytes', 'end', 'resume', '100 bytes', ...RESET],
    accepted: ['101 bytes', ...RESET, 'end', 'resume'],
  },
  {
    title: 'a reset while it has paused with nothing unread, then resume',
    *script(ends) {
      yield* pausedWith(ends, 0);
      yield* reset(ends);
      ends.near.resume();
    },
    made: ['1 bytes', 'resume', ...RESET],
    accepted: ['1 bytes', ...RESET, 'resume'],
  },
  {
    title: "the peer's end and then a reset, then a write",
    *script(ends) {
      ends.far.end();
      yield* sleep(AWHILE);
      yield* reset(ends);
      ends.near.write(1);
    },
    made: ['ended', 'write: write EPIPE', 'failed: write EPIPE', 'closed'],
  },
  {
    title: "the peer's end and then a reset, then its own end",
    *script(ends) {
      ends.far.end();
      yield* sleep(AWHILE);
      yield* reset(ends);
      ends.near.end();
    },
    made: ['ended', 'end', 'closed'],
  },
  {
    title: 'a reset after its own end',
    *script(ends) {
      ends.near.end();
      yield* sleep(AWHILE);
      yield* reset(ends);
    },
    made: ['end', ...RESET],
  },
  {
    title: 'a reset while it reads and Node holds a write',
    *script(ends) {
      ends.far.pauses = true;
      ends.near.write(MUCH);
      yield* sleep(AWHILE);
      yield* reset(ends);
    },
    made: RESET,
  },
  {
    title: 'a reset while it has paused and Node holds a write',
    *script(ends) {
      yield* pausedWith(ends, 0);
      ends.far.pauses = true;
      ends.near.write(MUCH);
      yield* sleep(AWHILE);
      yield* reset(ends);
    },
    made: ['1 bytes', 'failed: write ECONNRESET', 'closed'],
    accepted: ['1 bytes', ...RESET],
  },
  {
    title: 'a reset while it has paused with 200,000 bytes unread and Node holds a write',
    *script(ends) {
      yield* pausedWith(ends, 200_000);
      ends.far.pauses = true;
      ends.near.write(MUCH);
      yield* sleep(AWHILE);
      yield* reset(ends);
    },
    made: ['1 bytes', 'failed: write ECONNRESET', 'closed'],
    accepted: ['65537 bytes', 'failed: write ECONNRESET', 'closed'],
  },
  {
    title: "the peer's end, then a reset while Node holds a write and its own end",
    *script(ends) {
      ends.far.pauses = true;
      ends.far.end();
      yield* sleep(AWHILE);
      ends.near.write(MUCH);
      ends.near.end();
      yield* sleep(AWHILE);
      yield* reset(ends);
    },
    made: ['ended', 'end', 'failed: write EPIPE', 'closed'],
  },
  {
    title: 'the peer destroyed with nothing unread, then two writes',
    *script({ near, far }) {
      far.write(7);
      far.transport.destroy();
      yield* sleep(AWHILE);
      near.write(3);
      yield* sleep(AWHILE);
      near.write(3);
    },
    made: ['7 bytes', 'ended', 'write: write EPIPE', 'failed: write EPIPE', 'closed'],
  },
  {
    title: 'the peer destroyed with nothing unread, then a write and its own end',
    *script({ near, far }) {
      far.write(7);
      far.transport.destroy();
      yield* sleep(AWHILE);
      near.write(3);
      yield* sleep(AWHILE);
      near.end();
    },
    made: ['7 bytes', 'ended', 'end', 'closed'],
  },
  {
    title: 'the peer destroyed while it has paused with 9 bytes unread, then two writes, then resume',
    *script(ends) {
      yield* pausedWith(ends, 9);
      ends.far.transport.destroy();
      yield* sleep(AWHILE);
      ends.near.write(3);
      yield* sleep(AWHILE);
      ends.near.write(3);
      yield* sleep(AWHILE);
      ends.near.resume();
    },
    made: ['1 bytes', 'write: write EPIPE', 'failed: write EPIPE', 'closed', 'resume'],
    accepted: ['1 bytes', 'write: write EPIPE', '9 bytes', 'failed: write EPIPE', 'closed', 'resume'],
  },
  {
    title: 'the peer destroyed while it has paused with 9 bytes unread, then a write, then resume, then a write',
    *script(ends) {
      yield* pausedWith(ends, 9);
      ends.far.transport.destroy();
      yield* sleep(AWHILE);
      ends.near.write(3);
      yield* sleep(AWHILE);
      ends.near.resume();
      yield* sleep(AWHILE);
      ends.near.write(3);
    },
    made: ['1 bytes', 'resume', '9 bytes', 'ended', 'write: write EPIPE', 'failed: write EPIPE', 'closed'],
  },
  {
    title: 'the end while it has paused, then resume, then its own end',
    *script(ends) {
      yield* pausedWith(ends, 50);
      ends.far.end();
      yield* sleep(AWHILE);
      ends.near.resume();
      yield* sleep(AWHILE);
      ends.near.end();
    },
    made: ['1 bytes', 'resume', '50 bytes', 'ended', 'end', 'closed'],
  },
  {
    title: 'bytes and the end after its own end',
    *script({ near, far }) {
      near.end();
      yield* sleep(AWHILE);
      far.write(5);
      yield* sleep(AWHILE);
      far.end();
    },
    made: ['end', '5 bytes', 'ended', 'closed'],
  },
  {
    title: 'the end of both at once',
    *script({ near, far }) {
      near.write(5);
      near.end();
      far.write(6);
      far.end();
      yield* sleep(AWHILE);
    },
    made: ['end', '6 bytes', 'ended', 'closed'],
  },
  {
    title: 'the end while Node holds a write and its own end, which come to an end when the peer reads',
    *script({ near, far }) {
      far.pauses = true;
      near.write(MUCH);
      near.end();
      far.end();
      yield* sleep(AWHILE);
      far.resume();
      yield* sleep(1000);
      far.write(1);
    },
    made: ['end', 'ended', 'taken', 'closed'],
  },
  {
    title: 'nothing more after it was destroyed',
    *script({ near, far }) {
      far.write(5);
      near.transport.destroy();
      yield* sleep(AWHILE);
      near.transport.resume();
      near.transport.end();
      near.write(5);
    },
    made: [],
  },
];

describe.each(['made', 'accepted'] as const)('A simulated connection that was %s', (side) => {
  it.each(rules)('is told of $title', async (rule) => {
    expect(await on(side, rule.script)).toEqual(side === 'accepted' ? (rule.accepted ?? rule.made) : rule.made);
  });

  it('answers what comes after it was destroyed with a reset', async () => {
    expect(
      await on(side, function* ({ near, far }) {
        far.transport.destroy();
        yield* sleep(AWHILE);
        near.write(1);
        yield* sleep(AWHILE);
      }),
    ).toEqual(['ended']);
  });

  it('resets its peer when it is destroyed with bytes that its system holds, and drops what it had not sent', async () => {
    await on(side, function* ({ near, far }) {
      far.pauses = true;
      near.pauses = true;
      far.write(1);
      yield* sleep(AWHILE);
      far.write(100_000);
      near.write(MUCH);
      yield* sleep(AWHILE);
      near.transport.destroy();
      yield* sleep(AWHILE);
      far.resume();
      yield* sleep(AWHILE);
      expect(far.events.at(-1)).toBe('closed');
      expect(far.events.at(-2)).toMatch(/^failed: (read|write) ECONNRESET$/);
      expect(far.text.length).toBeLessThan(MUCH / 2);
    });
  });

  it('has copied what its system has taken', async () => {
    await on(side, function* ({ near, far }) {
      const bytes = Buffer.from('before');
      near.transport.write(bytes);
      expect(near.transport.unsent).toBe(0);
      bytes.write('behind');
      yield* sleep(AWHILE);
      expect(far.text).toBe('before');
    });
  });

  it('sends what its system has taken, and then its end, when it is destroyed with nothing unread', async () => {
    await on(side, function* ({ near, far }) {
      far.pauses = true;
      far.write(1);
      near.write(MUCH);
      yield* sleep(AWHILE);
      near.write('not taken');
      near.transport.destroy();
      yield* sleep(AWHILE);
      far.resume();
      yield* sleep(AWHILE);
      expect(far.events.at(-1)).toBe('ended');
      expect(far.text.length).toBeGreaterThanOrEqual(65_536 * 2);
      expect(far.text.length).toBeLessThan(MUCH);
    });
  });
});

describe('A simulated Unix socket', () => {
  const cases: readonly Rule[] = [
    {
      title: 'the peer destroyed with nothing unread, then a write',
      *script({ near, far }) {
        far.write(7);
        far.transport.destroy();
        yield* sleep(AWHILE);
        near.write(3);
      },
      made: ['7 bytes', 'ended', 'write: write EPIPE', 'failed: write EPIPE', 'closed'],
    },
    {
      title: 'the peer destroyed, then its own end',
      *script({ near, far }) {
        far.write(7);
        far.transport.destroy();
        yield* sleep(AWHILE);
        near.end();
      },
      made: ['7 bytes', 'ended', 'end', 'closed'],
    },
    {
      title: 'the peer destroyed in the same turn, then a write in it',
      *script({ near, far }) {
        far.transport.destroy();
        near.write(3);
        yield* sleep(AWHILE);
      },
      made: ['write: write EPIPE', 'failed: write EPIPE', 'closed'],
    },
    {
      title: 'the peer destroyed with bytes of ours unread, while it reads',
      *script({ near, far }) {
        near.write(10);
        far.transport.destroy();
        yield* sleep(AWHILE);
      },
      made: RESET,
    },
    {
      title: 'the peer destroyed with bytes of ours unread, while it has paused and Node holds a write',
      *script(ends) {
        yield* pausedWith(ends, 0);
        ends.far.pauses = true;
        ends.near.write(MUCH);
        yield* sleep(AWHILE);
        ends.far.transport.destroy();
        yield* sleep(AWHILE);
      },
      made: ['1 bytes', 'failed: write EPIPE', 'closed'],
      accepted: ['1 bytes', ...RESET],
    },
  ];
  describe.each(['made', 'accepted'] as const)('that was %s', (side) => {
    it.each(cases)('is told of $title', async (rule) => {
      expect(await on(side, rule.script, '/run/socket')).toEqual(
        side === 'accepted' ? (rule.accepted ?? rule.made) : rule.made,
      );
    });
  });
});

describe('A connection that waits to be started', () => {
  const unstarted = (script: (near: Recorder, far: Recorder, net: SimulatedNetwork) => Op<void>) =>
    simulate(function* (world) {
      const { client, server } = yield* pairOn(world.net, { accepted: 'unstarted' });
      yield* script(server, client, world.net);
      yield* sleep(AWHILE);
      return server.events;
    }).then(({ value }) => value);

  it('is told of a reset that came before', async () => {
    expect(
      await unstarted(function* (near, _far, net) {
        net.reset('client', 'server');
        yield* sleep(AWHILE);
        near.start();
      }),
    ).toEqual(RESET);
  });

  it('is given what came before a reset', async () => {
    expect(
      await unstarted(function* (near, far, net) {
        far.write(3);
        yield* sleep(AWHILE);
        net.reset('client', 'server');
        yield* sleep(AWHILE);
        near.start();
      }),
    ).toEqual(['3 bytes', ...RESET]);
  });

  it('resets its peer when it is destroyed with bytes that have come', async () => {
    let events: readonly string[] = [];
    await unstarted(function* (near, far) {
      far.write(3);
      yield* sleep(AWHILE);
      near.transport.destroy();
      yield* sleep(AWHILE);
      events = far.events;
    });
    expect(events).toEqual(RESET);
  });
});
