/** One side in its own process: `node build/bench-side.js SPEC`, SPEC as JSON; prints a SideResult as JSON. */
import { PEERS } from './peers/peers.ts';
import type { SideResult, SideSpec } from './spec.ts';
import { benchSubject } from './subject.ts';

const WARM_UP = 3;

const spec = JSON.parse(process.argv[2]!) as SideSpec;
const peer = PEERS[spec.side];
if (!peer?.open) throw new Error(`no side "${spec.side}" runs in Node`);
const subject = benchSubject(spec);
const start = performance.now();
const opened = await peer.open(spec, subject);
const beforeFirst = performance.now();
const outputs = await opened.run();
const first = performance.now() - beforeFirst;
const cold = performance.now() - start;
for (let i = 0; i < WARM_UP; i++) await opened.run();
const times: number[] = [];
for (let i = 0; i < spec.runs; i++) {
  const begin = performance.now();
  await opened.run();
  times.push(performance.now() - begin);
}
times.sort((a, b) => a - b);
const result: SideResult = {
  ms: times[times.length >> 1]!,
  minimum: times[0]!,
  first,
  cold,
  rss: process.resourceUsage().maxRSS / 1024,
  runtime: opened.runtime,
  ...(opened.planned ? { planned: opened.planned } : {}),
  ...(outputs ? { outputs: Array.from(outputs).slice(0, 1000) } : {}),
};
console.log(JSON.stringify(result));
process.exit(0);
