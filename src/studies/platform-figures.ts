/** The figures of the study of platforms. */
import { ZOO } from '../models/zoo/registry.ts';
import { familyOf, isMobileOne } from './candidates.ts';
import type { Scatter } from './figures.ts';
import { TABLE_9 } from './paper.ts';
import { type Compared, PAPER_DEVICES, type PaperColumn } from './platform-tables.ts';
import { countText, pText, rhoText, strength } from './words.ts';

/** Accuracy over latency with its front. */
export function frontScatter({ side, front }: Compared): Scatter {
  const ours = front.filter(isMobileOne).length;
  const rest = front.length - ours;
  return {
    kind: 'scatter',
    name: `front-${side.key}`,
    title:
      ours === 0
        ? `No MobileOne is on the front of ${countText(front.length, 'network')} on ${side.title}`
        : rest === 0
          ? `The whole front is MobileOne: ${ours} of ${countText(side.rows.length, 'network')} (${side.title})`
          : `${ours} of the ${countText(front.length, 'network')} on the front are MobileOne (${side.title})`,
    subtitle: `Published top-1 over latency of one image; ${countText(side.rows.length, 'network')}, ${side.device}, ${side.version}`,
    x: { title: 'latency', unit: 'ms', log: true },
    y: { title: 'top-1 on ImageNet, published', unit: '%' },
    frontier: true,
    points: side.rows.map(({ name, mean, interval }) => ({
      label: ZOO[name]!.title,
      x: mean,
      y: ZOO[name]!.published.top1,
      xInterval: interval,
      family: familyOf(name),
      emphasized: isMobileOne(name),
    })),
  };
}

/** Our latency over the paper's. */
export function orderScatter({ side, orders }: Compared, column: PaperColumn): Scatter {
  const { rho, p } = orders[column]!;
  const device = PAPER_DEVICES[column];
  return {
    kind: 'scatter',
    name: `order-${column}`,
    title: `Networks rank ${strength(rho)} alike on ${side.title}, and on the paper's ${device} (ρ ${rhoText(rho)}, ${pText(p)})`,
    subtitle: `Above the line: slower here than its time on the ${device} lets expect`,
    x: { title: `paper, ${device}`, unit: 'ms', log: true },
    y: { title: `here, ${side.title}`, unit: 'ms', log: true },
    trend: true,
    points: side.rows.flatMap(({ name, mean, interval }) => {
      const theirs = TABLE_9[name]?.[column];
      if (theirs === undefined) return [];
      return [
        {
          ...{ label: ZOO[name]!.title, x: theirs, y: mean, yInterval: interval },
          ...{ family: familyOf(name), emphasized: isMobileOne(name) },
        },
      ];
    }),
  };
}
