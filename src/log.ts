// Log lines in the two forms that engines and people read: --log FILE, --log-format text|json.

import { O } from './linux/open-flags.ts'
import { open, writeAll } from './native/file.ts'
import { printableLines } from './printable.ts'

export type LogFormat = 'text' | 'json'
export type LogLevel = 'debug' | 'info' | 'warning' | 'error'

interface Sink {
  readonly file: string | undefined
  /** stderr when no file is given. */
  readonly fd: number
  readonly format: LogFormat
  readonly debug: boolean
}

const STDERR = 2
let sink: Sink = { file: undefined, fd: STDERR, format: 'text', debug: false }

/**
 * Where log lines go from here on. The file is opened close-on-exec: it never enters a container.
 * @throws SyscallError when the file can't be opened
 */
export function configureLog(options: { file: string | undefined; format: LogFormat; debug: boolean }): void {
  const fd = options.file === undefined ? STDERR : open(options.file, O.WRONLY | O.CREAT | O.APPEND, 0o644)
  sink = { file: options.file, fd, format: options.format, debug: options.debug }
}

/** The global flags that make another runt log to the same place. */
export function logWords(): string[] {
  const file = sink.file === undefined ? [] : ['--log', sink.file]
  return [...file, '--log-format', sink.format]
}

/** Is everything told that happens? */
export function isDebugging(): boolean {
  return sink.debug
}

export function debug(message: string): void {
  if (sink.debug) write('debug', message, {})
}

export function warn(message: string): void {
  write('warning', message, {})
}

/**
 * The last word of a command that failed: into the log, and on stderr for a person.
 * @param fields further members of the JSON line
 */
export function logError(message: string, fields: Readonly<Record<string, unknown>> = {}): void {
  if (sink.fd !== STDERR) write('error', message, fields)
  if (sink.fd === STDERR && sink.format === 'json') write('error', message, fields)
  else tell(STDERR, `runt: ${printableLines(message)}\n`)
}

function write(level: LogLevel, message: string, fields: Readonly<Record<string, unknown>>): void {
  const time = new Date().toISOString()
  const line =
    sink.format === 'json'
      ? JSON.stringify({ level, msg: message, time, ...fields }, member)
      : `time="${time}" level=${level} msg=${JSON.stringify(printableLines(message))}`
  tell(sink.fd, `${line}\n`)
}

/** Members of a JSON line: people look at logs in terminals, too. */
function member(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`
  return typeof value === 'string' ? printableLines(value) : value
}

/** Callers may have closed stderr or, as containerd's shim, opened it for reading only; a log's disk may be full. */
function tell(fd: number, text: string): void {
  try {
    writeAll(fd, text)
  } catch {
    // The words are lost, and what they were about goes on.
  }
}
