// The codes of runt's errors: words for programs, in the field `code` of a JSON log line. One that is here stays what it is.

/** Code → what it tells, and which other fields its line has. */
export const ERROR_CODES = {
  usage: 'the words on the command line, or the flags together, make no sense',
  bundle: 'the bundle or its config.json can not be read, or may not be written',
  'config-invalid': 'config.json is not what the specification asks for (bundle, problems)',
  'config-unsupported': 'config.json, a flag or a command asks for what runt can not give (bundle, problems)',
  'id-invalid': 'the id is not one that a container may have',
  'container-exists': 'the id is taken',
  'container-not-found': 'there is no container of that id',
  'container-status': 'the container is in a state in which this can not be done (id, status)',
  'container-busy': 'another runt is at work on the container, and does not end (pid)',
  'program-not-found': "the container has no such program (pointer, syscall, errno): a shell's 127",
  'program-not-executable': "the container's program can not be executed (pointer, syscall, errno): a shell's 126",
  init: 'building the container failed (step, pointer, syscall, errno)',
  hook: 'a hook could not be run, or failed',
  'hook-timeout': 'a hook did not end within its timeout',
  cgroup: 'the cgroup can not be made, limited, frozen, emptied or removed',
  state: "the container's record can not be read or written",
  criu: 'CRIU did not checkpoint or restore the container (log)',
  signal: 'the text is no signal',
  host: 'this machine lacks what is needed',
  syscall: 'a system call of runt itself failed (syscall, errno)',
  internal: 'a mistake of runt: please report it',
} as const satisfies Record<string, string>

export type ErrorCode = keyof typeof ERROR_CODES
