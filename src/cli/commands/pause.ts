import { pauseContainer } from '../../lifecycle/pause.ts'
import type { Command } from '../command.ts'

export const pause: Command = {
  name: 'pause',
  operands: 'ID',
  summary: 'stop all processes of a container where they are, until resume',
  details: [
    "The container's cgroup is frozen: its processes don't notice. Nothing ends them but resume, delete --force, and kill with KILL. When some process does not stop within two seconds, all go on and it is an error.",
  ],
  flags: [],
  examples: [['runt pause mine', 'stop it where it is; runt resume mine lets it go on']],
  arity: [1, 1],
  async run({ operands: [id = ''] }, { store }) {
    pauseContainer(store, id)
    return 0
  },
}
