/** `mobileone bench MODEL --phone` and `--static DIR`: a page measures. */
import { readdir } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileBytes, type PhoneFiles, phoneFiles } from '../../bench/phone/files-node.ts';
import { qrLines } from '../../bench/phone/qr-node.ts';
import { servePhone } from '../../bench/phone/server-node.ts';
import { FILES } from '../../bench/phone/setup.ts';
import { findings } from '../../bench/phone/words.ts';
import { parseRuntimes, RUNTIME_KEYS } from '../../bench/runtimes.ts';
import { asWriteError, writeAtomic } from '../../checkpoint/write-node.ts';
import { UserError } from '../../core/errors.ts';
import { makeFolder } from '../../core/folder-node.ts';
import { EXIT } from '../exit.ts';
import type { Io } from '../io.ts';
import { wholeNumber } from '../open-engine.ts';
import { type BenchFlags, duration, openBench, protocolOf } from './flags.ts';
import { keepSession } from './measure-here.ts';
import { doubtLines, headLines, resultLines, soakLines } from './text.ts';

/** The page's files for a model; `post` where a server takes the result. */
async function pageFiles(target: string, flags: BenchFlags, post?: string): Promise<PhoneFiles> {
  const { forms, model } = await openBench(target, flags);
  const threads = (flags.threads ?? '1,auto').split(',').map((text) => text.trim());
  return await phoneFiles({
    bench: forms.at(-1)!,
    model,
    protocol: protocolOf(flags),
    runtimes: flags.runtime ? parseRuntimes(flags.runtime) : RUNTIME_KEYS.filter((key) => key !== 'ort-node'),
    threads: threads.map((text) => (text === 'auto' ? 'auto' : wholeNumber('--threads', text))),
    soakSeconds: flags.soak === undefined ? 0 : duration('--soak', flags.soak),
    ...(post === undefined ? {} : { post }),
  });
}

/** Serves the page, waits for one result, prints and keeps it. */
export async function measurePhone(io: Io, target: string, flags: BenchFlags): Promise<number> {
  const lan = flags.lan === true;
  const files = await pageFiles(target, flags, FILES.result);
  const server = await servePhone({ files, lan, onRefused: (reason) => io.err(`refused: ${reason}`) });
  const release = io.onInterrupt((count) => (count > 1 ? io.quit(130) : void server.close()));
  try {
    if (flags.json) io.out(JSON.stringify({ url: server.url }));
    else await invite(io, server, lan);
    const session = await server.result.catch(() => undefined);
    if (!session) {
      io.err('No result came.');
      return EXIT.ok;
    }
    if (flags.json) io.out(JSON.stringify(session));
    else {
      const { measurements, soaks, notes } = session;
      for (const line of [...headLines(session), '', ...resultLines(measurements), '']) io.out(line);
      for (const line of findings(measurements, soaks)) io.out(line);
      for (const line of [...soaks.flatMap(soakLines), ...doubtLines(measurements), ...notes]) io.out(line);
    }
    await keepSession(io, session, flags);
    return EXIT.ok;
  } finally {
    release();
    await server.close();
  }
}

async function invite(
  io: Io,
  server: { url: string; port: number; fingerprint?: string },
  lan: boolean,
): Promise<void> {
  io.out(lan ? 'Open this link on a phone in the same network:' : 'Open this link in a browser on this machine:');
  io.out(`\n  ${server.url}\n`);
  if (io.terminal) for (const line of await qrLines(server.url, io.env.NO_COLOR === undefined)) io.out(line);
  if (lan) {
    io.out(
      'The browser will say that it does not know the certificate: it was made just now, for this link. Go on to the page;',
    );
    io.out('without https a phone has one thread and no WebGPU. SHA-256 of the certificate, if you want to compare:');
    io.out(`  ${server.fingerprint}`);
  } else {
    io.out('A phone on a USB cable reaches it too (Android: adb reverse');
    io.out(`tcp:${server.port} tcp:${server.port}, then the same link there); one in the same Wi-Fi with --lan.`);
  }
  io.out('Waiting for a result; Ctrl-C ends it.');
}

/** Writes the page with everything it needs into a folder, for any static web server. */
export async function writeStaticPage(io: Io, target: string, flags: BenchFlags): Promise<number> {
  const folder = flags.static!;
  const there: string[] = await readdir(folder).catch(() => []);
  if (there.length > 0 && !there.includes(FILES.setup))
    throw new UserError(`${folder} is not empty.`, 'Name a new folder; the page is many files.');
  const files = await pageFiles(target, flags);
  let bytes = 0;
  for (const [name, file] of files) {
    const path = join(folder, name || 'index.html');
    await makeFolder(dirname(path)).catch((error: unknown) => {
      throw asWriteError(error, folder);
    });
    const content = await fileBytes(file);
    bytes += content.length;
    await writeAtomic(path, content);
  }
  if (flags.json) io.out(JSON.stringify({ path: folder, files: files.size, bytes }));
  else {
    io.out(`${folder}: ${files.size} files, ${(bytes / 1e6).toFixed(0)} MB. Put them on any web server with https.`);
    io.out('The page gives its result to download; take it in with: mobileone bench --import FILE');
  }
  return EXIT.ok;
}
