/** Draws a bound graph as one self-contained SVG: a vertical chain of boxes, one a block, colored by kind. */
import type { BoundGraph } from './bind.ts';
import { cost } from './cost.ts';
import type { OpKind } from './kinds.ts';
import { describeNodes, groupDigits, type PrintedNode } from './print.ts';

const BOX = { width: 460, height: 46, gap: 16, left: 24, top: 76 };
const LEGEND_WIDTH = 170;

/** What a box is, for its color; the first that fits. */
const FAMILIES: readonly { readonly label: string; readonly color: string; readonly has: (block: Block) => boolean }[] =
  [
    { label: 'attention', color: '#f7d6f0', has: ({ kinds }) => kinds.has('MatMul') },
    { label: 'with squeeze-and-excite', color: '#f4b6c2', has: ({ kinds }) => kinds.has('Mul') },
    { label: 'RepConv (branches)', color: '#ffd79a', has: ({ kinds }) => kinds.has('RepConv') },
    { label: 'Conv', color: '#a9d3f5', has: ({ kinds }) => kinds.has('Conv') },
    { label: 'classifier', color: '#c9e7b8', has: ({ kinds }) => kinds.has('Gemm') },
    {
      label: 'loss, gradient, update',
      color: '#d9c8ee',
      has: ({ kinds }) => [...kinds].some((kind) => UPDATES.test(kind)),
    },
    { label: 'other', color: '#e3e6ea', has: () => true },
  ];
const UPDATES = /Grad$|Loss$|^Sgd$|^AdamW$|^Ema$/;

interface Block {
  readonly path: string;
  readonly nodes: readonly PrintedNode[];
  readonly kinds: ReadonlySet<OpKind>;
}

/** Path of the block a node belongs to: `stem`, `stages.2.5`, `layer1.0`: the first piece of its name and the numbers after it. */
function blockPath(name: string): string {
  return /^(?:.*\.)?stages\.\d+\.\d+/.exec(name)?.[0] ?? /^[^.]*(?:\.\d+)*/.exec(name)![0];
}

/** Collects consecutive nodes of one block. */
function blocksOf(nodes: readonly PrintedNode[]): Block[] {
  const groups: { path: string; nodes: PrintedNode[] }[] = [];
  for (const node of nodes) {
    const path = blockPath(node.name);
    if (groups.at(-1)?.path === path) groups.at(-1)!.nodes.push(node);
    else groups.push({ path, nodes: [node] });
  }
  return groups.map((group) => ({ ...group, kinds: new Set(group.nodes.map(({ kind }) => kind)) }));
}

const escapeText = (text: string): string =>
  text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;').replaceAll('"', '&quot;');

const familyOf = (block: Block): (typeof FAMILIES)[number] => FAMILIES.find(({ has }) => has(block))!;

function drawBlock(block: Block, index: number): string {
  const { left, top, width, height, gap } = BOX;
  const y = top + index * (height + gap);
  const main = block.nodes.find(({ params }) => params > 0) ?? block.nodes[0]!;
  const sum = (key: 'params' | 'macs'): number => block.nodes.reduce((total, node) => total + node[key], 0);
  const kinds = block.nodes.length > 4 ? `${[...block.kinds].slice(0, 3).join(', ')} …` : [...block.kinds].join(', ');
  const counts = [
    ...(sum('params') ? [`${groupDigits(sum('params'))} params`] : []),
    ...(sum('macs') ? [`${groupDigits(sum('macs'))} MACs`] : []),
  ].join(', ');
  const arrow =
    index === 0
      ? ''
      : `<line x1="${left + width / 2}" y1="${y - gap}" x2="${left + width / 2}" y2="${y - 5}" class="arrow" marker-end="url(#tip)"/>`;
  const title = block.nodes
    .map((node) => [node.name, node.kind, node.what, node.shape].filter(Boolean).join('  '))
    .join('\n');
  return `${arrow}<g><title>${escapeText(title)}</title>
<rect x="${left}" y="${y}" width="${width}" height="${height}" rx="6" fill="${familyOf(block).color}"/>
<text x="${left + 10}" y="${y + 19}" class="name">${escapeText(block.path)}</text>
<text x="${left + width - 10}" y="${y + 19}" class="end">${escapeText(block.nodes.at(-1)!.shape)}</text>
<text x="${left + 10}" y="${y + 36}" class="small">${escapeText(main.what || kinds)}</text>
<text x="${left + width - 10}" y="${y + 36}" class="small end">${escapeText(counts)}</text></g>`;
}

function drawLegend(blocks: readonly Block[]): string {
  const used = FAMILIES.filter((family) => blocks.some((block) => familyOf(block) === family));
  const x = BOX.left + BOX.width + 24;
  return used
    .map(({ label, color }, i) => {
      const y = BOX.top + i * 26;
      return `<rect x="${x}" y="${y}" width="16" height="16" rx="3" fill="${color}"/><text x="${x + 24}" y="${y + 13}" class="small">${escapeText(label)}</text>`;
    })
    .join('\n');
}

/** Draws a graph as an SVG document (text): one box a block with its shape and counts, totals and a legend. */
export function graphToSvg(bound: BoundGraph): string {
  const blocks = blocksOf(describeNodes(bound));
  const { params, macs } = cost(bound);
  const height = BOX.top + blocks.length * (BOX.height + BOX.gap) + 8;
  const width = BOX.left + BOX.width + 24 + LEGEND_WIDTH + 24;
  const input = bound.graph.inputs[0];
  const from = input ? `${input.name} ${bound.shapes.get(input.name)!.join('×')}, ` : '';
  return `<svg xmlns="http://www.w3.org/2000/svg" width="${width}" height="${height}" viewBox="0 0 ${width} ${height}" role="img" aria-label="${escapeText(bound.graph.name)}">
<defs><marker id="tip" viewBox="0 0 8 8" refX="4" refY="4" markerWidth="8" markerHeight="8" orient="auto"><path d="M0 0 L8 4 L0 8 z" fill="#555"/></marker></defs>
<style>text{font:13px system-ui,sans-serif;fill:#1a1a1a}.name{font-weight:600}.small{font-size:11.5px;fill:#333}.end{text-anchor:end}.head{font-size:18px;font-weight:600}.arrow{stroke:#555;stroke-width:1.5}rect{stroke:#0003}</style>
<rect width="100%" height="100%" fill="#fff" style="stroke:none"/>
<text x="${BOX.left}" y="32" class="head">${escapeText(bound.graph.name)}</text>
<text x="${BOX.left}" y="54" class="small">${escapeText(`${from}${groupDigits(params)} parameters, ${groupDigits(macs)} MACs`)}</text>
${blocks.map(drawBlock).join('\n')}
${drawLegend(blocks)}
</svg>
`;
}
