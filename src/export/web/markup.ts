/** index.html of the exported page, all but its script. */
import { STYLE } from './style.ts';

/** Nothing is fetched from anywhere but beside the page; threads are workers from blobs. */
const POLICY = [
  "default-src 'none'",
  "script-src 'self' 'unsafe-inline' 'wasm-unsafe-eval'",
  "style-src 'unsafe-inline'",
  "img-src 'self' blob: data:",
  'media-src blob:',
  "connect-src 'self'",
  'worker-src blob:',
  "base-uri 'none'",
  "form-action 'none'",
].join('; ');

const escapeHtml = (text: string): string => text.replace(/[&<>"']/g, (character) => `&#${character.charCodeAt(0)};`);

/** The page with a title and its script, a module that imports `./mobileone.js`. */
export function pageHtml(title: string, script: string): string {
  return `<!doctype html>
<html lang="en" data-state="loading">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="color-scheme" content="light dark">
<meta http-equiv="Content-Security-Policy" content="${POLICY}">
<link rel="icon" href="data:,">
<title>${escapeHtml(title)}</title>
<style>
${STYLE}
</style>
</head>
<body>
<main>
<header>
<h1>${escapeHtml(title)}</h1>
<p>The model runs in this browser. Pictures stay on this device: nothing is sent anywhere.</p>
</header>
<p id="problem" role="alert"></p>
<div class="columns">
<section aria-labelledby="try">
<h2 id="try">A picture</h2>
<div id="drop" class="drop">
<img id="picture" alt="The picture that is classified" hidden>
<video id="video" playsinline muted aria-label="What the camera sees" hidden></video>
<p id="loading">Loading the model …</p>
<progress id="progress" max="1" value="0" aria-label="Loading the model"></progress>
<fieldset id="controls" disabled>
<legend class="unseen">Give a picture</legend>
<label class="button">Choose a picture<input type="file" id="file" accept="image/*"></label>
<button type="button" id="camera" hidden>Use the camera</button>
<p class="hint">or drop one here, or paste one</p>
</fieldset>
</div>
</section>
<section aria-labelledby="answer">
<h2 id="answer">What the model sees</h2>
<p id="status" class="unseen" role="status" aria-live="polite"></p>
<ol id="answers" aria-labelledby="answer"></ol>
<p id="time" class="hint">No picture yet.</p>
</section>
</div>
<section aria-labelledby="about">
<h2 id="about">About this model</h2>
<p id="golden" role="status"></p>
<dl id="facts"></dl>
</section>
</main>
<noscript><p>This page needs JavaScript.</p></noscript>
<script>
if (location.protocol === 'file:') {
  document.getElementById('loading').textContent = 'Browsers load no model from disk.';
  document.getElementById('problem').textContent = 'Serve this folder and open it by its address, for example with: npx http-server';
  document.getElementById('progress').hidden = true;
}
</script>
<script type="module">
${script}
</script>
</body>
</html>
`;
}
