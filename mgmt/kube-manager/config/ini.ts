/** Files such as /etc/contrail/contrail-kubernetes.conf: sections in brackets, `name = value` or `name : value`, comments by # or ;. */

/** Values by "SECTION.name" (sections in upper case, names in lower case), each with its line. */
export type Ini = ReadonlyMap<string, { readonly value: string; readonly line: number }>;

/** @throws {Error} that names the line. */
export function parseIni(text: string): Ini {
  const values = new Map<string, { value: string; line: number }>();
  let section = 'DEFAULTS';
  text.split(/\r?\n/).forEach((whole, index) => {
    const line = index + 1;
    const trimmed = whole.trim();
    if (trimmed === '' || trimmed.startsWith('#') || trimmed.startsWith(';')) return;
    const header = /^\[([^\]]+)\]$/.exec(trimmed);
    if (header) {
      section = header[1]!.trim().toUpperCase();
      return;
    }
    const [, name, value] = /^([A-Za-z][A-Za-z0-9_-]*)\s*[=:]\s*(.*)$/.exec(trimmed) ?? [];
    if (name === undefined) throw new Error(`line ${line}: ${JSON.stringify(trimmed)} is neither [SECTION] nor name = value`);
    values.set(`${section}.${name.toLowerCase()}`, { value: value!.trim(), line });
  });
  return values;
}
