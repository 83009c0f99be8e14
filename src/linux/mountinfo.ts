// The text of /proc/PID/mountinfo. proc_pid_mountinfo(5)

/** A path or name as it is: the kernel writes space, tab, newline, backslash and "#" as \ooo. */
export function decodeField(field: string): string {
  if (!field.includes('\\')) return field
  return field.replace(/\\([0-7]{3})/g, (_, digits: string) => String.fromCharCode(Number.parseInt(digits, 8)))
}
