// Runs the browser's verifier over bundles, in node.
//
//     node verify_all.js SCRIPT LIST POLICY|- webcrypto|plain
//
// prints one JSON object for each file named in LIST. `plain` takes WebCrypto away first.

const fs = require('node:fs');
const vm = require('node:vm');

const [script, list, policy, mode] = process.argv.slice(2);
if (mode === 'plain') Object.defineProperty(globalThis, 'crypto', { value: undefined });
vm.runInThisContext(fs.readFileSync(script, 'utf8'), { filename: script });

async function main() {
  const trusted = policy === '-' ? null : new Uint8Array(Buffer.from(JSON.parse(fs.readFileSync(policy)).entry, 'base64'));
  for (const file of fs.readFileSync(list, 'utf8').trim().split('\n')) {
    const bytes = new Uint8Array(fs.readFileSync(file));
    const began = performance.now();
    const report = await globalThis.Tracebond.verify(bytes, { trusted });
    const line = {
      file,
      verdict: report.verdict,
      class: report.failure === null ? null : report.failure.kind,
      detail: report.failure === null ? null : report.failure.detail,
      by: report.by,
      milliseconds: performance.now() - began,
      events: new Set(report.events.map((event) => event.leaf)).size,
      states: report.events.map((event) => event.state),
      marks: report.events.map((event) => event.marks),
      after: report.events.map((event) => event.after),
      keys: report.events.map((event) => event.key),
      statements: report.statements,
      log_size: report.size,
      root: report.root,
      anchored: report.anchored,
      policy: report.policy,
    };
    // Half a character from a bundle is no text for whoever reads this.
    console.log(JSON.stringify(line).replace(/\\ud[89a-f][0-9a-f]{2}/g, '?'));
  }
}

main();
