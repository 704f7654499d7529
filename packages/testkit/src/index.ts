export { eventually } from './eventually.ts';
export { freePort } from './free-port.ts';
export { TestRedis, type TestRedisOptions } from './redis-server.ts';
