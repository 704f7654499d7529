export { EmbeddedRedis, type EmbeddedRedisOptions } from './up/embedded-redis.ts';
