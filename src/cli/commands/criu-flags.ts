// Flags that checkpoint and restore share, and what they mean for lifecycle/.

import { RuntError } from '../../errors.ts'
import { CGROUP_MODES, type CriuFlags } from '../../lifecycle/criu-options.ts'
import type { Flag, Parsed } from '../args.ts'
import { absolute } from '../path.ts'

export const CRIU_FLAGS: readonly Flag[] = [
  { name: 'image-path', kind: 'string', value: 'DIR', help: 'the folder of the images (./checkpoint)' },
  { name: 'work-path', kind: 'string', value: 'DIR', help: "the folder of CRIU's log and statistics (one of runt's)" },
  { name: 'tcp-established', kind: 'boolean', help: 'allow open TCP connections' },
  { name: 'ext-unix-sk', kind: 'boolean', help: 'allow Unix sockets that lead out of the container' },
  { name: 'shell-job', kind: 'boolean', help: "allow a terminal and a session that are the caller's" },
  { name: 'file-locks', kind: 'boolean', help: 'allow file locks' },
  {
    name: 'manage-cgroups-mode',
    kind: 'string',
    value: 'MODE',
    help: 'cgroups below its own: soft, full, strict or ignore (soft)',
  },
  { name: 'empty-ns', kind: 'string', value: 'network', help: "don't keep what is set up in it: always so" },
  { name: 'auto-dedup', kind: 'boolean', help: 'take memory that is saved twice out of earlier images' },
  { name: 'lazy-pages', kind: 'boolean', help: 'leave memory where it is until it is needed (userfaultfd)' },
]

/** @throws RuntError 'usage' */
export function criuFlags(args: Parsed): CriuFlags {
  for (const name of args.strings('empty-ns')) {
    if (name !== 'network') throw new RuntError('usage', `--empty-ns ${JSON.stringify(name)}: can only be network`)
  }
  const mode = args.string('manage-cgroups-mode') ?? 'soft'
  const manageCgroupsMode = CGROUP_MODES.find((known) => known === mode)
  if (manageCgroupsMode === undefined) {
    throw new RuntError(
      'usage',
      `--manage-cgroups-mode ${JSON.stringify(mode)} is none of ${[...CGROUP_MODES].sort().join(', ')}`,
    )
  }
  const workPath = args.string('work-path')
  return {
    imagePath: absolute(args.string('image-path') ?? 'checkpoint'),
    workPath: workPath === undefined ? undefined : absolute(workPath),
    tcpEstablished: args.boolean('tcp-established'),
    extUnixSk: args.boolean('ext-unix-sk'),
    shellJob: args.boolean('shell-job'),
    fileLocks: args.boolean('file-locks'),
    autoDedup: args.boolean('auto-dedup'),
    lazyPages: args.boolean('lazy-pages'),
    manageCgroupsMode,
  }
}
