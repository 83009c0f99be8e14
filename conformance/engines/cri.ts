// containerd as the kubelet uses it: its Container Runtime Interface, and no kubelet.

import { mkdirSync, writeFileSync } from 'node:fs'
import { connect as connectHttp } from 'node:http2'
import { connect } from 'node:net'
import type { Result } from '../runtime.ts'
import { startContainerdAs } from './containerd.ts'
import type { Engine, Session, World } from './engine.ts'
import { PAUSE_IMAGE } from './image.ts'
import { RUNTIME_NAME } from './path.ts'
import { type Decoded, decode, ENTRY, encode, type Message, type Value } from './protobuf.ts'

const NAME = 'containerd-cri'
const NAMESPACE = 'k8s.io'
/** Debian's containernetworking-plugins. */
export const CNI_PLUGINS = '/usr/lib/cni'

export async function startCri(world: World): Promise<Engine> {
  const networks = `${world.folder}/networks`
  mkdirSync(networks)
  writeFileSync(`${networks}/10-pods.conflist`, JSON.stringify(NETWORK))
  const binary = `${world.folder}/${NAME}/bin/${RUNTIME_NAME}`
  const engine = await startContainerdAs(world, NAME, NAMESPACE, criConfig(binary, networks))
  return {
    ...engine,
    name: 'cri',
    async tidy(session) {
      for (const pod of session.names) {
        await call(session, 'StopPodSandbox', { pod_sandbox_id: pod })
        await call(session, 'RemovePodSandbox', { pod_sandbox_id: pod })
      }
    },
  }
}

const NETWORK = {
  cniVersion: '0.4.0',
  name: 'pods',
  plugins: [
    {
      type: 'bridge',
      bridge: 'pods0',
      isGateway: true,
      ipam: { type: 'host-local', ranges: [[{ subnet: '10.79.0.0/24' }]], routes: [{ dst: '0.0.0.0/0' }] },
    },
  ],
}

function criConfig(binary: string, networks: string): string {
  return `
[plugins."io.containerd.grpc.v1.cri"]
sandbox_image = "${PAUSE_IMAGE}"
disable_tcp_service = true
restrict_oom_score_adj = true
[plugins."io.containerd.grpc.v1.cri".cni]
bin_dir = "${CNI_PLUGINS}"
conf_dir = "${networks}"
[plugins."io.containerd.grpc.v1.cri".containerd]
default_runtime_name = "${RUNTIME_NAME}"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${RUNTIME_NAME}]
runtime_type = "io.containerd.runc.v2"
[plugins."io.containerd.grpc.v1.cri".containerd.runtimes.${RUNTIME_NAME}.options]
BinaryName = "${binary}"
`
}

const INT64: Message = { value: 1 }
const METADATA: Message = { name: 1, uid: 2, namespace: 3, attempt: 4 }
const NAMESPACES: Message = { network: 1, pid: 2, ipc: 3, target_id: 4 }
const PROFILE: Message = { profile_type: 1, localhost_ref: 2 }
const SANDBOX_SECURITY: Message = { namespace_options: [1, NAMESPACES], privileged: 6, seccomp: [9, PROFILE] }
const POD: Message = {
  metadata: [1, METADATA],
  hostname: 2,
  log_directory: 3,
  dns_config: [4, { servers: 1, searches: 2, options: 3 }],
  labels: [6, ENTRY],
  annotations: [7, ENTRY],
  linux: [8, { cgroup_parent: 1, security_context: [2, SANDBOX_SECURITY], sysctls: [3, ENTRY] }],
}
const RESOURCES: Message = {
  cpu_period: 1,
  cpu_quota: 2,
  cpu_shares: 3,
  memory_limit_in_bytes: 4,
  oom_score_adj: 5,
  cpuset_cpus: 6,
}
const SECURITY: Message = {
  capabilities: [1, { add_capabilities: 1, drop_capabilities: 2 }],
  privileged: 2,
  namespace_options: [3, NAMESPACES],
  run_as_user: [5, INT64],
  run_as_username: 6,
  readonly_rootfs: 7,
  supplemental_groups: 8,
  no_new_privs: 11,
  run_as_group: [12, INT64],
  masked_paths: 13,
  readonly_paths: 14,
  seccomp: [15, PROFILE],
}
const CONTAINER: Message = {
  metadata: [1, { name: 1, attempt: 2 }],
  image: [2, { image: 1 }],
  command: 3,
  args: 4,
  working_dir: 5,
  envs: [6, ENTRY],
  mounts: [7, { container_path: 1, host_path: 2, readonly: 3, propagation: 5 }],
  log_path: 11,
  tty: 14,
  linux: [15, { resources: [1, RESOURCES], security_context: [2, SECURITY] }],
}
/** Of processor time and memory. */
const STATS: Message = {
  cpu: [2, { usage_core_nano_seconds: [2, INT64] }],
  memory: [3, { working_set_bytes: [2, INT64] }],
}
const STATUS: Message = { status: [1, { state: 3, exit_code: 7, reason: 10 }] }

