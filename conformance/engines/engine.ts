// What a case talks to: one engine, and the containers and files that this case made.

import { chmodSync, mkdirSync, mkdtempSync, writeFileSync } from 'node:fs'
import { setTimeout as sleep } from 'node:timers/promises'
import * as assert from 'uvu/assert'
import { succeeded } from '../box.ts'
import { Pty } from '../pty.ts'
import { execute, type Result, type RunOptions } from '../runtime.ts'
import { IMAGE } from './image.ts'

/** rootless: Podman as an ordinary user; rootless-docker: Docker as one. */
export type EngineName = 'podman' | 'rootless' | 'rootless-docker' | 'buildah' | 'docker' | 'containerd' | 'cri'

/** What the engines of one run share. */
export interface World {
  readonly folder: string
  /** Where the image's archive is. */
  readonly archive: string
  /** The runtime under test: one file to execute, and what it is called. */
  readonly runtime: { readonly path: string; readonly name: string }
  /** Why no case that needs CRIU can run, if none can; else there is one in PATH. */
  readonly withoutCriu: string | undefined
}

export interface Engine extends AsyncDisposable {
  readonly name: EngineName
  readonly world: World
  /** The client, with the flags that lead it to this engine. */
  readonly client: readonly string[]
  /** Remove what a case has left, whatever state it is in. */
  tidy(session: Session): Promise<void>
}

/** Whoever runs it. */
export function isDocker({ name }: Pick<Engine, 'name'>): boolean {
  return name === 'docker' || name === 'rootless-docker'
}

const SECONDS = 60
const PATIENCE_MS = 20_000

let sessions = 0

export class Session implements AsyncDisposable {
  readonly engine: Engine
  readonly id: string
  /** Of this case alone. */
  readonly folder: string
  /** All the names that were given out. */
  readonly names: string[] = []
  #commands = 0

  constructor(engine: Engine) {
    this.engine = engine
    this.id = `case${++sessions}`
    this.folder = `${engine.world.folder}/${engine.name}-${this.id}`
    mkdirSync(this.folder)
  }

  /** A name for a container, pod, volume, network or tag of this case. */
  fresh(): string {
    const name = `${this.id}-${this.names.length + 1}`
    this.names.push(name)
    return name
  }

  /** Any command of the client, to its end. */
  run(words: readonly string[], options: RunOptions = {}): Promise<Result> {
    return this.host([...this.engine.client, ...words], options)
  }

  /** Any program outside of containers. */
  host(command: readonly string[], options: RunOptions = {}): Promise<Result> {
    return execute(command, `${this.folder}/output-${++this.#commands}`, { seconds: SECONDS, ...options })
  }

  /** What a shell script outside of containers prints, when it ends well. */
  async shell(script: string): Promise<string> {
    return succeeded(await this.host(['sh', '-c', script])).stdout.trim()
  }

  /** Build an image. @param files of the context, by name; one is Dockerfile @returns its tag, and how the build went */
  async build(
    files: Readonly<Record<string, string>>,
    flags: readonly string[] = [],
    env: Readonly<Record<string, string>> = {},
  ): Promise<{ tag: string; result: Result }> {
    const tag = `localhost/${this.fresh()}`
    const context = mkdtempSync(`${this.folder}/context-`)
    chmodSync(context, 0o755) // the engine may be an ordinary user's
    for (const [name, text] of Object.entries(files)) writeFileSync(`${context}/${name}`, text)
    return { tag, result: await this.run(['build', '--tag', tag, ...flags, context], { env }) }
  }

  /** What a command of the client prints when it ends well. */
  async said(...words: string[]): Promise<string> {
    return succeeded(await this.run(words)).stdout.trim()
  }

  /** What a shell script prints in a container of its own that is removed when it ends. */
  async sh(script: string, ...flags: string[]): Promise<string> {
    return this.said('run', '--rm', '--name', this.fresh(), ...flags, IMAGE, 'sh', '-c', script)
  }

  /** Start a shell script in the background. @returns its container */
  async launch(script: string, ...flags: string[]): Promise<string> {
    const name = this.fresh()
    await this.said('run', '--detach', '--name', name, ...flags, IMAGE, 'sh', '-c', script)
    return name
  }

  /** A field of `inspect`, by a Go template. */
  async inspect(name: string, template: string): Promise<string> {
    return this.said('inspect', '--format', template, name)
  }

  /** A container that can be told its end: removed by tidy, not by itself. @returns name, and how `run` ended */
  async ended(script: string, ...flags: string[]): Promise<{ name: string; result: Result }> {
    const name = this.fresh()
    return { name, result: await this.run(['run', '--name', name, ...flags, IMAGE, 'sh', '-c', script]) }
  }

  /** A shell script in a running container. */
  async exec(name: string, script: string, ...flags: string[]): Promise<string> {
    return this.said('exec', ...flags, name, 'sh', '-c', script)
  }

  /** A command of the client in a terminal. */
  async inTerminal(words: readonly string[], body: (pty: Pty) => Promise<void>): Promise<number | string> {
    using pty = new Pty(24, 80)
    const { status } = pty.start([...this.engine.client, ...words])
    await body(pty)
    const late = sleep(PATIENCE_MS, undefined, { ref: false }).then(() =>
      Promise.reject(new Error(`${words.join(' ')} does not end`)),
    )
    return await Promise.race([status, late])
  }

  /** Wait until a command of the client says what it should. */
  async until(expected: RegExp, ...words: string[]): Promise<string> {
    return waitFor(`${words.join(' ')} to say ${expected}`, async () => {
      const { stdout, stderr } = await this.run(words)
      return { done: expected.test(stdout), value: stdout.trim(), seen: stdout + stderr }
    })
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.engine.tidy(this)
  }
}

/** @throws Error that tells what was seen last, when the time is up */
export async function waitFor<T>(
  what: string,
  probe: () => Promise<{ done: boolean; value: T; seen?: string }>,
  patience = PATIENCE_MS,
): Promise<T> {
  const deadline = Date.now() + patience
  for (;;) {
    const { done, value, seen } = await probe()
    if (done) return value
    if (Date.now() > deadline) throw new Error(`waited in vain for ${what}; last seen: ${seen ?? value}`)
    await sleep(50)
  }
}

/** A command that must fail. @returns all that it wrote */
export function refused(result: Result): string {
  assert.is.not(result.status, 0, `it succeeded: ${result.stdout}`)
  return result.stdout + result.stderr
}
