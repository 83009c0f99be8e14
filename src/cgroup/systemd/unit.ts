// linux.cgroupsPath → the scope's name and slice. systemd.unit(5), systemd.slice(5). Pure.

import { propertyError, type RuntError } from '../../errors.ts'

/** Which of systemd's managers: the machine's, or that of a user. */
export type ManagerKind = 'system' | 'user'

export interface UnitPlace {
  /** PREFIX-NAME.scope */
  readonly unit: string
  readonly slice: string
}

/** UNIT_NAME_MAX: NUL included, 256. */
const LONGEST_NAME = 255
const DEFAULT_SLICES: Readonly<Record<ManagerKind, string>> = { system: 'system.slice', user: 'user.slice' }

/**
 * @param cgroupsPath slice:prefix:name, of which slice and prefix may be empty; absent: a scope runt-ID of the default slice
 * @throws RuntError 'cgroup' for what is no such triple, or makes no names of units
 */
export function unitPlace(cgroupsPath: string | undefined, id: string, kind: ManagerKind): UnitPlace {
  if (cgroupsPath === undefined || cgroupsPath === '') {
    const place = { unit: `runt-${escaped(id)}.scope`, slice: DEFAULT_SLICES[kind] }
    if (place.unit.length > LONGEST_NAME)
      throw refuse(id, `as a unit's name it has more than ${LONGEST_NAME} characters`)
    return place
  }
  const [slice = '', prefix = '', name = '', ...more] = cgroupsPath.split(':')
  if (name === '' || more.length > 0) {
    throw refuse(cgroupsPath, 'with --systemd-cgroup it has the form slice:prefix:name')
  }
  if (name.endsWith('.slice')) throw refuse(cgroupsPath, 'a slice has no processes: the name is that of a scope')
  const unit = `${prefix === '' ? '' : `${prefix}-`}${name}.scope`
  const place = { unit, slice: slice === '' ? DEFAULT_SLICES[kind] : slice }
  for (const each of Object.values(place)) {
    // No @: neither scopes nor slices are made from templates.
    if (!/^[\w:.\\-]+$/.test(each)) {
      throw refuse(cgroupsPath, `${JSON.stringify(each)}: such a unit's name has letters, digits and any of : _ . \\ -`)
    }
    if (each.length > LONGEST_NAME) throw refuse(cgroupsPath, `a unit's name has at most ${LONGEST_NAME} characters`)
  }
  slicePath(place.slice)
  return place
}

/** "a+b" → "a\\x2bb", as systemd-escape(1) does: ids may have characters that names of units mayn't. */
function escaped(id: string): string {
  return id.replace(/[^\w:.-]/g, (character) => `\\x${character.charCodeAt(0).toString(16).padStart(2, '0')}`)
}

const ROOT_SLICE = '-.slice'

/**
 * "a-b.slice" → "/a.slice/a-b.slice": where a slice's folder is. systemd.slice(5)
 * @throws RuntError 'cgroup' for what is no slice
 */
export function slicePath(slice: string): string {
  if (slice === ROOT_SLICE) return ''
  const name = /^(.+)\.slice$/.exec(slice)?.[1]
  const parts = name?.split('-') ?? ['']
  if (parts.includes('')) throw refuse(slice, 'no slice: those are called a.slice, a-b.slice …')
  return parts.map((_, index) => `/${parts.slice(0, index + 1).join('-')}.slice`).join('')
}

function refuse(text: string, why: string): RuntError {
  return propertyError('cgroup', '/linux/cgroupsPath', `${JSON.stringify(text)}: ${why}`)
}
