import { fileURLToPath } from 'node:url';
import { freePort, TestProcess } from '@quern/testkit';

/** Starts the Express server that answers without a queue, in a process of its own. */
export async function startBareExpress(): Promise<{ process: TestProcess; url: string }> {
  const port = await freePort();
  const bare = new TestProcess({
    name: 'bare Express',
    command: process.execPath,
    args: [fileURLToPath(new URL('../limits/bare-express-main.js', import.meta.url))],
    env: { BENCH_PORT: String(port), NODE_ENV: 'production' },
  });
  await bare.line(/listening/);
  return { process: bare, url: `http://127.0.0.1:${port}` };
}
