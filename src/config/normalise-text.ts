/**
 * Text without a byte order mark, and with a line feed alone at the end of each line. Windows editors write
 * both; the TOML parser refuses a carriage return in a comment, which TOML 1.0 allows.
 */
export function normaliseText(text: string): string {
  return text.replace(/^\uFEFF/, '').replaceAll('\r\n', '\n');
}
