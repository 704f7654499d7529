import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { MAX_BATCH, type Peer, type PeerStart, type RunningPeer } from './peer.ts';
import { PeerProcesses } from './peer-processes.ts';
import { PythonEnvironment } from './python-environment.ts';

interface PythonPeerOptions {
  readonly name: string;
  readonly isDurable?: boolean;
  /** Programs of the environment with their arguments, in the order in which they are started. */
  readonly commands: (options: PeerStart) => readonly (readonly [string, ...string[]])[];
  readonly path?: string;
  readonly env?: Readonly<Record<string, string>>;
}

/** A system in Python, in an environment of its own (`npm run bench -- --install-peers`). */
export class PythonPeer implements Peer {
  readonly name: string;
  readonly isDurable: boolean;
  readonly environment: PythonEnvironment;
  readonly #options: PythonPeerOptions;

  constructor(options: PythonPeerOptions) {
    this.name = options.name;
    this.isDurable = options.isDurable ?? false;
    this.environment = new PythonEnvironment(options.name);
    this.#options = options;
  }

  missing(): string | undefined {
    return this.environment.isInstalled ? undefined : 'not installed; see --install-peers';
  }

  version(): Promise<string> {
    return this.environment.version();
  }

  async start(options: PeerStart): Promise<RunningPeer> {
    const { commands, path = '/predict', env = {} } = this.#options;
    const folder = await mkdtemp(join(tmpdir(), 'quern-peer-'));
    const processes = new PeerProcesses(this.name);
    const stop = async (): Promise<void> => {
      await processes.stop();
      await rm(folder, { recursive: true, force: true });
    };
    for (const [program, ...args] of commands(options)) {
      processes.start({
        command: this.environment.program(program),
        args,
        cwd: this.environment.folder,
        env: {
          PYTHONPATH: this.environment.modulePath,
          PYTHONDONTWRITEBYTECODE: '1',
          PEER_FOLDER: folder,
          ...peerEnv(options),
          ...env,
        },
      });
    }
    const url = `http://127.0.0.1:${options.port}${path}`;
    try {
      await processes.untilAnswers(url, options.model.body);
    } catch (error) {
      await stop();
      throw error;
    }
    return { url, stop };
  }
}

/** What each system's files read, in whatever language they are. */
export function peerEnv({ model, redisUrl, port }: PeerStart): Record<string, string> {
  return {
    PEER_MODEL: model.path,
    PEER_PORT: String(port),
    PEER_MAX_BATCH: String(MAX_BATCH),
    PEER_REDIS_URL: `${redisUrl}/1`,
    // One thread for the model in each system; libraries beside ONNX Runtime bring pools of their own.
    OMP_NUM_THREADS: '1',
  };
}

const PROTOCOL_PATH = '/v2/models/model/infer';

/** Each with its own batching on, as its documentation sets it. */
export const PYTHON_PEERS: readonly PythonPeer[] = [
  new PythonPeer({ name: 'litserve', commands: () => [['python', 'server.py']] }),
  new PythonPeer({ name: 'mosec', path: '/inference', commands: () => [['python', 'server.py']] }),
  new PythonPeer({
    name: 'bentoml',
    env: { BENTOML_DO_NOT_TRACK: 'True' },
    commands: ({ port }) => [
      ['bentoml', 'serve', 'service:Api', '--host', '127.0.0.1', '--port', String(port)],
    ],
  }),
  new PythonPeer({
    name: 'mlserver',
    path: PROTOCOL_PATH,
    commands: () => [['python', 'server.py']],
  }),
  new PythonPeer({
    name: 'ray-serve',
    env: { RAY_USAGE_STATS_ENABLED: '0' },
    commands: () => [['python', 'server.py']],
  }),
  new PythonPeer({
    name: 'triton',
    path: PROTOCOL_PATH,
    commands: () => [['python', 'server.py']],
  }),
  new PythonPeer({
    name: 'celery',
    isDurable: true,
    commands: () => [
      ['celery', '-A', 'tasks', 'worker', '--concurrency', '1', '--loglevel', 'warning'],
      ['python', 'api.py'],
    ],
  }),
];
