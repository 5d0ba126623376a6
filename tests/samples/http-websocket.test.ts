// http-websocket.test.ts: the samples of the HTTP server and of the WebSocket chat print what they are meant to print, and end by themselves.
import { describe, expect, it } from 'vitest';
import { runSample } from './run-sample.ts';

const printed: Readonly<Record<string, string>> = {
  'http-server': `
event { event: 'count', data: '0', id: '' }
201 /notes/0
event { event: 'message', data: 'buy milk', id: '' }
400
[ 'buy milk' ]
1b977e9f84f1b26b
3
2
1
404
7 requests, 0 listeners left
`,
  'websocket-chat': `
Ada reads: * Ada is here, that makes 1
Ben reads: * Ben is here, that makes 2
Ada reads: * Ben is here, that makes 2
Ada reads: Ben: hello
Cleo reads: * Cleo is here, that makes 3
Ada reads: * Cleo is here, that makes 3
Ada reads: * Cleo has left
Ada reads: * Dan is here, that makes 3
Ada has read more than 20 lines of Ben, and that Dan has left
another Ada reads: null, because of 3000 not that name
Ada reads: * Ben has left
5 came, 0 are here
`,
};

describe('The sample', () => {
  for (const [name, text] of Object.entries(printed)) {
    it(`${name} prints what it is meant to print`, { timeout: 40_000 }, async () => {
      const { status, stdout, stderr } = await runSample(name);
      expect({ status, stdout, stderr }).toEqual({ status: 0, stdout: text.slice(1), stderr: '' });
    });
  }
});
