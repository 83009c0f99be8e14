// What this machine must have for the engines' cases.

import { existsSync } from 'node:fs'
import type { EngineName } from './engine.ts'

const WORLD = 'busybox ip iptables tar unshare'
const PROGRAMS: Readonly<Record<EngineName, string>> = {
  podman: `${WORLD} podman conmon netavark catatonit`,
  rootless: `${WORLD} podman conmon netavark catatonit setpriv newuidmap slirp4netns`,
  'rootless-docker': `${WORLD} docker dockerd containerd ctr containerd-shim-runc-v2 setpriv newuidmap slirp4netns rootlesskit dockerd-rootless.sh`,
  buildah: `${WORLD} buildah podman conmon netavark`,
  docker: `${WORLD} docker dockerd containerd ctr containerd-shim-runc-v2`,
  containerd: `${WORLD} containerd ctr containerd-shim-runc-v2`,
  cri: `${WORLD} containerd ctr containerd-shim-runc-v2`,
}
const FOLDERS = [
  '/usr/bin',
  '/usr/sbin',
  '/usr/lib/podman',
  '/usr/libexec/podman',
  '/usr/share/docker.io/contrib',
  '/bin',
  '/sbin',
]

/** @returns why no case can run, if none can */
export function missingForEngines(): string | undefined {
  return process.getuid?.() === 0 ? undefined : 'needs root'
}

/** @returns why the cases of this engine can't run, if they can't */
export function missingFor(engine: EngineName): string | undefined {
  return missingPrograms(PROGRAMS[engine].split(' '))
}

/** @returns which of these programs a case would need */
export function missingPrograms(names: readonly string[], folders: readonly string[] = FOLDERS): string | undefined {
  const absent = names.filter((name) => !folders.some((folder) => existsSync(`${folder}/${name}`)))
  return absent.length === 0 ? undefined : `needs ${absent.join(', ')}`
}
