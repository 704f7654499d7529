import type { FrameRule } from './process-sample.ts';

/** What a part of the code works at, by where it lies. The first pattern that fits counts. */
type Places = readonly (readonly [pattern: RegExp, work: string])[];

const API: Places = [
  [/raw-body|body-parser|api\/dist\/(request-body|binary-body)/, 'read the body'],
  [/contract\/dist\/json\.js#parse/, 'parse JSON'],
  [/contract\/dist\/(model-inputs|element-|tensor-from|shape)|zod\//, 'validate'],
  [/contract\/dist\/tensor-message/, 'encode'],
  [/queue\/dist\/(prediction-wait|reply-)/, 'be told of the end'],
  [/api\/dist\/wait-signal/, 'be told of the end'],
  [/queue\/dist|bullmq|ioredis|msgpackr|redis-parser/, 'add to the queue'],
  [
    /json-response|whole-body|infer-response|prediction-to-wire|contract\/dist\/json\.js/,
    'respond',
  ],
  [/router\/|express\/|helmet|parseurl|finalhandler|compression|\/api\/dist\//, 'HTTP server'],
  [/node:_http|node:internal\/http/, 'HTTP server'],
];

const WORKER: Places = [
  [/queue\/dist\/reply-/, 'notify'],
  [/batcher\/dist/, 'form batches'],
  [/runtime\/dist/, 'hand to the runner and back'],
  [/worker\/dist|prom-client/, 'keep account'],
  [/queue\/dist|bullmq|ioredis|msgpackr|redis-parser/, 'fetch and finish jobs'],
];

const RUNNER: Places = [
  [/runner\/(read-entries|payload-store|part-inputs)|ioredis/, 'read inputs'],
  [/session-client|session-messages/, 'hand to the model and back'],
  [
    /session\/(collate|stack-blocks|batch-|message-template)|prepare-batch|tensor-message/,
    'collate',
  ],
  [/session\/(split|cut-back)|finish-batch/, 'split'],
  [/deliver-results|message-packing/, 'store'],
  [/runtime\/dist/, 'talk to the worker'],
];

/** The rule for a process, by the script that it runs; undefined for one that is not known. */
export function workRuleFor(script: string): { process: string; rule: FrameRule } | undefined {
  if (/runner[/\\]main/.test(script)) return { process: 'runner', rule: ruleOf(RUNNER) };
  if (/[/\\]api[/\\]/.test(script)) return { process: 'API', rule: ruleOf(API) };
  if (/[/\\]worker[/\\]/.test(script)) return { process: 'worker', rule: ruleOf(WORKER) };
  return undefined;
}

function ruleOf(places: Places): FrameRule {
  return (functionName, file) => {
    if (functionName === '(garbage collector)') return 'garbage';
    return places.find(([pattern]) => pattern.test(`${file}#${functionName}`))?.[1];
  };
}
