// The chart of the overview: rows sent per second and open requests over the last half hour.

/** @typedef {typeof import('uplot')} UPlot */

const HISTORY_SECONDS = 1_800;
const MAX_GAP_SECONDS = 20;
const HEIGHT = 200;
/** @type {[number[], (number | null)[], (number | null)[]]} */
const data = [[], [], []];
/** @type {InstanceType<UPlot> | null} */
let chart = null;

/** What a custom property comes to in the present color scheme. @param {HTMLElement} place @param {string} name */
function color(place, name) {
  const probe = place.appendChild(document.createElement('i'));
  probe.style.color = `var(${name})`;
  const found = getComputedStyle(probe).color;
  probe.remove();
  return found;
}

const CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'medium' });
const MINUTE_CLOCK = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });

/** @param {HTMLElement} place */
function draw(place) {
  chart?.destroy();
  // The library's own script puts it there.
  const { uPlot } = /** @type {{ uPlot: UPlot }} */ (/** @type {unknown} */ (globalThis));
  const axis = {
    stroke: color(place, '--quiet'),
    grid: { stroke: color(place, '--line'), width: 1 },
    ticks: { show: false },
  };
  const labelFont = `12px ${getComputedStyle(place).fontFamily}`;
  /** @param {unknown} _chart @param {number} _least @param {number} most @returns {[number, number]} */
  const fromZero = (_chart, _least, most) => [0, Math.max(1, (most ?? 0) * 1.15)];
  /** Before there is anything to show the last minute is. @param {unknown} _chart @param {number | null} least @param {number | null} most @returns {[number, number]} */
  const shownTimes = (_chart, least, most) => {
    const now = Date.now() / 1000;
    return least === null || most === null ? [now - 60, now] : [least, Math.max(most, least + 10)];
  };
  chart = new uPlot(
    {
      width: place.clientWidth,
      height: HEIGHT,
      scales: { x: { range: shownTimes }, y: { range: fromZero }, calls: { range: fromZero } },
      // What a pointer shows there a finger cannot.
      legend: { live: !matchMedia('(hover: none)').matches },
      axes: [
        { ...axis, size: 30, space: 90, values: (_chart, times, _at, _space, step) => times.map(timeText(step)) },
        { ...axis, size: 44, label: 'Rows sent per second', labelSize: 18, labelFont },
        {
          ...axis,
          scale: 'calls',
          side: 1,
          size: 36,
          grid: { show: false },
          label: 'Open requests',
          labelSize: 18,
          labelFont,
        },
      ],
      series: [
        { value: (_chart, at) => (at === null ? '–' : CLOCK.format(at * 1000)) },
        {
          label: 'Rows sent per second',
          stroke: color(place, '--submitted'),
          fill: color(place, '--submitted-wash'),
          width: 2,
          points: { show: false },
          value: (_chart, value) => value?.toFixed(1) ?? '–',
        },
        {
          label: 'Open requests',
          scale: 'calls',
          stroke: color(place, '--uncertain'),
          width: 1.5,
          points: { show: false },
          value: (_chart, value) => value?.toString() ?? '–',
        },
      ],
    },
    data,
    place,
  );
}

/** Times on the axis need seconds only when they are less than a minute apart. @param {number} step */
function timeText(step) {
  const clock = step < 60 ? CLOCK : MINUTE_CLOCK;
  return (/** @type {number} */ at) => clock.format(at * 1000);
}

const place = document.getElementById('chart');
if (place !== null) {
  draw(place);
  new ResizeObserver(() => chart?.setSize({ width: place.clientWidth, height: HEIGHT })).observe(place);
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => draw(place));
  document.addEventListener('chart-points', (event) => {
    const points = /** @type {CustomEvent<readonly [number, number, number][]>} */ (event).detail;
    for (const [at, perSecond, inFlight] of points) {
      // After a lost connection the server tells the whole half hour again.
      const last = data[0].at(-1) ?? at;
      if (data[0].length > 0 && at <= last) continue;
      // Nobody measured in between: a line across would look as if the pace had faded.
      if (at - last > MAX_GAP_SECONDS) {
        data[0].push(last + 1);
        data[1].push(null);
        data[2].push(null);
      }
      data[0].push(at);
      data[1].push(perSecond);
      data[2].push(inFlight);
    }
    const old = data[0].findIndex((at) => at > (data[0].at(-1) ?? 0) - HISTORY_SECONDS);
    for (const column of data) column.splice(0, old);
    chart?.setData(data);
  });
}
