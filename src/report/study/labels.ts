/** Places the names of points so that none covers another or a point: greedy, the important ones first. All in pixels, y downwards. */

export interface LabeledPoint {
  readonly x: number;
  readonly y: number;
  readonly radius: number;
  readonly label: string;
  /** Is labeled in any case. */
  readonly important?: boolean | undefined;
}

export interface Box {
  readonly left: number;
  readonly top: number;
  readonly right: number;
  readonly bottom: number;
}

export interface PlacedLabel {
  /** Index of its point. */
  readonly index: number;
  readonly label: string;
  readonly align: 'left' | 'center' | 'right';
  /** Where the text is anchored: its left end, middle or right end, at half its height. */
  readonly x: number;
  readonly y: number;
  readonly box: Box;
  /** The nearest bit of its box, where it is so far off that a line should lead to it. */
  readonly leader?: { readonly x: number; readonly y: number };
}

export interface Placement {
  readonly placed: readonly PlacedLabel[];
  /** Labels for which there was no room. */
  readonly omitted: readonly string[];
}

export interface PlaceOptions {
  readonly width: number;
  readonly height: number;
  /** Width of a text. */
  readonly widthOf: (text: string) => number;
  readonly lineHeight: number;
  /** What labels must not cover beside points, e.g. bits of a line. */
  readonly obstacles?: readonly Box[];
}

/** Directions in order of preference: right, left, above, below, then the corners. */
const DIRECTIONS: readonly (readonly [dx: number, dy: number])[] = [
  ...([
    [1, 0],
    [-1, 0],
    [0, -1],
    [0, 1],
  ] as const),
  ...([
    [0.8, -0.8],
    [0.8, 0.8],
    [-0.8, -0.8],
    [-0.8, 0.8],
  ] as const),
];
/** Gaps between a point's edge and its label: without a leader, then with one. */
const GAPS = [3, 14, 26, 40, 58] as const;

const overlap = (a: Box, b: Box): number =>
  Math.max(0, Math.min(a.right, b.right) - Math.max(a.left, b.left)) *
  Math.max(0, Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top));

const around = ({ x, y, radius }: LabeledPoint): Box => ({
  left: x - radius,
  right: x + radius,
  top: y - radius,
  bottom: y + radius,
});

/** All places for a label, the best first. */
function placesFor(point: LabeledPoint, index: number, { widthOf, lineHeight }: PlaceOptions): PlacedLabel[] {
  const width = widthOf(point.label);
  return GAPS.flatMap((gap) =>
    DIRECTIONS.map(([dx, dy]): PlacedLabel => {
      const reach = point.radius + gap;
      const align = dx > 0 ? 'left' : dx < 0 ? 'right' : 'center';
      const x = point.x + dx * reach;
      const y = point.y + dy * (dx === 0 ? reach + lineHeight / 2 : reach + lineHeight / 4);
      const left = align === 'left' ? x : align === 'right' ? x - width : x - width / 2;
      const box = { left, right: left + width, top: y - lineHeight / 2, bottom: y + lineHeight / 2 };
      const within = (value: number, low: number, high: number): number => Math.max(low, Math.min(high, value));
      const end = { x: within(point.x, left, left + width), y: within(point.y, box.top, box.bottom) };
      return { index, label: point.label, align, x, y, box, ...(gap > GAPS[0] ? { leader: end } : {}) };
    }),
  );
}

/** What a label's place would cover, in square pixels; what lies outside the frame counts double. */
function covered(box: Box, others: readonly Box[], { width, height }: PlaceOptions): number {
  const frame = { left: 0, top: 0, right: width, bottom: height };
  const area = (box.right - box.left) * (box.bottom - box.top);
  return 2 * (area - overlap(box, frame)) + others.reduce((sum, other) => sum + overlap(box, other), 0);
}

/**
 * Labels as many points as there is room for. Important ones come first and are always placed, where they cover least if there is no
 * free place; the others, those with fewer neighbors first, only in free places.
 */
export function placeLabels(points: readonly LabeledPoint[], options: PlaceOptions): Placement {
  const placed: PlacedLabel[] = [];
  const omitted: string[] = [];
  const crowd = points.map(({ x, y }) =>
    points.reduce((sum, other) => sum + (Math.hypot(other.x - x, other.y - y) < 3 * options.lineHeight ? 1 : 0), 0),
  );
  const order = points
    .map((_, i) => i)
    .sort(
      (a, b) => Number(points[b]!.important ?? false) - Number(points[a]!.important ?? false) || crowd[a]! - crowd[b]!,
    );
  for (const index of order) {
    const point = points[index]!;
    const others = [
      ...points.flatMap((other, i) => (i === index ? [] : [around(other)])),
      ...placed.map(({ box }) => box),
      ...(options.obstacles ?? []),
    ];
    const places = placesFor(point, index, options);
    const costs = places.map(({ box }) => covered(box, others, options));
    const free = costs.indexOf(0);
    if (free >= 0) placed.push(places[free]!);
    else if (point.important) placed.push(places[costs.indexOf(Math.min(...costs))]!);
    else omitted.push(point.label);
  }
  return { placed, omitted };
}
