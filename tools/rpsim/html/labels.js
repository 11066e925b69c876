// What stands at an event in the diagram, in few words.

const short = (text) => (text ?? "").replaceAll(/\s+/g, " ").trim();

export function arrow_label(e) {
  const f = e.fields;
  switch (e.event) {
    case "mailbox.dropped":
      return `${f.msg} lost: FIFO full`;
    case "mailbox.sent":
    case "mailbox.received":
      return f.msg;
    case "ipcc.set":
      return `${f.name} set`;
    case "ipcc.cleared":
      return `${f.name} cleared`;
    case "tisci.request":
      return short(`${f.msg} ${f.name ?? ""}`);
    case "tisci.response":
      return `${f.msg}: ${f.result}${f.reason ? ` (${f.reason})` : ""}`;
    case "reset.assert":
      return `assert reset (${f.kind})`;
    case "reset.deassert":
      return `release reset (${f.kind})`;
    default:
      return short(`${e.event} ${e.text ?? ""}`);
  }
}

const CORE_WORDS = { "core.wfi": "WFI", "core.wake": "wakes", "core.reset": "in reset", "core.start": "starts" };

export function mark_label(e) {
  const text = short(e.text);
  if (e.event in CORE_WORDS) return short(`${CORE_WORDS[e.event]} ${text}`);
  switch (e.event) {
    case "shell.run":
      return text;
    case "shell.done":
      return `done: ${text}`;
    case "fw.mark":
    case "fw.log":
    case "host.log":
      return text;
    default:
      return short(`${e.event.replace(/^(rproc|host)\./, "")} ${text}`);
  }
}

/// Answers are dashed, as in any sequence diagram.
export const is_answer = (e) =>
  e.event === "tisci.response" || e.event === "ipcc.cleared" || (e.event.startsWith("mailbox.") && /ACK|REPLY/.test(e.fields.msg ?? ""));

export const is_trouble = (e) =>
  (e.kind === "fault" && e.event !== "param.set") ||
  (e.event === "tisci.response" && e.fields.result === "NACK") ||
  (e.event === "host.log" && e.fields.level === "err") ||
  (e.event === "handshake" && (e.fields.phase === "timeout" || e.fields.phase === "no_wfi"));
