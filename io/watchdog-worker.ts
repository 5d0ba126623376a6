// watchdog-worker.ts: what the watchdog's thread runs: plain JavaScript, as text.
//
// As text because a thread loads it by itself: no file has to be found beside a bundle, and nothing has to compile it on the way. It waits for a number
// in shared memory to change. When that stands still for too long, it looks at the main thread through the inspector, in this process, with no port:
// pause, read the stack, ask who runs, go on.
//
// Invariants:
//   the debugger is enabled only while a stall is looked at, because code runs slower under it
//   a thread that was itself not running (a stopped process, a sleeping machine) says nothing about the other
// Source: gevent's monitoring thread; the inspector protocol's Debugger domain.

/** The name under which the main thread tells who runs. */
export const WHO_RUNS: unique symbol = Symbol.for('tendril.watchdog') as never;

export const WORKER_SOURCE = `
const { parentPort, workerData } = require('node:worker_threads');
const { writeSync } = require('node:fs');
const { beats, thresholdMs, print } = workerData;
const MOST_FRAMES = 50;
const PERIOD_MS = thresholdMs / 4;
let lastBeat = Atomics.load(beats, 0);
let since = performance.now();
let lastTick = since;
let told = false;

setInterval(() => {
  const now = performance.now();
  const beat = Atomics.load(beats, 0);
  const stopped = now - lastTick > PERIOD_MS + thresholdMs / 2;
  lastTick = now;
  if (beat !== lastBeat || stopped) {
    if (beat !== lastBeat) told = false;
    lastBeat = beat;
    since = now;
  } else if (!told && now - since >= thresholdMs) {
    told = true;
    look(since);
  }
}, PERIOD_MS);

function look(blockedSince) {
  let session;
  const end = (greenlet, stack) => {
    session?.disconnect();
    const blockedForMs = Math.round(performance.now() - blockedSince);
    parentPort.postMessage({ blockedForMs, greenlet, stack });
    if (!print) return;
    const who = greenlet === undefined ? 'no greenlet: a callback or a promise of ordinary code' : greenlet;
    try {
      writeSync(2, 'tendril: the event loop is blocked for ' + blockedForMs + ' ms by ' + who + '\\n' + stack + '\\n');
    } catch {
      // Nobody reads it.
    }
  };
  try {
    const { Session } = require('node:inspector');
    session = new Session();
    session.connectToMainThread();
  } catch (error) {
    session = undefined;
    end(undefined, '    (no stack: ' + error.message + ')');
    return;
  }
  const urls = new Map();
  session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
  session.once('Debugger.paused', ({ params }) => {
    const frameUrl = ({ url, location }) => url || urls.get(location.scriptId) || '<unknown>';
    // What is below the step of a greenlet is this library, in every stack the same.
    const ours = params.callFrames.findIndex((frame) => frame.functionName === 'resume' && /core.step\\.[jt]s$/.test(frameUrl(frame)));
    const lines = params.callFrames.slice(0, ours < 0 ? MOST_FRAMES : Math.min(ours, MOST_FRAMES)).map((frame) => {
      const { functionName, location } = frame;
      const place = frameUrl(frame) + ':' + (location.lineNumber + 1) + ':' + ((location.columnNumber ?? 0) + 1);
      return functionName === '' ? '    at ' + place : '    at ' + functionName + ' (' + place + ')';
    });
    const { callFrameId } = params.callFrames[0];
    const expression = "globalThis[Symbol.for('tendril.watchdog')]?.()";
    session.post('Debugger.evaluateOnCallFrame', { callFrameId, expression, returnByValue: true, silent: true }, (error, answer) => {
      const value = error ? undefined : answer.result.value;
      session.post('Debugger.resume', () => end(typeof value === 'string' ? value : undefined, lines.join('\\n')));
    });
  });
  session.post('Debugger.enable');
  session.post('Debugger.pause');
}
`;
