/** What can be had without learning: the label of the nearest training picture. */

/** Pictures as rows of bytes, all of one length, with their labels. */
export interface Pictures {
  readonly rows: readonly Uint8Array[];
  readonly labels: ArrayLike<number>;
}

/** Each picture with its mean taken away and scaled to length one, so that brightness and contrast do not count. */
function normalize(rows: readonly Uint8Array[]): Float32Array[] {
  return rows.map((row) => {
    const mean = row.reduce((sum, value) => sum + value, 0) / row.length;
    const values = Float32Array.from(row, (value) => value - mean);
    const length = Math.sqrt(values.reduce((sum, value) => sum + value * value, 0)) || 1;
    return values.map((value) => value / length);
  });
}

/**
 * Accuracy in percent of naming each picture after its nearest training picture on normalized pixels; for top-5, the
 * five nearest classes.
 */
export function nearestNeighbor(train: Pictures, test: Pictures): { top1: number; top5: number } {
  const known = normalize(train.rows);
  let top1 = 0;
  let top5 = 0;
  normalize(test.rows).forEach((row, n) => {
    const likeness = new Map<number, number>();
    known.forEach((other, i) => {
      let dot = 0;
      for (let p = 0; p < row.length; p++) dot += row[p]! * other[p]!;
      const label = train.labels[i]!;
      likeness.set(label, Math.max(dot, likeness.get(label) ?? -1));
    });
    const order = [...likeness].sort((a, b) => b[1] - a[1]).map(([label]) => label);
    if (order[0] === test.labels[n]) top1++;
    if (order.slice(0, 5).includes(test.labels[n]!)) top5++;
  });
  const percent = (count: number): number => (100 * count) / test.rows.length;
  return { top1: percent(top1), top5: percent(top5) };
}
