import { writeFileSync } from 'node:fs';
import { Session } from 'node:inspector';
import { join } from 'node:path';
import type { ProcessSample } from './process-sample.ts';

/**
 * Loaded by `node --import` into each process that is to be measured. It announces itself with a file
 * in `BENCH_PROFILE_FOLDER`; the first SIGUSR2 starts to sample, the second one ends it and writes
 * what was found.
 */

const SAMPLING_INTERVAL_US = 250;

const folder = process.env['BENCH_PROFILE_FOLDER'] ?? '.';
const script = process.argv[1] ?? '';
const session = new Session();
let begun: NodeJS.CpuUsage | undefined;

process.on('SIGUSR2', () => {
  if (begun === undefined) {
    session.connect();
    session.post('Profiler.enable');
    session.post('Profiler.setSamplingInterval', { interval: SAMPLING_INTERVAL_US });
    session.post('Profiler.start');
    begun = process.cpuUsage();
    return;
  }
  const { user, system } = process.cpuUsage(begun);
  session.post('Profiler.stop', (error, result) => {
    if (error !== null) throw error;
    const sample: ProcessSample = { script, cpuUs: user + system, profile: result.profile };
    writeFileSync(join(folder, `${process.pid}.json`), JSON.stringify(sample));
  });
});

writeFileSync(join(folder, `${process.pid}.pid`), script);
