// coverage-reasons.ts: why a twin passes a function of Node's through, leaves it out, or gives something else than an Op.
//
// The test of the coverage (twins-coverage.test.ts) finds out by itself which functions are Ops. For every other function it asks here, and fails if this
// says nothing, or speaks of a function that is not so. Rows of a module: a reason, and the names it is for.

/** The modules whose twins are not written yet: nothing is checked of them. To switch a check on, take the name out and run the update (see the test). */
export const pending: readonly ModuleName[] = [];

/** Every module that has a twin, as Node calls it. */
export const moduleNames = [
  'child_process',
  'crypto',
  'dns',
  'fs',
  'http',
  'net',
  'readline',
  'stream',
  'timers',
  'zlib',
] as const;
export type ModuleName = (typeof moduleNames)[number];

type Reasons = Readonly<Record<string, readonly string[]>>;

export interface ModuleReasons {
  /** Node's own, or a function that only calls Node's own. */
  readonly passedThrough?: Reasons;
  /** Not exported by the twin. */
  readonly leftOut?: Reasons;
  /** Classes of the twin's own, whose methods are Ops, and functions that make them. */
  readonly classes?: Reasons;
  /** Ops that Node has on some platforms only. */
  readonly elsewhere?: Reasons;
  /** What the twin has beyond Node's names. */
  readonly added?: Reasons;
}

const STREAM = 'a stream: an object of events; `fromReadable`, `on` and `pipeline` make Ops of it';
const COMPUTES = 'computes or makes an object at once';
const ASKS = 'says or sets something at once';
const CLASS = 'a class';
const INSIDE = 'for Node’s own use';
const PROMISES = 'promises are for `until`';

