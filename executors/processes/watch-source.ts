// watch-source.ts: what the thread in a child process runs: plain JavaScript, as text.
//
// It is there for when the main thread hears nothing any more. It reads a pipe from the parent. A '?' there is the question where the main thread is: it is paused through
// the inspector, in this process, with no port, and its frames go back as a line of JSON. The end of the pipe is the end of the parent: the main thread has a moment to
// notice by itself, and is then ended.
//
// As text because a thread loads it by itself: no file has to be found beside a bundle, and nothing has to compile it on the way (io/watchdog-worker.ts).

/** The argument of a child that is to have the thread. */
export const WATCHED = 'watched';
/** The pipe's number among the files of the child: behind the standard ones and the channel. */
const WATCH_FD = 4;

export const WATCH_SOURCE: string = `
const { Socket } = require('node:net');
const pipe = new Socket({ fd: ${WATCH_FD} });
pipe.on('data', look);
pipe.on('error', () => {});
pipe.on('close', () => setTimeout(() => process.kill(process.pid, 'SIGKILL'), 1_000));

function look() {
  try {
    const { Session } = require('node:inspector');
    const session = new Session();
    session.connectToMainThread();
    const urls = new Map();
    session.on('Debugger.scriptParsed', ({ params }) => urls.set(params.scriptId, params.url));
    session.once('Debugger.paused', ({ params }) => {
      const frames = params.callFrames.slice(0, 50).map(({ functionName, url, location }) => ({ functionName, url, location }));
      const named = frames.map(({ location }) => [location.scriptId, urls.get(location.scriptId) ?? '']);
      pipe.write(JSON.stringify({ frames, urls: named }) + '\\n');
      session.post('Debugger.resume', () => session.disconnect());
    });
    session.post('Debugger.enable');
    session.post('Debugger.pause');
  } catch {
    // No inspector in this Node: the question is not answered.
  }
}
`;
