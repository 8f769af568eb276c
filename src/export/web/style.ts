/** The style sheet of the exported page: two columns on a desk, one on a phone, light or dark as the visitor has it. */
export const STYLE: string = `
:root{--ink:#1f2328;--muted:#59636e;--line:#d1d9e0;--paper:#fff;--card:#f6f8fa;--accent:#0969da;--on-accent:#fff;--bad:#cf222e}
@media (prefers-color-scheme:dark){:root{--ink:#e6edf3;--muted:#9198a1;--line:#3d444d;--paper:#0d1117;--card:#151b23;--accent:#4493f8;--on-accent:#0d1117;--bad:#f85149}}
*{box-sizing:border-box}
[hidden]{display:none!important}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:960px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .3em;overflow-wrap:anywhere}
h2{font-size:1.1rem;margin:0 0 .6em}
header p,.hint{color:var(--muted)}
header p{margin:0 0 1.5em}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,320px),1fr));gap:28px;margin-bottom:36px}
.drop{display:flex;flex-direction:column;align-items:center;justify-content:center;gap:14px;min-height:300px;padding:20px;text-align:center;background:var(--card);border:2px dashed var(--line);border-radius:12px}
.drop.over{border-color:var(--accent);border-style:solid}
.drop p{margin:0}
.drop p:empty{display:none}
img,video{max-width:100%;max-height:340px;border-radius:8px}
progress{width:min(100%,240px);accent-color:var(--accent)}
fieldset{border:0;margin:0;padding:0;display:flex;flex-wrap:wrap;gap:10px;justify-content:center}
fieldset[disabled]{display:none}
fieldset .hint{flex-basis:100%}
button,.button{font:inherit;font-weight:600;min-height:44px;padding:9px 18px;border:1px solid var(--accent);border-radius:8px;background:transparent;color:var(--accent);cursor:pointer;position:relative}
.button{background:var(--accent);color:var(--on-accent)}
.button input{position:absolute;inset:0;opacity:0;width:100%;cursor:pointer}
button:focus-visible,.button:focus-within{outline:3px solid var(--ink);outline-offset:2px}
ol{list-style:none;margin:0;padding:0}
li{display:grid;grid-template-columns:1fr auto;gap:2px 12px;padding:9px 0;border-bottom:1px solid var(--line)}
li span{overflow-wrap:anywhere}
li b{font-variant-numeric:tabular-nums}
li i{grid-column:1/-1;grid-row:2;height:8px;border-radius:4px;background:linear-gradient(var(--accent),var(--accent)) 0/calc(100%*var(--share)) 100% no-repeat var(--line)}
li:first-child span{font-weight:600}
#problem:not(:empty){color:var(--bad);border:1px solid var(--bad);border-radius:8px;padding:10px 14px;margin:0 0 20px}
#golden:empty{display:none}
dl{display:grid;grid-template-columns:auto 1fr;gap:6px 18px;margin:0}
dt{color:var(--muted)}
dd{margin:0;overflow-wrap:anywhere}
.unseen{position:absolute;width:1px;height:1px;overflow:hidden;clip-path:inset(50%);white-space:nowrap}
`.trim();
