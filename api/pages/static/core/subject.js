// One agent or task, kept live by a stream of its own.

import { mergeNames, who } from "./api.js";
import { href } from "./address.js";
import { useEffect, useSignal } from "./dom.js";
import { connected, connectionLost, disconnected } from "./live.js";
import { openStream } from "./stream.js";

const CHANGE_EVERY_MS = 2_000; // what is read again with each change takes the service some time

// `kind`: "agent" or "task"; `first`: its view as it was read, null before. Returns {view, names,
// version}: `view` is null until the stream has sent it, and `version` changes soon after anything
// about the subject has changed since `first`.
export function useSubject(kind, id, first, isLive) {
  const state = useSignal({ view: null, names: {} });
  const orgId = first?.orgId;
  const version = useSignal(0);
  useEffect(() => {
    if (!isLive || !orgId) return undefined;
    let timer = 0;
    let isFirst = true;
    const change = () => {
      timer ||= setTimeout(() => {
        timer = 0;
        version.value += 1;
      }, CHANGE_EVERY_MS);
    };
    const stream = openStream(streamOf(kind, id, orgId), {
      onMessage(event, data) {
        if (event === kind && data[`${kind}Id`] === id) {
          state.value = { view: data, names: mergeNames({ ...state.peek().names }, data.names) };
        }
        if (event === "snapshot") {
          connected();
          const isAsRead = state.peek().view?.lastEvent?.position === first.lastEvent?.position;
          if (!isFirst || !isAsRead) change();
          isFirst = false;
        } else if (event !== "reset" && !isFirst) change();
      },
      onLost(status) {
        if (status === 401) who.value = null;
        connectionLost(status);
      },
    });
    return () => {
      clearTimeout(timer);
      stream.close();
      disconnected();
    };
  }, [kind, id, orgId, isLive]);
  return { ...state.value, version: version.value };
}

// With `loggedIn`, an agent's stream leaves out all tasks that the agent ever took part in.
function streamOf(kind, id, orgId) {
  const filter = kind === "agent" ? { agentId: id, loggedIn: [true, false] } : { taskId: id };
  return href("/api/v1/stream", { ...filter, orgId, snapshot: true, names: true });
}
