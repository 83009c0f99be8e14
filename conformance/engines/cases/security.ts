// What a container may not do, and what it may when it is told to.

import { writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { assertAllCapabilities } from '../capabilities.ts'
import { BOTH, on } from '../case.ts'

const CAPABILITIES = 'grep CapEff /proc/self/status | cut -f2'

on(
  BOTH,
  'capabilities: the usual ones, more, fewer',
  async (engine) => {
    assert.is(
      await engine.sh(CAPABILITIES, '--cap-drop=ALL', '--cap-add=NET_ADMIN', '--cap-add=CHOWN'),
      '0000000000001001',
    )
    const usual = BigInt(`0x${await engine.sh(CAPABILITIES)}`)
    assert.is(usual & 1n, 1n, 'CAP_CHOWN is missing')
    assert.is(usual & (1n << 21n), 0n, 'CAP_SYS_ADMIN is there')
    assert.is(await engine.sh(CAPABILITIES, '--user=12'), '0000000000000000')
  },
  { short: true },
)

on(
  BOTH,
  '--privileged: every capability that this machine has, its devices, no filter',
  async (engine) => {
    const said = await engine.sh(
      `${CAPABILITIES}; grep -c Seccomp:.*0 /proc/self/status; test -e /dev/kmsg -a -e /dev/loop-control; ` +
        'mount -t tmpfs x /mnt && echo mounted; touch /sys/x 2>&1 | grep -c Read-only; true',
      '--privileged',
    )
    const [effective = '', ...rest] = said.split('\n')
    assertAllCapabilities(effective)
    assert.equal(rest, ['1', 'mounted', '0'])
  },
  { short: true },
)

on(BOTH, 'no new privileges', async (engine) => {
  assert.is(await engine.sh('grep NoNewPrivs /proc/self/status | cut -f2', '--security-opt=no-new-privileges'), '1')
  assert.is(await engine.sh('grep NoNewPrivs /proc/self/status | cut -f2'), '0')
})

on(
  BOTH,
  'the engine’s seccomp profile keeps system calls away',
  async (engine) => {
    const script = 'grep Seccomp: /proc/self/status | cut -f2; swapoff /etc/passwd 2>&1; true'
    assert.match(await engine.sh(script, '--cap-add=SYS_ADMIN'), /^2\n.*(not permitted|not implemented)$/)
    const unconfined = await engine.sh(script, '--cap-add=SYS_ADMIN', '--security-opt=seccomp=unconfined')
    assert.match(unconfined, /^0\n.*Invalid argument$/)
  },
  { short: true },
)

on(BOTH, 'a seccomp profile of one’s own', async (engine) => {
  const profile = `${engine.folder}/profile.json`
  const refuse = { names: ['chmod', 'fchmod', 'fchmodat', 'fchmodat2'], action: 'SCMP_ACT_ERRNO', errnoRet: 95 }
  writeFileSync(profile, JSON.stringify({ defaultAction: 'SCMP_ACT_ALLOW', syscalls: [refuse] }))
  const said = await engine.sh('chmod 700 /etc 2>&1; mkdir /made && echo made', `--security-opt=seccomp=${profile}`)
  assert.match(said, /not supported\nmade$/)
})

on(BOTH, 'masked and read-only paths', async (engine) => {
  const script =
    'wc -c < /proc/timer_list; ls /sys/firmware | wc -l; (echo 1 > /proc/sys/kernel/panic) 2>&1; touch /sys/x 2>&1; true'
  assert.match(await engine.sh(script), /^0\n0\n.*panic: Read-only file system\n.*x: Read-only file system$/)
})

on('podman', 'unmasked paths', async (engine) => {
  assert.is(await engine.sh('grep -c " /proc/" /proc/self/mounts; true', '--security-opt=unmask=ALL'), '0')
})

on('docker', 'unmasked paths', async (engine) => {
  assert.is(await engine.sh('grep -c " /proc/" /proc/self/mounts; true', '--security-opt=systempaths=unconfined'), '0')
})

on(BOTH, 'devices: one of the host’s, with the access that is given', async (engine) => {
  const said = await engine.sh(
    'stat -c %t:%T /dev/mine; (: < /dev/mine) && echo readable; (: > /dev/mine) 2>&1; true',
    '--device=/dev/loop-control:/dev/mine:r',
  )
  assert.match(said, /^a:ed\nreadable\n.*not permitted$/)
})

on(BOTH, 'devices: no other can be made and opened', async (engine) => {
  const script = 'mknod /x c 10 237; cat /x 2>&1; true' // /dev/loop-control
  assert.match(await engine.sh(script, '--cap-add=MKNOD'), /x.*Operation not permitted/)
  const allowed = await engine.sh(script, '--cap-add=MKNOD', '--device-cgroup-rule=c 10:237 rwm')
  assert.not.match(allowed, /not permitted/)
})

on(BOTH, 'sysctls', async (engine) => {
  const said = await engine.sh(
    'cat /proc/sys/net/ipv4/ip_unprivileged_port_start /proc/sys/kernel/shmmni',
    '--sysctl=net.ipv4.ip_unprivileged_port_start=99',
    '--sysctl=kernel.shmmni=77',
  )
  assert.is(said, '99\n77')
})

on(BOTH, 'the host’s namespaces, where they are asked for', async (engine) => {
  const own = async (name: string): Promise<string> =>
    (await engine.host(['readlink', `/proc/self/ns/${name}`])).stdout.trim()
  assert.is(await engine.sh('readlink /proc/self/ns/pid', '--pid=host'), await own('pid'))
  assert.is(await engine.sh('readlink /proc/self/ns/ipc', '--ipc=host'), await own('ipc'))
  assert.is(await engine.sh('readlink /proc/self/ns/uts', '--uts=host'), await own('uts'))
  assert.is(await engine.sh('readlink /proc/self/ns/net', '--network=host'), await own('net'))
})

on(BOTH, 'another container’s namespaces', async (engine) => {
  const other = await engine.launch('echo x > /dev/shm/mark; sleep 305', '--ipc=shareable')
  const said = await engine.sh(
    'cat /dev/shm/mark; ps -o args | grep -c "sleep 30[5]"; cd /proc/self/ns; for n in net pid ipc; do readlink $n; done',
    `--network=container:${other}`,
    `--pid=container:${other}`,
    `--ipc=container:${other}`,
  )
  assert.is(said, `x\n1\n${await engine.exec(other, 'cd /proc/1/ns; for n in net pid ipc; do readlink $n; done')}`)
})
