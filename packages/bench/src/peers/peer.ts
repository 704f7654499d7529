/** A model for all systems of a comparison: one FP32 input, one FP32 output, both with a batch axis. */
export interface PeerModel {
  readonly name: string;
  /** The file; all systems run this one. */
  readonly path: string;
  /** One prediction of one row, as the Open Inference Protocol writes it; sent to all systems. */
  readonly body: string;
}

export interface PeerStart {
  readonly model: PeerModel;
  /** Of the comparison's Redis; each system that needs it has a database of its own. */
  readonly redisUrl: string;
  /** The first of a few free ports. */
  readonly port: number;
}

export interface RunningPeer {
  /** Takes the model's body by POST and answers when there is a result. */
  readonly url: string;
  stop(): Promise<void>;
}

/** A system that a user could pick to serve the same model. */
export interface Peer {
  readonly name: string;
  /** Whether an accepted prediction survives the system's own end: it waits in Redis, not in memory. */
  readonly isDurable: boolean;
  /** Undefined if it can be started, else why not. */
  missing(): string | undefined;
  /** Its version, for the table. */
  version(): Promise<string>;
  /** Resolves when it answers a prediction with 200. */
  start(options: PeerStart): Promise<RunningPeer>;
}

export const MAX_BATCH = 64;
