/** What a measurement was made on: stable names, and what can be learned from browsers. */
import { expect, test } from 'vitest';
import { wasmFeatures } from '../../src/bench/device.ts';
import { describeDevice } from '../../src/bench/device-node.ts';
import { describeBrowser, parseAgent } from '../../src/bench/device-web.ts';

test('this machine has a fingerprint, and a shorter name that outlives updates', () => {
  const device = describeDevice();
  const hash = expect.stringMatching(/^[0-9a-f]{8}$/);
  expect(device).toMatchObject({
    node: process.version,
    host: `Node ${process.version}`,
    fingerprint: hash,
    machine: hash,
  });
  expect(describeDevice()).toEqual(device);
  expect(wasmFeatures()).toEqual(expect.arrayContaining(['simd', 'threads']));
});

const AGENTS: readonly [agent: string, host: string, system: string, device: string][] = [
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 18_3 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/18.3 Mobile/15E148 Safari/604.1',
    ...(['Safari 18.3', 'iOS 18.3', 'iPhone'] as const),
  ],
  [
    'Mozilla/5.0 (iPhone; CPU iPhone OS 17_5 like Mac OS X) AppleWebKit/605.1.15 (KHTML, like Gecko) CriOS/126.0.6478.54 Mobile/15E148 Safari/604.1',
    ...(['Chrome 126.0.6478.54', 'iOS 17.5', 'iPhone'] as const),
  ],
  [
    'Mozilla/5.0 (Linux; Android 14; Pixel 8 Build/UD1A) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/130.0.0.0 Mobile Safari/537.36',
    ...(['Chrome 130.0.0.0', 'Android 14', 'Pixel 8'] as const),
  ],
  [
    'Mozilla/5.0 (Linux; Android 13; SAMSUNG SM-S911B) AppleWebKit/537.36 (KHTML, like Gecko) SamsungBrowser/25.0 Chrome/121.0.0.0 Mobile Safari/537.36',
    ...(['Samsung Internet 25.0', 'Android 13', 'SAMSUNG SM-S911B'] as const),
  ],
  [
    'Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.4 Safari/605.1.15',
    ...(['Safari 17.4', 'Mac OS X 10.15.7', ''] as const),
  ],
  ['Mozilla/5.0 (X11; Linux x86_64; rv:133.0) Gecko/20100101 Firefox/133.0', 'Firefox 133.0', 'Linux x86_64', ''],
  ['', 'unknown browser', 'unknown system', ''],
];

test.each(AGENTS)('%s', (agent, host, system, device) => {
  expect(parseAgent(agent)).toEqual({ host, system, device });
});

test('hints of Chromium name the phone, its system and its browser; an update leaves the machine the same', async () => {
  const browser = (version: string) => ({
    userAgent:
      'Mozilla/5.0 (Linux; Android 10; K) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/150.0.0.0 Mobile Safari/537.36',
    ...{ hardwareConcurrency: 9, deviceMemory: 8 },
    userAgentData: {
      getHighEntropyValues: async () => ({
        ...{ architecture: 'arm', bitness: '64', model: 'Pixel 8', platform: 'Android', platformVersion: '15.0.0' },
        fullVersionList: [
          { brand: 'Not.A/Brand', version: '99.0.0.0' },
          { brand: 'Chromium', version },
          { brand: 'Google Chrome', version },
        ],
      }),
    },
    gpu: { requestAdapter: async () => ({ info: { vendor: 'arm', architecture: 'valhall' } }) },
  });
  const before = await describeBrowser(browser('150.0.7339.80'));
  expect(before).toMatchObject({
    ...{ cpu: 'Pixel 8 (arm 64)', cores: 9, memoryGigabytes: 8, system: 'Android 15.0.0' },
    ...{ host: 'Chrome 150.0.7339.80', gpu: 'arm valhall' },
  });
  const after = await describeBrowser(browser('151.0.1.1'));
  expect(after.machine).toBe(before.machine);
  expect(after.fingerprint).not.toBe(before.fingerprint);
});

test('browsers that tell nothing, or refuse, are described too', async () => {
  const agent = AGENTS[0]![0];
  const plain = await describeBrowser({ userAgent: agent });
  expect(plain).toMatchObject({ cpu: 'iPhone', cores: 1, memoryGigabytes: 0, system: 'iOS 18.3', host: 'Safari 18.3' });
  const refusing = {
    userAgent: agent,
    userAgentData: { getHighEntropyValues: () => Promise.reject(new Error('no')) },
    gpu: { requestAdapter: () => Promise.reject(new Error('no')) },
  };
  expect(await describeBrowser(refusing)).toEqual(plain);
});
