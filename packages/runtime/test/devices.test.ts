import { expect, onTestFinished, test, vi } from 'vitest';
import { RunnerPool } from '../src/index.ts';
import { providerOption } from '../src/session/load-session.ts';
import { fixtureModel, SOURCE_ARGS } from './harness/runners.ts';

test('each instance is told its device', async () => {
  const lines: string[] = [];
  const pool = new RunnerPool({
    entry: new URL('./fixtures/device-runner.ts', import.meta.url),
    execArgv: SOURCE_ARGS,
    model: fixtureModel('add'),
    instances: 3,
    deviceIds: [3, 5],
    onLog: ({ message }) => lines.push(message),
  });
  onTestFinished(() => pool.close({ graceMs: 0 }));
  await vi.waitUntil(() => lines.length === 3, { timeout: 40_000 });
  expect(lines.sort()).toEqual([
    'device 3, threads 1',
    'device 5, threads 1',
    'device undefined, threads 1',
  ]);
});

test('ONNX Runtime gets the device with the provider that knows devices by number', () => {
  expect(providerOption('cuda', { deviceId: 1 })).toEqual({ name: 'cuda', deviceId: 1 });
  expect(providerOption('cuda', {})).toBe('cuda');
  expect(providerOption('webgpu', { deviceId: 1 })).toBe('webgpu');
  expect(providerOption('cpu', { deviceId: 1 })).toBe('cpu');
});
