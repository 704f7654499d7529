import { connectRedis, DeviceLeases } from '@quern/queue';

/** Leases one of the devices in `argv`, says which, and holds it until it is asked to stop. */
const [url = '', ttlMs = '', ...devices] = process.argv.slice(2);
const redis = await connectRedis({
  url,
  role: 'worker',
  name: 'child',
  waitMs: 10_000,
  onError: () => {},
});
const leases = new DeviceLeases({
  redis,
  ttlMs: Number(ttlMs),
  onError: (error) => console.error(error.message),
});
const { device } = await leases.acquire('m', devices);
console.log(`holds ${device}`);
process.on('SIGTERM', async () => {
  await leases.close();
  redis.disconnect();
});
