import { readFileSync } from 'node:fs';
import { describe, expect, test } from 'vitest';
import { inRepository } from './repository.ts';
import { fileViolations, MAX_LINES } from './sources/file-rules.ts';
import { importViolations, manifestViolations } from './sources/import-rules.ts';
import { processViolations } from './sources/process-rules.ts';
import { parseSource } from './sources/syntax.ts';
import { filesBelow, packageFolders, readWorkspace } from './sources/workspace.ts';

const workspace = readWorkspace();
const { architecture } = workspace;
const sources = packageFolders()
  .flatMap((folder) => filesBelow(`packages/${folder}/src`, ['.ts']))
  .map((path) => parseSource(path, readFileSync(inRepository(path), 'utf8')));

/** The violations in a made-up source, without their place. */
function problems(rule: 'imports' | 'process', path: string, text: string): string[] {
  const file = parseSource(path, text);
  const found =
    rule === 'imports' ? importViolations(file, workspace) : processViolations(file, architecture);
  return found.map((line) => line.replace(/^\S+: /, ''));
}

describe('the tables of docs/architecture.md', () => {
  test('name exactly the packages that there are', () => {
    expect([...architecture.packages.keys()].sort()).toEqual(packageFolders().sort());
  });

  test('name only packages that there are as importers', () => {
    const named = [
      ...[...architecture.packages.values()].flatMap((allowed) => [...allowed.keys()]),
      ...architecture.heavyLibraries.flatMap(({ importers }) => [...importers.keys()]),
    ];
    expect(new Set(packageFolders())).toEqual(new Set([...packageFolders(), ...named]));
  });

  test('give every heavy library an owner that depends on it', () => {
    for (const { pattern, importers } of architecture.heavyLibraries) {
      const [owner = ''] = importers.keys();
      const declared = Object.keys(workspace.manifests.get(owner)?.dependencies ?? {});
      const prefix = pattern.endsWith('/*') ? pattern.slice(0, -1) : pattern;
      expect(
        declared.some((name) => name.startsWith(prefix)),
        `${owner} -> ${pattern}`,
      ).toBe(true);
    }
  });

  test('allow no cycles', () => {
    const ordered = new Set<string>();
    for (let round = 0; round < architecture.packages.size; round += 1) {
      for (const [name, allowed] of architecture.packages) {
        if ([...allowed.keys()].every((other) => ordered.has(other))) ordered.add(name);
      }
    }
    expect(ordered).toEqual(new Set(architecture.packages.keys()));
  });
});

describe('imports', () => {
  test('are what the tables allow', () => {
    expect(sources.length).toBeGreaterThan(50);
    expect(sources.flatMap((file) => importViolations(file, workspace))).toEqual([]);
  });

  test('are what the tables allow among the declared dependencies, too', () => {
    const found = packageFolders().flatMap((folder) => manifestViolations(folder, workspace));
    expect(found).toEqual([]);
  });

  test.each([
    ["import { x } from '@quern/worker';", 'api may not import @quern/worker'],
    ["import type { X } from '@quern/worker';", 'api may not import @quern/worker'],
    ["export * from '@quern/runtime';", 'api may not import @quern/runtime'],
    ["const m = await import('@quern/batcher');", 'api may not import @quern/batcher'],
    ["type Q = import('@quern/cli').Q;", 'api may not import @quern/cli'],
    [
      "import { k } from '@quern/queue/src/keys.ts';",
      '@quern/queue/src/keys.ts is no public entry of @quern/queue',
    ],
    ["import { Queue } from 'bullmq';", 'api may not import bullmq'],
    ["import type { Redis } from 'ioredis';", 'api may not import ioredis'],
    ["import x from 'onnxruntime-node/lib/x.js';", 'api may not import onnxruntime-node'],
    [
      "const path = import.meta.resolve('@bull-board/ui/package.json');",
      'api may not import @bull-board/ui',
    ],
    ["const pino = require('pino');", 'api may not import pino'],
    ['const m = await import(name);', 'imports a computed name, which nobody can check'],
    [
      "import { x } from '../../queue/src/keys.ts';",
      '../../queue/src/keys.ts leaves the package api',
    ],
  ])('of the api would be refused: %s', (text, problem) => {
    expect(problems('imports', 'packages/api/src/example.ts', text)).toEqual([problem]);
  });

  test.each([
    ["import { x } from '@quern/queue';", 'packages/api/src/example.ts'],
    ["import express from 'express';", 'packages/api/src/example.ts'],
    ["import { y } from '../app.ts'; import fs from 'node:fs';", 'packages/api/src/routes/x.ts'],
    ["import type { Queue } from 'bullmq';", 'packages/dashboard/src/example.ts'],
    ["import { type Queue, type Job } from 'bullmq';", 'packages/dashboard/src/example.ts'],
    ["// import { x } from '@quern/worker'", 'packages/api/src/example.ts'],
  ])('would pass: %s', (text, path) => {
    expect(problems('imports', path, text)).toEqual([]);
  });

  test('for types alone would be refused when they take a value as well', () => {
    const text = "import { type Job, Queue } from 'bullmq';";
    expect(problems('imports', 'packages/dashboard/src/example.ts', text)).toEqual([
      'dashboard may import bullmq for its types alone',
    ]);
  });

  test('of ours for types alone would be refused when they take a value', () => {
    const path = 'packages/client/src/example.ts';
    expect(problems('imports', path, "import type { Tensor } from '@quern/contract';")).toEqual([]);
    expect(problems('imports', path, "import { isTerminal } from '@quern/contract';")).toEqual([
      'client may import @quern/contract for its types alone',
    ]);
  });

  test('declared but not allowed would be refused', () => {
    const manifests = new Map([
      ['api', { dependencies: { bullmq: '1', '@quern/worker': '1', helmet: '1' } }],
    ]);
    expect(manifestViolations('api', { architecture, manifests })).toHaveLength(2);
  });
});

