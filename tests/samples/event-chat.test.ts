// event-chat.test.ts: the chat of components prints what it is meant to print, and ends by itself.
import { expect, it } from 'vitest';
import { runSample } from './run-sample.ts';

it('Three people talk in a chat of components, are censored, fall silent, and hear what was said before they came', async () => {
  expect(await runSample('event-chat')).toEqual({
    status: 0,
    stdout: [
      'Ada reads: * Ada is here, that makes 1',
      'Ada reads: * Ben is here, that makes 2',
      'Ben reads: * Ben is here, that makes 2',
      'Ada reads: Ben: hello',
      'Ada reads: Ben: anybody here?',
      'Ada reads: Ben: sorry',
      'Ben reads: * that was not heard',
      'Ada reads: * nobody says anything',
      'Ada reads: * Ben has left',
      'Cleo reads: earlier, Ben: anybody here?',
      'Cleo reads: earlier, Ben: sorry',
      'Cleo reads: * Cleo is here, that makes 2',
      '',
    ].join('\n'),
    stderr: '',
  });
});
