// Names of certificates.

const ALPHABET = 'ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/:';

/** The UVCI without its `#c`; nothing if `c` is not its check character, the UVCI itself if it has none.
 *
 *  `c` is Luhn mod 38 over the alphabet in this order. Source: eHealth Network UVCI, annex 2. */
export function withoutCheckCharacter(uvci: string): string | undefined {
  const at = uvci.lastIndexOf('#');
  if (at < 0) return uvci;
  const bare = uvci.slice(0, at);
  let sum = 0;
  for (let i = 0; i < bare.length; i++) {
    const code = ALPHABET.indexOf(bare.charAt(bare.length - 1 - i));
    if (code < 0) return undefined;
    const doubled = code * (i % 2 === 0 ? 2 : 1);
    sum += Math.floor(doubled / 38) + (doubled % 38);
  }
  return uvci.slice(at + 1) === ALPHABET.charAt((38 - (sum % 38)) % 38) ? bare : undefined;
}
