// A terminal to start runt in: a pty whose slave becomes the controlling terminal of what runs in it.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync } from 'node:fs'
import { TCGETS, TERMIOS_SIZE, TIOC } from '../src/linux/ioctls.ts'
import { O } from '../src/linux/open-flags.ts'
import { close, open } from '../src/native/file.ts'
import { syscall } from '../src/native/syscall.ts'
import { Terminal } from './terminal.ts'

const F_SETFL = 4

export class Pty implements Disposable {
  readonly terminal: Terminal
  readonly #master: number
  readonly #slave: number
  #hungUp = false

  constructor(rows: number, columns: number) {
    this.#master = open('/dev/ptmx', O.RDWR | O.NOCTTY)
    syscall('ioctl', this.#master, TIOC.SPTLCK, new Uint8Array(4))
    const number = new Uint8Array(4)
    syscall('ioctl', this.#master, TIOC.GPTN, number)
    this.#slave = open(`/dev/pts/${new DataView(number.buffer).getUint32(0, true)}`, O.RDWR | O.NOCTTY)
    this.terminal = new Terminal(this.#master)
    this.resize(rows, columns)
  }

  /** As a window manager does: whoever is in the foreground gets SIGWINCH. */
  resize(rows: number, columns: number): void {
    const size = new Uint16Array([rows, columns, 0, 0])
    syscall('ioctl', this.#master, TIOC.SWINSZ, new Uint8Array(size.buffer))
  }

  /** struct termios, as text to compare. */
  settings(): string {
    const termios = new Uint8Array(TERMIOS_SIZE)
    syscall('ioctl', this.#slave, TCGETS, termios)
    return Buffer.from(termios).toString('hex')
  }

  /** As a program does that shares the terminal, and has not cleaned up. */
  makeNonBlocking(): void {
    syscall('fcntl', this.#slave, F_SETFL, O.RDWR | O.NONBLOCK)
  }

  /** A command with this terminal as its controlling one. */
  start(command: readonly string[], cwd?: string): Running {
    const child = spawn('setsid', ['-c', ...command], { stdio: [this.#slave, this.#slave, this.#slave], cwd })
    return { child, status: statusOf(child) }
  }

  /** The window is closed. */
  hangUp(): void {
    if (this.#hungUp) return
    this.#hungUp = true
    close(this.#slave)
    closeSync(this.#master)
  }

  [Symbol.dispose](): void {
    this.hangUp()
  }
}

export interface Running {
  readonly child: ChildProcess
  /** Exit status, or the signal that ended it. */
  readonly status: Promise<number | string>
}

export function statusOf(child: ChildProcess): Promise<number | string> {
  return new Promise((resolve, reject) => {
    child.on('error', reject)
    child.on('close', (code, signal) => resolve(code ?? `signal ${signal}`))
  })
}
