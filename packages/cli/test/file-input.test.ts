import { writeFile } from 'node:fs/promises';
import { describe, expect, it } from 'vitest';
import { runInProcess } from './run-in-process.ts';
import { StandInApi, scripted, wireModel, wirePrediction } from './stand-in-api.ts';
import { TemporaryFolder } from './temporary-folder.ts';

/** No text, and longer than what is looked at to tell JSON from other files. */
const PICTURE = Buffer.from(Array.from({ length: 3000 }, (_, i) => (i * 7) % 256));

/** A model's page on the API, with these inputs. */
function modelWith(...inputs: object[]): Record<string, unknown> {
  const [version] = wireModel()['versions'] as Record<string, unknown>[];
  return wireModel({ versions: [{ ...version, inputs }] });
}

function field(name: string, kind: string): object {
  return { name, datatype: 'BYTES', shape: [-1], field: { kind } };
}

async function predictWith(
  model: Record<string, unknown>,
  file: { name: string; content: string | Buffer },
) {
  await using folder = await TemporaryFolder.make();
  const path = folder.join(file.name);
  await writeFile(path, file.content);
  const create = {
    status: 200,
    body: wirePrediction({ status: 'succeeded', output: { y: [1] } }),
  };
  await using api = await StandInApi.start(
    scripted({ create, model: { status: 200, body: model } }),
  );
  const run = await runInProcess(['predict', 'digits', path, '--url', api.url]);
  const sent = api.requests.find(({ method }) => method === 'POST')?.body;
  return { run, sent };
}

describe('quern predict MODEL FILE', () => {
  it.each(['image', 'audio', 'bytes'])('sends a file as what a model takes as %s', async (kind) => {
    const model = modelWith(field('photo', kind));
    const { run, sent } = await predictWith(model, { name: 'a.png', content: PICTURE });
    expect(run.code).toBe(0);
    expect(sent).toEqual({ input: { photo: PICTURE.toString('base64') } });
  });

  it('sends a text as it is, beside an input that may be left out', async () => {
    const mask = { name: 'mask', datatype: 'INT64', shape: [-1, -1], mask_of: 'letter' };
    const model = modelWith(field('letter', 'text'), mask);
    const { sent } = await predictWith(model, { name: 'a.txt', content: 'Grüße\n' });
    expect(sent).toEqual({ input: { letter: 'Grüße\n' } });
  });

  it.each(['\uFEFF{"x": [1]}', '  {"input": {"x": [1]}}'])(
    'reads %j as JSON, whatever the file is called',
    async (content) => {
      const { sent } = await predictWith(modelWith(field('letter', 'text')), {
        name: 'a.txt',
        content,
      });
      expect(sent).toEqual({ input: { x: [1] } });
    },
  );

  it.each([
    ['takes tensors', wireModel(), /takes image {2}FP32 \[\?, 1, 8, 8\]: give JSON/],
    ['takes records', modelWith(field('who', 'record')), /takes who {2}BYTES \[\?\] of record/],
    [
      'takes two fields',
      modelWith(field('left', 'image'), field('right', 'image')),
      /left {2}BYTES \[\?\] of image; right/,
    ],
    ['takes text', modelWith(field('letter', 'text')), /not UTF-8, but digits takes a text/],
  ])('says what a model wants that %s', async (_, model, message) => {
    const { run, sent } = await predictWith(model, { name: 'a.png', content: PICTURE });
    expect(String(run.error)).toMatch(message);
    expect(sent).toBeUndefined();
  });
});
