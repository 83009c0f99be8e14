// The seccomp profile that Podman gives to containers without capabilities, as a config has it. containers-common(5)

import { existsSync, readFileSync } from 'node:fs'

const PROFILE = '/usr/share/containers/seccomp.json'
const MACHINE = process.arch === 'arm64' ? 'arm64' : 'amd64'
const ARCHITECTURE = process.arch === 'arm64' ? 'SCMP_ARCH_AARCH64' : 'SCMP_ARCH_X86_64'

interface Condition {
  readonly caps?: readonly string[]
  readonly arches?: readonly string[]
}

interface Profile {
  readonly defaultAction: string
  readonly defaultErrnoRet?: number
  readonly archMap: readonly { readonly architecture: string; readonly subArchitectures: readonly string[] | null }[]
  readonly syscalls: readonly {
    readonly names: readonly string[]
    readonly action: string
    readonly errnoRet?: number
    readonly args?: readonly unknown[] | null
    readonly includes?: Condition
    readonly excludes?: Condition
  }[]
}

/** linux.seccomp; undefined where the package golang-github-containers-common is not installed. */
export function defaultProfile(): Record<string, unknown> | undefined {
  if (!existsSync(PROFILE)) return undefined
  const profile = JSON.parse(readFileSync(PROFILE, 'utf8')) as Profile // the package's own format
  const { defaultAction, defaultErrnoRet, archMap } = profile
  const own = archMap.find(({ architecture }) => architecture === ARCHITECTURE)
  const rules = profile.syscalls.filter(({ includes }) => includes === undefined || holds(includes))
  return {
    defaultAction,
    ...(defaultErrnoRet !== undefined && { defaultErrnoRet }),
    architectures: [ARCHITECTURE, ...(own?.subArchitectures ?? [])],
    syscalls: rules.map(({ names, action, errnoRet, args }) => ({
      names,
      action,
      ...(errnoRet !== undefined && { errnoRet }),
      ...(args && { args }),
    })),
  }
}

/** Of a container without capabilities. Those that are excluded for capabilities stay. */
function holds({ caps = [], arches }: Condition): boolean {
  return caps.length === 0 && (arches === undefined || arches.includes(MACHINE))
}
