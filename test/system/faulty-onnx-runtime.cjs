/**
 * Preloaded into workers (`NODE_OPTIONS=--require`), and so into the threads of their runners, where it
 * stands for faults of native code that no ONNX file brings about reliably:
 *
 * - an input with the element 666 ends the process as a bad pointer would;
 * - in the process whose id lies in the file QUERN_TEST_LOST_DEVICE every run fails, the warm-up's too.
 */
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { isMainThread } = require('node:worker_threads');

if (!isMainThread) {
  const runtime = join(__dirname, '../../packages/runtime');
  const { InferenceSession } = require(require.resolve('onnxruntime-node', { paths: [runtime] }));
  const { run } = InferenceSession.prototype;
  InferenceSession.prototype.run = function (feeds, ...rest) {
    for (const { data } of Object.values(feeds)) {
      if (data.includes(666)) process.kill(process.pid, 'SIGSEGV');
    }
    if (lostDevice() === String(process.pid)) throw new Error('the device is lost');
    return run.call(this, feeds, ...rest);
  };
}

function lostDevice() {
  try {
    return readFileSync(process.env.QUERN_TEST_LOST_DEVICE ?? '', 'utf8');
  } catch {
    return undefined;
  }
}
