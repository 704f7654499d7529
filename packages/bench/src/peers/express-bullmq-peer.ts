import { fileURLToPath } from 'node:url';
import type { Peer } from './peer.ts';
import { PeerProcesses } from './peer-processes.ts';
import { peerEnv } from './python-peers.ts';

const MAINS = ['express-bullmq-worker-main', 'express-bullmq-api-main'];

/** What a user of BullMQ would write in an afternoon: one job, one run of the session, no batches. */
export const expressBullmqPeer: Peer = {
  name: 'express + bullmq',
  isDurable: true,
  missing: () => undefined,
  version: async () => 'express 5.3.0, bullmq 6.7.0',
  async start(options) {
    const processes = new PeerProcesses(this.name);
    for (const main of MAINS) {
      const file = fileURLToPath(new URL(`./${main}.js`, import.meta.url));
      const env = { ...peerEnv(options), NODE_ENV: 'production' };
      processes.start({ command: process.execPath, args: [file], cwd: process.cwd(), env });
    }
    const url = `http://127.0.0.1:${options.port}/predict`;
    try {
      await processes.untilAnswers(url, options.model.body);
    } catch (error) {
      await processes.stop();
      throw error;
    }
    return { url, stop: () => processes.stop() };
  },
};
