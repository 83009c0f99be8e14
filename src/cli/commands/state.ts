import { containerState } from '../../lifecycle/state.ts'
import type { Command } from '../command.ts'
import { printJson } from '../output.ts'

export const state: Command = {
  name: 'state',
  operands: 'ID',
  summary: 'print the state of a container as JSON',
  details: [
    'Status is one of creating, created, running, paused and stopped, and found out at that moment. pid is 0 once the container has stopped.',
    'Of a container that has stopped, exit says how, as far as anybody saw it: status or signal; cause oom-kill or seccomp; oomKills, and limit, the cgroup whose memory limit was reached. It is seen by a run in the foreground with --keep, until the parent of a detached container has reaped it, and always with the annotation runt.exit-record: "true" (Linux 6.15), for which a small process waits beside the container.',
  ],
  flags: [],
  examples: [['runt state mine', 'its state as JSON']],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    printJson(containerState(store, id))
    return 0
  },
}
