// What this machine must have for the engines' cases.

import { existsSync } from 'node:fs'

const PROGRAMS =
  'podman buildah conmon netavark docker dockerd containerd ctr docker-registry busybox iptables ip unshare tar'
const FOLDERS = ['/usr/bin', '/usr/sbin', '/usr/lib/podman', '/bin', '/sbin']

/** @returns why they can't run, if they can't */
export function missingForEngines(): string | undefined {
  if (process.getuid?.() !== 0) return 'needs root'
  const absent = PROGRAMS.split(' ').filter((name) => !FOLDERS.some((folder) => existsSync(`${folder}/${name}`)))
  return absent.length === 0 ? undefined : `needs ${absent.join(', ')}`
}
