import type { IMiscLink, UIConfig } from '@bull-board/api/typings/app';
import { SIGN_IN_PATH } from '../access/guards.ts';

/** The page's own web fonts are not loaded: they would come from another host. */
const FONTS = {
  'font-sans': 'system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif',
  'font-mono': 'ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace',
} as const;

const SHARED: UIConfig = {
  boardTitle: 'Quern',
  showMetrics: true,
  hideDocsLink: true,
  pollingInterval: { showSetting: true },
  locale: { lng: 'en-US' },
  theme: { light: FONTS, dark: FONTS },
};

/** The page of visitors says that it is read-only, and how to change that. */
export function visitorBoardConfig(apiUrl: string | undefined): UIConfig {
  return {
    ...SHARED,
    environment: {
      label: 'Read-only: sign in from the menu at the top right to act on jobs',
      color: '#64748b',
      textColor: '#ffffff',
    },
    miscLinks: [{ text: 'Sign in', url: SIGN_IN_PATH }, ...apiLinks(apiUrl)],
  };
}

export function operatorBoardConfig(apiUrl: string | undefined): UIConfig {
  return {
    ...SHARED,
    miscLinks: [{ text: 'Sign out', url: SIGN_IN_PATH }, ...apiLinks(apiUrl)],
  };
}

function apiLinks(apiUrl: string | undefined): IMiscLink[] {
  if (apiUrl === undefined) return [];
  return [{ text: 'API documentation', url: `${apiUrl.replace(/\/$/, '')}/docs` }];
}
