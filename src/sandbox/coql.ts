/** COQL as Zoho documents it: one SELECT over one module. */
export interface CoqlQuery {
  readonly module: string;
  /** Field names as written; `count` for `COUNT(id)` alone. */
  readonly columns: readonly string[] | 'count';
  readonly where: Condition;
  readonly orderBy: readonly { readonly field: string; readonly descending: boolean }[];
  readonly limit: number;
  readonly offset: number;
}

export type Condition =
  | { readonly kind: 'joined'; readonly by: 'and' | 'or'; readonly left: Condition; readonly right: Condition }
  | { readonly kind: 'null'; readonly field: string; readonly negated: boolean }
  | { readonly kind: 'compare'; readonly field: string; readonly operator: Comparison; readonly value: Literal }
  | { readonly kind: 'in'; readonly field: string; readonly values: readonly Literal[]; readonly negated: boolean }
  | { readonly kind: 'like'; readonly field: string; readonly pattern: string; readonly negated: boolean }
  | { readonly kind: 'between'; readonly field: string; readonly from: Literal; readonly to: Literal };

export type Comparison = '=' | '!=' | '<' | '<=' | '>' | '>=';
export type Literal = string | number | boolean;

/** What Zoho would answer to a query it does not take. */
export class CoqlError extends Error {
  constructor(
    readonly code: 'SYNTAX_ERROR' | 'INVALID_QUERY' | 'LIMIT_EXCEEDED' | 'DUPLICATE_DATA',
    readonly details: object,
  ) {
    super(code);
  }
}

export const MAX_LIMIT = 2_000;
const DEFAULT_LIMIT = 200;
const MAX_OFFSET = 100_000;
const MAX_COLUMNS = 50;
const MAX_CRITERIA = 25;
const MAX_IN_VALUES = 50;

interface Token {
  readonly kind: 'word' | 'number' | 'text' | 'sign' | 'end';
  readonly text: string;
  readonly at: number;
}

const TOKEN =
  /\s*(?:(?<word>[A-Za-z_$][\w.$]*)|(?<number>-?\d+(?:\.\d+)?)|'(?<text>(?:[^'\\]|\\.)*)'|(?<sign><=|>=|!=|<>|[=<>(),]))/y;

/** Reads a query. Throws `CoqlError`. Of three criteria two must stand in brackets of their own, as Zoho demands. */
export function parseCoql(text: string): CoqlQuery {
  return new Parser(tokensOf(text)).query();
}

function tokensOf(text: string): readonly Token[] {
  const tokens: Token[] = [];
  const end = text.trimEnd().length;
  let at = 0;
  while (at < end) {
    TOKEN.lastIndex = at;
    const groups = TOKEN.exec(text)?.groups;
    if (groups === undefined) throw syntaxError(text.slice(at).trim().slice(0, 20), at);
    for (const kind of ['word', 'number', 'text', 'sign'] as const) {
      if (groups[kind] !== undefined) tokens.push({ kind, text: groups[kind], at });
    }
    at = TOKEN.lastIndex;
  }
  return [...tokens, { kind: 'end', text: '', at: end }];
}

function syntaxError(near: string, at: number): CoqlError {
  return new CoqlError('SYNTAX_ERROR', { line: 1, column: at + 1, near });
}

class Parser {
  #at = 0;
  #criteria = 0;

  constructor(private readonly tokens: readonly Token[]) {}

