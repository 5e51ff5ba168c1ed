// Server-sent events over fetch: unlike EventSource it shows pings and refusals, so that a silent
// connection does not look live.

const SILENCE_MS = 40_000; // the service sends a ping each 15 s
const FIRST_WAIT_MS = 500;
const LONGEST_WAIT_MS = 15_000;

// Reads a stream until `close()` of what is returned. `onMessage(event, data)` gets each message,
// `onPosition(position)` the position up to which all was sent, `onLost(status)` each lost connection.
export function openStream(to, { onMessage, onPosition, onLost }) {
  let wait = FIRST_WAIT_MS;
  let closed = false;
  let abort = null;
  let timer = 0;

  async function connect() {
    abort = new AbortController();
    let silence = 0;
    const heard = () => {
      clearTimeout(silence);
      silence = setTimeout(() => abort.abort(), SILENCE_MS);
    };
    let status = 0;
    try {
      heard();
      const answer = await fetch(to, { headers: { Accept: "text/event-stream" }, signal: abort.signal });
      status = answer.status;
      if (answer.ok) {
        wait = FIRST_WAIT_MS;
        await read(answer.body.getReader(), heard, onMessage, onPosition);
      }
    } catch {
      // Lost: told below.
    }
    clearTimeout(silence);
    if (closed) return;
    onLost(status);
    if (status === 401 || status === 403) return;
    timer = setTimeout(connect, wait);
    wait = Math.min(LONGEST_WAIT_MS, wait * 2);
  }

  connect();
  return {
    close() {
      closed = true;
      clearTimeout(timer);
      abort?.abort();
    },
  };
}

async function read(reader, heard, onMessage, onPosition) {
  const decoder = new TextDecoder();
  let rest = "";
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    heard();
    const parts = (rest + decoder.decode(value, { stream: true })).split("\n\n");
    rest = parts.pop();
    for (const part of parts) dispatch(part, onMessage, onPosition);
  }
}

function dispatch(part, onMessage, onPosition) {
  let event = "message";
  let data = null;
  let id = null;
  for (const line of part.split("\n")) {
    if (line.startsWith("event: ")) event = line.slice(7);
    else if (line.startsWith("data: ")) data = line.slice(6);
    else if (line.startsWith("id: ")) id = Number(line.slice(4));
  }
  if (data !== null) onMessage(event, JSON.parse(data));
  if (id !== null) onPosition?.(id);
}
