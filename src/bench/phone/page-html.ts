/** The page as text. */
import { FILES } from './setup.ts';

const STYLE = `
:root{--ink:#1f2328;--muted:#59636e;--line:#d1d9e0;--paper:#fff;--card:#f6f8fa;--accent:#0550ae;--on-accent:#fff;color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9198a1;--line:#3d444d;--paper:#0d1117;--card:#151b23;--accent:#79c0ff;--on-accent:#0d1117}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:1rem/1.5 system-ui,sans-serif}
main{max-width:46rem;margin:0 auto;padding:1rem 1rem 3rem}
h1{font-size:1.5rem;margin:.5rem 0}h2{font-size:1.125rem;margin:1.5rem 0 .5rem}
p{margin:.5rem 0}.muted{color:var(--muted);font-size:.875rem}
button,a.button{font:inherit;font-weight:600;padding:.75rem 1.5rem;border:0;border-radius:.5rem;background:var(--accent);color:var(--on-accent);min-height:3rem;cursor:pointer;text-decoration:none;display:inline-block}
button:disabled{background:var(--card);color:var(--muted);border:1px solid var(--line);cursor:default}
:focus-visible{outline:3px solid var(--accent);outline-offset:2px}
progress{width:100%;height:1rem;accent-color:var(--accent);display:block;margin:1rem 0}
[hidden]{display:none!important}
ul{padding-left:1.25rem;margin:.5rem 0}li{margin:.25rem 0}
#findings li:first-child{font-weight:600}
.wide{overflow-x:auto}
table{border-collapse:collapse;width:100%;font-size:.9375rem}
th,td{padding:.5rem .5rem .5rem 0;border-bottom:1px solid var(--line);text-align:right;white-space:nowrap;vertical-align:top}
tbody th{text-align:left;font-weight:500;white-space:normal;min-width:10rem}thead th:first-child{text-align:left}
.share{display:block;height:.375rem;border-radius:.1875rem;background:var(--accent);margin-top:.25rem}
`.replaceAll('\n', '');

/** On a static host: makes the page isolated by its service worker, once. */
const ISOLATE = `if(!crossOriginIsolated&&isSecureContext&&navigator.serviceWorker&&!sessionStorage.getItem('isolated')){sessionStorage.setItem('isolated','1');navigator.serviceWorker.register('${FILES.isolate}').then(()=>navigator.serviceWorker.ready).then(()=>location.reload()).catch(()=>{})}`;

/** The page; `hosted` is a static host. */
export function phonePage({ hosted = false }: { readonly hosted?: boolean } = {}): string {
  return `<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>mobileone bench</title>
<link rel="icon" href="data:,">
<style>${STYLE}</style>
${hosted ? `<script>${ISOLATE}</script>\n` : ''}<script type="module" src="${FILES.page}"></script>
</head>
<body>
<main>
<h1>How fast is this device?</h1>
<p id="what"></p>
<p class="muted">Plug it in or charge it first, close other apps, and leave this page in front. Nothing but times and the kind of device is sent.</p>
<p class="muted" id="isolation"></p>
<p><button id="start" type="button" disabled>Measure</button></p>
<p id="status" role="status" aria-live="polite"></p>
<progress id="bar" max="1" aria-label="progress" hidden></progress>
<p><a id="download" class="button" href="#" hidden>Save the result</a></p>
<section id="results" aria-labelledby="results-title" hidden>
<h2 id="results-title">What it found</h2>
<div><ul id="findings"></ul></div>
<h2>All times, in milliseconds</h2>
<div class="wide" tabindex="0" role="region" aria-label="table of times">
<table>
<thead><tr><th scope="col">runtime</th><th scope="col">a run</th><th scope="col">95 %</th><th scope="col">first run</th><th scope="col">opening</th></tr></thead>
<tbody id="rows"></tbody>
</table>
</div>
<div hidden><h2>How far to believe it</h2><ul id="doubts"></ul></div>
<div hidden><h2>Not measured</h2><ul id="notes"></ul></div>
<h2>This device</h2>
<p id="device"></p>
</section>
</main>
</body>
</html>
`;
}
