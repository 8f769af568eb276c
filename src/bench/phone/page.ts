/** The page: starts the worker, shows how far it is and what came out, and posts the result or gives it to download. */
import type { Measurement } from '../measure.ts';
import { protocolText } from '../protocol.ts';
import type { Session } from '../results/session.ts';
import { FILES, type PhoneMessage, type PhoneSetup } from './setup.ts';
import { briefly, findings, spanText, titleOf } from './words.ts';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const status = element('status');
const bar = element<HTMLProgressElement>('bar');
const button = element<HTMLButtonElement>('start');
const base = new URL('.', location.href);

function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  text = '',
  attributes: Record<string, string> = {},
): HTMLElementTagNameMap[K] {
  const made = document.createElement(tag);
  made.textContent = text;
  for (const [name, value] of Object.entries(attributes)) made.setAttribute(name, value);
  return made;
}

function say(text: string): void {
  status.textContent = text;
}

/** Rows of the table: the fastest first, each with a bar. */
function resultRows(measurements: readonly Measurement[]): HTMLElement[] {
  const longest = Math.max(...measurements.map(({ mean }) => mean));
  return [...measurements]
    .sort((a, b) => a.mean - b.mean)
    .map((one) => {
      const row = make('tr');
      const name = make('th', titleOf(one), { scope: 'row' });
      const share = make('span', '', { class: 'share', 'aria-hidden': 'true' });
      share.style.width = `${(100 * one.mean) / longest}%`;
      name.append(share);
      row.append(
        name,
        make('td', briefly(one.mean)),
        make('td', `${briefly(one.interval[0])} – ${briefly(one.interval[1])}`),
        make('td', briefly(one.firstRun)),
        make('td', briefly(one.coldStart)),
      );
      return row;
    });
}

function list(id: string, texts: readonly string[]): void {
  element(id).replaceChildren(...texts.map((text) => make('li', text)));
  element(id).parentElement!.hidden = texts.length === 0;
}

function show(session: Session): void {
  const { measurements, soaks, notes, device } = session;
  list('findings', findings(measurements, soaks));
  element('rows').replaceChildren(...resultRows(measurements));
  list(
    'doubts',
    measurements.flatMap((one) => one.noise.map((reason) => `${titleOf(one)}: ${reason}.`)),
  );
  list('notes', notes);
  element('device').textContent = [device.cpu, `${device.cores} cores`, device.system, device.host, device.gpu]
    .filter(Boolean)
    .join(', ');
  element('results').hidden = false;
}

function download(session: Session): void {
  const url = URL.createObjectURL(new Blob([JSON.stringify(session)], { type: 'application/json' }));
  const link = element<HTMLAnchorElement>('download');
  link.href = url;
  link.download = `mobileone-bench-${session.id.slice(0, 6)}.json`;
  link.hidden = false;
}

async function send(session: Session, setup: PhoneSetup): Promise<void> {
  if (!setup.post) {
    say('Done. Save the result, and take it in with: mobileone bench --import FILE');
    return download(session);
  }
  try {
    const body = JSON.stringify(session);
    const response = await fetch(new URL(setup.post, base), {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body,
    });
    if (!response.ok) throw new Error(await response.text());
    say('Done. The result was sent to the computer that gave you the link; you can close this page.');
  } catch (error) {
    say(
      `Done, but the result could not be sent (${(error as Error).message}). Save it, and take it in with: mobileone bench --import FILE`,
    );
    download(session);
  }
}

/** Keeps the screen on; returns how to let it go. */
async function stayAwake(): Promise<() => void> {
  const lock = await navigator.wakeLock?.request('screen').catch(() => undefined);
  return () => void lock?.release().catch(() => undefined);
}

async function start(setup: PhoneSetup): Promise<void> {
  button.disabled = true;
  bar.hidden = false;
  bar.removeAttribute('value');
  say('Starting');
  const release = await stayAwake();
  let hidden = document.hidden;
  const onHide = (): void => {
    hidden ||= document.hidden;
  };
  document.addEventListener('visibilitychange', onHide);
  const worker = new Worker(new URL(FILES.worker, base));
  const end = (): void => {
    release();
    document.removeEventListener('visibilitychange', onHide);
    worker.terminate();
    bar.hidden = true;
    button.disabled = false;
    button.textContent = 'Measure again';
  };
  const fail = (message: string): void => {
    end();
    say(`It failed: ${message}`);
  };
  worker.onerror = (event) => fail(event.message || 'the worker could not be loaded');
  worker.onmessage = ({ data }: MessageEvent<PhoneMessage>) => {
    switch (data.type) {
      case 'status':
        bar.removeAttribute('value');
        return say(data.text);
      case 'progress':
        bar.value = data.done / data.total;
        return;
      case 'failed':
        return fail(data.message);
      case 'done': {
        end();
        const note = 'The page was in the background for a part of the time: times may be too long.';
        const session = hidden ? { ...data.session, notes: [...data.session.notes, note] } : data.session;
        show(session);
        void send(session, setup);
      }
    }
  };
  worker.postMessage({ base: base.href, setup });
}

const setup = (await (await fetch(new URL(FILES.setup, base))).json()) as PhoneSetup;
const { model, protocol, soakSeconds } = setup;
const soaking = soakSeconds > 0 ? `; then the fastest for ${spanText(soakSeconds)} without a pause` : '';
element('what').textContent =
  `${model.name}, ${model.batch} image${model.batch > 1 ? 's' : ''} of ${model.size} px: ${protocolText(protocol)}, in turn on every runtime that this browser has${soaking}.`;
if (!window.crossOriginIsolated)
  element('isolation').textContent = window.isSecureContext
    ? 'This page is not cross-origin isolated, so WebAssembly has one thread.'
    : 'This page was not opened by https, so WebAssembly has one thread, and there is no WebGPU.';
button.addEventListener('click', () => void start(setup));
button.disabled = false;
if (location.hash === '#start') void start(setup);
