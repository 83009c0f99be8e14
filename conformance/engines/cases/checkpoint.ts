// Checkpoints of the engines with nearly one command line: a container ends as files, and goes on from them.

import { existsSync, mkdirSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { BOTH, on } from '../case.ts'
import {
  checkpoint,
  checkpointWords,
  count,
  LOCKING,
  launchTeller,
  restore,
  statusOf,
  TELLER_STATUS,
} from '../checkpoints.ts'
import { refused } from '../engine.ts'
import { IMAGE } from '../image.ts'

const NEEDS_CRIU = { criu: true }

/** What a program may notice of its world. */
const LOOK =
  'hostname; tr "\\0" "\\n" </proc/1/environ; cut -d: -f3 /proc/1/cgroup; ls -l /dev; ' +
  'cat /file /share/file /volume/file /scratch/file /dev/shm/file'
const LIMITS =
  'grep -E "^(Cap|NoNewPrivs|Seccomp:)" /proc/1/status; cat /proc/1/limits /proc/1/oom_score_adj; ' +
  'cut -d" " -f2-4 /proc/mounts | sed "s/,lowerdir=.*//"; ' +
  'cd /sys/fs/cgroup; cat memory/memory.limit_in_bytes pids/pids.max cpu/cpu.cfs_quota_us cpuset/cpuset.cpus devices/devices.list'

function differences(before: readonly string[], after: readonly string[]): string[] {
  return [
    ...before.filter((line) => !after.includes(line)).map((line) => `- ${line}`),
    ...after.filter((line) => !before.includes(line)).map((line) => `+ ${line}`),
  ]
}

on(
  BOTH,
  'a checkpoint ends a container, and a restore goes on where it was',
  async (engine) => {
    const [share, volume] = [`${engine.folder}/share`, engine.fresh()]
    mkdirSync(share)
    const mounts = ['-v', `${share}:/share`, '-v', `${volume}:/volume`, '--tmpfs=/scratch']
    const name = await launchTeller(engine, ['--hostname=inside', '--env=A=b c', ...mounts])
    await engine.exec(name, 'for f in /file /share/file /volume/file /scratch/file /dev/shm/file; do echo $f >$f; done')
    const before = (await engine.exec(name, LOOK)).split('\n')
    assert.is(await count(engine, name), 1)
    const told = '{{.Id}} {{.State.Pid}} {{.NetworkSettings.IPAddress}}'
    const [id = '', pid, addressBefore] = (await engine.inspect(name, told)).split(' ')
    await checkpoint(engine, name)
    assert.is(await statusOf(engine, name), 'exited')
    assert.match(await engine.said('ps', '--all', '--filter', `id=${id}`, '--format', '{{.Status}}'), /^Exited/)
    assert.not.ok(existsSync(`/proc/${pid}`), 'its process lives')
    assert.match(refused(await engine.run(['exec', name, 'true'])), /not running|running containers/)
    await restore(engine, name)
    assert.is(await engine.inspect(name, '{{.Id}} {{.State.Status}}'), `${id} running`)
    assert.is(await count(engine, name), 2)
    assert.equal(differences(before, (await engine.exec(name, LOOK)).split('\n')), [])
    const address = await engine.inspect(name, '{{.NetworkSettings.IPAddress}}')
    assert.match(
      await engine.exec(name, 'ip -o -4 addr show eth0; ip route'),
      new RegExp(` ${address}/.*default via`, 's'),
    )
    if (engine.engine.name === 'podman') assert.is(address, addressBefore) // Docker gives one anew
    assert.is(await engine.said('stats', '--no-stream', '--format', '{{.Name}}', name), name)
    await engine.said('pause', name)
    await engine.said('unpause', name)
    await engine.said('stop', name)
    assert.is(await engine.inspect(name, '{{.State.Status}} {{.State.ExitCode}}'), `exited ${TELLER_STATUS}`)
    await engine.said('start', name)
    await engine.until(/ready.*ready/s, 'logs', name)
    assert.is(await count(engine, name), 1)
  },
  NEEDS_CRIU,
)

on(
  BOTH,
  'a restored container has the rights, limits and mounts that it had',
  async (engine) => {
    const limits = ['--memory=64m', '--pids-limit=50', '--cpus=0.5', '--cpuset-cpus=0', '--oom-score-adj=3']
    const rights = ['--cap-drop=ALL', '--cap-add=NET_ADMIN', '--security-opt=no-new-privileges', '--device=/dev/fuse']
    const name = await launchTeller(engine, ['--read-only', '--tmpfs=/scratch', ...limits, ...rights], 'cd /scratch; ')
    const before = (await engine.exec(name, LIMITS)).split('\n')
    await checkpoint(engine, name)
    await restore(engine, name)
    assert.equal(differences(before, (await engine.exec(name, LIMITS)).split('\n')), [])
  },
  NEEDS_CRIU,
)

on(
  BOTH,
  'a checkpoint that leaves it running: it goes on, and can be taken back there later',
  async (engine) => {
    const name = await launchTeller(engine)
    assert.is(await count(engine, name), 1)
    const pid = await engine.inspect(name, '{{.State.Pid}}')
    await checkpoint(engine, name, '--leave-running')
    assert.is(await engine.inspect(name, '{{.State.Status}} {{.State.Pid}}'), `running ${pid}`)
    assert.is(await count(engine, name), 2)
    await engine.said('stop', name)
    await restore(engine, name)
    assert.is(await count(engine, name), 2)
  },
  NEEDS_CRIU,
)

on(
  BOTH,
  'a checkpoint that fails says why, and the container goes on',
  async (engine) => {
    const name = await launchTeller(engine, LOCKING.flags, LOCKING.before)
    const why = refused(await engine.run(checkpointWords(engine, name)))
    if (engine.engine.world.runtime.name === 'runt') assert.match(why, /criu failed: .*file-locks/)
    assert.is(await statusOf(engine, name), 'running')
    assert.is(await count(engine, name), 1)
    assert.is(await engine.exec(name, 'echo inside'), 'inside')
  },
  NEEDS_CRIU,
)

on(
  BOTH,
  'a terminal goes on after a restore',
  async (engine) => {
    const name = engine.fresh()
    const script = 'n=0; while read -r line; do n=$((n+1)); echo "$n $line $(tty)"; done; exit 9'
    await engine.said('run', '--detach', '-it', '--name', name, IMAGE, 'sh', '-c', script)
    const attach = ['attach', '--detach-keys=ctrl-x', name]
    await engine.inTerminal(attach, async ({ terminal }) => {
      terminal.write('one\r')
      await terminal.until(/1 one \/dev\/pts\/0\r\n/)
      terminal.write('\x18')
    })
    await checkpoint(engine, name)
    await restore(engine, name)
    await engine.inTerminal(attach, async ({ terminal }) => {
      terminal.write('two\r')
      await terminal.until(/2 two \/dev\/pts\/0\r\n/)
      terminal.write('\x04')
    })
    assert.is(await engine.said('wait', name), '9')
  },
  NEEDS_CRIU,
)
