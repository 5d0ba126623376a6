// resp-encoder.ts: from a command and its arguments to the bytes that Redis expects.
//
// Every argument goes as a bulk string with its length in front, so nothing in it needs escaping: CR, LF and NUL are bytes like any other.
// What consists of text only becomes one string, which costs a concatenation and is turned into bytes with all that leaves in the same turn.
// Source: https://redis.io/docs/latest/develop/reference/protocol-spec/

/** What can be an argument. Bytes are not copied: do not change them before the reply has come. */
export type Argument = string | number | bigint | Uint8Array;

/** An encoded command: one string, or strings and bytes in turn. */
export type Wire = string | readonly (string | Uint8Array)[];

/** Encode `name` and `args`. @throws TypeError for an argument that is neither text, number nor bytes. */
export function encode(name: string, args: readonly Argument[]): Wire {
  let text = `*${args.length + 1}\r\n$${byteLength(name)}\r\n${name}\r\n`;
  let pieces: (string | Uint8Array)[] | undefined;
  for (let i = 0; i < args.length; i += 1) {
    const arg = args[i];
    if (typeof arg === 'string') {
      text += `$${byteLength(arg)}\r\n${arg}\r\n`;
    } else if (arg instanceof Uint8Array) {
      pieces ??= [];
      pieces.push(`${text}$${arg.length}\r\n`, arg);
      text = '\r\n';
    } else if (typeof arg === 'number' || typeof arg === 'bigint') {
      const digits = String(arg);
      text += `$${digits.length}\r\n${digits}\r\n`;
    } else {
      throw new TypeError(`${name}: argument ${i + 1} must be a string, a number or bytes, not ${kindOf(arg)}`);
    }
  }
  if (pieces === undefined) return text;
  pieces.push(text);
  return pieces;
}

/** Put several encoded commands behind each other. */
export function joinWires(wires: readonly Wire[]): Wire {
  if (wires.every((wire) => typeof wire === 'string')) return wires.join('');
  return wires.flat();
}

// Most keys are short and plain, and looking at them here is faster than asking.
function byteLength(text: string): number {
  const { length } = text;
  if (length > 32) return Buffer.byteLength(text);
  for (let i = 0; i < length; i += 1) if (text.charCodeAt(i) > 127) return Buffer.byteLength(text);
  return length;
}

function kindOf(value: unknown): string {
  if (value === null || value === undefined) return String(value);
  return typeof value === 'object' ? `an object (${Object.prototype.toString.call(value).slice(8, -1)})` : typeof value;
}
