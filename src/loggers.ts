// The programs that keep a machine's logs, as --log journald:NAME and syslog:NAME reach them: one datagram a message.

import type { LogLevel } from './log.ts'
import { connectDatagram } from './native/descriptors.ts'

export interface Logger {
  /** A connected socket. */
  readonly fd: number
  /** A message as the program reads it. */
  readonly entry: (level: LogLevel, text: string) => Uint8Array
}

/** syslog(3) */
const PRIORITY: Readonly<Record<LogLevel, number>> = { error: 3, warning: 4, info: 6, debug: 7 }
const LOG_USER = 1 << 3

/**
 * @param kind journald or syslog
 * @param name what the messages are filed under
 * @throws SyscallError where no such program listens
 */
export function loggerOf(kind: string, name: string): Logger {
  return kind === 'journald'
    ? { fd: connectDatagram('/run/systemd/journal/socket'), entry: (level, text) => journalEntry(name, level, text) }
    : { fd: connectDatagram('/dev/log'), entry: (level, text) => syslogMessage(name, level, text) }
}

const encoder = new TextEncoder()

/** Fields, each with its name, the length of its value and the value. systemd's JOURNAL_NATIVE_PROTOCOL */
export function journalEntry(name: string, level: LogLevel, text: string): Uint8Array {
  const fields = { MESSAGE: text, PRIORITY: `${PRIORITY[level]}`, SYSLOG_IDENTIFIER: name }
  const parts = Object.entries(fields).map(([field, value]) => {
    const bytes = encoder.encode(value)
    const length = new Uint8Array(8)
    new DataView(length.buffer).setBigUint64(0, BigInt(bytes.length), true)
    return [encoder.encode(`${field}\n`), length, bytes, encoder.encode('\n')]
  })
  return Buffer.concat(parts.flat())
}

/** As syslog(3) sends it: the daemon puts the time. */
export function syslogMessage(name: string, level: LogLevel, text: string): Uint8Array {
  return encoder.encode(`<${LOG_USER | PRIORITY[level]}>${name}[${process.pid}]: ${text}`)
}
