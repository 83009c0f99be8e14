// Which security modules are at work on this machine.

import { propertyError, type RuntError } from '../errors.ts'
import { exists, readFileIfPresent } from '../native/file.ts'
import { pointerText } from '../pointer.ts'

/** AppArmor's own parameter: it may be built in and switched off. */
export function hasAppArmor(): boolean {
  return readFileIfPresent('/sys/module/apparmor/parameters/enabled')?.startsWith('Y') ?? false
}

/** selinuxfs is there as soon as SELinux is on, permissive or enforcing. */
export function hasSelinux(): boolean {
  return exists('/sys/fs/selinux/enforce')
}

/** What a config says to security modules. */
export interface Labels {
  readonly apparmorProfile: string | undefined
  readonly selinuxLabel: string | undefined
}

/** @throws RuntError for a label that nobody here would heed */
export function requireLabels({ apparmorProfile, selinuxLabel }: Labels): void {
  if (apparmorProfile !== undefined && apparmorProfile !== 'unconfined' && !hasAppArmor()) {
    throw lacking('/process/apparmorProfile', apparmorProfile, 'AppArmor')
  }
  if (selinuxLabel !== undefined && !hasSelinux()) throw lacking('/process/selinuxLabel', selinuxLabel, 'SELinux')
}

function lacking(pointer: string, label: string, module: string): RuntError {
  return propertyError('host', pointer, `${JSON.stringify(label)}: ${module} is not at work on this machine`, {
    hint: `leave ${pointerText(pointer)} out, or boot with ${module}: nothing would confine the program`,
  })
}
