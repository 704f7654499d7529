import { expressBullmqPeer } from './express-bullmq-peer.ts';
import type { Peer } from './peer.ts';
import { PYTHON_PEERS } from './python-peers.ts';
import { quernPeer } from './quern-peer.ts';

/** Quern first: the others are compared with it. */
export const ALL_PEERS: readonly Peer[] = [quernPeer, expressBullmqPeer, ...PYTHON_PEERS];
