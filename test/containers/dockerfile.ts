import { readFileSync } from 'node:fs';
import { inRepository } from '../repository.ts';

export interface DockerStage {
  readonly name: string;
  readonly base: string;
  /** The instructions of this stage, continued lines joined. */
  readonly instructions: readonly string[];
}

/** The stages of the Dockerfile by name. */
export function readStages(): ReadonlyMap<string, DockerStage> {
  const text = readFileSync(inRepository('Dockerfile'), 'utf8');
  const lines = text
    .replaceAll('\\\n', ' ')
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
  const stages = new Map<string, DockerStage & { instructions: string[] }>();
  let current: string[] = [];
  for (const line of lines) {
    const from = /^FROM (?<base>\S+) AS (?<name>\S+)$/.exec(line)?.groups;
    if (from === undefined) {
      current.push(line);
    } else {
      current = [];
      const name = from['name'] ?? '';
      stages.set(name, { name, base: from['base'] ?? '', instructions: current });
    }
  }
  return stages;
}

/** The JSON argument of a stage's last CMD. */
export function commandOf(stage: DockerStage): readonly string[] {
  const line = stage.instructions.findLast((instruction) => instruction.startsWith('CMD '));
  if (line === undefined) throw new Error(`The stage ${stage.name} has no CMD`);
  return JSON.parse(line.slice('CMD '.length));
}

/** The instructions that an image consists of: its stage's and those of the stages below it. */
export function inheritedInstructions(
  stages: ReadonlyMap<string, DockerStage>,
  name: string,
): readonly string[] {
  const stage = stages.get(name);
  if (stage === undefined) return [];
  return [...inheritedInstructions(stages, stage.base), ...stage.instructions];
}
