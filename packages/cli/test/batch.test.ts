import { readFile, truncate, writeFile } from 'node:fs/promises';
import fc from 'fast-check';
import { expect, test } from 'vitest';
import { readLines } from '../src/batch/json-lines.ts';
import { UsageError } from '../src/exit-codes.ts';
import { runCli } from './run-cli.ts';
import { runInProcess } from './run-in-process.ts';
import { type Answer, type SeenRequest, StandInApi, wirePrediction } from './stand-in-api.ts';
import { TemporaryFolder } from './temporary-folder.ts';

/** Doubles `x`, and refuses negative ones. */
function double({ body }: SeenRequest): Answer {
  const { input } = body as { input: { x: number } };
  if (input.x < 0) {
    const error = { code: 'INVALID_INPUT', message: `x: got ${input.x}` };
    return { status: 400, body: { error } };
  }
  const fields = { id: `p-${input.x}`, status: 'succeeded', output: { y: 2 * input.x } } as const;
  return { status: 200, body: wirePrediction(fields) };
}

interface Result {
  readonly line: number;
  readonly custom_id: string;
  readonly response: { readonly body: { readonly output: unknown } } | null;
  readonly error: { readonly code: string } | null;
}

async function resultsIn(path: string): Promise<Result[]> {
  const text = await readFile(path, 'utf8');
  return text
    .trimEnd()
    .split('\n')
    .map((line) => JSON.parse(line) as Result);
}

/** Lines `{"x": 0}`, ..., every fifth of which is refused. */
function numberedLines(count: number): string {
  return Array.from({ length: count }, (_, i) => `{"x":${i % 5 === 4 ? -i : i}}\n`).join('');
}

test('reads the same lines however the bytes are cut', async () => {
  const line = fc.constantFrom('{"x":1}', '', '{"text":"ä€😀"}', '  ', 'x'.repeat(40));
  const lines = fc.array(fc.tuple(line, fc.constantFrom('\n', '\r\n')), { maxLength: 8 });
  const cuts = fc.array(fc.nat(120), { maxLength: 6 });
  await fc.assert(
    fc.asyncProperty(lines, fc.boolean(), cuts, async (content, hasEnd, places) => {
      const joined = content.map(([text, end]) => text + end).join('');
      const bytes = Buffer.from(hasEnd ? joined : joined.trimEnd());
      const bounds = [0, ...places.sort((a, b) => a - b), bytes.byteLength];
      const chunks = bounds.slice(1).map((end, i) => bytes.subarray(bounds[i], end));
      const read: (string | undefined)[] = [];
      const numbers: number[] = [];
      for await (const { text, number } of readLines(inTurn(chunks), 30)) {
        read.push(text);
        numbers.push(number);
      }
      const wanted = content.flatMap(([text], i) => (text.trim() === '' ? [] : [{ text, i }]));
      expect(read).toEqual(wanted.map(({ text }) => (text.length > 30 ? undefined : text)));
      expect(numbers).toEqual(wanted.map(({ i }) => i + 1));
    }),
  );
});

async function* inTurn(chunks: readonly Buffer[]): AsyncGenerator<Buffer> {
  yield* chunks;
}

test('writes results in the order of the lines, and errors beside them', async () => {
  await using api = await StandInApi.start(double);
  await using folder = await TemporaryFolder.make();
  const [input, output] = [folder.join('in.jsonl'), folder.join('out.jsonl')];
  const lines = [
    '{"x":1}',
    '{"custom_id":"second","input":{"x":2}}',
    '{"custom_id":"third","method":"POST","url":"/v1/models/m/predictions","body":{"input":{"x":3}}}',
    '{"custom_id":"elsewhere","url":"/v1/chat/completions","body":{"input":{"x":3}}}',
    '{"x":',
    '{"x":-1}',
  ];
  await writeFile(input, `${lines.join('\r\n')}\r\n\r\n{"x":6}`);
  const run = await runInProcess(['batch', 'm', input, output, '--url', api.url]);

  expect(run.error).toBeUndefined();
  expect(run.code).toBe(1);
  expect(run.stderr).toContain('7 lines, 3 failed');
  const outputs = await resultsIn(output);
  expect(outputs.map((result) => [result.line, result.custom_id])).toEqual([
    [1, '1'],
    [2, 'second'],
    [3, 'third'],
    [8, '8'],
  ]);
  expect(outputs.map(({ response }) => response?.body.output)).toEqual([
    { y: 2 },
    { y: 4 },
    { y: 6 },
    { y: 12 },
  ]);
  const errors = await resultsIn(folder.join('out.errors.jsonl'));
  expect(errors.map((result) => [result.line, result.error?.code])).toEqual([
    [4, 'INVALID_REQUEST'],
    [5, 'INVALID_JSON'],
    [6, 'INVALID_INPUT'],
  ]);
  expect(api.requests.map(({ body }) => body)).toContainEqual({ input: { x: 1 }, priority: 'low' });
});

