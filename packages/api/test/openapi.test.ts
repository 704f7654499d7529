import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { RunningApi } from './running-api.ts';

// Every other test's answers are held against the description as well: see `RunningApi.call`.
let api: RunningApi;
beforeAll(async () => {
  api = await RunningApi.start();
});
afterAll(() => api.stop());

interface Operation {
  readonly operationId?: string;
  readonly parameters?: { name: string; in: string }[];
  readonly requestBody?: unknown;
  readonly responses?: Record<string, unknown>;
}

async function operations(): Promise<[method: string, path: string, operation: Operation][]> {
  const { json } = await api.call('GET', '/openapi.json');
  const { paths } = json as { paths: Record<string, Record<string, Operation>> };
  return Object.entries(paths).flatMap(([path, item]) =>
    Object.entries(item).map(([method, operation]): [string, string, Operation] => [
      method.toUpperCase(),
      path,
      operation,
    ]),
  );
}

describe('the description', () => {
  test('names methods that exist: each path says so itself', async () => {
    const described = await operations();
    expect(described.length).toBeGreaterThan(20);
    for (const [method, path] of described) {
      const concrete = path.replaceAll(/\{\w+\}/g, 'x');
      const { headers } = await api.call('OPTIONS', concrete);
      expect(headers.get('allow')?.split(', '), path).toContain(method);
    }
  });

  test('names every method that exists', async () => {
    const described = await operations();
    const paths = [...new Set(described.map(([, path]) => path))];
    for (const path of paths) {
      const { headers } = await api.call('OPTIONS', path.replaceAll(/\{\w+\}/g, 'x'));
      const allowed = (headers.get('allow') ?? '').split(', ');
      const own = described.filter(([, other]) => other === path).map(([method]) => method);
      expect(new Set(allowed)).toEqual(
        new Set([...own, 'OPTIONS', ...(own.includes('GET') ? ['HEAD'] : [])]),
      );
    }
  });

  test('is complete: parameters, bodies, faults', async () => {
    for (const [method, path, operation] of await operations()) {
      const place = `${method} ${path}`;
      const inPath = operation.parameters?.filter((parameter) => parameter.in === 'path') ?? [];
      expect(
        inPath.map(({ name }) => `{${name}}`),
        place,
      ).toEqual(path.match(/\{\w+\}/g) ?? []);
      const isBare = /\/(?:cancel|\{id\}\/replay)$/.test(path);
      const takesBody = method === 'PUT' || (method === 'POST' && !isBare);
      expect(operation.requestBody !== undefined, place).toBe(takesBody);
      if (path.startsWith('/v2/health')) continue;
      expect(Object.keys(operation.responses ?? {}), place).toEqual(
        expect.arrayContaining(['400', '401', '500']),
      );
    }
  });

  test('gives each operation an id of its own', async () => {
    const ids = (await operations()).map(([, , { operationId }]) => operationId);
    expect(ids).not.toContain(undefined);
    expect(new Set(ids).size).toBe(ids.length);
  });

  test('resolves all its references', async () => {
    const { text, json } = await api.call('GET', '/openapi.json');
    const { components } = json as { components: { schemas: Record<string, unknown> } };
    for (const [, name] of text.matchAll(/"#\/components\/schemas\/(\w+)"/g)) {
      expect(Object.keys(components.schemas)).toContain(name);
    }
  });
});

test('the root says where everything is', async () => {
  const { json } = await api.call('GET', '/');
  const { name, version, ...paths } = json as Record<string, string>;
  expect(name).toBe('quern');
  expect(version).toBeTruthy();
  for (const path of Object.values(paths)) {
    expect((await api.call('GET', path ?? '')).status).toBe(200);
  }
});
