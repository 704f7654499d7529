import { serveRunner } from '../runner/serve-runner.ts';

// The runner of inspectModel: it loads and warms up, and is never given a batch.
serveRunner({
  payloads: {
    read: async (keys) => keys.map(() => null),
    write: async (items) => items.map(({ key }) => key),
    close: async () => {},
  },
});