test('waits while the queue is full', async () => {
  let refusals = 0;
  await using api = await StandInApi.start((request) => {
    refusals += 1;
    if (refusals > 2) return double(request);
    const error = { code: 'QUEUE_FULL', message: 'full' };
    return { status: 429, body: { error }, headers: { 'retry-after': '0.01' } };
  });
  await using folder = await TemporaryFolder.make();
  await writeFile(folder.join('in.jsonl'), '{"x":1}\n');
  const files = [folder.join('in.jsonl'), folder.join('out.jsonl')];
  const run = await runInProcess(['batch', 'm', ...files, '--url', api.url]);

  expect(run.code).toBe(0);
  expect(await resultsIn(folder.join('out.jsonl'))).toHaveLength(1);
  await expect(readFile(folder.join('out.errors.jsonl'))).rejects.toThrow('ENOENT');
});

test('stops at what is wrong with every line', async () => {
  const error = { code: 'MODEL_NOT_FOUND', message: 'Unknown model "m".' };
  await using api = await StandInApi.start(() => ({ status: 404, body: { error } }));
  await using folder = await TemporaryFolder.make();
  await writeFile(folder.join('in.jsonl'), numberedLines(500));
  const files = [folder.join('in.jsonl'), folder.join('out.jsonl')];
  const run = await runInProcess(['batch', 'm', ...files, '--url', api.url, '--concurrency', '4']);

  expect(run.error).toMatchObject({ code: 'MODEL_NOT_FOUND' });
  expect(api.requests.length).toBeLessThan(500);
  expect(await readFile(folder.join('out.jsonl'), 'utf8')).toBe('');
});

test('goes on where it stopped, at whatever byte that was', async () => {
  await using api = await StandInApi.start(double);
  await using folder = await TemporaryFolder.make();
  const input = folder.join('in.jsonl');
  await writeFile(input, numberedLines(12));
  const paths = [folder.join('out.jsonl'), folder.join('out.errors.jsonl')] as const;
  const run = () => runInProcess(['batch', 'm', input, paths[0], '--url', api.url]);
  await run();
  const whole = await Promise.all(paths.map((path) => readFile(path)));
  // Which file each byte was written to, in the order of writing.
  const written = (await Promise.all(paths.map(resultsIn)))
    .flatMap((results, file) => results.map(({ line }) => ({ line, file })))
    .sort((a, b) => a.line - b.line);
  const cuts = [0, 0];
  const states: (readonly [number, number])[] = [];
  for (const { file } of written) {
    const bytes = whole[file] ?? Buffer.alloc(0);
    const from = cuts[file] ?? 0;
    const end = bytes.indexOf('\n', from) + 1;
    for (const at of [from, from + 1, from + 9, end - 1]) {
      states.push(file === 0 ? [at, cuts[1] ?? 0] : [cuts[0] ?? 0, at]);
    }
    cuts[file] = end;
  }
  for (const lengths of states) {
    for (const [file, path] of paths.entries()) {
      await writeFile(path, whole[file] ?? '');
      await truncate(path, lengths[file]);
    }
    await run();
    expect(await Promise.all(paths.map((path) => readFile(path)))).toEqual(whole);
  }
});

test('touches no file of somebody else, and no results of another input', async () => {
  await using api = await StandInApi.start(double);
  await using folder = await TemporaryFolder.make();
  const [input, output] = [folder.join('in.jsonl'), folder.join('out.jsonl')];
  await writeFile(input, '{"x":1}\n{"custom_id":"b","input":{"x":2}}\n');
  const run = () => runInProcess(['batch', 'm', input, output, '--url', api.url]);
  for (const content of ['dear diary', 'dear\ndiary\n', '{"x":1}\n']) {
    await writeFile(output, content);
    expect((await run()).error).toBeInstanceOf(UsageError);
    expect(await readFile(output, 'utf8')).toBe(content);
  }
  await writeFile(output, '');
  expect((await run()).code).toBe(0);
  await writeFile(input, '{"x":1}\n{"custom_id":"other","input":{"x":2}}\n{"x":3}\n');
  expect((await run()).error).toBeInstanceOf(UsageError);
  expect(await resultsIn(output)).toHaveLength(2);
});

test('has every line once after kill -9', async () => {
  const count = 60;
  let answers = 0;
  let isDead = false;
  const reached: { resolve?: () => void } = {};
  const half = new Promise<void>((resolve) => {
    reached.resolve = resolve;
  });
  await using api = await StandInApi.start((request) => {
    answers += 1;
    if (isDead || answers <= count / 2) return double(request);
    reached.resolve?.();
    return undefined;
  });
  await using folder = await TemporaryFolder.make();
  const [input, output] = [folder.join('in.jsonl'), folder.join('out.jsonl')];
  await writeFile(input, numberedLines(count));
  const args = ['batch', 'm', input, output, '--url', api.url, '--concurrency', '8'];
  const { child, finished } = runCli(args);
  await half;
  child.kill('SIGKILL');
  await finished;
  isDead = true;
  expect((await runInProcess(args)).code).toBe(1);
  const done = [
    ...(await resultsIn(output)),
    ...(await resultsIn(folder.join('out.errors.jsonl'))),
  ];
  const lines = done.map(({ line }) => line).sort((a, b) => a - b);
  expect(lines).toEqual(Array.from({ length: count }, (_, i) => i + 1));
});
