import type { AppViewRoute } from '@bull-board/api/typings/app';
import { ExpressAdapter } from '@bull-board/express';
import { BOARD_STYLE_FILE } from './hidden-actions.ts';

/** A link element that loads something from another host: the page's web fonts. */
const OUTSIDE_LINK = /<link\b[^>]*\bhref="(?:https?:)?\/\/[^>]*>/g;

/** Bull Board's page with a style of ours, and without what it would load from other hosts. */
export class BoardPage extends ExpressAdapter {
  override setEntryRoute(entry: AppViewRoute): this {
    this.app[entry.method](entry.route, (_request, response, next) => {
      const { name, params } = entry.handler({ basePath: this.basePath, uiConfig: this.uiConfig });
      response.render(name, params, (error: Error | null, html: string) => {
        if (error) next(error);
        else response.set('cache-control', 'no-store').send(adapted(html));
      });
    });
    return this;
  }
}

function adapted(html: string): string {
  const style = `<link rel="stylesheet" href="${BOARD_STYLE_FILE}">`;
  return html.replace(OUTSIDE_LINK, '').replace('</head>', `${style}</head>`);
}
