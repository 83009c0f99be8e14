// Log lines in the two forms that engines and people read: --log, --log-format text|json, --log-level.

import { O } from './linux/open-flags.ts'
import { type Logger, loggerOf } from './loggers.ts'
import { open, writeAll } from './native/file.ts'
import { printableLines } from './printable.ts'

export type LogFormat = 'text' | 'json'

/** From the least important on; the first is the default, as the flag has it. */
export const LOG_LEVELS = ['warning', 'debug', 'info', 'error'] as const
export type LogLevel = (typeof LOG_LEVELS)[number]

/** The greater, the more is told. */
const DETAIL: Readonly<Record<LogLevel, number>> = { error: 0, warning: 1, info: 2, debug: 3 }

interface LogOptions {
  /** A file's path, file:PATH, journald:NAME or syslog:NAME. */
  readonly place: string | undefined
  readonly format: LogFormat
  readonly level: LogLevel
}

interface Sink extends LogOptions {
  /** stderr when no place is given. */
  readonly fd: number
  /** A program that keeps logs, which notes time and level itself. */
  readonly logger?: Logger
}

const STDERR = 2
let sink: Sink = { place: undefined, fd: STDERR, format: 'text', level: 'warning' }

/**
 * Where log lines go from here on. What is opened is close-on-exec: it never enters a container.
 * @throws SyscallError when the place can't be opened
 */
export function configureLog(options: LogOptions): void {
  const [, kind = '', name = ''] = /^(file|journald|syslog):(.*)$/s.exec(options.place ?? '') ?? []
  const logger = kind === '' || kind === 'file' ? undefined : loggerOf(kind, name)
  const path = kind === 'file' ? name : options.place
  const fd =
    logger !== undefined ? logger.fd : path === undefined ? STDERR : open(path, O.WRONLY | O.CREAT | O.APPEND, 0o644)
  sink = { ...options, fd, ...(logger && { logger }) }
}

/** The global flags that make another runt log to the same place. */
export function logWords(): string[] {
  const place = sink.place === undefined ? [] : ['--log', sink.place]
  return [...place, '--log-format', sink.format]
}

/** Is everything told that happens? */
export function isDebugging(): boolean {
  return sink.level === 'debug'
}

export function debug(message: string): void {
  write('debug', message, {})
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
  if (DETAIL[level] > DETAIL[sink.level]) return
  const time = new Date().toISOString()
  const { fd, format, logger } = sink
  if (format === 'json') {
    const line = JSON.stringify({ level, msg: message, time, ...fields }, member)
    tell(fd, logger?.entry(level, line) ?? `${line}\n`)
  } else {
    const text = printableLines(message)
    tell(fd, logger?.entry(level, text) ?? `time="${time}" level=${level} msg=${JSON.stringify(text)}\n`)
  }
}

/** Members of a JSON line: people look at logs in terminals, too. */
function member(_: string, value: unknown): unknown {
  if (typeof value === 'bigint') return `${value}`
  return typeof value === 'string' ? printableLines(value) : value
}

/** Callers may have closed stderr or, as containerd's shim, opened it for reading only; a log's disk may be full. */
function tell(fd: number, text: string | Uint8Array): void {
  try {
    writeAll(fd, text)
  } catch {
    // The words are lost, and what they were about goes on.
  }
}
