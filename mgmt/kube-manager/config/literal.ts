/**
 * Dictionaries of texts as Contrail's configuration and annotations have them: Python's notation or JSON, so both
 * {'domain': 'default-domain'} and {"domain": "default-domain"}.
 */

const BLANKS = /\s*/y;
const TEXT = /'((?:[^'\\\n]|\\.)*)'|"((?:[^"\\\n]|\\.)*)"/y;
/** What may stand behind a backslash, in either notation. */
const ESCAPES: Readonly<Record<string, string>> = { n: '\n', t: '\t', r: '\r', '\\': '\\', "'": "'", '"': '"', '/': '/' };

/**
 * The dictionary that `text` is.
 *
 * @throws {Error} with the place and what would be right there.
 */
export function parseDictionary(text: string): ReadonlyMap<string, string> {
  let at = 0;
  const skip = (): void => {
    BLANKS.lastIndex = at;
    at += BLANKS.exec(text)![0].length;
  };
  const expected = (what: string): Error => new Error(`${JSON.stringify(shortened(text))}: ${what} is expected at character ${at + 1}, as in {"domain": "default-domain", "name": "pool"}`);
  const take = (sign: string): boolean => {
    skip();
    if (text[at] !== sign) return false;
    at++;
    return true;
  };
  const takeText = (what: string): string => {
    skip();
    TEXT.lastIndex = at;
    const found = TEXT.exec(text);
    if (!found) throw expected(what);
    at += found[0].length;
    return unescaped(found[1] ?? found[2]!);
  };

  const entries = new Map<string, string>();
  if (!take('{')) throw expected('"{"');
  while (!take('}')) {
    if (entries.size > 0 && !take(',')) throw expected('"," or "}"');
    if (entries.size > 0 && take('}')) break; // Python's comma behind the last one
    const key = takeText('a key in quotes');
    if (entries.has(key)) throw new Error(`${JSON.stringify(shortened(text))}: ${JSON.stringify(key)} is there twice`);
    if (!take(':')) throw expected('":"');
    entries.set(key, takeText('a text in quotes'));
  }
  skip();
  if (at < text.length) throw expected('the end');
  return entries;
}

const unescaped = (text: string): string => text.replace(/\\(?:u([0-9a-fA-F]{4})|(.))/g, (whole, code: string | undefined, sign: string | undefined) => (
  code === undefined ? ESCAPES[sign!] ?? whole : String.fromCharCode(parseInt(code, 16))));

export const shortened = (text: string, length = 120): string => (text.length <= length ? text : `${text.slice(0, length - 1)}…`);
