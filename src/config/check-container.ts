// Checks of what stands at the top of config.json (runtime-spec config.md).

import { encodeName } from '../linux/names.ts'
import { ownAnnotations } from './annotations.ts'
import type { Check, Checks } from './checks.ts'
import { exitRecord } from './exit-record.ts'
import { landlock } from './landlock.ts'

/** SemVer 2.0.0, the parts that matter here caught. */
const SEMVER =
  /^(?<major>0|[1-9]\d*)\.(?<minor>0|[1-9]\d*)\.(0|[1-9]\d*)(-(0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*)(\.(0|[1-9]\d*|\d*[a-zA-Z-][\da-zA-Z-]*))*)?(\+[\da-zA-Z-]+(\.[\da-zA-Z-]+)*)?$/

/** The newest runtime-spec that runt knows. */
export const SPEC_VERSION = '1.3.0'

/** utsname has room for so many bytes, the last NUL not counted. uname(2) */
const LONGEST_NAME = 64

/** config.md, Specification version: SemVer 2.0.0, of our major version. */
const version: Check = ({ ociVersion }, report) => {
  const parts = SEMVER.exec(ociVersion)?.groups
  if (parts === undefined)
    report('/ociVersion', ociVersion, 'must be a version as SemVer 2.0.0 writes it, like "1.3.0"')
  else if (parts.major !== '1') report('/ociVersion', ociVersion, 'runt follows version 1 of the specification')
}

/** "1.3.0-rc.1" → 3 */
export function minorOf(ociVersion: string): number {
  return Number(SEMVER.exec(ociVersion)?.groups?.minor ?? 0)
}

/** True for a version whose new properties runt may not know. */
export function isNewerMinor(ociVersion: string): boolean {
  return minorOf(ociVersion) > minorOf(SPEC_VERSION)
}

/** config.md, Root: required but on Windows. */
const root: Check = ({ root }, report) => {
  if (root === undefined) report('/root', undefined, 'is missing')
}

/** config.md, Hostname and Domainname: the container's, so never the runtime's own. */
const names: Check = (config, report, namespaces) => {
  for (const property of ['hostname', 'domainname'] as const) {
    const name = config[property]
    if (name === undefined || name === '') continue
    if (!namespaces.has('uts')) report(`/${property}`, name, 'needs a uts namespace in linux.namespaces')
    if (name.length * 3 > LONGEST_NAME && encodeName(name).length > LONGEST_NAME) {
      report(`/${property}`, name, `must be at most ${LONGEST_NAME} bytes long`)
    }
  }
}

export const CONTAINER_CHECKS: Checks = { version, root, names, ownAnnotations, landlock, exitRecord }
