// A container on its way from one host to the other: the commands, and how long they take.

import { mkdirSync, readdirSync, statSync } from 'node:fs'
import { succeeded } from '../box.ts'
import type { Result } from '../runtime.ts'
import type { Place } from './place.ts'
import { work } from './program.ts'

/** Time for the program to change some of its memory between two pre-dumps. */
const WORK_MS = 500
const TCP = '--tcp-established'

export class Move {
  readonly source: Place
  readonly target: Place
  /** A folder that both hosts see. */
  readonly shared: string
  readonly #plug: () => void
  readonly #begun = performance.now()
  #stopped = 0
  #saved = 0
  #goesOn = 0
  /** Folders of images that were written while it ran. */
  readonly #before: string[] = []

  /** @param plug moves the cable of the container */
  constructor(source: Place, target: Place, shared: string, plug: () => void) {
    this.source = source
    this.target = target
    this.shared = shared
    this.#plug = plug
  }

  /** A folder for images. */
  folder(name: string): string {
    const path = `${this.shared}/${name}`
    mkdirSync(path, { recursive: true })
    return path
  }

  /** CRIU's logs, sockets and figures. */
  get work(): string {
    return this.folder('work')
  }

  async preDump(name: string, ...flags: readonly string[]): Promise<void> {
    this.#before.push(this.folder(name))
    succeeded(await this.source.command(this.#checkpoint(name, '--pre-dump', ...flags)))
    await work(this.source.terminal, WORK_MS)
  }

  /** From here on the container stands. */
  async checkpoint(name: string, ...flags: readonly string[]): Promise<void> {
    succeeded(await this.checkpointWith([], name, ...flags))
    this.saved()
  }

  checkpointWith(descriptors: readonly number[], name: string, ...flags: readonly string[]): Promise<Result> {
    this.folder(name)
    this.#stopped = performance.now()
    return this.source.command(this.#checkpoint(name, TCP, ...flags), descriptors)
  }

  /** All that the restore needs is there. */
  saved(): void {
    this.#saved = performance.now()
  }

  #checkpoint(name: string, ...flags: readonly string[]): string[] {
    return ['checkpoint', '--image-path', this.folder(name), '--work-path', this.work, ...flags]
  }

  /** Afterwards it goes on, on the other host. */
  async restore(name: string, ...flags: readonly string[]): Promise<void> {
    const folders = ['--image-path', this.folder(name), '--work-path', this.work]
    const words = ['restore', '--detach', ...this.target.launchFlags, ...folders, TCP, ...flags]
    succeeded(await this.target.command(words))
    this.#plug()
    this.#goesOn = performance.now()
  }

  /** @param name of the folder of the checkpoint */
  figures(name: string): Pick<Figures, 'checkpoint' | 'restore' | 'total' | 'before' | 'during'> {
    return {
      checkpoint: this.#saved - this.#stopped,
      restore: this.#goesOn - this.#saved,
      total: performance.now() - this.#begun,
      before: this.#before.reduce((sum, folder) => sum + bytesIn(folder), 0),
      during: bytesIn(this.folder(name)),
    }
  }
}

/** Of one move. Times are milliseconds. */
export interface Figures {
  /** The longest time between two ticks of the program, by its own clock. */
  readonly stood: number
  /** The longest time without an answer, at the other end of its connection. */
  readonly silence: number
  readonly checkpoint: number
  readonly restore: number
  /** From the first command to the end of the last. */
  readonly total: number
  /** Bytes that were written while the program ran. */
  readonly before: number
  /** Bytes that were written while it stood. */
  readonly during: number
  /** Bytes of memory that it asked for when it ran again. */
  readonly after: number
}

function bytesIn(folder: string): number {
  // A link leads to the earlier images.
  const files = readdirSync(folder, { withFileTypes: true }).filter((entry) => entry.isFile())
  return files.reduce((sum, { name }) => sum + statSync(`${folder}/${name}`).size, 0)
}