/** Of cri-api's v1 what the cases use: what is sent, and what is read of the answer. */
const METHODS = {
  RunPodSandbox: [{ config: [1, POD], runtime_handler: 2 }, { pod_sandbox_id: 1 }],
  StopPodSandbox: [{ pod_sandbox_id: 1 }, {}],
  RemovePodSandbox: [{ pod_sandbox_id: 1 }, {}],
  CreateContainer: [{ pod_sandbox_id: 1, config: [2, CONTAINER], sandbox_config: [3, POD] }, { container_id: 1 }],
  StartContainer: [{ container_id: 1 }, {}],
  StopContainer: [{ container_id: 1, timeout: 2 }, {}],
  RemoveContainer: [{ container_id: 1 }, {}],
  ContainerStatus: [{ container_id: 1 }, STATUS],
  ContainerStats: [{ container_id: 1 }, { stats: [1, STATS] }],
  ReopenContainerLog: [{ container_id: 1 }, {}],
  PodSandboxStatus: [{ pod_sandbox_id: 1 }, { status: [1, { state: 3 }] }],
  UpdateContainerResources: [{ container_id: 1, linux: [2, RESOURCES] }, {}],
  ExecSync: [
    { container_id: 1, cmd: 2, timeout: 3 },
    { stdout: 1, stderr: 2, exit_code: 3 },
  ],
} as const satisfies Record<string, readonly [Message, Message]>

/**
 * One call of the runtime service.
 * @returns the answer as the process that was asked ended: status 0 and the message, or the code of gRPC and its words
 */
async function call(
  engine: Session,
  method: keyof typeof METHODS,
  fields: { readonly [field: string]: Value | undefined },
): Promise<{ code: number; words: string; answer: Decoded }> {
  const [request, response]: readonly [Message, Message] = METHODS[method]
  const body = encode(request, fields)
  const frame = Buffer.alloc(5)
  frame.writeUInt32BE(body.length, 1)
  const socket = engine.engine.client[engine.engine.client.indexOf('--address') + 1] ?? ''
  const session = connectHttp('http://localhost', { createConnection: () => connect(socket) })
  try {
    return await new Promise((resolve, reject) => {
      session.on('error', reject)
      const path = `/runtime.v1.RuntimeService/${method}`
      const headers = { ':method': 'POST', ':path': path, 'content-type': 'application/grpc', te: 'trailers' }
      const stream = session.request(headers)
      const chunks: Buffer[] = []
      let status: { readonly [name: string]: unknown } = {}
      // A call that fails may have no body, and then its status is in the headers.
      stream.on('response', (got) => {
        if ('grpc-status' in got) status = got
      })
      stream.on('trailers', (got) => {
        status = got
      })
      stream.on('data', (chunk: Buffer) => chunks.push(chunk))
      stream.on('error', reject)
      stream.on('end', () => {
        const answer = decode(response, Buffer.concat(chunks).subarray(frame.length))
        resolve({ code: Number(status['grpc-status']), words: decodeURIComponent(`${status['grpc-message']}`), answer })
      })
      stream.end(Buffer.concat([frame, body]))
    })
  } finally {
    session.close()
  }
}

/** @throws Error with the words of the one who refused */
async function ask(
  engine: Session,
  method: keyof typeof METHODS,
  fields: { readonly [field: string]: Value | undefined },
): Promise<Decoded> {
  const { code, words, answer } = await call(engine, method, fields)
  if (code !== 0) throw new Error(`${method}: code ${code}: ${words}`)
  return answer
}

export type Config = { readonly [field: string]: Value }