  query(): CoqlQuery {
    this.#keyword('select');
    const columns = this.#columns();
    this.#keyword('from');
    const module = this.#word();
    if (!this.#isKeyword('where')) throw new CoqlError('SYNTAX_ERROR', { clause: 'where' });
    this.#at += 1;
    const where = this.#expression();
    const orderBy = this.#orderBy();
    const { limit, offset } = this.#limits();
    if (this.#now().kind !== 'end') throw this.#unexpected();
    return { module, columns, where, orderBy, limit, offset };
  }

  #columns(): CoqlQuery['columns'] {
    if (this.#isKeyword('count')) {
      this.#at += 1;
      this.#sign('(');
      this.#word();
      this.#sign(')');
      return 'count';
    }
    const columns = [this.#word()];
    while (this.#isSign(',')) {
      this.#at += 1;
      columns.push(this.#word());
    }
    if (columns.length > MAX_COLUMNS) throw new CoqlError('LIMIT_EXCEEDED', { limit: MAX_COLUMNS });
    return columns;
  }

  /** One criterion, or two joined; more need brackets. */
  #expression(): Condition {
    const left = this.#operand();
    const by = this.#isKeyword('and') ? 'and' : this.#isKeyword('or') ? 'or' : undefined;
    if (by === undefined) return left;
    this.#at += 1;
    const right = this.#operand();
    if (this.#isKeyword('and') || this.#isKeyword('or')) throw this.#unexpected();
    return { kind: 'joined', by, left, right };
  }

  #operand(): Condition {
    if (!this.#isSign('(')) return this.#criterion();
    this.#at += 1;
    const inner = this.#expression();
    this.#sign(')');
    return inner;
  }

  #criterion(): Condition {
    this.#criteria += 1;
    if (this.#criteria > MAX_CRITERIA) throw new CoqlError('LIMIT_EXCEEDED', { limit: MAX_CRITERIA });
    const field = this.#word();
    if (this.#isKeyword('is')) return this.#nullCheck(field);
    const negated = this.#isKeyword('not');
    if (negated) this.#at += 1;
    if (this.#isKeyword('in')) return this.#among(field, negated);
    if (this.#isKeyword('like')) {
      this.#at += 1;
      return { kind: 'like', field, pattern: String(this.#literal()), negated };
    }
    if (this.#isKeyword('between') && !negated) {
      this.#at += 1;
      const from = this.#literal();
      this.#keyword('and');
      return { kind: 'between', field, from, to: this.#literal() };
    }
    const { text } = this.#now();
    const operator = text === '<>' ? '!=' : COMPARISONS.find((one) => one === text);
    if (negated || operator === undefined) throw new CoqlError('SYNTAX_ERROR', { operator: text });
    this.#at += 1;
    return { kind: 'compare', field, operator, value: this.#literal() };
  }

  #nullCheck(field: string): Condition {
    this.#at += 1;
    const negated = this.#isKeyword('not');
    if (negated) this.#at += 1;
    this.#keyword('null');
    return { kind: 'null', field, negated };
  }

  #among(field: string, negated: boolean): Condition {
    this.#at += 1;
    this.#sign('(');
    const values = [this.#literal()];
    while (this.#isSign(',')) {
      this.#at += 1;
      values.push(this.#literal());
    }
    this.#sign(')');
    if (values.length > MAX_IN_VALUES) throw new CoqlError('LIMIT_EXCEEDED', { limit: MAX_IN_VALUES });
    return { kind: 'in', field, values, negated };
  }

  #orderBy(): CoqlQuery['orderBy'] {
    if (!this.#isKeyword('order')) return [];
    this.#at += 1;
    this.#keyword('by');
    const order: { field: string; descending: boolean }[] = [];
    do {
      if (order.length > 0) this.#at += 1;
      const field = this.#word();
      const descending = this.#isKeyword('desc');
      if (descending || this.#isKeyword('asc')) this.#at += 1;
      if (order.some((one) => one.field === field)) throw new CoqlError('DUPLICATE_DATA', { column_name: field });
      order.push({ field, descending });
    } while (this.#isSign(','));
    return order;
  }

  /** `limit offset, count` or `limit count offset offset`. */
  #limits(): { readonly limit: number; readonly offset: number } {
    if (!this.#isKeyword('limit')) return { limit: DEFAULT_LIMIT, offset: 0 };
    this.#at += 1;
    const first = this.#whole();
    let limits = { limit: first, offset: 0 };
    if (this.#isSign(',')) {
      this.#at += 1;
      limits = { limit: this.#whole(), offset: first };
    } else if (this.#isKeyword('offset')) {
      this.#at += 1;
      limits = { limit: first, offset: this.#whole() };
    }
    if (limits.limit > MAX_LIMIT) throw new CoqlError('INVALID_QUERY', { clause: 'limit', limit: MAX_LIMIT });
    if (limits.offset > MAX_OFFSET) throw new CoqlError('INVALID_QUERY', { clause: 'offset', limit: MAX_OFFSET });
    return limits;
  }

  #literal(): Literal {
    const { kind, text } = this.#now();
    this.#at += 1;
    if (kind === 'text') return text.replaceAll(/\\(.)/g, '$1');
    if (kind === 'number') return Number.isSafeInteger(Number(text)) ? Number(text) : text;
    if (kind === 'word' && /^(?:true|false)$/i.test(text)) return text.toLowerCase() === 'true';
    this.#at -= 1;
    throw this.#unexpected();
  }

  #whole(): number {
    const { kind, text } = this.#now();
    if (kind !== 'number' || !/^\d+$/.test(text)) throw this.#unexpected();
    this.#at += 1;
    return Number(text);
  }

  #word(): string {
    const { kind, text } = this.#now();
    if (kind !== 'word') throw this.#unexpected();
    this.#at += 1;
    return text;
  }

  #keyword(keyword: string): void {
    if (!this.#isKeyword(keyword)) throw this.#unexpected();
    this.#at += 1;
  }

  #sign(sign: string): void {
    if (!this.#isSign(sign)) throw this.#unexpected();
    this.#at += 1;
  }

  #isKeyword(keyword: string): boolean {
    const { kind, text } = this.#now();
    return kind === 'word' && text.toLowerCase() === keyword;
  }

  #isSign(sign: string): boolean {
    const { kind, text } = this.#now();
    return kind === 'sign' && text === sign;
  }

  #now(): Token {
    return this.tokens[this.#at] ?? { kind: 'end', text: '', at: 0 };
  }

  #unexpected(): CoqlError {
    const { text, at } = this.#now();
    return syntaxError(text, at);
  }
}

const COMPARISONS: readonly Comparison[] = ['=', '!=', '<', '<=', '>', '>='];
