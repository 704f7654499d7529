import { DataFolder } from '../src/up/data-folder.ts';

// Tries to take the data folder that is named, says how it went, and holds it until its input ends.
function attempt(): string {
  try {
    DataFolder.acquire(process.argv[2] ?? '');
    return 'held';
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}

process.stdout.write(`${attempt()}\n`);
process.stdin.resume();
