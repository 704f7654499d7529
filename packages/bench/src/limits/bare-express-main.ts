import express from 'express';

/**
 * The limit for synchronous predictions: an Express server that reads the same body and writes
 * an answer of the same size, with no queue behind it.
 */
const app = express();
app.disable('x-powered-by');
// Bodies in binary form: nothing but collected.
app.post(
  '/v2/models/:model/infer',
  express.raw({ type: () => true, limit: '32mb' }),
  (request, response) => {
    response.json({ bytes: (request.body as Buffer).byteLength });
  },
);
app.use(express.json({ limit: '32mb' }));
app.post('/v1/models/:model/predictions', (request, response) => {
  const rows = (request.body as { input: { image: unknown[] } }).input.image.length;
  response.json({
    id: 'digits.01hzzzzzzzzzzzzzzzzzzzzzzz',
    model: request.params.model,
    version: '1',
    status: 'succeeded',
    output: { probabilities: Array.from({ length: rows }, () => Array(10).fill(0.1234567890123)) },
    error: null,
    metrics: {
      queue_time_ms: 1.5,
      inference_time_ms: 0.25,
      total_time_ms: 2,
      batch_size: 1,
      attempts: 1,
    },
    created_at: new Date().toISOString(),
    started_at: new Date().toISOString(),
    completed_at: new Date().toISOString(),
    expires_at: null,
    data_removed: false,
    urls: { get: '/v1/predictions/x', cancel: '/v1/predictions/x/cancel' },
  });
});
const port = Number(process.env['BENCH_PORT']);
app.listen(port, '127.0.0.1', () => process.stdout.write('listening\n'));
