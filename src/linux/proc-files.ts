// Files of procfs (proc(5)).

/** The only ones that something may be mounted over: they describe, none of them changes anything. */
export const DESCRIBING_PROC_FILES: ReadonlySet<string> = new Set([
  '/proc/cpuinfo',
  '/proc/diskstats',
  '/proc/meminfo',
  '/proc/stat',
  '/proc/swaps',
  '/proc/uptime',
  '/proc/loadavg',
  '/proc/slabinfo',
  '/proc/sys/kernel/ns_last_pid',
  '/proc/sys/crypto/fips_enabled',
])

/** What statfs(2) says of a procfs, and of a sysfs. */
export const PROC_SUPER_MAGIC = 0x9fa0
export const SYSFS_MAGIC = 0x62656572
