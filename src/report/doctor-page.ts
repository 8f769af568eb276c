/** The page of `mobileone data doctor`: copies side by side, broken files, class balance, sizes. */
import type { TopLevelSpec } from 'vega-lite';
import type { ClassCount, Diagnosis, Group, ImageFacts, SplitName } from '../data/doctor/examine.ts';
import { escapeHtml, figure, page, picture, section, table, tiles } from './markup.ts';
import { color } from './palette.ts';
import { CONFIG, HEIGHT, titled, WIDTH } from './theme.ts';

/** Groups, members of a group, rows of a table and points of a plot that are shown at most. */
const MOST = { groups: 120, members: 8, rows: 200, classes: 60, points: 3000 } as const;

export interface DoctorPageData {
  readonly title: string;
  readonly summary: string;
  readonly headlines: readonly { readonly value: string; readonly text: string }[];
  readonly diagnosis: Diagnosis;
  /** Side of the network's input. */
  readonly size: number;
  readonly notes: readonly string[];
  /** JPEG bytes of an image, small; undefined if it can't be read. */
  readonly thumbnail: (index: number) => Promise<Uint8Array | undefined>;
}

const STYLE = `
.group{background:var(--card);border:1px solid var(--grid);border-radius:8px;padding:10px;margin:0 0 12px}
.group>b{font-size:.875rem}
.copies{list-style:none;padding:0;margin:8px 0 0;display:grid;grid-template-columns:repeat(auto-fill,minmax(140px,1fr));gap:10px}
.copies li{font-size:.75rem;overflow-wrap:anywhere}
.copies img{width:100%;height:130px;object-fit:contain;display:block}
.copies .drop{color:var(--bad)}
`.replaceAll('\n', '');

/** Renders the page. Throws a UserError when Vega is missing. */
export async function renderDoctorPage(data: DoctorPageData): Promise<string> {
  const { title, summary, headlines, diagnosis, notes } = data;
  const { images, groups, sizes } = diagnosis;
  const kinds: readonly [string, string, (group: Group) => boolean][] = [
    [
      'One picture, several labels',
      'Copies of one picture that are labeled differently; at most one label can be right.',
      ({ conflict }) => conflict,
    ],
    [
      'Leaks between splits',
      'Copies of one picture in more than one of train, val and test: results on them look better than they are.',
      ({ conflict, leak }) => leak && !conflict,
    ],
    ['Exact duplicates', 'Equal to the pixel, within one split.', (group) => inOneSplit(group) && group.exact],
    [
      'Near duplicates',
      'The same shot, rescaled, cropped, brightened or saved anew, or a burst, within one split.',
      (group) => inOneSplit(group) && !group.exact,
    ],
  ];
  const drops = new Set(diagnosis.fix.filter(({ action }) => action === 'drop').map(({ path }) => path));
  const copies: string[] = [];
  for (const [heading, text, test] of kinds)
    copies.push(await groupSection(data, heading, text, groups.filter(test), drops));
  const broken = images.flatMap(({ path, broken: why }) => (why === undefined ? [] : [[path, why]]));
  const misnamed = images.flatMap(({ path, misnamed: what }) => (what === undefined ? [] : [[path, what]]));
  return page(
    title,
    summary,
    [
      tiles(headlines),
      listSection('Files that can’t be read', ['file', 'why'], broken),
      listSection('Files whose names say another format', ['file', 'what it is'], misnamed),
      ...copies,
      await balanceSection(diagnosis),
      section('Sizes', await figure(sizeFigure(images, data.size), 'image sizes'), sizeTable(sizes)),
      notes.length > 0
        ? section('Notes', `<ul>${notes.map((note) => `<li>${escapeHtml(note)}</li>`).join('')}</ul>`)
        : '',
    ],
    STYLE,
  );
}

const inOneSplit = ({ conflict, leak }: Group): boolean => !conflict && !leak;

const more = (count: number, shown: number, what: string): string =>
  count > shown ? `<p>… and ${count - shown} more ${what}; --json lists all.</p>` : '';

function listSection(title: string, columns: readonly string[], rows: readonly (readonly string[])[]): string {
  if (rows.length === 0) return '';
  return section(title, table(columns, rows.slice(0, MOST.rows)), more(rows.length, MOST.rows, 'files'));
}

