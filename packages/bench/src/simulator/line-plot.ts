/** One curve of a panel. */
export interface Curve {
  readonly name: string;
  readonly points: readonly { readonly x: number; readonly y: number }[];
}

export interface Panel {
  readonly title: string;
  readonly curves: readonly Curve[];
}

export interface PlotOptions {
  readonly title: string;
  readonly panels: readonly Panel[];
  readonly xLabel: string;
  /** Where the axes have ticks, ascending; the first and the last are the axes' ends. */
  readonly xTicks: readonly number[];
  readonly yTicks: readonly number[];
  readonly yScale?: 'linear' | 'log';
  readonly formatX: (x: number) => string;
  readonly formatY: (y: number) => string;
}

const PANEL = { width: 236, height: 170, gap: 36, left: 58, top: 62, bottom: 62 };

/** The first curve is drawn last, and thick. Colours that the colour-blind can tell apart. */
const COLOURS = ['#0072b2', '#e69f00', '#009e73', '#cc79a7', '#d55e00', '#7f7f7f'];

/** Small plots side by side with one legend, as SVG that reads well on light and dark pages. */
export function drawPlot(options: PlotOptions): string {
  const { panels, title } = options;
  const width = PANEL.left + panels.length * (PANEL.width + PANEL.gap);
  const height = PANEL.top + PANEL.height + PANEL.bottom;
  const body = panels.map((panel, index) => drawPanel(panel, index, options)).join('\n');
  const font = 'font-family="system-ui, sans-serif" font-size="11" fill="#333"';
  return `<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 ${width} ${height}" width="${width}" height="${height}" ${font} role="img">
<title>${escapeXml(title)}</title>
<rect width="${width}" height="${height}" rx="6" fill="#fff"/>
<text x="16" y="24" font-size="14" font-weight="600">${escapeXml(title)}</text>
${body}
${drawLegend(panels[0]?.curves ?? [], height - 12)}
</svg>
`;
}

function drawPanel({ title, curves }: Panel, index: number, options: PlotOptions): string {
  const left = PANEL.left + index * (PANEL.width + PANEL.gap);
  const { top, width, height } = PANEL;
  const toX = scale(options.xTicks, left, left + width, 'linear');
  const toY = scale(options.yTicks, top + height, top, options.yScale ?? 'linear');
  const lines: string[] = [
    `<text x="${left}" y="${top - 10}" font-weight="600">${escapeXml(title)}</text>`,
  ];
  for (const tick of options.yTicks) {
    const y = round(toY(tick));
    lines.push(`<line x1="${left}" x2="${left + width}" y1="${y}" y2="${y}" stroke="#e4e4e4"/>`);
    if (index === 0) {
      lines.push(
        `<text x="${left - 6}" y="${y + 4}" text-anchor="end">${options.formatY(tick)}</text>`,
      );
    }
  }
  for (const tick of options.xTicks) {
    const label = options.formatX(tick);
    lines.push(
      `<text x="${round(toX(tick))}" y="${top + height + 15}" text-anchor="middle">${label}</text>`,
    );
  }
  lines.push(
    `<text x="${left + width / 2}" y="${top + height + 30}" text-anchor="middle" fill="#666">${escapeXml(options.xLabel)}</text>`,
  );
  for (const [place, { points }] of [...curves.entries()].reverse()) {
    const path = points.map(({ x, y }) => `${round(toX(x))},${round(toY(y))}`).join(' ');
    const stroke = `stroke="${colourOf(place)}" stroke-width="${place === 0 ? 3 : 1.5}"`;
    lines.push(`<polyline points="${path}" fill="none" ${stroke} stroke-linejoin="round"/>`);
  }
  return lines.join('\n');
}

function drawLegend(curves: readonly Curve[], y: number): string {
  return curves
    .map(({ name }, place) => {
      const x = PANEL.left + place * 120;
      const stroke = `stroke="${colourOf(place)}" stroke-width="${place === 0 ? 3 : 1.5}"`;
      return `<line x1="${x}" x2="${x + 20}" y1="${y - 4}" y2="${y - 4}" ${stroke}/><text x="${x + 26}" y="${y}">${escapeXml(name)}</text>`;
    })
    .join('\n');
}

/** Values outside of the ticks are drawn at the edge. */
function scale(
  ticks: readonly number[],
  from: number,
  to: number,
  kind: 'linear' | 'log',
): (value: number) => number {
  const by = kind === 'log' ? Math.log : (value: number): number => value;
  const [low, high] = [by(ticks[0] ?? 0), by(ticks.at(-1) ?? 1)];
  return (value) => {
    const share = (by(value) - low) / (high - low);
    return from + Math.min(1, Math.max(0, share)) * (to - from);
  };
}

function colourOf(place: number): string {
  return COLOURS[place % COLOURS.length] ?? '#000';
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

function escapeXml(text: string): string {
  return text.replaceAll('&', '&amp;').replaceAll('<', '&lt;').replaceAll('>', '&gt;');
}
