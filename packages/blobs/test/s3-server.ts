import S3rver from '@20minutes/s3rver';

/** A storage that speaks S3, over a folder of its own, with the bucket `blobs`. */
export class S3Server {
  readonly #server: S3rver;
  readonly endpoint: string;

  private constructor(server: S3rver, endpoint: string) {
    this.#server = server;
    this.endpoint = endpoint;
  }

  static async start(directory: string): Promise<S3Server> {
    const server = new S3rver({
      address: '127.0.0.1',
      port: 0,
      silent: true,
      directory,
      // It reckons those of requests about a whole bucket without the path's last slash.
      allowMismatchedSignatures: true,
      configureBuckets: [{ name: 'blobs' }],
    });
    const { port } = await server.run();
    return new S3Server(server, `http://127.0.0.1:${port}`);
  }

  stop(): Promise<void> {
    return this.#server.close();
  }
}

/** The server knows no others. */
export const CREDENTIALS = { accessKeyId: 'S3RVER', secretAccessKey: 'S3RVER' } as const;
