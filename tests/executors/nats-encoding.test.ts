// nats-encoding.test.ts: what values become on their way to another machine and back, and what happens to those that cannot go, or are none of ours.
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decodeValue, encodeValue } from '../../executors/nats/encoding.ts';
import { decodeOutcome, decodeStop, decodeTask, encodeOutcome } from '../../executors/nats/envelope.ts';

const there = (value: unknown): unknown => decodeValue(encodeValue(value, 'the value', 1_000_000));
const refusal = (value: unknown, maxBytes = 1_000_000): unknown => {
  try {
    return encodeValue(value, 'the value', maxBytes);
  } catch (error) {
    const { name, code, message } = error as Error & { code?: string };
    return `${name} ${code}: ${message}`;
  }
};

describe('A value that goes to another machine', () => {
  it('arrives as it was, whatever JSON has no form of', () => {
    const value = {
      numbers: [0, -0, 1.5, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 2 ** 60],
      big: [-(2n ** 100n), 0n],
      dates: [new Date(0), new Date(Number.NaN)],
      undefined,
      none: null,
      text: 'ž\u0000\ud800"\\',
      map: new Map<unknown, unknown>([
        [{ key: 1 }, new Set([undefined, new Map()])],
        ['b', 2n],
      ]),
      dollar: { $: 'date', v: 5, other: new Date(1) },
      nested: [[{ $: { $: 'bigint', v: '1' } }]],
      sparse: [undefined, 1],
    };
    const result = there(value) as typeof value;
    expect(result).toEqual(value);
    expect(Object.is(result.numbers[1], -0)).toBe(true);
    expect(Object.hasOwn(result, 'undefined')).toBe(true);
  });

  it('keeps bytes of every kind, and of a view only what it shows', () => {
    const { buffer } = new Uint8Array([0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15]);
    const views = [
      new Uint8Array(buffer, 3, 4),
      new Int8Array(buffer, 1, 1),
      new Uint8ClampedArray(buffer, 0, 0),
      new Int16Array(buffer, 2, 3),
      new Uint16Array(buffer),
      new Int32Array(buffer, 4, 2),
      new Uint32Array(buffer),
      new Float32Array([1.5, -0]),
      new Float64Array([Number.NaN]),
      new BigInt64Array(buffer, 8, 1),
      new BigUint64Array(buffer),
      new DataView(buffer, 1, 5),
      buffer,
    ];
    const results = there(views) as typeof views;
    expect(results.map((view) => Object.prototype.toString.call(view))).toEqual(
      views.map((view) => Object.prototype.toString.call(view)),
    );
    const bytes = (view: ArrayBuffer | ArrayBufferView): Buffer =>
      ArrayBuffer.isView(view) ? Buffer.from(view.buffer, view.byteOffset, view.byteLength) : Buffer.from(view);
    expect(results.map(bytes)).toEqual(views.map(bytes));
    // A Buffer is a Uint8Array, and has memory of its own.
    const small = there(Buffer.from('abc')) as Uint8Array;
    expect([small.constructor, small.buffer.byteLength]).toEqual([Uint8Array, 3]);
  });

  it('keeps errors, with their class if it is one of the language, code, cause and stack', () => {
    const error = Object.assign(new RangeError('far', { cause: new TypeError('root') }), { code: 'ERR_X' });
    const result = there({ error }) as { error: RangeError & { code: string } };
    expect(result.error).toBeInstanceOf(RangeError);
    expect([result.error.message, result.error.code, result.error.stack]).toEqual(['far', 'ERR_X', error.stack]);
    expect(result.error.cause).toBeInstanceOf(TypeError);
  });

  it('gives back any value that can be made of these', () => {
    const leaf = fc.oneof(
      fc.string({ unit: 'binary' }),
      fc.double(),
      fc.boolean(),
      fc.constantFrom(null, undefined),
      fc.bigInt(),
      fc.date({ noInvalidDate: false }),
      fc.uint8Array(),
    );
    const key = fc
      .oneof(fc.constantFrom('$', 'v', 'toJSON', 'constructor', 'length'), fc.string())
      .filter((name) => name !== '__proto__');
    const { value: any } = fc.letrec<{ value: unknown }>((tie) => ({
      value: fc.oneof(
        { maxDepth: 4 },
        leaf,
        fc.array(tie('value'), { maxLength: 4 }),
        fc.dictionary(key, tie('value'), { maxKeys: 4 }),
        fc.array(fc.tuple(tie('value'), tie('value')), { maxLength: 3 }).map((pairs) => new Map(pairs)),
        fc.array(tie('value'), { maxLength: 3 }).map((items) => new Set(items)),
      ),
    }));
    fc.assert(
      fc.property(any, (value) => {
        expect(there(value)).toEqual(value);
      }),
      { numRuns: 60, seed: 3 },
    );
  });

  it('is refused by the path of what cannot go', () => {
    class Own {
      field = () => 1;
    }
    const cycle: Record<string, unknown> = { list: [] };
    (cycle.list as unknown[]).push(cycle);
    let deep: unknown = 0;
    for (let i = 0; i < 600; i += 1) deep = [deep];
    expect([
      refusal({ list: [1, { callback: () => 1 }] }),
      refusal(Symbol('s')),
      refusal({ own: new Own() }),
      refusal(new Map([['a b', new WeakMap()]])),
      refusal(new Set([Promise.resolve()])),
      refusal({ 'odd key': [/x/] }),
      refusal(new Proxy({}, {})),
      refusal(new SharedArrayBuffer(1)),
      refusal(cycle),
      refusal(JSON.parse('{"a":{"__proto__":{}}}')),
      refusal(deep),
      refusal(10n ** 60_000n),
    ]).toEqual([
      "TypeError ERR_CANNOT_TRAVEL: the value.list[1].callback is a function 'callback', which cannot travel to another machine: pass data",
      expect.stringContaining('ERR_CANNOT_TRAVEL: the value is the symbol Symbol(s)'),
      expect.stringContaining('the value.own.field is a function'),
      expect.stringContaining('the value.get("a b") is '),
      expect.stringContaining('the value (a member) is a promise'),
      expect.stringContaining('the value["odd key"][0] is '),
      expect.stringContaining('ERR_CANNOT_TRAVEL: the value is '),
      expect.stringContaining('ERR_CANNOT_TRAVEL: the value is '),
      'TypeError ERR_CANNOT_TRAVEL: the value.list[0] leads back to a value that encloses it: send a tree',
      expect.stringContaining('the value.a.__proto__ is '),
      expect.stringContaining('lies deeper than 500 levels: send it flat'),
      'TypeError ERR_CANNOT_TRAVEL: the value has more than 50000 digits: send it as bytes',
    ]);
  });

  it('is refused by both sizes when it is too large, before it is written', () => {
    expect(refusal({ text: 'x'.repeat(2_000) }, 1_000)).toMatch(
      /ERR_MESSAGE_TOO_LARGE: the value.text makes a message of 2\d\d\d bytes or more, and the server takes 1000 \(its max_payload, /,
    );
    // Short as text, long as bytes.
    expect(refusal('ž'.repeat(600), 1_000)).toMatch(/1202 bytes/);
    const started = performance.now();
    expect(refusal([new Uint8Array(1_000_000_000)])).toMatch(/the value\[0\] makes a message of 10000000\d\d bytes/);
    expect(performance.now() - started).toBeLessThan(1_000);
  });
});

describe('A message that is none of ours', () => {
  const code = (read: () => unknown): unknown => {
    try {
      return read();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };

  it('is refused and reaches no prototype', () => {
    const texts = [
      '',
      '{',
      '{"$":"map","v":[[1]]}',
      '{"$":"map"}',
      '{"$":"set","v":{}}',
      '{"$":"bigint","v":"1x"}',
      `{"$":"bigint","v":"${'9'.repeat(60_000)}"}`,
      '{"$":"number","v":"1"}',
      '{"$":"date","v":"x"}',
      '{"$":"Uint8Array","v":"*"}',
      '{"$":"Float64Array","v":"AAAA"}',
      '{"$":"constructor","v":"AAAA"}',
      '{"$":"__proto__","v":"AAAA"}',
      '{"$":5,"v":"AAAA"}',
      '{"$":"object","v":[["__proto__",{"polluted":1}]]}',
      '{"a":{"__proto__":{"polluted":1}}}',
      '{"$":"error","v":{"error":{"name":1}}}',
      '{"$":"error","v":{"error":{"name":"E","message":"m","stack":"s","own":{"a":{}}}}}',
      '{"$":"error","v":{"error":{"name":"E","message":"m","stack":"s","own":{"__proto__":1}}}}',
      `${'['.repeat(5_000)}${']'.repeat(5_000)}`,
    ];
    expect(texts.map((text) => code(() => decodeValue(text)))).toEqual(texts.map(() => 'ERR_MESSAGE_MALFORMED'));
    expect(({} as { polluted?: unknown }).polluted).toBe(undefined);
  });

  it('is refused as a task, an outcome or an order, whatever of it is wrong', () => {
    const task = {
      v: 1,
      client: 'c',
      number: '1',
      set: 's',
      name: 'n',
      args: [],
      maxAttempts: 1,
      limitMs: null,
      abortGraceMs: 5,
    };
    expect(decodeTask(JSON.stringify(task))).toMatchObject({ limitMs: Number.POSITIVE_INFINITY, terminate: false });
    const wrong: unknown[] = [
      { ...task, v: 2 },
      { ...task, client: 'a.b' },
      { ...task, client: '>' },
      { ...task, number: '*' },
      { ...task, number: 5 },
      { ...task, set: '' },
      { ...task, name: 'a b' },
      { ...task, args: {} },
      { ...task, args: [{ $: 'what', v: '' }] },
      { ...task, maxAttempts: 0 },
      { ...task, maxAttempts: '5' },
      { ...task, limitMs: -1 },
      null,
      [],
      5,
    ];
    expect(wrong.map((message) => code(() => decodeTask(JSON.stringify(message))))).toEqual(
      wrong.map(() => 'ERR_MESSAGE_MALFORMED'),
    );
    const outcomes: unknown[] = [{ v: 1 }, { v: 1, attempt: 1 }, { v: 1, attempt: 1, kind: 'error', thrown: 5 }];
    expect(outcomes.map((message) => code(() => decodeOutcome(JSON.stringify(message))))).toEqual(
      outcomes.map(() => 'ERR_MESSAGE_MALFORMED'),
    );
    expect(code(() => decodeStop('{"v":1}'))).toBe('ERR_MESSAGE_MALFORMED');
    const outcome = { attempt: 2, result: { kind: 'value', value: new Map([[1, undefined]]) } } as const;
    expect(decodeOutcome(encodeOutcome(outcome, 10_000))).toEqual(outcome);
  });

  it('never makes reading throw anything else', () => {
    fc.assert(
      fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
        for (const read of [decodeValue, decodeTask, decodeOutcome, decodeStop]) {
          const seen = code(() => {
            read(text);
            return 'ERR_MESSAGE_MALFORMED';
          });
          expect(seen).toBe('ERR_MESSAGE_MALFORMED');
        }
      }),
      { numRuns: 100, seed: 3 },
    );
  });
});
