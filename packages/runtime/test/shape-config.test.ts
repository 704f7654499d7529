import { describe, expect, test } from 'vitest';
import { parseModelConfig } from '../src/repository/parse-model-config.ts';

describe('what model.yaml says about shapes', () => {
  test.each([
    [
      'inputs:\n  x:\n    padding:\n      1: {bucket: [4]}',
      '4:11',
      'inputs.x.padding.1.bucket: unknown key',
    ],
    ['inputs:\n  x: {padding: {1: {buckets: [8, 4]}}}', '2:21', 'rising lengths such as'],
    ['inputs:\n  x: {padding: {1: {value: 0}}}', '2:17', 'either buckets'],
    ['inputs:\n  x: {padding: {1: {buckets: [4], max: 8}}}', '2:35', 'max goes with buckets: auto'],
    ['inputs:\n  x: {padding: {width: {buckets: auto}}}', '2:17', 'expected the number of an axis'],
    ['inputs:\n  x: {padding: {1: {like: ids}}}', '2:21', 'expected INPUT.AXIS'],
    ['outputs:\n  y: {batchAxis: first}', '2:7', 'or none'],
    [
      'outputs:\n  y: {cutBack: {1: {like: x.1, round: half}}}',
      '2:32',
      'outputs.y.cutBack.1.round',
    ],
  ])('%j is refused where it stands', (text, place, message) => {
    const parsed = parseModelConfig(text, 'm', 'model.yaml');
    if (!('problems' in parsed)) throw new Error('it was taken');
    const [problem] = parsed.problems.map(
      ({ line, column, key, message: said }) => `${line}:${column}: ${key}: ${said}`,
    );
    expect(problem).toContain(message);
    expect(problem).toMatch(new RegExp(`^${place}: `));
  });

  test('what only the model can judge is remembered with its line', () => {
    const text = 'inputs:\n  x:\n    padding:\n      1: {buckets: auto, max: 384}\n';
    const parsed = parseModelConfig(text, 'm', 'model.yaml');
    expect(parsed).toMatchObject({
      config: { inputs: { x: { padding: { 1: { buckets: 'auto', max: 384 } } } } },
      positions: { 'inputs.x.padding.1': '4:7' },
    });
  });
});
