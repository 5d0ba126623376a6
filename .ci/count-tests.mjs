// count-tests.mjs: prints `<passed> <failed>` for the JSON report of a vitest run, and on further lines which tests failed and why.
//
// Usage: node count-tests.mjs <report.json> <exit status>. A run that failed without a failing test (a file that does not load, a
// run cut short, no report) counts as one failure, and so does a run that passed no test at all.
import { readFileSync } from 'node:fs';

const [report, status] = process.argv.slice(2);
let passed = 0;
let failed = 0;
const lines = [];
try {
  const counts = JSON.parse(readFileSync(report, 'utf8'));
  passed = counts.numPassedTests;
  failed = counts.numFailedTests;
  for (const file of counts.testResults) {
    const name = file.name.replace(`${process.cwd()}/`, '');
    if (file.status === 'failed' && file.message) lines.push(`${name}: ${file.message.slice(0, 300)}`);
    for (const test of file.assertionResults) {
      if (test.status === 'failed')
        lines.push(`${name}: ${test.fullName}: ${(test.failureMessages[0] ?? '').slice(0, 600)}`);
    }
  }
} catch {
  // No report: the run ended before it wrote one.
}
if (failed === 0 && (status !== '0' || passed === 0)) failed = 1;
console.log([`${passed} ${failed}`, ...lines.map((line) => line.replaceAll('\n', ' '))].join('\n'));
