import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { cpSync, readFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { promisify } from 'node:util';
import { describe, expect, test } from '@jest/globals';
import { withScene } from '../support/cli-scene.js';
import { freePort } from '../support/free-port.js';
import { waitFor } from '../support/wait.js';

const root = new URL('../..', import.meta.url).pathname;
const instructions = readFileSync(join(root, 'Dockerfile'), 'utf8')
  .split('\n')
  .filter((line) => /^[A-Z]+ /.test(line));
const run = promisify(execFile);

describe('Dockerfile', () => {
  test(
    'builds with its own commands an image whose worker starts, is well and ends',
    () =>
      withScene('redis', {}, async ({ folder, env: account }) => {
        const image = await buildImage(folder);
        const inImage = (name: string) => (JSON.parse(instruction(name)) as string[]).map(image);
        const env = { ...process.env, ...account, NODE_ENV: 'production', ZIA_METRICS_PORT: String(await freePort()) };
        const [program = '', ...words] = [...inImage('ENTRYPOINT'), ...inImage('CMD')];
        const worker = spawn(program, words, { cwd: folder, env, stdio: 'ignore' });
        const ended = once(worker, 'exit');
        const [asks = '', ...script] = (
          JSON.parse(/CMD (.*)$/.exec(instruction('HEALTHCHECK'))?.[1] ?? '') as string[]
        ).map(image);
        const isWell = () =>
          run(asks, script, { env }).then(
            () => true,
            () => false,
          );
        await waitFor(isWell, { what: 'a healthy worker' });
        worker.kill('SIGTERM');
        expect(await ended).toEqual([0, null]);
        const { stdout } = await run('npm', ['ls', '--all', '--omit=dev', '--json'], { cwd: image('/app') });
        expect(JSON.parse(stdout)).not.toHaveProperty('problems');
      }),
    600_000,
  );
});

/** The arguments of the only, or last, instruction of a name. */
function instruction(name: string): string {
  return instructions.findLast((line) => line.startsWith(`${name} `))?.slice(name.length + 1) ?? '';
}

/** Does in folders what the Dockerfile says, without a network; returns where a path of the image is. */
async function buildImage(folder: string): Promise<(path: string) => string> {
  const lastStage = instructions.findLastIndex((line) => line.startsWith('FROM '));
  const places = { build: join(folder, 'build'), image: join(folder, 'image') };
  for (const [at, line] of instructions.entries()) {
    const place = at < lastStage ? places.build : places.image;
    const [word, ...rest] = line.split(/\s+/);
    const into = (path: string) => join(place, path.startsWith('/') ? path : join('/app', path));
    if (word === 'COPY') {
      const fromBuild = rest[0] === '--from=build';
      const [target = '', ...sources] = (fromBuild ? rest.slice(1) : rest).reverse();
      for (const source of sources) {
        const toFolder = target.endsWith('/') ? join(target, basename(source)) : target;
        cpSync(fromBuild ? join(places.build, source) : join(root, source), into(toFolder), copying);
      }
    } else if (line === 'RUN npm ci --ignore-scripts') {
      // It would fetch what is here. A copy, no links: the next command takes away what is for development only.
      cpSync(join(root, 'node_modules'), into('node_modules'), copying);
    } else if (word === 'RUN' && place === places.build) {
      await run('sh', ['-c', rest.join(' ')], { cwd: into('.'), env: { ...process.env, npm_config_offline: 'true' } });
    }
  }
  return (path) => path.replace(/^(?=\/app\/|\/app$)/, places.image);
}

const copying = { recursive: true, verbatimSymlinks: true };
