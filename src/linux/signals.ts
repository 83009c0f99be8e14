// Signals of Linux, by number (signal(7), x86-64 and arm64) and by the names that a person may write.

const NAMES = [
  'HUP',
  'INT',
  'QUIT',
  'ILL',
  'TRAP',
  'ABRT',
  'BUS',
  'FPE',
  'KILL',
  'USR1',
  'SEGV',
  'USR2',
  'PIPE',
  'ALRM',
  'TERM',
  'STKFLT',
  'CHLD',
  'CONT',
  'STOP',
  'TSTP',
  'TTIN',
  'TTOU',
  'URG',
  'XCPU',
  'XFSZ',
  'VTALRM',
  'PROF',
  'WINCH',
  'IO',
  'PWR',
  'SYS',
] as const

export type SignalName = `SIG${(typeof NAMES)[number]}`

/** Signal name (with SIG) → number. */
export const SIGNAL = Object.fromEntries(NAMES.map((name, index) => [`SIG${name}`, index + 1])) as Readonly<
  Record<SignalName, number>
>

const ALIASES: Readonly<Record<string, number>> = { IOT: 6, CLD: 17, POLL: 29, UNUSED: 31 }

/** The real-time signals that glibc leaves to programs, SIGRTMIN to SIGRTMAX. */
const RTMIN = 34
const RTMAX = 64

/**
 * Read a signal as kill(1) takes it: a number 1–64, or a name in any case, with or without SIG, incl. RTMIN+n, RTMAX-n.
 * @returns the number, or undefined when the text names no signal
 */
export function parseSignal(text: string): number | undefined {
  if (/^\d{1,2}$/.test(text)) {
    const number = Number(text)
    return number >= 1 && number <= RTMAX ? number : undefined
  }
  if (!/^[A-Za-z0-9+-]+$/.test(text)) return undefined // letters of other alphabets have capitals of this one
  const name = text.toUpperCase().replace(/^SIG/, '')
  const index = (NAMES as readonly string[]).indexOf(name)
  if (index >= 0) return index + 1
  if (name in ALIASES) return ALIASES[name]
  return parseRealTime(name)
}

function parseRealTime(name: string): number | undefined {
  const match = /^RT(MIN|MAX)(?:([+-])(\d{1,2}))?$/.exec(name)
  if (match === null) return undefined
  const [, end, sign, offset] = match
  const number = (end === 'MIN' ? RTMIN : RTMAX) + (sign === '-' ? -1 : 1) * Number(offset ?? 0)
  return number >= RTMIN && number <= RTMAX ? number : undefined
}

/** Every name of a signal but those of the real-time ones, without SIG. */
export function signalNames(): readonly string[] {
  return NAMES
}

/** SIGTERM, SIGRT5 … for a signal's number. */
export function signalName(number: number): string {
  const name = NAMES[number - 1]
  return name === undefined ? `SIGRTMIN+${number - RTMIN}` : `SIG${name}`
}

/** What the kernel takes for the size of a signal set. rt_sigprocmask(2) */
export const SIGSET_BYTES = 8
