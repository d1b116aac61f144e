// Keeps a page up to date: the server renders its parts, this puts them in place.

/**
 * @typedef {{ readonly tab?: { readonly title: string, readonly icon: string }, readonly parts: Readonly<Record<string, string>>, readonly points?: readonly (readonly number[])[] }} Update
 */

/** Times are rendered in UTC; readers have a clock of their own. @param {ParentNode} root */
function showLocalTimes(root) {
  const moment = new Intl.DateTimeFormat(undefined, { dateStyle: 'medium', timeStyle: 'medium' });
  const time = new Intl.DateTimeFormat(undefined, { timeStyle: 'short' });
  for (const element of root.querySelectorAll('time')) {
    const style = element.dataset.style === 'time' ? time : moment;
    element.textContent = style.format(new Date(element.dateTime));
  }
}

/** @param {Update} update */
function show({ tab, parts, points = [] }) {
  if (tab !== undefined) showTab(tab);
  for (const [id, content] of Object.entries(parts)) {
    const element = document.getElementById(id);
    if (element !== null) fill(element, content);
  }
  latestPoint = points.at(-1)?.[0] ?? latestPoint;
  if (points.length > 0) document.dispatchEvent(new CustomEvent('chart-points', { detail: points }));
}

/** Title and icon tell the state also to those who look at another tab. @param {{ title: string, icon: string }} tab */
function showTab({ title, icon }) {
  if (document.title !== title) document.title = title;
  const link = document.getElementById('icon');
  if (link instanceof HTMLLinkElement && link.getAttribute('href') !== icon) link.setAttribute('href', icon);
}

/**
 * What is shown already stays as it is: putting it there again would take the focus away and have an alert read out twice.
 * @param {HTMLElement} element
 * @param {string} content
 */
function fill(element, content) {
  const template = document.createElement('template');
  template.innerHTML = content;
  showLocalTimes(template.content);
  if (template.innerHTML === element.innerHTML) return;
  const focused = document.activeElement;
  const again = focused !== null && element.contains(focused) ? selectorOf(focused) : null;
  element.replaceChildren(template.content);
  const target = again === null ? null : element.querySelector(again);
  if (target instanceof HTMLElement) target.focus({ preventScroll: true });
}

/** How to find an element's successor: by its id, or by where it leads. @param {Element} element */
function selectorOf({ id, attributes }) {
  const href = attributes.getNamedItem('href');
  if (id !== '') return `#${CSS.escape(id)}`;
  return href === null ? null : `[href="${CSS.escape(href.value)}"]`;
}

/** What the page shows is old while nobody answers. @param {string} text @param {boolean} isLost */
function tellConnection(text, isLost = false) {
  document.body.classList.toggle('lost', isLost);
  const element = document.getElementById('connection');
  if (element !== null && element.textContent !== text) element.textContent = text;
}

/** @param {number} status */
function refusalText(status) {
  return status === 401
    ? 'The dashboard asks for the login again: reload the page.'
    : 'The dashboard cannot answer right now; trying again …';
}

/** The latest point of the chart that the page has, in seconds. */
let latestPoint = 0;

/** Asks again and again, more rarely while nobody looks. @param {string} url */
async function poll(url) {
  for (;;) {
    try {
      const answer = await fetch(`${url}?after=${latestPoint}`);
      if (answer.status === 404) {
        tellConnection('The dashboard no longer has this file: drop it again to find its rows.');
        return;
      }
      if (answer.ok) show(await answer.json());
      tellConnection(answer.ok ? '' : refusalText(answer.status));
    } catch {
      tellConnection('No contact with the dashboard; trying again … If a command served it, that has ended.', true);
    }
    await untilNext();
  }
}

/** A second while the page can be seen, else ten, or until somebody looks. */
function untilNext() {
  return new Promise((resolve) => {
    setTimeout(resolve, document.hidden ? 10_000 : 1_000);
    document.addEventListener('visibilitychange', resolve, { once: true });
  });
}

document.addEventListener('click', (event) => {
  const { target } = event;
  const id = target instanceof Element ? target.closest('[data-opens]')?.getAttribute('data-opens') : null;
  const dialog = id ? document.getElementById(id) : null;
  if (!(dialog instanceof HTMLDialogElement)) return;
  // Without a script the button asks for the page with the dialog open.
  event.preventDefault();
  dialog.showModal();
});

// A dialog that came open, as it does without a script, becomes one that holds the focus, and gives it back.
for (const dialog of document.querySelectorAll('dialog[open]')) {
  if (!(dialog instanceof HTMLDialogElement)) continue;
  dialog.close();
  dialog.showModal();
  dialog.addEventListener('close', () => {
    const from = document.getElementById(dialog.dataset.from ?? 'resume-open');
    from?.focus();
    history.replaceState(null, '', location.pathname);
  });
}

// A page that leads to one of its parts puts the focus there.
if (location.hash !== '') document.getElementById(location.hash.slice(1))?.focus();

// Columns that were chosen and are not yet used hold queueing back: rows are queued by those in use.
document.addEventListener('change', ({ target }) => {
  const form = target instanceof Element ? target.closest('form.mapping') : null;
  const stage = document.getElementById('details');
  const hint = document.getElementById('columns-unused');
  if (form === null || stage === null || hint === null) return;
  const isUnused = [...form.querySelectorAll('select')].some((select) => !select.selectedOptions[0]?.defaultSelected);
  stage.inert = isUnused;
  hint.textContent = isUnused ? 'Press “Use these columns” to apply your change.' : '';
});

showLocalTimes(document);
const polled = document.querySelector('[data-poll]')?.getAttribute('data-poll');
if (polled) void poll(polled);
