import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { ConformanceStack } from './conformance-stack.ts';
import { pythonEnvironment, run } from './python-environment.ts';

const CLIENTS = fileURLToPath(new URL('clients', import.meta.url));

/** What became of each client's tests, as JSON. */
const RESULTS = fileURLToPath(new URL('../../.quern/conformance/results.json', import.meta.url));

/** What an answer must be, whatever was asked. */
const CHECKS = [
  'not_a_server_error',
  'status_code_conformance',
  'content_type_conformance',
  'response_headers_conformance',
  'response_schema_conformance',
].join(',');

const { values } = parseArgs({
  options: {
    /** Cases of schemathesis for each operation; 0 leaves it out. */
    cases: { type: 'string', default: '0' },
  },
});

const programs = await pythonEnvironment();
const stack = await ConformanceStack.start();
try {
  const env = { QUERN_URL: stack.url, QUERN_RESULTS: RESULTS, PYTHONDONTWRITEBYTECODE: '1' };
  const pytest = ['-m', 'pytest', '-p', 'no:cacheprovider', '-q', CLIENTS];
  const codes = [await run(join(programs, 'python'), pytest, env)];
  if (values.cases !== '0') codes.push(await runSchemathesis(values.cases, env));
  process.exitCode = Math.max(...codes);
} finally {
  await stack.stop();
}

function runSchemathesis(cases: string, env: Record<string, string>): Promise<number> {
  const options = ['-n', cases, '-c', CHECKS, '--phases', 'examples,coverage,fuzzing'];
  const quiet = ['--generation-database', 'none', '--warnings', 'off', '--no-shrink'];
  return run(
    join(programs, 'st'),
    ['run', `${stack.url}/openapi.json`, ...options, ...quiet, '--continue-on-failure'],
    { ...env, SCHEMATHESIS_HOOKS: join(CLIENTS, 'schemathesis_hooks.py') },
  );
}
