/** Where files are sent and listed. */
export const FILES_PATH = '/files';
/** Where all rows are listed. */
export const ROWS_PATH = '/rows';

/** The path of a file's page. */
export function filePath(id: string): string {
  return `${FILES_PATH}/${id}`;
}
