// Sends a dropped or chosen file and goes to its page.

const form = document.getElementById('upload');
const input = document.getElementById('upload-file');
const progress = document.getElementById('upload-progress');
const status = document.getElementById('upload-status');

/** @param {string} text */
function tell(text) {
  if (status !== null) status.textContent = text;
}

/** @param {File} file */
function send(file) {
  const most = Number(form?.dataset.maxBytes ?? Number.POSITIVE_INFINITY);
  if (file.size > most) {
    tell(`${file.name} is larger than the ${Math.floor(most / 1_000_000)} MB this dashboard takes.`);
    return;
  }
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
    else failed(request.response?.message ?? `The dashboard answered ${request.status}.`);
  };
  request.onerror = () => failed('The connection to the dashboard is lost; try again.');
  request.send(file);
}

/** @param {string} message */
function failed(message) {
  tell(message);
  if (progress instanceof HTMLProgressElement) progress.hidden = true;
  if (input instanceof HTMLInputElement) input.value = '';
}

if (form !== null && input instanceof HTMLInputElement) {
  form.addEventListener('submit', (event) => event.preventDefault());
  input.addEventListener('change', () => {
    const file = input.files?.[0];
    if (file !== undefined) send(file);
  });
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
    const file = event.dataTransfer?.files[0];
    if (file !== undefined) send(file);
  });
}
