// Bare copy: csv-parse piped into csv-stringify. Usage: bare-copy <from> <to>
import { createReadStream, createWriteStream } from 'node:fs';
import { pipeline } from 'node:stream/promises';
import { parse } from 'csv-parse';
import { stringify } from 'csv-stringify';

const [, , from = '', to = ''] = process.argv;
await pipeline(createReadStream(from), parse(), stringify(), createWriteStream(to));
