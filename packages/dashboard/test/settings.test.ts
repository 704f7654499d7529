import { describe, expect, test } from 'vitest';
import { readDashboardSettings } from '../src/index.ts';

describe('the settings', () => {
  test('default to a read-only board on loopback', () => {
    const settings = readDashboardSettings({});
    expect(settings).toMatchObject({ host: '127.0.0.1', port: 8081 });
    expect(settings.credentials).toBeUndefined();
  });

  test('take an account', () => {
    const env = { QUERN_DASHBOARD_USER: 'ops', QUERN_DASHBOARD_PASSWORD: 'pass word' };
    expect(readDashboardSettings({ ...env, QUERN_HOST: '0.0.0.0' }).credentials).toEqual({
      user: 'ops',
      password: 'pass word',
    });
  });

  test.each([
    [{ QUERN_DASHBOARD_USER: 'ops' }, 'QUERN_DASHBOARD_PASSWORD is not'],
    [{ QUERN_DASHBOARD_PASSWORD: 'x' }, 'QUERN_DASHBOARD_USER is not'],
  ])('refuse half an account: %j', (env, message) => {
    expect(() => readDashboardSettings(env)).toThrow(message);
  });

  test.each(['0.0.0.0', '::', '192.168.1.7', 'example.com'])(
    'refuse to show the board to everybody at %s',
    (host) => {
      expect(() => readDashboardSettings({ QUERN_HOST: host })).toThrow(
        /QUERN_DASHBOARD_USER.*QUERN_DASHBOARD_PASSWORD/,
      );
    },
  );

  test('name a bad value, but do not repeat a secret', () => {
    const env = { QUERN_DASHBOARD_SECRET: 'tooshort', QUERN_DASHBOARD_PORT: '99999' };
    expect(() => readDashboardSettings(env)).toThrow(/QUERN_DASHBOARD_PORT: got "99999"/);
    expect(() => readDashboardSettings(env)).toThrow(/QUERN_DASHBOARD_SECRET.*32 or more/);
    expect(() => readDashboardSettings(env)).not.toThrow(/tooshort/);
  });

  test('take only a web address for the API', () => {
    const read = (url: string) => readDashboardSettings({ QUERN_API_URL: url }).apiUrl;
    expect(read('https://api.example.com')).toBe('https://api.example.com');
    expect(() => read('javascript:alert(1)')).toThrow('QUERN_API_URL');
  });
});
