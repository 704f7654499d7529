export { childPids } from './child-processes.ts';
export { eventually } from './eventually.ts';
export { freePort } from './free-port.ts';
export { TestRedis, type TestRedisOptions } from './redis-server.ts';
export { SERVICES, type ServiceName, startService, untilAnswers } from './service-process.ts';
export { EXAMPLE_MODELS, type TestModel, TestModels } from './test-models.ts';
export { type ProcessExit, TestProcess, type TestProcessOptions } from './test-process.ts';
export { TestStack, type TestStackOptions, workerPort } from './test-stack.ts';
