import { Worker } from 'bullmq';
import { Redis } from 'ioredis';

/** The limit for draining a queue: BullMQ's own worker with a processor that does nothing. */
const connection = new Redis(process.env['BENCH_REDIS_URL'] ?? '', { maxRetriesPerRequest: null });
const worker = new Worker('bare', async () => ({}), {
  connection,
  concurrency: Number(process.env['BENCH_CONCURRENCY']),
});
await worker.waitUntilReady();
process.stdout.write('listening\n');
