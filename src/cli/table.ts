/**
 * Lines of a table for people: a header and rows, columns aligned, numbers to the right. The last column is not padded.
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
