// Limits: told by the container's own cgroup, and felt.

import { existsSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { skip } from '../../case.ts'
import { BOTH, on } from '../case.ts'
import { isDocker } from '../engine.ts'

const V2 = existsSync('/sys/fs/cgroup/cgroup.procs')

/** What shows a limit inside, on either version. */
function knob(v1: string, v2: string): string {
  return `cat /sys/fs/cgroup/${V2 ? v2 : v1}`
}

/** A machine may lack a controller. */
function needs(controller: string): void {
  if (!existsSync(`/sys/fs/cgroup/${controller}`)) skip(`no ${controller} controller of cgroup v1`)
}

on(
  BOTH,
  'memory: the limit, and the end of a program that needs more',
  async (engine) => {
    assert.is(await engine.sh(knob('memory/memory.limit_in_bytes', 'memory.max'), '--memory=64m'), `${64 << 20}`)
    const { name, result } = await engine.ended('tail /dev/zero', '--memory=16m', '--memory-swap=16m')
    assert.is(result.status, 137)
    if (isDocker(engine.engine)) assert.is(await engine.inspect(name, '{{.State.OOMKilled}}'), 'true')
  },
  { short: true },
)

on(BOTH, 'processors: quota, shares and set', async (engine) => {
  assert.is(await engine.sh(knob('cpu/cpu.cfs_quota_us', 'cpu.max'), '--cpus=0.5'), V2 ? '50000 100000' : '50000')
  needs('cpuset')
  assert.is(await engine.sh(knob('cpuset/cpuset.cpus', 'cpuset.cpus'), '--cpuset-cpus=1'), '1')
  assert.is(await engine.sh('grep Cpus_allowed_list /proc/self/status', '--cpuset-cpus=0'), 'Cpus_allowed_list:\t0')
  assert.is(await engine.sh(knob('cpu/cpu.shares', 'cpu.weight'), '--cpu-shares=512'), '512')
})

on(BOTH, 'processes: the limit, and the fork that fails', async (engine) => {
  const said = await engine
    .sh(
      `${knob('pids/pids.max', 'pids.max')}; for i in 1 2 3 4 5 6 7 8 9; do sleep 5 & done 2>&1; kill $(jobs -p)`,
      '--pids-limit=5',
    )
    .catch((error: Error) => error.message)
  assert.match(said, /fork/)
})

on(BOTH, 'no limit of processes', async (engine) => {
  const said = await engine.sh(`${knob('pids/pids.max', 'pids.max')}; (echo forked)`, '--pids-limit=-1')
  assert.match(said, /^max\nforked$/)
})

on(BOTH, 'ulimits', async (engine) => {
  const flags = ['--ulimit=nofile=100:200', '--ulimit=core=0', '--ulimit=nproc=300']
  assert.match(
    await engine.sh('ulimit -n; ulimit -Hn; ulimit -c; grep processes /proc/self/limits', ...flags),
    /^100\n200\n0\nMax processes +300 +300/,
  )
})

on(BOTH, 'the size of /dev/shm, and the adjustment of the OOM killer', async (engine) => {
  const said = await engine.sh(
    'df -k /dev/shm | tail -1 | tr -s " " | cut -d" " -f2; cat /proc/self/oom_score_adj',
    '--shm-size=2m',
    '--oom-score-adj=500',
  )
  assert.is(said, '2048\n500')
})

on(BOTH, 'update changes the limits of a running container', async (engine) => {
  const name = await engine.launch('sleep 300', '--memory=64m', '--memory-swap=128m')
  await engine.said('update', '--memory=32m', '--memory-swap=64m', '--cpus=0.25', name)
  assert.is(await engine.exec(name, knob('memory/memory.limit_in_bytes', 'memory.max')), `${32 << 20}`)
  assert.match(await engine.exec(name, knob('cpu/cpu.cfs_quota_us', 'cpu.max')), /^25000/)
})

on(BOTH, 'a cgroup namespace of its own', async (engine) => {
  const said = await engine.sh('cut -d: -f3 /proc/self/cgroup | sort -u', '--cgroupns=private')
  assert.is(said, '/')
})
