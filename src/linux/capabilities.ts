// Capabilities by number (include/uapi/linux/capability.h).

const NAMES = [
  'CHOWN',
  'DAC_OVERRIDE',
  'DAC_READ_SEARCH',
  'FOWNER',
  'FSETID',
  'KILL',
  'SETGID',
  'SETUID',
  'SETPCAP',
  'LINUX_IMMUTABLE',
  'NET_BIND_SERVICE',
  'NET_BROADCAST',
  'NET_ADMIN',
  'NET_RAW',
  'IPC_LOCK',
  'IPC_OWNER',
  'SYS_MODULE',
  'SYS_RAWIO',
  'SYS_CHROOT',
  'SYS_PTRACE',
  'SYS_PACCT',
  'SYS_ADMIN',
  'SYS_BOOT',
  'SYS_NICE',
  'SYS_RESOURCE',
  'SYS_TIME',
  'SYS_TTY_CONFIG',
  'MKNOD',
  'LEASE',
  'AUDIT_WRITE',
  'AUDIT_CONTROL',
  'SETFCAP',
  'MAC_OVERRIDE',
  'MAC_ADMIN',
  'SYSLOG',
  'WAKE_ALARM',
  'BLOCK_SUSPEND',
  'AUDIT_READ',
  'PERFMON',
  'BPF',
  'CHECKPOINT_RESTORE',
] as const

export type CapabilityName = `CAP_${(typeof NAMES)[number]}`

export const CAPABILITY_NAMES: readonly CapabilityName[] = NAMES.map((name) => `CAP_${name}` as const)

/** CAP_CHOWN → 0 …; undefined for a name that no kernel known to runt has. */
export function capabilityNumber(name: string): number | undefined {
  const index = (CAPABILITY_NAMES as readonly string[]).indexOf(name)
  return index < 0 ? undefined : index
}

/** The bit of a capability in a 64-bit set. */
export function capabilityBit(number: number): bigint {
  return 1n << BigInt(number)
}
