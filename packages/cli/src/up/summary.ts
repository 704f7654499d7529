import { formatProblem, type RepositoryProblem } from '@quern/runtime';
import type { ModelView } from '../models/model-view.ts';
import { durationText } from '../output/readable-numbers.ts';
import { tableText } from '../output/table.ts';

export interface Summary {
  readonly startedInMs: number;
  readonly apiUrl: string;
  readonly dashboardUrl: string;
  /** Where Redis is, in words. */
  readonly redis: string;
  readonly models: readonly ModelView[];
  readonly problems: readonly RepositoryProblem[];
}

/** What `up` says when everything runs. */
export function summaryText(summary: Summary): string {
  const { apiUrl, models, problems } = summary;
  const rows = models.flatMap((model) =>
    model.versions.map((version) => [
      `  ${model.name}`,
      version.version,
      version.state,
      version.execution_providers.join(', '),
      version.reason ?? model.description ?? '',
    ]),
  );
  return [
    `Quern is up (${durationText(summary.startedInMs)})`,
    '',
    `  API         ${apiUrl}`,
    `  API docs    ${apiUrl}/docs`,
    `  Bull Board  ${summary.dashboardUrl}`,
    `  Redis       ${summary.redis}`,
    ...(rows.length === 0
      ? []
      : ['', tableText(['  MODEL', 'VERSION', 'STATE', 'PROVIDER', ''], rows)]),
    ...(problems.length === 0 ? [] : ['', ...problems.map(formatProblem)]),
  ].join('\n');
}
