// Sends a dropped or chosen file and goes to its page.

const form = document.getElementById('upload');
const input = document.getElementById('upload-file');
const progress = document.getElementById('upload-progress');
const status = document.getElementById('upload-status');

/** The file on its way. @type {string | null} */
let sending = null;

/** @param {string} text */
function tell(text) {
  if (status !== null) status.textContent = text;
}

/** @param {FileList | null | undefined} files */
function take(files) {
  const [file, ...others] = files ?? [];
  if (file === undefined) return;
  if (sending !== null) tell(`${sending} is still being sent: drop ${file.name} again after that.`);
  else if (others.length > 0) tell(`Please drop one file at a time: ${file.name} first, then the others.`);
  else send(file);
}

/** @param {File} file */
function send(file) {
  const most = Number(form?.dataset.maxBytes ?? Number.POSITIVE_INFINITY);
  if (file.size > most) {
    tell(`${file.name} is larger than the ${Math.floor(most / 1_000_000)} MB this dashboard takes.`);
    return;
  }
  sending = file.name;
  tell(`Sending ${file.name} …`);
  if (progress instanceof HTMLProgressElement) progress.hidden = false;
  // fetch does not tell how far an upload is.
  const request = new XMLHttpRequest();
  request.open('POST', `/files?name=${encodeURIComponent(file.name)}`);
  request.responseType = 'json';
  request.upload.onprogress = ({ loaded, total }) => {
    if (progress instanceof HTMLProgressElement) progress.value = loaded / total;
  };
  request.onload = () => {
    if (request.status === 201) location.assign(request.response.url);
    else
      failed(
        request.response?.message ??
          (request.status === 503
            ? 'The queue can’t be reached right now: try again in a moment.'
            : `The dashboard answered ${request.status}.`),
      );
  };
  request.onerror = () => failed('The connection to the dashboard is lost; try again.');
  request.send(file);
}

/** @param {string} message */
function failed(message) {
  sending = null;
  tell(message);
  if (progress instanceof HTMLProgressElement) progress.hidden = true;
  if (input instanceof HTMLInputElement) input.value = '';
}

// A file that is dropped beside the box would be opened by the browser, in place of this page.
for (const name of ['dragover', 'drop']) {
  document.addEventListener(name, (event) => {
    if (event.defaultPrevented || !(event instanceof DragEvent)) return;
    event.preventDefault();
    if (event.dataTransfer !== null) event.dataTransfer.dropEffect = 'none';
  });
}

if (form !== null && input instanceof HTMLInputElement) {
  form.addEventListener('submit', (event) => event.preventDefault());
  input.addEventListener('change', () => take(input.files));
  for (const name of ['dragenter', 'dragover']) {
    form.addEventListener(name, (event) => {
      event.preventDefault();
      form.classList.add('over');
    });
  }
  form.addEventListener('dragleave', () => form.classList.remove('over'));
  form.addEventListener('drop', (event) => {
    event.preventDefault();
    form.classList.remove('over');
    take(event.dataTransfer?.files);
  });
}
