// A network namespace that a process of ours holds, and what runs in it.

import { type ChildProcess, spawn, spawnSync } from 'node:child_process'
import { readFileSync } from 'node:fs'
import { NAMESPACES } from './bundle.ts'
import { waitUntil } from './patience.ts'

export class NetworkNamespace implements Disposable {
  /** It ends with us: its input is a pipe of ours. */
  readonly #holder: ChildProcess

  private constructor(holder: ChildProcess) {
    this.#holder = holder
  }

  /** With its loopback device on. */
  static async make(): Promise<NetworkNamespace> {
    const script = 'busybox ip link set lo up && echo up && exec cat'
    const holder = spawn('unshare', ['-n', 'sh', '-c', script], { stdio: ['pipe', 'pipe', 'ignore'] })
    await new Promise((resolve, reject) => {
      holder.stdout.once('data', resolve)
      holder.once('exit', (status) => reject(new Error(`unshare -n: exit status ${status}`)))
    })
    return new NetworkNamespace(holder)
  }

  get pid(): number {
    return this.#holder.pid ?? -1
  }

  /** linux.namespaces of a container in it. */
  get namespaces(): object[] {
    const path = `/proc/${this.pid}/ns/net`
    return NAMESPACES.map((namespace) => (namespace.type === 'network' ? { ...namespace, path } : namespace))
  }

  /** Words that start a command in it. */
  get starter(): string[] {
    return ['nsenter', `--net=/proc/${this.pid}/ns/net`]
  }

  /** @throws Error with what the command says when it fails */
  run(...command: readonly string[]): void {
    const [program = '', ...words] = [...this.starter, ...command]
    const { status, stderr } = spawnSync(program, words, { encoding: 'utf8' })
    if (status !== 0) throw new Error(`${command.join(' ')}: ${stderr.trim()}`)
  }

  /** Wait until somebody in it listens to a TCP port on any address. */
  async listensTo(port: number): Promise<void> {
    const listening = new RegExp(`:${port.toString(16).toUpperCase().padStart(4, '0')} 0+:0000 0A`)
    await waitUntil(
      () => ['tcp', 'tcp6'].some((table) => listening.test(readFileSync(`/proc/${this.pid}/net/${table}`, 'utf8'))),
      () => `nobody listens to port ${port}`,
    )
  }

  /** A connection of TCP from in there. */
  connect(address: string, port: number): Connection {
    return new Connection(this, address, port)
  }

  [Symbol.dispose](): void {
    this.#holder.kill('SIGKILL')
  }
}

/** What nc(1) of busybox makes. */
export class Connection implements Disposable {
  readonly #child: ChildProcess
  #heard = ''
  /** Is told of whatever comes. */
  listener: (text: string) => void = () => {}

  constructor({ starter }: NetworkNamespace, address: string, port: number) {
    const [program = '', ...words] = [...starter, 'busybox', 'nc', address, `${port}`]
    this.#child = spawn(program, words, { stdio: ['pipe', 'pipe', 'ignore'] })
    this.#child.stdout?.on('data', (chunk: Buffer) => {
      this.#heard += chunk.toString()
      this.listener(chunk.toString())
    })
    this.#child.stdin?.on('error', () => {}) // it has ended: whoever waits for an answer says so
  }

  send(line: string): void {
    this.#child.stdin?.write(`${line}\n`)
  }

  /** Send a line, and wait for an answer. */
  async says(line: string, answer: RegExp): Promise<void> {
    this.send(line)
    await waitUntil(
      () => answer.test(this.#heard),
      () => `no ${answer} in ${JSON.stringify(this.#heard.slice(-200))}`,
    )
  }

  [Symbol.dispose](): void {
    this.#child.kill('SIGKILL')
  }
}
