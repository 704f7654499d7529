import { describe, expect, test } from 'vitest';
import { allCells, type Cell, cellName } from '../src/simulator/cell.ts';
import { compare } from '../src/simulator/compare.ts';
import { drawPlot } from '../src/simulator/line-plot.ts';
import { arrivalTimes, LOAD_SHAPES } from '../src/simulator/load-shape.ts';
import { bestFixedSize, PROFILES } from '../src/simulator/model-profile.ts';
import { POLICIES } from '../src/simulator/policies/all-policies.ts';
import { priorityFlood } from '../src/simulator/priority-flood.ts';
import { Random } from '../src/simulator/random.ts';
import { simulate } from '../src/simulator/simulate.ts';

function cellNamed(name: string): Cell {
  const cell = allCells(false).find((each) => cellName(each) === name);
  if (cell === undefined) throw new Error(`no cell ${name}`);
  return cell;
}

test('the same seed gives the same figures, another one others', async () => {
  const cell = cellNamed('pays, bursty, mixed, 0.8, 1');
  for (const policy of POLICIES) {
    const first = await simulate(policy, cell, 3);
    expect(await simulate(policy, cell, 3)).toEqual(first);
    expect(await simulate(policy, cell, 4)).not.toEqual(first);
  }
});

test('every load brings its requests in order, at the rate that was asked for', () => {
  for (const shape of LOAD_SHAPES) {
    const times = arrivalTimes({ shape, perMs: 2, count: 20_000, burstMs: 40 }, new Random(1));
    expect(times).toEqual(times.toSorted((a, b) => a - b));
    const rate = times.length / (times.at(-1) ?? 0);
    expect(rate).toBeGreaterThan(1.85);
    expect(rate).toBeLessThan(2.15);
  }
});

test('with little load and no deadlines every policy does all that arrives', async () => {
  for (const profile of PROFILES) {
    const { ours, others } = await compare(cellNamed(`${profile.name}, poisson, none, 0.5, 4`), 5);
    for (const { measures } of others) {
      expect(measures.usefulPerSecond / ours.usefulPerSecond).toBeGreaterThan(0.97);
    }
  }
});

describe('ours reaches the goal', () => {
  test.for([
    'pays, poisson, mixed, 1.2, 1',
    'pays, poisson, none, 1.2, 4',
    'flat, bursty, mixed, 0.95, 1',
    'hurts, day, tight, 0.95, 1',
    'hurts, poisson, none, 1.2, 4',
  ])('in %s', async (name) => {
    const { goalReached, keptGain, throughputRatio } = await compare(cellNamed(name), 7);
    expect({ goalReached, keptGain, throughputRatio }).toMatchObject({ goalReached: true });
  });
});

test('the best fixed size is the largest where batching pays, else one', () => {
  expect(PROFILES.map(bestFixedSize)).toEqual([32, 1, 1]);
});

test('a flood of high requests keeps low ones waiting for a bounded time, unlike strict levels', async () => {
  const [pays] = PROFILES;
  if (pays === undefined) throw new Error('no profile');
  const [quern, strict] = await priorityFlood(pays, 7);
  // 4 s of high requests that come after it, and what waited when it came.
  expect(quern?.lowLongestMs).toBeLessThan(6_000);
  expect(strict?.lowLongestMs).toBeGreaterThan(20_000);
});

test('a plot has a line for each curve and says what it shows', () => {
  const curve = {
    points: [
      { x: 0, y: 1 },
      { x: 1, y: 3 },
    ],
  };
  const svg = drawPlot({
    title: 'Waits & runs',
    panels: [
      {
        title: 'one',
        curves: [
          { name: 'a', ...curve },
          { name: 'b', ...curve },
        ],
      },
    ],
    xLabel: 'load',
    xTicks: [0, 1],
    yTicks: [0, 4],
    formatX: String,
    formatY: String,
  });
  expect(svg.match(/<polyline/g)).toHaveLength(2);
  expect(svg).toContain('<title>Waits &amp; runs</title>');
  expect(svg).not.toMatch(/NaN|undefined/);
});
