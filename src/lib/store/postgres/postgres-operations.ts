import type { Operations, Reply } from '../operations.js';

/** Runs one statement; retries by itself while the database changes hands. */
export interface SqlRunner {
  query(text: string, values: readonly unknown[]): Promise<{ readonly rows: readonly unknown[] }>;
}

/** The store's operations as SQL functions; the schema must be there. `explain` turns a failure into the error to reject with. */
export function createPostgresOperations(sql: SqlRunner, explain: (error: unknown) => Error): Operations {
  return {
    run: async (name, args): Promise<Reply> => {
      try {
        const { rows } = await sql.query(`select zia.${name.replaceAll('-', '_')}($1::text[]) as reply`, [args]);
        // Every function of the schema returns one text array.
        return (rows[0] as { reply: Reply }).reply;
      } catch (error) {
        throw explain(error);
      }
    },
    // Whoever hosts the database has the same files.
    connections: () => 0,
  };
}
