// The file of a seal: its segments are chained by SHA-256. The second format has the audit trail.

const FORMATS = ["projector-seal-1", "projector-seal-2"];
const ZEROS = new Uint8Array(32);

// Browsers hash only for pages that came over TLS or from this machine.
export const canHash = Boolean(crypto.subtle);

// The seal of a text. Throws where it is none.
export function readSeal(text) {
  const seal = JSON.parse(text);
  if (!FORMATS.includes(seal.format) || !Array.isArray(seal.segments)) throw new TypeError("no seal");
  return seal;
}

// The chain value that the seal's segments give, as hexadecimal digits. Each segment is hashed as
// compact JSON, without its leaves, together with the hash of those before it.
export async function chainOf(seal) {
  let chain = ZEROS;
  for (const { number, position, recordedTime, tables } of seal.segments) {
    const text = JSON.stringify({ number, position, recordedTime, tables });
    const parts = [bytes(`${FORMATS[0]} segment\0`), chain, bytes(text)];
    chain = new Uint8Array(await crypto.subtle.digest("SHA-256", await new Blob(parts).arrayBuffer()));
  }
  return [...chain].map((it) => it.toString(16).padStart(2, "0")).join("");
}

const bytes = (text) => new TextEncoder().encode(text);
