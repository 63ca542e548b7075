import fc from 'fast-check';

/** Any code point, also half a surrogate pair. fast-check's unit `binary` takes more than a second to list them. */
export const anyCharacter = fc.nat(0x10ffff).map((code) => String.fromCodePoint(code));
