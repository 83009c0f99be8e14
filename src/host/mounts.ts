// The mounts that a process sees. proc_pid_mountinfo(5)

import { decodeField } from '../linux/mountinfo.ts'
import { readFile } from '../native/file.ts'

export interface MountEntry {
  readonly id: number
  /** What of the file system it shows, from that one's root. */
  readonly root: string
  /** Where it is, from the process's root. */
  readonly point: string
  /** tmpfs, ext4 … */
  readonly type: string
}

/** @throws SyscallError when there is no such process */
export function mountsOf(pid: number): MountEntry[] {
  return parseMounts(readFile(`/proc/${pid}/mountinfo`))
}

/** @param mountinfo the text of the file */
export function parseMounts(mountinfo: string): MountEntry[] {
  return mountinfo
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => {
      const fields = line.split(' ')
      return {
        id: Number(fields[0]),
        root: decodeField(fields[3] ?? ''),
        point: decodeField(fields[4] ?? ''),
        // Optional fields end with a dash; none of those before it is one.
        type: fields[fields.indexOf('-', 6) + 1] ?? '',
      }
    })
}
