// A file of rows from the API: read to its end, counted and hashed, and saved only when it is whole.

import { get, request } from "./api.js";

export const FORMATS = { csv: "text/csv", ndjson: "application/x-ndjson" };

export class Broken extends Error {}

// Reads the file. `onBytes(count)` hears how much has come. Throws ApiError where it is refused, and
// Broken where it is not what the service made: its headers have the count of rows and the digest.
export async function read(to, params, format, { signal, onBytes }) {
  const answer = await request("GET", to, { params, headers: { Accept: FORMATS[format] }, signal });
  const chunks = [];
  const counter = format === "csv" ? csvRows() : lines();
  let bytes = 0;
  try {
    for (const reader = answer.body.getReader(); ; ) {
      const { done, value } = await reader.read();
      if (done) break;
      chunks.push(value);
      counter.take(value);
      bytes += value.length;
      onBytes(bytes);
    }
  } catch (error) {
    if (signal.aborted) throw error;
    throw new Broken();
  }
  if (!counter.isAtEnd()) throw new Broken();
  const blob = new Blob(chunks, { type: FORMATS[format] });
  const [rows, digest] = [counter.rows(), await sha256(blob)];
  const isAsTold = rows === Number(answer.headers.get("X-Row-Count") ?? -1) &&
    (digest === null || digest === answer.headers.get("X-SHA-256"));
  if (!isAsTold) throw new Broken();
  return {
    blob, bytes, rows, sha256: digest,
    position: Number(answer.headers.get("X-As-Of-Position")), time: Number(answer.headers.get("X-As-Of")),
  };
}

// Count and digest that the service has of the same rows, as of the same position.
export const digestOf = (to, params, format, position, { signal } = {}) =>
  get(to, { ...params, toPosition: position }, { headers: { Accept: FORMATS[format] }, signal });

// Null where the browser has no hash: it has one on loopback and over TLS only.
async function sha256(blob) {
  if (!globalThis.crypto?.subtle) return null;
  const digest = await crypto.subtle.digest("SHA-256", await blob.arrayBuffer());
  return [...new Uint8Array(digest)].map((it) => it.toString(16).padStart(2, "0")).join("");
}

const NEWLINE = 10;
const QUOTE = 34;

// Both end each row by a newline, so a file that ends otherwise was cut off.
function lines() {
  let [count, last] = [0, NEWLINE];
  return {
    take(bytes) {
      for (const byte of bytes) if (byte === NEWLINE) count += 1;
      if (bytes.length) last = bytes[bytes.length - 1];
    },
    rows: () => count,
    isAtEnd: () => last === NEWLINE,
  };
}

function csvRows() {
  let [count, last, isQuoted] = [0, 0, false];
  return {
    take(bytes) {
      for (const byte of bytes) {
        if (byte === QUOTE) isQuoted = !isQuoted;
        else if (byte === NEWLINE && !isQuoted) count += 1;
      }
      if (bytes.length) last = bytes[bytes.length - 1];
    },
    rows: () => count - 1, // the first line has the names of the columns
    isAtEnd: () => last === NEWLINE && !isQuoted,
  };
}

export function save(blob, name) {
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60_000);
}
