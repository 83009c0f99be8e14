// What cases of checkpoints share: the verbs of the two engines for it, and the program of the containers. That counts the signals
// that it gets, in its memory, and tells of each: one that goes on where it was knows how many there were, and one that is run anew
// begins again.

import { existsSync, realpathSync } from 'node:fs'
import { type Session, waitFor } from './engine.ts'

/** The program ends by SIGTERM with this status. */
export const TELLER_STATUS = 7

/** It tells in a file of the container's own as well; when a count is in the log, no file is open. */
export const TELLER =
  `n=0; trap 'n=$((n+1)); echo n=$n 2>/dev/null >>/told; echo n=$n' USR1; trap 'exit ${TELLER_STATUS}' TERM; ` +
  'echo ready; while :; do sleep 0.05; done'

/**
 * A container with flock(1) of the machine, and what the program does first for a process beside it to hold a lock, which CRIU
 * saves only when it is told to. (On an overlay CRIU doesn't see it at all.)
 */
export const LOCKING = {
  flags: ['--tmpfs=/scratch', ...['/usr', '/lib', '/lib64'].filter((path) => existsSync(path)).flatMap(bound)],
  before:
    'PATH=$PATH:/usr/bin; flock /scratch/lock sleep 1000000 & while flock -n /scratch/lock true; do sleep 0.05; done; ',
}

/** @param path of the machine; CRIU follows no link to it when others than runt call it */
function bound(path: string): string[] {
  return ['-v', `${realpathSync(path)}:${path}:ro`]
}

/** Start it, and wait until it is ready. @param before what it does first @returns its container */
export async function launchTeller(engine: Session, flags: readonly string[] = [], before = ''): Promise<string> {
  const name = await engine.launch(`${before}${TELLER}`, ...flags)
  await engine.until(/^ready/m, 'logs', name)
  return name
}

/** Send it a signal. @returns how many it had, as it tells */
export async function count(engine: Session, name: string): Promise<number> {
  const told = async (): Promise<number[]> =>
    [...(await engine.said('logs', name)).matchAll(/^n=(\d+)$/gm)].map(([, number]) => Number(number))
  const before = (await told()).length
  await engine.said('kill', '--signal=USR1', name)
  return waitFor(`${name} to tell`, async () => {
    const now = await told()
    return { done: now.length > before, value: now.at(-1) ?? 0, seen: now.join(' ') }
  })
}

/** How Docker calls the checkpoint that is made here; Podman has one a container. */
const LABEL = 'point'

/** The command that makes a checkpoint. */
export function checkpointWords({ engine }: Session, name: string, ...flags: string[]): string[] {
  return engine.name === 'docker'
    ? ['checkpoint', 'create', ...flags, name, LABEL]
    : ['container', 'checkpoint', ...flags, name]
}

/** Make one; dockerd learns later that it has ended the container. */
export async function checkpoint(engine: Session, name: string, ...flags: string[]): Promise<void> {
  await engine.said(...checkpointWords(engine, name, ...flags))
  if (engine.engine.name === 'docker' && !flags.includes('--leave-running')) await engine.said('wait', name)
}

/** Let a container go on from its checkpoint. */
export async function restore(engine: Session, name: string, ...flags: string[]): Promise<void> {
  if (engine.engine.name === 'docker') await startFrom(engine, name, LABEL)
  else await engine.said('container', 'restore', ...flags, name)
}

/**
 * dockerd hands the images to containerd, which may still have those of the checkpoint itself, about to be collected, and then
 * says no (moby/moby#42900).
 */
export async function startFrom(engine: Session, name: string, label: string): Promise<void> {
  await waitFor(`${name} to start from ${label}`, async () => {
    const { status, stderr } = await engine.run(['start', '--checkpoint', label, name])
    if (status !== 0 && !stderr.includes('already exists')) throw new Error(stderr)
    return { done: status === 0, value: undefined, seen: stderr }
  })
}

/** How the engine says that it is. */
export function statusOf(engine: Session, name: string): Promise<string> {
  return engine.inspect(name, '{{.State.Status}}')
}
