import { QUERY } from './message-frames.js';

const PARSE = 0x50; // P
const BIND = 0x42; // B
const PARSE_COMPLETE = Buffer.from([0x31, 0, 0, 0, 4]); // 1
/** Type, length and an empty name. */
const UNNAMED_LENGTH = 6;
/** The program and BullMQ have about sixty; a client that makes up its texts gets no more of the database's memory. */
const MAX_PREPARED = 200;
const CHANGES_SCHEMA = /\b(?:create|alter|drop)\b/i;

/** A batch as it is run. */
export interface PreparedBatch {
  /** All messages in one: what the database is told in pieces costs it more than the statement itself. */
  readonly message: Buffer;
  /** What the client is told before the database's own answer. */
  readonly before: Buffer | null;
  /** Call with the first piece of the database's answer. */
  onAnswer(data: Uint8Array): void;
}

/**
 * What prepares each statement once for all clients. The database has one session, so that a statement that one of them had
 * parsed and planned serves the others; they send it with its text each time and see no difference.
 */
export function createPreparer(): (batch: readonly Buffer[]) => PreparedBatch {
  const names = new Map<string, string>();
  let made = 0;

  return (batch) => {
    const [parse, bind, ...rest] = batch;
    if (parse !== undefined && changesSchema(parse)) names.clear();
    else if (isUnnamed(parse, PARSE) && bind !== undefined && bind[0] === BIND && bind.readUInt16BE(5) === 0) {
      const text = parse.toString('latin1', UNNAMED_LENGTH);
      const known = names.get(text);
      if (known !== undefined) return { ...inOne([named(bind, 6, known), ...rest]), before: PARSE_COMPLETE };
      if (names.size < MAX_PREPARED) {
        // A name is used once, also when its statement turns out to be wrong.
        const name = `shared_${++made}`;
        return {
          ...inOne([named(parse, 5, name), named(bind, 6, name), ...rest]),
          onAnswer: (data) => {
            if (data[0] === PARSE_COMPLETE[0]) names.set(text, name);
          },
        };
      }
    }
    return inOne(batch);
  };
}

function inOne(messages: readonly Buffer[]): PreparedBatch {
  return {
    message: messages.length === 1 && messages[0] !== undefined ? messages[0] : Buffer.concat(messages),
    before: null,
    onAnswer: () => undefined,
  };
}

/** A plan is of no use after the tables changed. */
function changesSchema(first: Buffer): boolean {
  return (first[0] === QUERY || first[0] === PARSE) && CHANGES_SCHEMA.test(first.toString('latin1', 5));
}

function isUnnamed(message: Buffer | undefined, type: number): message is Buffer {
  return message !== undefined && message[0] === type && message[5] === 0;
}

/** The message with the empty name at `at` replaced. */
function named(message: Buffer, at: number, name: string): Buffer {
  const result = Buffer.concat([message.subarray(0, at), Buffer.from(name, 'latin1'), message.subarray(at)]);
  result.writeInt32BE(result.length - 1, 1);
  return result;
}
