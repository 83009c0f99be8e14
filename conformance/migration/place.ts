// One of the two hosts: a network, a state root, and a bundle with a copy of the root file system of its own.

import { spawn } from 'node:child_process'
import { closeSync, existsSync, openSync, readFileSync } from 'node:fs'
import { errorsIn } from '../../src/criu/log.ts'
import { Box, type Ground, succeeded } from '../box.ts'
import { requireCriu } from '../checkpoint.ts'
import { waitUntil } from '../patience.ts'
import type { Result } from '../runtime.ts'
import { type ConsoleSocket, listenForConsole, type Terminal } from '../terminal.ts'
import type { Site } from './lan.ts'
import { PORT, script } from './program.ts'

/** The runtime is killed when it takes longer. */
const SECONDS = 120

export class Place implements AsyncDisposable {
  readonly site: Site
  readonly box: Box
  readonly #console: ConsoleSocket
  readonly #path: string
  readonly #running = new Set<Daemon>()
  #terminal: Terminal | undefined

  /** @param blocks of memory that the program has from the start */
  constructor(ground: Ground, site: Site, blocks: number) {
    this.site = site
    this.box = new Box(ground)
    this.#path = `${requireCriu(this.box)}:${process.env.PATH}`
    this.box.configure({
      '/linux/namespaces': site.container.namespaces,
      '/process/terminal': true,
      '/process/args': ['sh', '-c', script(blocks)],
    })
    this.#console = listenForConsole(this.box.path('console'))
  }

  /** Of create and restore. */
  get launchFlags(): string[] {
    return ['--bundle', this.box.bundle, '--console-socket', this.#console.path]
  }

  /** The terminal that came to the console socket. */
  get terminal(): Terminal {
    this.#terminal ??= this.#console.accept().terminal
    return this.#terminal
  }

  /** Who sits at it goes away. */
  closeTerminal(): void {
    this.#terminal?.[Symbol.dispose]()
    this.#terminal = undefined
  }

  async start(): Promise<void> {
    succeeded(await this.command(['create', ...this.launchFlags]))
    succeeded(await this.command(['start']))
    await this.terminal.until(/ready/)
    await this.site.container.listensTo(PORT)
  }

  /** @param words the runtime's command and its flags @param descriptors that it gets as 3, 4, … */
  command(words: readonly string[], descriptors: readonly number[] = []): Promise<Result> {
    // Who leaves criu in the machine's mount namespace may leave mounts of criu's there.
    const own = this.box.runtime.name === 'runt' ? [] : ['unshare', '-m']
    const starter = [...this.site.host.starter, ...own]
    const env = { PATH: this.#path }
    return this.box.command([...words, this.box.id], { starter, env, descriptors, seconds: SECONDS })
  }

  /** A command in the container. */
  exec(...command: readonly string[]): Promise<Result> {
    return this.box.command(['exec', this.box.id, ...command])
  }

  /** One of criu's servers, with its log in a folder. */
  serve(command: string, folder: string, ...flags: readonly string[]): Daemon {
    const log = `${folder}/${command}.log`
    const words = ['criu', command, '--work-dir', folder, '--log-file', `${command}.log`, '-v4', ...flags]
    const daemon = new Daemon([...this.site.host.starter, ...words], { ...process.env, PATH: this.#path }, log)
    this.#running.add(daemon)
    return daemon
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const daemon of this.#running) daemon.kill()
    this.closeTerminal()
    this.#console[Symbol.dispose]()
    await this.box[Symbol.asyncDispose]()
  }
}

export class Daemon {
  /** Its exit status, when it has ended. */
  status: number | undefined
  readonly #command: string
  readonly #log: string
  readonly kill: () => void

  constructor(command: readonly string[], env: NodeJS.ProcessEnv, log: string) {
    const [program = '', ...words] = command
    const output = openSync(`${log}.output`, 'w')
    const child = spawn(program, words, { env, stdio: ['ignore', output, output] })
    closeSync(output)
    this.#command = command.slice(-words.length).join(' ')
    this.#log = log
    this.kill = () => child.kill('SIGKILL')
    child.once('exit', (status) => {
      this.status = status ?? -1
    })
  }

  /** Wait for its end. @throws Error with its words when that is a bad one, or does not come */
  async succeeded(): Promise<void> {
    await waitUntil(
      () => this.status !== undefined,
      () => `it goes on: ${this.#command}`,
    )
    if (this.status !== 0) throw new Error(`it ended with ${this.status}: ${this.#command}: ${this.#errors()}`)
  }

  /** What its log says went wrong. */
  #errors(): string {
    const texts = [this.#log, `${this.#log}.output`].map((file) => (existsSync(file) ? readFileSync(file, 'utf8') : ''))
    return texts.flatMap(errorsIn).join('; ')
  }
}