describe('the process', () => {
  test('is touched only where the table says', () => {
    expect(sources.flatMap((file) => processViolations(file, architecture))).toEqual([]);
  });

  test.each([
    ['process.env.HOME;', 'environment'],
    ["process['env'];", 'environment'],
    ['globalThis.process.env;', 'environment'],
    ['const { env } = process;', 'environment'],
    ["import { env } from 'node:process';", 'environment'],
    ['process.exit(1);', 'exit'],
    ['process.exitCode = 1;', 'exit'],
    ["process.on('SIGTERM', stop);", 'signals'],
    ["process.once('SIGINT', stop);", 'signals'],
    ['for (const signal of signals) process.on(signal, stop);', 'signals'],
  ])('would be guarded from: %s', (text, power) => {
    expect(problems('process', 'packages/queue/src/example.ts', text)).toEqual([
      `touches the process's ${power}`,
    ]);
    expect(problems('process', 'packages/queue/src/main.ts', text)).toEqual([]);
  });

  test.each([
    "import { runProcess } from '@quern/service';",
    "import { serveRunner as serve } from '../runner/serve-runner.ts';",
  ])('would be guarded from a function that runs all of it: %s', (text) => {
    expect(problems('process', 'packages/api/src/app.ts', text)).toHaveLength(1);
    expect(problems('process', 'packages/api/src/main.ts', text)).toEqual([]);
  });

  test.each(['process.pid;', 'process.memoryUsage();', "process.on('message', receive);"])(
    'may be asked: %s',
    (text) => {
      expect(problems('process', 'packages/queue/src/example.ts', text)).toEqual([]);
    },
  );
});

describe('files', () => {
  test('are short and named for what they do', () => {
    const paths = ['packages', 'test', 'scripts'].flatMap((folder) =>
      filesBelow(folder, ['.ts', '.mjs']),
    );
    const found = paths.flatMap((path) =>
      fileViolations(path, readFileSync(inRepository(path), 'utf8')),
    );
    expect(found).toEqual([]);
  });

  test('would be refused when too long', () => {
    expect(fileViolations('a.ts', '\n'.repeat(MAX_LINES))).toEqual([]);
    expect(fileViolations('a.ts', '\n'.repeat(MAX_LINES + 1))).toHaveLength(1);
  });

  test.each(['utils.ts', 'test-helpers.ts', 'Common.ts', 'types.d.ts', 'misc.test.ts'])(
    'would be refused when named %s',
    (name) => {
      expect(fileViolations(`packages/queue/src/${name}`, '')).toHaveLength(1);
    },
  );
});
