import { paletteCss } from './palette.ts';

/** The report's style sheet: one column on a phone, figures side by side on a desk, light or dark as the reader has it. */
export const STYLE: string = `
:root{${paletteCss('light')}}
@media (prefers-color-scheme:dark){:root{${paletteCss('dark')}}}
*{box-sizing:border-box}
body{margin:0;background:var(--paper);color:var(--ink);font:16px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
main{max-width:1000px;margin:0 auto;padding:24px 16px 64px}
h1{font-size:1.7rem;line-height:1.2;margin:0 0 .4em}
h2{font-size:1.15rem;margin:2.4em 0 .7em;padding-bottom:.3em;border-bottom:1px solid var(--grid)}
p{margin:.4em 0 .8em}
.summary{font-size:1.05rem;max-width:46em}
.small,section>p{color:var(--muted);font-size:.875rem}
.tiles{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fit,minmax(150px,1fr));gap:12px;margin:1.4em 0 0}
.tiles li{background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:12px 14px}
.tiles strong{display:block;font-size:1.6rem;line-height:1.2}
.tiles span{font-size:.85rem;color:var(--muted)}
.figures{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,420px),1fr));gap:20px}
figure{margin:0 0 12px}
figure svg{display:block;width:100%;height:auto}
.scroll{overflow-x:auto}
table{border-collapse:collapse;font-size:.875rem;font-variant-numeric:tabular-nums}
th,td{text-align:left;padding:5px 14px 5px 0;border-bottom:1px solid var(--grid);vertical-align:top;white-space:nowrap}
th{font-weight:600;color:var(--muted)}
.cards{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,290px),1fr));gap:12px}
.card{display:flex;gap:12px;background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:10px}
.card>div{flex:1;min-width:0}
.card b{display:block;font-size:.875rem;overflow-wrap:anywhere}
img{width:72px;height:72px;background:#fff;border-radius:6px;flex:none;image-rendering:auto;padding:3px}
.card ol{list-style:none;margin:4px 0 0;padding:0;font-size:.8rem}
.card ol li{position:relative;display:flex;justify-content:space-between;gap:8px;padding:1px 6px;margin-top:2px}
.card .bar{position:absolute;inset:0 auto 0 0;background:var(--first);opacity:.22;border-radius:3px}
.card .name{position:relative;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.card .share{position:relative;flex:none}
.card .right .name{font-weight:600}
.good{color:var(--good)}.bad{color:var(--bad)}
.pairs{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(min(100%,220px),1fr));gap:12px}
.pairs li{display:grid;grid-template-columns:auto auto 1fr;align-items:center;gap:4px 8px;background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:10px}
.pairs .caption{grid-column:1/-1;font-size:.8rem;overflow-wrap:anywhere}
.arrow{color:var(--muted);font-size:1.2rem}
pre{background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:12px;overflow-x:auto;font-size:.875rem}
.fed{list-style:none;padding:0;display:grid;grid-template-columns:repeat(auto-fill,minmax(96px,1fr));gap:10px}
.fed li{font-size:.75rem;color:var(--muted);text-align:center;overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.fed img{display:block;width:100%;height:auto;aspect-ratio:1;padding:0;margin-bottom:3px}
.classes{width:100%;max-width:640px}
.classes td{padding-right:10px}
.classes td:first-child{max-width:14em;overflow:hidden;text-overflow:ellipsis}
.classes .track{width:50%}
.classes .track div{background:var(--first);height:.85em;border-radius:3px;min-width:1px;margin-top:.3em}
.classes .number{text-align:right}
h3{font-size:.95rem;margin:1.6em 0 .4em}
pre{user-select:all}
summary{cursor:pointer;color:var(--muted);font-size:.9rem;margin:.6em 0}
`.replaceAll('\n', '');
