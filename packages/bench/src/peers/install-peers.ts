import { PYTHON_PEERS } from './python-peers.ts';

/** Builds the environment of each system in Python that is not there yet; one that cannot be is told of. */
export async function installPeers(log: (line: string) => void): Promise<void> {
  for (const { name, environment } of PYTHON_PEERS) {
    if (environment.isInstalled) {
      log(`${name}: installed`);
      continue;
    }
    try {
      log(`${name}: installing ${await environment.version()}`);
      await environment.install();
    } catch (error) {
      const text = error instanceof Error ? error.message : String(error);
      log(`${name}: cannot be installed: ${text.split('\n').slice(-3).join(' ')}`);
    }
  }
}
