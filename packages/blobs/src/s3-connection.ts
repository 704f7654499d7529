import type { S3Client } from '@aws-sdk/client-s3';

export interface S3Options {
  readonly bucket: string;
  /** Of a storage other than AWS's: `http://127.0.0.1:9000`. */
  readonly endpoint?: string | undefined;
  /** Default `us-east-1`. */
  readonly region?: string | undefined;
  /** Whether the bucket is the first part of the path, and not of the host name. Default false. */
  readonly pathStyle?: boolean | undefined;
  /** What the names of objects begin with. Default nothing. */
  readonly prefix?: string | undefined;
  /** Default: as AWS's own tools find them (environment, files, the machine's role). */
  readonly credentials?: { readonly accessKeyId: string; readonly secretAccessKey: string };
}

interface OpenConnection {
  readonly client: S3Client;
  readonly sdk: typeof import('@aws-sdk/client-s3');
  readonly storage: typeof import('@aws-sdk/lib-storage');
}

const CONNECTION_TIMEOUT_MS = 5000;
/** Between two bytes of an answer. */
const SILENCE_TIMEOUT_MS = 30_000;

/** S3's library and a client of it, loaded when they are first needed: most installations never do. */
export class S3Connection {
  readonly #options: S3Options;
  #opening: Promise<OpenConnection> | undefined;
  #closing: Promise<void> | undefined;

  constructor(options: S3Options) {
    this.#options = options;
  }

  open(): Promise<OpenConnection> {
    if (this.#closing !== undefined) return Promise.reject(new Error('the store is closed'));
    this.#opening ??= this.#connect();
    return this.#opening;
  }

  async #connect(): Promise<OpenConnection> {
    const { endpoint, region = 'us-east-1', pathStyle = false, credentials } = this.#options;
    const [sdk, storage] = await Promise.all([
      import('@aws-sdk/client-s3'),
      import('@aws-sdk/lib-storage'),
    ]);
    const client = new sdk.S3Client({
      region,
      forcePathStyle: pathStyle,
      // Storages other than AWS's do not all know the newer checksums.
      requestChecksumCalculation: 'WHEN_REQUIRED',
      responseChecksumValidation: 'WHEN_REQUIRED',
      requestHandler: {
        connectionTimeout: CONNECTION_TIMEOUT_MS,
        socketTimeout: SILENCE_TIMEOUT_MS,
      },
      ...(endpoint !== undefined && { endpoint }),
      ...(credentials !== undefined && { credentials }),
    });
    return { client, sdk, storage };
  }

  /** Ends its connections. */
  close(): Promise<void> {
    this.#closing ??= this.#disconnect();
    return this.#closing;
  }

  async #disconnect(): Promise<void> {
    // One that could not be opened has nothing to end.
    const opened = await this.#opening?.catch(() => undefined);
    opened?.client.destroy();
  }
}
