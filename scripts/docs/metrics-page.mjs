/**
 * @typedef {{ name: string, help: string, type: string, labelNames: readonly string[] }} Metric
 */

/**
 * What a metric tells an operator, beyond what it is. Every metric has a line here, and every line a
 * metric: what lacks its counterpart is an error.
 * @type {Record<string, string>}
 */
const TELLS = {
  quern_http_requests_total:
    'Load and faults as clients see them. Many 429: the queue is full; 499: clients give up; 5xx: look at the log.',
  quern_http_request_duration_seconds:
    'How long clients wait. Creating takes milliseconds; synchronous calls take as long as the prediction.',
  quern_predictions_accepted_total:
    'What comes in. Above what `quern_worker_predictions_total` says succeeds, the queue grows.',
  quern_predictions_rejected_total:
    'Why predictions are refused. `QUEUE_FULL`: add workers; `INVALID_INPUT`: a client is wrong about the model.',
  quern_predictions_expired_total:
    'Add those of all processes up, and `outcome="DEADLINE_EXCEEDED"` of the workers. Growing: time-outs are shorter than the backlog.',
  quern_queue_waiting: 'The backlog. Growing steadily: add workers or make the model faster.',
  quern_queue_active: 'Held by workers. At zero with a backlog: no worker is ready.',
  quern_queue_oldest_seconds:
    'The delay a new prediction has to expect; the best thing to alert on.',
  quern_workers: 'Zero: predictions are accepted and wait.',
  quern_worker_predictions_total:
    'Throughput by outcome. An error code that grows names the trouble; `returned` ones run elsewhere or later.',
  quern_worker_batches_total:
    '`full` and `knee`: batches are as large as they should be; `idle`: there is capacity to spare; many `deadline`: time-outs are tight.',
  quern_worker_batch_rows:
    'The sizes that batches have. See what they could be with `quern models MODEL --profile`.',
  quern_worker_batch_fill_ratio:
    'Low under load with `mode: auto`: larger batches are slower by the row. Low with `fixed`: the load is light.',
  quern_worker_batch_padding_ratio: 'Work thrown away. High: finer buckets would help.',
  quern_worker_phase_seconds:
    'Where time goes. `queue` far above `inference`: more workers; `collate` or `store` near `inference`: payloads are large.',
  quern_worker_max_batch_elements:
    'Present: a batch ran out of memory, and they are smaller since. Lower `maxBatchSize` if it stays.',
  quern_worker_reruns_total:
    'The cost of finding bad inputs. It should be small beside the batches.',
  quern_worker_bisected_batches_total: 'How often some input makes a whole batch fail.',
  quern_worker_quarantined_inputs_total:
    'Inputs that kill the model; `quern quarantine list MODEL` names them.',
  quern_worker_breaker_openings_total: 'The version itself is broken: alert on any.',
  quern_worker_run_faults_total:
    '`RUNNER_CRASHED`, `OUT_OF_MEMORY`, `RUN_TIMEOUT`: what goes wrong in runs, and how often.',
  quern_worker_recycled_instances_total:
    '`memory` again and again: the model leaks, and recycling keeps it in bounds.',
  quern_worker_refused_turns_total:
    'Models compete for the device. Growing fast: add a device or a worker, or set `instances.weight`.',
  quern_worker_ready_instances: 'Zero: the version does not run on this worker.',
  quern_webhook_deliveries_total:
    'Many `retry`: receivers fail; `dead`: look at `quern webhooks list --failed`; many `postponed`: a receiver is down or slow.',
  quern_webhook_attempt_seconds: 'How slow receivers are. At the time-out: one of them hangs.',
  quern_webhook_recovered_total: 'Something was killed, or Redis was away. Nothing was lost.',
  quern_webhook_waiting:
    'Growing while nothing is due: a receiver is down, and waits for its next attempt.',
  quern_webhook_dead_letters:
    'Receivers that were never told. Mend them, then `quern webhooks replay`.',
  quern_webhook_oldest_due_seconds:
    'Above a few seconds: start more webhooks processes. The best thing to alert on.',
  quern_webhook_receivers_down: 'Which ones, the delivery logs say.',
};

/**
 * docs/metrics.md, from the registries of the services.
 * @param {Record<string, readonly Metric[]>} services metrics by service
 * @returns {string}
 */
export function metricsPage(services) {
  const all = Object.values(services).flat();
  const stale = Object.keys(TELLS).filter((name) => !all.some((metric) => metric.name === name));
  if (stale.length > 0)
    throw new Error(`metrics-page.mjs explains what is gone: ${stale.join(', ')}`);
  const sections = Object.entries(services).map(
    ([service, metrics]) => `## ${service}

| metric | type | labels | what it is | what it tells |
|---|---|---|---|---|
${metrics.map(row).join('\n')}
`,
  );
  return `<!-- Made by \`npm run docs\` from the services' registries. Do not edit. -->

# Metrics

The API answers \`GET /metrics\` on its own port (with a key, if keys are set), each worker on
\`QUERN_WORKER_PORT\`, the webhooks process on \`QUERN_WEBHOOKS_PORT\`. Counters count since the process started; sums over workers are what
counts. Beside these there are Node's own (CPU, memory, event-loop lag). The same figures of a version, over all
live workers, stand in \`GET /v1/models/{model}\` and in \`quern models MODEL\`.

${sections.join('\n')}`;
}

/** @param {Metric} metric */
function row({ name, help, type, labelNames }) {
  const tells = TELLS[name];
  if (tells === undefined) throw new Error(`metrics-page.mjs does not say what ${name} tells`);
  const labels = labelNames.map((label) => `\`${label}\``).join(', ') || '-';
  return `| \`${name}\` | ${type} | ${labels} | ${help} | ${tells} |`;
}
