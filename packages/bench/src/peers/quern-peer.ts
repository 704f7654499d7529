import { readFile } from 'node:fs/promises';
import { TestModels, TestStack } from '@quern/testkit';
import { MAX_BATCH, type Peer } from './peer.ts';

/** Quern itself, as it is shipped: an API, a worker and its runner, with one thread for the model. */
export const quernPeer: Peer = {
  name: 'quern',
  isDurable: true,
  missing: () => undefined,
  version: async () => 'this version',
  async start({ model, redisUrl }) {
    const yaml = `batching: {maxBatchSize: ${MAX_BATCH}}\ninstances: {count: 1, threads: 1}\n`;
    const onnx = await readFile(model.path);
    const models = await TestModels.make([{ name: model.name, onnx, yaml }]);
    const stack = await TestStack.start({ redisUrl, models: models.directory, workers: 1 });
    return {
      url: `${stack.apiUrl}/v2/models/${model.name}/infer`,
      async stop() {
        await stack.stop();
        await models.remove();
      },
    };
  },
};
