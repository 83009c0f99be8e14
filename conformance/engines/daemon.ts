// A daemon: started in a session of its own, ready when it says so, stopped by its pid.

import { type ChildProcess, spawn } from 'node:child_process'
import { closeSync, openSync, readFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'

const PATIENCE_MS = 30_000

export class Daemon implements AsyncDisposable {
  readonly log: string
  readonly #child: ChildProcess
  readonly #name: string
  #ended: Promise<void>

  /** @param env in addition to ours */
  constructor(command: readonly string[], log: string, env: Readonly<Record<string, string>> = {}) {
    const [program = '', ...args] = command
    this.log = log
    this.#name = program
    const descriptor = openSync(log, 'a')
    this.#child = spawn(program, args, {
      stdio: ['ignore', descriptor, descriptor],
      detached: true,
      env: { ...process.env, ...env },
    })
    closeSync(descriptor)
    this.#ended = new Promise((resolve) => {
      this.#child.on('error', () => resolve())
      this.#child.on('exit', () => resolve())
    })
  }

  /** Wait until the probe says yes. @throws Error with the end of the log when it never does */
  async ready(probe: () => Promise<boolean>): Promise<this> {
    const deadline = Date.now() + PATIENCE_MS
    while (!(await probe())) {
      const gone = this.#child.exitCode !== null || this.#child.signalCode !== null
      if (gone || Date.now() > deadline) throw new Error(`${this.#name} does not start:\n${this.tail()}`)
      await sleep(50)
    }
    return this
  }

  /** The last lines that it wrote. */
  tail(): string {
    return readFileSync(this.log, 'utf8').split('\n').slice(-15).join('\n')
  }

  async stop(signal: NodeJS.Signals = 'SIGTERM'): Promise<void> {
    this.#child.kill(signal)
    const timer = setTimeout(() => this.#child.kill('SIGKILL'), PATIENCE_MS)
    await this.#ended
    clearTimeout(timer)
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.stop()
  }
}
