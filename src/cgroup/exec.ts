// Where a process that exec adds enters: the container's cgroup, or one below it.

import { RuntError } from '../errors.ts'
import { exists, readFileIfPresent } from '../native/file.ts'
import { ADDING_PID, BAD_SUB_CGROUP, NOT_A_SUB_CGROUP, UNKNOWN_CONTROLLER } from '../words.ts'
import { type Cgroup, type JoinPoints, joinPoints, UNIFIED } from './cgroup.ts'
import { checkNotFrozen } from './freezer.ts'
import { readKnobIfPresent } from './knob.ts'

/**
 * @param subCgroups of --cgroup: "path", or "controller[,controller]:path" on v1; below the container's own folder
 * @param init pid of the container's first process
 * @param ignorePaused enter a frozen cgroup as well: the process runs when somebody thaws it
 * @throws RuntError 'cgroup' for one that can't be read, isn't there, or is frozen
 */
export function execJoinPoints(
  cgroup: Cgroup,
  subCgroups: readonly string[],
  init: number,
  ignorePaused = false,
): JoinPoints {
  const place = subCgroups.length > 0 ? below(cgroup, parseSubCgroups(subCgroups)) : placeOf(cgroup, init)
  if (!ignorePaused) checkNotFrozen(place, subCgroups.length > 0 ? `--cgroup ${subCgroups.join(' ')}` : 'exec')
  return joinPoints(place)
}

function placeOf(cgroup: Cgroup, init: number): Cgroup {
  const unified = cgroup.directories[UNIFIED]
  // A v2 folder that hands controllers down has no processes of its own: init has moved to one below, and so does exec.
  if (unified === undefined || (readKnobIfPresent(`${unified}/cgroup.subtree_control`) ?? '') === '') return cgroup
  return { ...cgroup, directories: { ...cgroup.directories, [UNIFIED]: unified + placeBelow(cgroup, init) } }
}

/**
 * Into a scope of the user's systemd its caller may not go, unless it runs below that systemd itself: systemd moves the process.
 * @param points from execJoinPoints()
 * @returns the place below the scope, "" for the scope itself; undefined for a cgroup that one may enter
 */
export function placeToAttach({ scope, directories }: Cgroup, points: JoinPoints): string | undefined {
  if (scope?.kind !== 'user') return undefined
  const own = directories[UNIFIED] ?? ''
  const directory = points.v2Directory ?? points.procs[0]?.slice(0, -'/cgroup.procs'.length) ?? own
  return directory.slice(own.length)
}

/** The way from the container's v2 folder to the one that a process is in. */
function placeBelow({ path }: Cgroup, pid: number): string {
  const own = /^0::(.*)$/m.exec(readFileIfPresent(`/proc/${pid}/cgroup`) ?? '')?.[1] ?? ''
  const from = path === '/' ? '' : path
  return own.startsWith(`${from}/`) ? own.slice(from.length) : ''
}

const ALL = ''

/** Controller (ALL for all of them) → path below the container's folder. */
function parseSubCgroups(texts: readonly string[]): Map<string, string> {
  const paths = new Map<string, string>()
  for (const text of texts) {
    const colon = text.indexOf(':')
    const controllers = colon < 0 ? [ALL] : text.slice(0, colon).split(',')
    for (const controller of controllers) {
      if (colon >= 0 && controller === '') throw refuse(text, 'a controller has no name')
      if (paths.has(controller)) throw refuse(text, `${controller || 'the path'} is given twice`)
      paths.set(controller, subPath(text, text.slice(colon + 1)))
    }
  }
  if (paths.has(ALL) && paths.size > 1) throw refuse(texts.join(' '), 'one of them names no controller')
  return paths
}

/** Part by part, so that nothing leads out, be it ".." or a neighbour whose name begins alike. */
function subPath(text: string, path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== '.')
  if (parts.includes('..')) throw refuse(text, `${BAD_SUB_CGROUP}: ${path} ${NOT_A_SUB_CGROUP}`)
  return parts.map((part) => `/${part}`).join('')
}

function below(cgroup: Cgroup, paths: ReadonlyMap<string, string>): Cgroup {
  const directories: Record<string, string> = { ...cgroup.directories }
  for (const [controller, path] of paths) {
    const names = Object.keys(directories).filter((name) => controller === ALL || name.split(',').includes(controller))
    if (names.length === 0)
      throw refuse(`${controller}:${path}`, `${UNKNOWN_CONTROLLER} ${controller}: the container has no cgroup of it`)
    for (const name of names) directories[name] = folderBelow(cgroup, name, path)
  }
  return { ...cgroup, directories }
}

function folderBelow({ mode, directories }: Cgroup, name: string, path: string): string {
  const folder = `${directories[name]}${path}`
  if (exists(folder)) return folder
  // Beside v1's controllers the unified hierarchy limits nothing: who made the folders may not know of it.
  if (mode === 'hybrid' && name === UNIFIED) return directories[name] ?? ''
  throw new RuntError('cgroup', `--cgroup ${path}: ${ADDING_PID}: ${folder}/cgroup.procs: no such file or directory`)
}

function refuse(text: string, why: string): RuntError {
  return new RuntError('cgroup', `--cgroup ${JSON.stringify(text)}: ${why}`)
}
