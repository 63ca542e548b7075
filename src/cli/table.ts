/**
 * Lines of a table: a header and rows, columns aligned, numbers to the right. Lines have no trailing spaces.
 * Cells hold no line breaks.
 */
export function formatTable(header: readonly string[], rows: readonly (readonly string[])[]): string[] {
  const columns = header.map((title, column) => {
    const cells = rows.map((row) => row[column] ?? '');
    return {
      width: Math.max(...[title, ...cells].map((cell) => cell.length)),
      isNumeric: cells.every((cell) => /^[0-9]*$/.test(cell)),
    };
  });
  return [header, ...rows].map((row) =>
    columns
      .map(({ width, isNumeric }, column) => {
        const cell = row[column] ?? '';
        return isNumeric ? cell.padStart(width) : cell.padEnd(width);
      })
      .join('  ')
      .trimEnd(),
  );
}
