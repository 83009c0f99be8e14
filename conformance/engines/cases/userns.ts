// User namespaces: root inside is somebody else outside.

import { mkdirSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { on } from '../case.ts'
import type { Session } from '../engine.ts'
import { IMAGE } from '../image.ts'

const MAP = 'tr -s " " </proc/self/uid_map | sed "s/^ //"'
const MAPPED = ['--uidmap=0:100000:65536', '--gidmap=0:200000:65536']

/** Whose a process of the container is outside. */
async function ownerOf(engine: Session, name: string): Promise<string> {
  return engine.shell(`stat -c %u:%g /proc/${await engine.inspect(name, '{{.State.Pid}}')}`)
}

on(
  'podman',
  'userns: mappings of one’s own',
  async (engine) => {
    const script = `${MAP}; tr -s " " </proc/self/gid_map; id -u; touch /x && stat -c %u:%g /x; echo ready; sleep 300`
    const name = await engine.launch(script, ...MAPPED)
    const said = await engine.until(/ready/, 'logs', name)
    assert.is(said, '0 100000 65536\n 0 200000 65536\n0\n0:0\nready')
    assert.is(await ownerOf(engine, name), '100000:200000')
    assert.is(await engine.exec(name, 'id -u; touch /y; stat -c %u:%g /y; cat /proc/self/uid_map | wc -l'), '0\n0:0\n1')
    assert.is(await engine.sh(`id -u; ${MAP}`, ...MAPPED, '--user=12'), '12\n0 100000 65536')
  },
  { short: true },
)

on('podman', 'userns: auto takes a range of its own for each', async (engine) => {
  await engine.shell('for f in subuid subgid; do echo containers:2000000:1000000 >>/etc/$f; done')
  const first = await engine.launch('sleep 300', '--userns=auto:size=2000')
  const second = await engine.launch('sleep 300', '--userns=auto:size=3000')
  const maps = [await engine.exec(first, MAP), await engine.exec(second, MAP)]
  assert.match(maps[0] ?? '', /^0 2\d{6} 2000$/)
  assert.match(maps[1] ?? '', /^0 2\d{6} 3000$/)
  assert.is.not(await ownerOf(engine, first), await ownerOf(engine, second))
})

on('podman', 'userns: another container’s, and the host’s', async (engine) => {
  const other = await engine.launch('sleep 300', ...MAPPED)
  const namespace = 'readlink /proc/self/ns/user'
  assert.is(await engine.sh(namespace, `--userns=container:${other}`), await engine.exec(other, namespace))
  assert.is(await engine.sh(namespace, '--userns=host'), await engine.shell(namespace))
})

on('podman', 'userns: a pod’s', async (engine) => {
  const name = engine.fresh()
  await engine.said('pod', 'create', '--name', name, ...MAPPED)
  assert.is(await engine.sh(`${MAP}; hostname`, '--pod', name), `0 100000 65536\n${name}`)
})

on('podman', 'userns: a folder of the host, chowned (U) or its owners mapped (idmap)', async (engine) => {
  const folder = `${engine.folder}/share`
  mkdirSync(folder)
  writeFileSync(`${folder}/file`, 'here\n')
  const script = 'cat /in/file; stat -c %u:%g /in/file; touch /in/new && stat -c %u:%g /in/new'
  assert.is(await engine.sh(script, ...MAPPED, '-v', `${folder}:/in:idmap`), 'here\n0:0\n0:0')
  assert.is(statSync(`${folder}/new`).uid, 0)
  assert.is(await engine.sh(script, ...MAPPED, '-v', `${folder}:/in:U`), 'here\n0:0\n0:0')
  assert.is(statSync(`${folder}/file`).uid, 100000)
})

on('podman', 'userns: networks, limits, a terminal and a filter go with it', async (engine) => {
  const flags = [...MAPPED, '--memory=64m', '--cap-drop=ALL', '--cap-add=NET_ADMIN', '--sysctl=net.ipv4.ip_forward=0']
  const script =
    'cat /sys/class/net/eth0/operstate /sys/fs/cgroup/memory/memory.limit_in_bytes; ' +
    'grep -E "CapEff|Seccomp:" /proc/self/status | cut -f2; ip link set eth0 down && cat /sys/class/net/eth0/operstate'
  assert.is(await engine.sh(script, ...flags), `up\n${64 << 20}\n0000000000001000\n2\ndown`)
  const words = ['run', '--rm', '-it', ...MAPPED, '--env', 'PS1=READY> ', IMAGE, 'sh']
  const status = await engine.inTerminal(words, async ({ terminal }) => {
    await terminal.until(/READY> /)
    terminal.write('tty; stat -c %u $(tty)\n')
    await terminal.until(/\/dev\/pts\/0\r\n0\r\n/)
    terminal.write('exit 5\n')
  })
  assert.is(status, 5)
})
