/**
 * The script of the exported page: tsdown bundles it to dist/page/page.js, and `encode` puts it into index.html. It runs in a browser,
 * beside `mobileone.js`, which it imports, and `model.json`.
 */
import { load } from '../../embed/load-web.ts';
import type { ImageModel, Prediction } from '../../embed/model.ts';
import type { WebImage } from '../../images/decode-web.ts';
import { showFacts, type WebDescription } from './facts.ts';
import { checkGolden } from './golden.ts';

const element = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;
const percent = (value: number): string => `${(100 * value).toFixed(1)} %`;
/** Answers that are shown. */
const SHOWN = 5;
/** Screen readers hear of what the camera sees at most so often. */
const ANNOUNCE_EVERY_MS = 3000;

/** Says what went wrong, and what to do. */
function complain(error: unknown): void {
  const { message, hint = '' } = error as Error & { hint?: string };
  element('problem').textContent = `${message} ${hint}`.trim();
}

function showAnswers(predictions: readonly Prediction[], milliseconds: number): void {
  element('answers').replaceChildren(
    ...predictions.map(({ label, probability }) => {
      const item = document.createElement('li');
      const [name, bar, value] = ['span', 'i', 'b'].map((tag) => item.appendChild(document.createElement(tag)));
      name!.textContent = label;
      bar!.style.setProperty('--share', String(probability));
      value!.textContent = percent(probability);
      return item;
    }),
  );
  element('time').textContent = `${milliseconds.toFixed(0)} ms for this image, decoding and resizing included`;
}

/** Tells the first answer in words, for those who hear the page: the bars themselves change too often with a camera. */
let announced = { label: '', at: Number.NEGATIVE_INFINITY };
function announce([best]: readonly Prediction[], always: boolean): void {
  const now = performance.now();
  if (!best || (!always && (best.label === announced.label || now - announced.at < ANNOUNCE_EVERY_MS))) return;
  announced = { label: best.label, at: now };
  element('status').textContent = `${best.label}, ${percent(best.probability)}`;
}

async function classify(model: ImageModel<WebImage>, image: WebImage, always: boolean): Promise<void> {
  const start = performance.now();
  const predictions = await model.classify(image, { topK: SHOWN, threshold: 0 });
  showAnswers(predictions, performance.now() - start);
  announce(predictions, always);
  element('problem').textContent = '';
}

/** Shows a file and classifies it. */
async function takeFile(model: ImageModel<WebImage>, file: Blob): Promise<void> {
  stopCamera();
  const picture = element<HTMLImageElement>('picture');
  URL.revokeObjectURL(picture.src);
  picture.src = URL.createObjectURL(file);
  picture.hidden = false;
  await classify(model, file, true).catch((error: unknown) => {
    picture.hidden = true;
    element('answers').replaceChildren();
    element('time').textContent = '';
    element('status').textContent = '';
    complain(error);
  });
}

let camera: MediaStream | undefined;

function stopCamera(): void {
  for (const track of camera?.getTracks() ?? []) track.stop();
  camera = undefined;
  element('video').hidden = true;
  element('camera').textContent = 'Use the camera';
}

async function startCamera(model: ImageModel<WebImage>): Promise<void> {
  const stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: 'environment' } });
  const video = element<HTMLVideoElement>('video');
  camera = stream;
  element('picture').hidden = true;
  element('camera').textContent = 'Stop the camera';
  video.hidden = false;
  video.srcObject = stream;
  await video.play();
  while (camera === stream) {
    await classify(model, video, false);
    await new Promise(requestAnimationFrame);
  }
}

function listen(model: ImageModel<WebImage>): void {
  const take = (files: FileList | undefined | null): void => {
    if (files?.[0]) void takeFile(model, files[0]);
  };
  const chooser = element<HTMLInputElement>('file');
  chooser.addEventListener('change', () => {
    take(chooser.files);
    chooser.value = '';
  });
  document.addEventListener('paste', (event) => take(event.clipboardData?.files));
  for (const type of ['dragover', 'dragleave', 'drop'] as const)
    document.addEventListener(type, (event) => {
      event.preventDefault();
      element('drop').classList.toggle('over', type === 'dragover');
      if (type === 'drop') take(event.dataTransfer?.files);
    });
  const button = element<HTMLButtonElement>('camera');
  button.hidden = !navigator.mediaDevices;
  button.addEventListener('click', () => {
    if (camera) return stopCamera();
    startCamera(model).catch((error: unknown) => {
      stopCamera();
      complain(error);
    });
  });
}

async function start(): Promise<void> {
  const bar = element<HTMLProgressElement>('progress');
  const response = await fetch('model.json');
  if (!response.ok) throw new Error(`model.json could not be fetched (${response.status}).`);
  const description = (await response.json()) as WebDescription;
  const model = await load(new URL('./', location.href), {
    onProgress(loaded) {
      bar.value = loaded / description.bytes;
    },
  });
  bar.hidden = true;
  element('loading').textContent = '';
  element<HTMLFieldSetElement>('controls').disabled = false;
  showFacts(element('facts'), description, model.runtime);
  listen(model);
  document.documentElement.dataset.state = 'ready';
  element('golden').textContent = await checkGolden(model, description.bound);
  document.documentElement.dataset.state = 'checked';
}

start().catch((error: unknown) => {
  element('loading').textContent = 'The model could not be loaded.';
  element('progress').hidden = true;
  complain(error);
  document.documentElement.dataset.state = 'failed';
});