async function groupSection(
  { diagnosis, thumbnail }: DoctorPageData,
  title: string,
  text: string,
  groups: readonly Group[],
  drops: ReadonlySet<string>,
): Promise<string> {
  if (groups.length === 0) return '';
  const { images, classes } = diagnosis;
  const shown: string[] = [];
  for (const { members, exact } of groups.slice(0, MOST.groups)) {
    const items: string[] = [];
    for (const index of members.slice(0, MOST.members)) {
      const { path, split, labels, width, height } = images[index]!;
      const bytes = await thumbnail(index);
      const drop = drops.has(path) ? ' <span class="drop">drop</span>' : '';
      items.push(
        `<li>${bytes ? picture(bytes, path, 'jpeg') : ''}<b>${split}, ${escapeHtml(labels.map((label) => classes[label]).join(' + '))}</b>${drop}<br>${width} × ${height}<br>${escapeHtml(path)}</li>`,
      );
    }
    shown.push(
      `<div class="group"><b>${members.length} copies, ${exact ? 'equal' : 'alike'}</b><ul class="copies">${items.join('')}</ul>${more(members.length, MOST.members, 'copies')}</div>`,
    );
  }
  return section(
    `${title}: ${groups.length}`,
    `<p>${escapeHtml(text)}</p>`,
    ...shown,
    more(groups.length, MOST.groups, 'groups'),
  );
}

async function balanceSection({ balance, imbalance }: Diagnosis): Promise<string> {
  const ranked = balance.toSorted((a, b) => b.train - a.train);
  const half = MOST.classes / 2;
  const shown = ranked.length > MOST.classes ? [...ranked.slice(0, half), ...ranked.slice(-half)] : ranked;
  return section(
    'Classes',
    await figure(balanceFigure(shown, imbalance), 'images of each class'),
    shown.length < ranked.length
      ? `<p>The ${half} largest and the ${half} smallest of ${ranked.length} classes.</p>`
      : '',
  );
}

/** Stacked bars of the images of each class by split. */
function balanceFigure(balance: readonly ClassCount[], imbalance: number): TopLevelSpec {
  const fills: Readonly<Record<SplitName, string>> = {
    train: color('first'),
    val: color('second'),
    test: color('muted'),
  };
  const splits = Object.keys(fills) as SplitName[];
  const values = balance.flatMap((row) =>
    splits.map((split, order) => ({ name: row.name, split, order, images: row[split] })),
  );
  return {
    title: titled(
      `The largest class has ${Number(imbalance.toPrecision(2))} times the training images of the smallest`,
      'blue: train, orange: val, gray: test',
    ),
    data: { values },
    width: WIDTH,
    height: { step: 20 },
    config: CONFIG,
    mark: { type: 'bar' },
    encoding: {
      y: { field: 'name', type: 'nominal', sort: null, axis: { title: null } },
      x: { field: 'images', type: 'quantitative', axis: { title: 'images', grid: false, tickCount: 5 } },
      order: { field: 'order' },
      color: {
        field: 'split',
        type: 'nominal',
        scale: { domain: splits, range: splits.map((split) => fills[split]) },
        legend: null,
      },
    },
  } as TopLevelSpec;
}

/** A dot for each size; the rule is the network's input. */
function sizeFigure(images: readonly ImageFacts[], size: number): TopLevelSpec {
  const counts = new Map<string, { width: number; height: number; images: number }>();
  for (const { width, height, broken } of images) {
    if (broken !== undefined) continue;
    const dot = counts.get(`${width} ${height}`) ?? { width, height, images: 0 };
    dot.images++;
    counts.set(`${width} ${height}`, dot);
  }
  const dots = [...counts.values()].toSorted((a, b) => b.images - a.images).slice(0, MOST.points);
  const axis = (title: string): object => ({ title, tickCount: 5 });
  const x = { field: 'width', type: 'quantitative', axis: axis('width, pixels') };
  const y = { field: 'height', type: 'quantitative', axis: axis('height, pixels') };
  const rule = { type: 'rule', color: color('bad'), strokeDash: [4, 4] };
  return {
    title: titled('Widths and heights', `each dot is a size, larger for more images; dashed: the input of ${size} px`),
    width: WIDTH,
    height: HEIGHT,
    config: CONFIG,
    layer: [
      {
        data: { values: dots },
        mark: { type: 'circle', opacity: 0.5, color: color('first') },
        encoding: { x, y, size: { field: 'images', type: 'quantitative', legend: null, scale: { range: [20, 400] } } },
      },
      { data: { values: [{ width: size }] }, mark: rule, encoding: { x } },
      { data: { values: [{ height: size }] }, mark: rule, encoding: { y } },
    ],
  } as TopLevelSpec;
}

function sizeTable(sizes: Diagnosis['sizes']): string {
  const text = (value: number): string => String(Number(value.toPrecision(4)));
  const rows = Object.entries(sizes).map(([name, { min, median, max }]) => [
    name === 'aspect' ? 'width / height' : name,
    text(min),
    text(median),
    text(max),
  ]);
  return table(['', 'smallest', 'median', 'largest'], rows);
}
