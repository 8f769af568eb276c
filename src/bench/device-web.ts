/** The device behind a browser, as far as the browser tells; works in pages and workers. */
import { type Device, nameDevice, wasmFeatures } from './device.ts';

interface Brand {
  readonly brand: string;
  readonly version: string;
}

/** What browsers of the Chromium family tell on request (User-Agent Client Hints). */
interface Hints {
  readonly architecture?: string;
  readonly bitness?: string;
  readonly model?: string;
  readonly platform?: string;
  readonly platformVersion?: string;
  readonly fullVersionList?: readonly Brand[];
}

interface Browser {
  readonly userAgent: string;
  readonly hardwareConcurrency?: number;
  readonly deviceMemory?: number;
  readonly userAgentData?: { getHighEntropyValues(hints: readonly string[]): Promise<Hints> };
  readonly gpu?: {
    requestAdapter(): Promise<{ readonly info?: Readonly<Record<string, string>> } | null>;
  };
}

/** Names of browsers in a user agent, the more special first, with the name of the version that follows. */
const AGENTS: readonly (readonly [name: string, pattern: RegExp])[] = [
  ['Edge', /Edg(?:A|iOS)?\/([\d.]+)/],
  ['Samsung Internet', /SamsungBrowser\/([\d.]+)/],
  ['Firefox', /(?:Firefox|FxiOS)\/([\d.]+)/],
  ['Chrome', /(?:Chrome|CriOS)\/([\d.]+)/],
  ['Safari', /Version\/([\d.]+).*Safari/],
];

/** Browser, system and device out of a user agent: all that Safari and Firefox tell. */
export function parseAgent(agent: string): { readonly host: string; readonly system: string; readonly device: string } {
  const [name, version] =
    AGENTS.flatMap(([known, pattern]) => {
      const found = pattern.exec(agent);
      return found ? [[known, found[1]!] as const] : [];
    })[0] ?? (['unknown browser', ''] as const);
  const inside = /\(([^)]*)\)/.exec(agent)?.[1] ?? '';
  const android = /Android ([\d.]+)(?:; ([^;)]+))?/.exec(inside);
  const ios = /(iPhone|iPad).* OS (\d+)[_.](\d+)/.exec(inside);
  const host = `${name} ${version}`.trim();
  if (android) return { host, system: `Android ${android[1]}`, device: (android[2] ?? '').replace(/ Build.*/, '') };
  if (ios) return { host, system: `iOS ${ios[2]}.${ios[3]}`, device: ios[1]! };
  const desktop = /Windows NT [\d.]+|Mac OS X [\d_.]+|CrOS \w+|Linux \w+/.exec(inside)?.[0] ?? 'unknown system';
  return { host, system: desktop.startsWith('Mac') ? desktop.replaceAll('_', '.') : desktop, device: '' };
}

const HINTS = ['architecture', 'bitness', 'model', 'platform', 'platformVersion', 'fullVersionList'] as const;

/** The browser's own brand: not the placeholder, and not the engine that others are made of. */
function brandOf(list: readonly Brand[] = []): string | undefined {
  const real = list.filter(({ brand }) => !/not.*brand/i.test(brand));
  const own = real.find(({ brand }) => brand !== 'Chromium') ?? real[0];
  return own && `${own.brand.replace(/^Google /, '')} ${own.version}`;
}

/** Describes this device. `browser` is replaced in tests. */
export async function describeBrowser(browser: Browser = navigator as unknown as Browser): Promise<Device> {
  const agent = parseAgent(browser.userAgent);
  const hints: Hints = (await browser.userAgentData?.getHighEntropyValues(HINTS).catch(() => undefined)) ?? {};
  const adapter = await browser.gpu?.requestAdapter().catch(() => null);
  const { vendor = '', architecture = '', description = '' } = adapter?.info ?? {};
  const gpu = [vendor, description || architecture].filter(Boolean).join(' ');
  const kind = hints.platform || agent.system.split(' ')[0]!;
  const processor = [hints.architecture, hints.bitness].filter(Boolean).join(' ');
  const model = hints.model || agent.device;
  return nameDevice(
    {
      cpu: model ? `${model}${processor ? ` (${processor})` : ''}` : processor || `${kind} device`,
      cores: browser.hardwareConcurrency ?? 1,
      memoryGigabytes: browser.deviceMemory ?? 0,
      system: hints.platformVersion ? `${kind} ${hints.platformVersion}`.trim() : agent.system,
      host: brandOf(hints.fullVersionList) ?? agent.host,
      ...(gpu ? { gpu } : {}),
      features: wasmFeatures(),
    },
    kind,
  );
}
