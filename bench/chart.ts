import { init } from 'echarts';
import type { Series } from './figure.js';

const SIZE = { width: 720, height: 360 };
const COLOURS = ['#2563eb', '#d97706', '#059669'];

/** A line chart as SVG: x logarithmic, y from zero, each measured value written at its point. */
export function chartOf({ question, x, y, lines }: Series): string {
  const chart = init(null, null, { renderer: 'svg', ssr: true, ...SIZE });
  try {
    chart.setOption({
      animation: false,
      backgroundColor: '#ffffff',
      color: COLOURS,
      title: { text: question, left: 'center', textStyle: { fontSize: 16 } },
      legend: { bottom: 0, show: lines.length > 1 },
      grid: { left: 24, right: 56, top: 64, bottom: lines.length > 1 ? 56 : 32, containLabel: true },
      xAxis: { type: 'log', name: x, nameLocation: 'middle', nameGap: 32, axisLabel: { formatter: named } },
      yAxis: { type: 'value', name: y, min: 0, nameTextStyle: { align: 'left' } },
      series: lines.map(({ label, points }) => ({
        type: 'line',
        name: label,
        data: points.map((point) => [...point]),
        symbolSize: 9,
        label: { show: true, offset: [20, 0], formatter: ({ value }: { value: [number, number] }) => named(value[1]) },
      })),
    });
    return chart.renderToSVGString();
  } finally {
    chart.dispose();
  }
}

function named(value: number): string {
  return value.toLocaleString('en', { maximumSignificantDigits: 3 });
}