export const NamespaceMode = { POD: 0, CONTAINER: 1, NODE: 2, TARGET: 3 } as const
export const Profile = { DEFAULT: 0, UNCONFINED: 1, LOCALHOST: 2 } as const
export const Propagation = { PRIVATE: 0, SLAVE: 1, SHARED: 2 } as const

export class Pod {
  readonly #engine: Session
  readonly #config: Config
  readonly id: string
  #containers = 0

  private constructor(engine: Session, config: Config, id: string) {
    this.#engine = engine
    this.#config = config
    this.id = id
  }

  /** @param config what is to be changed of a pod in a network of its own; only such a pod may have a host name */
  static async run(engine: Session, config: Config = {}, handler: string = RUNTIME_NAME): Promise<Pod> {
    const uid = `${engine.id}-${engine.names.length}`
    const whole = {
      metadata: { name: uid, uid, namespace: 'default', attempt: 0 },
      log_directory: engine.folder,
      ...config,
    }
    const { pod_sandbox_id: id } = await ask(engine, 'RunPodSandbox', { config: whole, runtime_handler: handler })
    engine.names.push(`${id}`)
    return new Pod(engine, whole, `${id}`)
  }

  /** Create and start a container that runs a shell script. @returns its id */
  async start(image: string, script: string, config: Config = {}): Promise<string> {
    const name = `c${++this.#containers}`
    const whole = {
      metadata: { name, attempt: 0 },
      image: { image },
      command: ['sh', '-c', script],
      log_path: `${this.id}-${name}.log`,
      ...config,
    }
    const request = { pod_sandbox_id: this.id, config: whole, sandbox_config: this.#config }
    const { container_id } = await ask(this.#engine, 'CreateContainer', request)
    await ask(this.#engine, 'StartContainer', { container_id: `${container_id}` })
    return `${container_id}`
  }

  async exec(container: string, script: string, timeout = 0): Promise<Result> {
    const request = { container_id: container, cmd: ['sh', '-c', script], timeout }
    const { stdout = '', stderr = '', exit_code: status = 0 } = await ask(this.#engine, 'ExecSync', request)
    return { stdout: `${stdout}`, stderr: `${stderr}`, status: Number(status) }
  }

  async stop(container: string, timeout: number): Promise<void> {
    await ask(this.#engine, 'StopContainer', { container_id: container, timeout })
  }

  async remove(container: string): Promise<void> {
    await ask(this.#engine, 'RemoveContainer', { container_id: container })
  }

  /** The whole pod: its containers as well. */
  async end(): Promise<void> {
    await ask(this.#engine, 'StopPodSandbox', { pod_sandbox_id: this.id })
  }

  async removeAll(): Promise<void> {
    await ask(this.#engine, 'RemovePodSandbox', { pod_sandbox_id: this.id })
  }

  async isReady(): Promise<boolean> {
    const { status } = await ask(this.#engine, 'PodSandboxStatus', { pod_sandbox_id: this.id })
    return typeof status === 'object' && Number(status.state ?? 0) === 0
  }

  /** The file that a container's log goes to was moved away. */
  async reopenLog(container: string): Promise<void> {
    await ask(this.#engine, 'ReopenContainerLog', { container_id: container })
  }

  /** Nanoseconds of processor time, and bytes of memory. */
  async stats(container: string): Promise<{ cpu: number; memory: number }> {
    const { stats } = await ask(this.#engine, 'ContainerStats', { container_id: container })
    const number = (...path: readonly string[]): number => {
      let at: Decoded[string] | undefined = stats
      for (const name of [...path, 'value']) at = typeof at === 'object' ? at[name] : undefined
      return Number(at ?? 0)
    }
    return { cpu: number('cpu', 'usage_core_nano_seconds'), memory: number('memory', 'working_set_bytes') }
  }

  async update(container: string, linux: Config): Promise<void> {
    await ask(this.#engine, 'UpdateContainerResources', { container_id: container, linux })
  }

  /** As text: state, exit status, reason. */
  async status(container: string): Promise<string> {
    const { status } = await ask(this.#engine, 'ContainerStatus', { container_id: container })
    const { state = 0, exit_code = 0, reason = '' } = typeof status === 'object' ? status : {}
    return `${['created', 'running', 'exited', 'unknown'][Number(state)]} ${exit_code} ${reason}`.trim()
  }
}