export const reasons: Readonly<Record<ModuleName, ModuleReasons>> = {
  child_process: {
    leftOut: { [INSIDE]: ['_forkChild'] },
    classes: { 'its methods are Ops': ['ChildProcess'], 'gives a child whose methods are Ops': ['fork', 'spawn'] },
  },
  http: {
    passedThrough: {
      [CLASS]: ['Agent'],
      [ASKS]: ['setMaxIdleHTTPParsers', 'validateHeaderName', 'validateHeaderValue'],
    },
    leftOut: {
      [INSIDE]: ['_connectionListener'],
      'the global of newer Nodes; `tendril/websocket` has Ops': ['CloseEvent', 'MessageEvent', 'WebSocket'],
      'sets how Node’s own requests go: use the option `agent`': ['setGlobalProxyFromEnv'],
    },
    classes: {
      'its methods are Ops': ['ClientRequest', 'IncomingMessage', 'OutgoingMessage', 'Server', 'ServerResponse'],
      'gives a server whose methods are Ops': ['createServer'],
      'gives a request whose methods are Ops': ['request'],
    },
  },
  net: {
    passedThrough: {
      [CLASS]: ['BlockList', 'SocketAddress'],
      [ASKS]: [
        'getDefaultAutoSelectFamily',
        'getDefaultAutoSelectFamilyAttemptTimeout',
        'isIP',
        'isIPv4',
        'isIPv6',
        'setDefaultAutoSelectFamily',
        'setDefaultAutoSelectFamilyAttemptTimeout',
      ],
    },
    leftOut: {
      [INSIDE]: ['_createServerHandle', '_normalizeArgs', '_setSimultaneousAccepts', '_TransferredBoundSocket'],
      'an address that is bound before it is connected or listened on: no Op of the twin takes one': ['BoundSocket'],
    },
    classes: {
      'its methods are Ops': ['Server', 'Socket', 'Stream'],
      'gives a server whose methods are Ops': ['createServer'],
    },
  },
  crypto: {
    passedThrough: {
      [COMPUTES]: [
        'Certificate',
        'Cipheriv',
        'createCipheriv',
        'createDecipheriv',
        'createDiffieHellman',
        'createDiffieHellmanGroup',
        'createECDH',
        'createHash',
        'createHmac',
        'createMac',
        'createPrivateKey',
        'createPublicKey',
        'createSecretKey',
        'createSign',
        'createVerify',
        'Decipheriv',
        'DiffieHellman',
        'DiffieHellmanGroup',
        'ECDH',
        'getDiffieHellman',
        'Hash',
        'hash',
        'Hmac',
        'KeyObject',
        'parsePKCS12',
        'privateDecrypt',
        'privateEncrypt',
        'publicDecrypt',
        'publicEncrypt',
        'Sign',
        'timingSafeEqual',
        'Verify',
        'X509Certificate',
      ],
      'takes from a pool of random bytes at once': ['getRandomValues', 'randomUUID', 'randomUUIDv7'],
      [ASKS]: [
        'getCipherInfo',
        'getCiphers',
        'getCurves',
        'getFips',
        'getHashes',
        'getMacs',
        'secureHeapUsed',
        'setEngine',
        'setFips',
      ],
    },
    leftOut: { 'deprecated, and gone from Node 24 on': ['Cipher', 'Decipher'] },
  },
  dns: {
    passedThrough: { [ASKS]: ['getDefaultResultOrder', 'getServers', 'setDefaultResultOrder', 'setServers'] },
    classes: { 'its methods are Ops; a kill cancels the query': ['Resolver'] },
  },
  fs: {
    passedThrough: {
      [STREAM]: ['createReadStream', 'createWriteStream', 'ReadStream', 'Utf8Stream', 'WriteStream'],
      'an object of events; `files.watch` of tendril has Ops': ['unwatchFile', 'watch', 'watchFile'],
      [CLASS]: ['Dirent', 'Stats'],
    },
    leftOut: {
      [INSIDE]: ['_toUnixTimestamp'],
      'old names of ReadStream and WriteStream': ['FileReadStream', 'FileWriteStream'],
      'what it gives removes a folder by blocking: use mkdtemp and rm': ['mkdtempDisposableSync'],
    },
    classes: { 'an open folder, whose methods are Ops': ['Dir'] },
    elsewhere: { 'on macOS only': ['lchmod', 'lchmodSync'] },
  },
  readline: {
    passedThrough: { 'sets listeners at once': ['emitKeypressEvents'] },
    classes: { 'Node’s, with `question`, `readLine` and `next` as Ops': ['createInterface', 'Interface'] },
  },
  stream: {
    passedThrough: {
      [STREAM]: ['Duplex', 'PassThrough', 'Readable', 'Stream', 'Transform', 'Writable'],
      'makes or changes streams at once': ['addAbortSignal', 'compose', 'destroy', 'duplexPair'],
      [ASKS]: [
        'getDefaultHighWaterMark',
        'isDestroyed',
        'isDisturbed',
        'isErrored',
        'isReadable',
        'isWritable',
        'setDefaultHighWaterMark',
      ],
    },
    leftOut: { [INSIDE]: ['_isArrayBufferView', '_isUint8Array', '_uint8ArrayToBuffer'] },
  },
  timers: {
    passedThrough: {
      'for timers that other code has made': ['clearImmediate', 'clearInterval', 'clearTimeout'],
    },
    leftOut: { 'deprecated, and gone from Node 24 on': ['_unrefActive', 'active', 'enroll', 'unenroll'] },
    classes: { 'gives an Interval, whose `next` is an Op': ['setInterval'] },
    added: {
      'what setInterval gives': ['Interval'],
      'as in node:timers/promises: `scheduler.wait` and `scheduler.yield` are Ops': ['scheduler'],
    },
  },
  zlib: {
    passedThrough: {
      [STREAM]: [
        'BrotliCompress',
        'BrotliDecompress',
        'createBrotliCompress',
        'createBrotliDecompress',
        'createDeflate',
        'createDeflateRaw',
        'createGunzip',
        'createGzip',
        'createInflate',
        'createInflateRaw',
        'createUnzip',
        'createZipArchive',
        'createZstdCompress',
        'createZstdDecompress',
        'Deflate',
        'DeflateRaw',
        'Gunzip',
        'Gzip',
        'Inflate',
        'InflateRaw',
        'Unzip',
        'zipFiles',
        'ZstdCompress',
        'ZstdDecompress',
      ],
      [COMPUTES]: ['crc32', 'ZipBuffer'],
      [ASKS]: ['getMaxZipContentSize', 'setMaxZipContentSize'],
      [PROMISES]: ['ZipEntry', 'ZipFile'],
    },
    leftOut: { 'compresses on the calling thread: use createZipArchive': ['createZipArchiveSync'] },
  },
};
