// Podman as an ordinary user: what is said of Podman elsewhere holds for it, too, but for what takes root; and what is his alone.

import { readFileSync, statSync, writeFileSync } from 'node:fs'
import * as assert from 'uvu/assert'
import { allCases, type EngineCase, on } from '../case.ts'
import type { EngineName } from '../engine.ts'
import { IMAGE } from '../image.ts'
import { homeOf, UID } from '../rootless.ts'

/** Title of a case → why it isn't the ordinary user's. */
const NOT_HIS: Readonly<Record<string, string>> = {
  'exec has the rights of the container, and all with --privileged': 'all rights are those in his user namespace',
  '--privileged: every capability that this machine has, its devices, no filter': 'the same',
  'memory: the limit, and the end of a program that needs more': 'he has no cgroup of version 1',
  'processors: quota, shares and set': 'he has no cgroup of version 1',
  'processes: the limit, and the fork that fails': 'he has no cgroup of version 1',
  'update changes the limits of a running container': 'he has no cgroup of version 1',
  'pause stops all of it, and unpause lets it go on': 'he has no cgroup of version 1',
  'a paused container can be killed and removed': 'he has no cgroup of version 1',
  'top and stats see the processes': 'stats takes a cgroup',
  'a bind mount, writable and read-only': "the folder is root's: see below",
  'cp into and out of a running container': "the folder is root's: see below",
  'propagation: what the host mounts later is seen by a slave, and not by a private mount': 'it takes root to mount',
  'a bridge: two containers reach each other': 'slirp4netns gives each container a network of its own',
  'a network is joined and left by a running container': 'not from a network of slirp4netns',
  'the engine’s seccomp profile keeps system calls away': 'swapoff takes root of the machine, whatever the filter says',
  'devices: one of the host’s, with the access that is given': "the device is root's",
  'devices: no other can be made and opened': 'he can make none',
  'the host’s namespaces, where they are asked for':
    "Podman wants the host's /dev/mqueue for it, which is not mounted here",
  'build: without network, with limits': 'he has no cgroup of version 1',
  'the runtime is the one under test, and its flags are the user’s': "the state root that is given is root's",
  'a root file system without an image, and one with an overlay': "the root file system is root's",
  'volumes: an overlay over a folder, an image, devpts, no execution': "the folder is root's",
  'a container for systemd: its folders are writable file systems': 'he has no cgroup of version 1',
  'cgroups: another parent, and the host’s namespace': 'he has no cgroup of version 1',
  'hooks of a folder run with the state on their standard input': "the folder is root's",
  'mount, export, import': 'Podman wants to be in his user namespace already for it',
  'pod: pause, unpause, stop, start, kill, remove': 'he has no cgroup of version 1',
  'pod: a published port, top and stats': 'stats takes a cgroup',
  'pod: limits of the whole pod': 'he has no cgroup of version 1',
  'pod: as a Kubernetes manifest describes it': 'its limits take a cgroup',
  'push to a registry, and pull from it': "the registry is in root's network",
  'userns: mappings of one’s own': 'the ids that are asked for are beyond his range',
  'userns: another container’s, and the host’s': 'the same',
  'userns: auto takes a range of its own for each': 'the same',
  'userns: a pod’s': 'the same',
  'userns: a folder of the host, chowned (U) or its owners mapped (idmap)': 'the same',
  'userns: networks, limits, a terminal and a filter go with it': 'the same',
}

/** The same for Docker. */
const NOT_HIS_WITH_DOCKER: Readonly<Record<string, string>> = {
  'build: without network, with limits': 'he has no cgroup',
  'build: BuildKit runs its steps by the runtime': 'the list of calls is that of the dockerd of root',
  'the runtime under test is the default, and may be named': 'he has no cgroup driver: see below',
  'events: what became of a container': 'a pause takes a cgroup',
  'the end of memory is told as an event': 'he has no cgroup',
  'cgroups: another parent, and the host’s namespace': 'he has no cgroup',
  'reading and writing of a device is throttled': 'he has no cgroup',
  'live restore: a container lives on without dockerd, and dockerd finds it again': "the dockerd is one of root's",
  'userns-remap: root of every container is nobody outside': 'he has one user namespace already',
  'exec has the rights of the container, and all with --privileged': 'all rights are those in his user namespace',
  'memory: the limit, and the end of a program that needs more': 'he has no cgroup',
  'processors: quota, shares and set': 'he has no cgroup',
  'processes: the limit, and the fork that fails': 'he has no cgroup',
  'no limit of processes': 'he has no cgroup',
  'update changes the limits of a running container': 'he has no cgroup',
  'a cgroup namespace of its own': 'he has no cgroup',
  'a bind mount, writable and read-only': "the folder is root's",
  'cp into and out of a running container': "the folder is root's",
  'propagation: what the host mounts later is seen by a slave, and not by a private mount': 'it takes root to mount',
  'push to a registry, and pull from it': "the registry is in root's network",
  'top and stats see the processes': 'stats takes a cgroup',
  'pause stops all of it, and unpause lets it go on': 'he has no cgroup',
  'a paused container can be killed and removed': 'he has no cgroup',
  '--privileged: every capability that this machine has, its devices, no filter':
    'all rights are those in his user namespace',
  'devices: one of the host’s, with the access that is given': "the device is root's",
  'the engine’s seccomp profile keeps system calls away': 'swapoff takes root of the machine, whatever the filter says',
  'devices: no other can be made and opened': 'he can make none',
  'the host’s namespaces, where they are asked for': 'a proc of other processes than his takes root to mount',
  'swarm: a replicated service, scaled, updated, rolled back, kept alive, and its logs':
    'Docker wants root for its overlay networks',
}

/** The cases of Podman and of Docker that hold for an ordinary user. */
export function rootlessCases(): EngineCase[] {
  return [...casesOf('podman', 'rootless', NOT_HIS), ...casesOf('docker', 'rootless-docker', NOT_HIS_WITH_DOCKER)]
}

function casesOf(from: EngineName, to: EngineName, without: Readonly<Record<string, string>>): EngineCase[] {
  return allCases()
    .filter(({ engine, title, criu }) => engine === from && without[title] === undefined && !criu)
    .map((each) => ({ ...each, engine: to }))
}

on(['rootless', 'rootless-docker'], 'root inside is the user outside, and others are of his range', async (engine) => {
  const said = await engine.sh('cat /proc/self/uid_map; grep -c "^Cap" /proc/self/status; id -u')
  const [own = '', range = ''] = said.split('\n').map((line) => line.trim().replaceAll(/ +/g, ' '))
  assert.is(own, `0 ${UID} 1`)
  assert.is(range, '1 300000 65536')
  const name = await engine.launch('sleep 300', '--user=5')
  const pid = await engine.inspect(name, '{{.State.Pid}}')
  assert.is(statSync(`/proc/${pid}`).uid, 300004)
  assert.is(await engine.exec(name, 'id -u'), '5')
})

on('rootless-docker', 'the runtime under test is the default, and there are no cgroups', async (engine) => {
  assert.is(await engine.said('info', '--format', '{{.DefaultRuntime}} {{.CgroupDriver}}'), 'tested none')
  // What can't be limited runs without.
  assert.is(await engine.sh('echo ran', '--memory=64m'), 'ran')
})

on('rootless-docker', 'his folders are his inside, and those of root can’t be written to', async (engine) => {
  const folder = homeOf(engine.engine.world)
  const script = 'id -u; echo x >/in/docker-was-here; stat -c %u /in/docker-was-here'
  assert.is(await engine.sh(script, '-v', `${folder}:/in`), '0\n0')
  assert.is(statSync(`${folder}/docker-was-here`).uid, UID)
  assert.match(await engine.sh('touch /in/x 2>&1; true', '-v', `${folder}:/in:ro`), /Read-only file system/)
  assert.match(
    await engine.sh('touch /in/x 2>&1; true', '-v', `${engine.engine.world.folder}:/in`),
    /Permission denied/,
  )
})

on('rootless', 'his folders are written to as he, whoever he is inside', async (engine) => {
  const folder = homeOf(engine.engine.world)
  const script = 'id -u; echo x >/in/$0; stat -c %u /in/$0'
  assert.is(await engine.sh(script, '-v', `${folder}:/in`), '0\n0')
  const kept = await engine.sh(script.replaceAll('$0', 'kept'), '-v', `${folder}:/in`, '--userns=keep-id')
  assert.is(kept, `${UID}\n${UID}`)
  for (const name of ['sh', 'kept']) assert.is(statSync(`${folder}/${name}`).uid, UID)
  assert.match(await engine.sh('touch /in/x 2>&1; true', '-v', `${folder}:/in:ro`), /Read-only file system/)
})

on('rootless', 'cp into and out of a running container of his', async (engine) => {
  const folder = homeOf(engine.engine.world)
  const name = await engine.launch('sleep 300')
  await engine.exec(name, 'echo text >/copied')
  await engine.said('cp', `${name}:/copied`, `${folder}/copied`)
  assert.is(readFileSync(`${folder}/copied`, 'utf8'), 'text\n')
  await engine.said('cp', `${folder}/copied`, `${name}:/etc/back`)
  assert.is(await engine.exec(name, 'cat /etc/back'), 'text')
})

on('rootless', 'networks: none, the host’s, and one by slirp4netns', async (engine) => {
  const links = 'ls /sys/class/net | sort | tr "\\n" " "'
  assert.is(await engine.sh(links, '--network=none'), 'lo')
  assert.is(await engine.sh('readlink /proc/self/ns/net', '--network=host'), await namespaceOf(engine, 'net'))
  assert.is(await engine.sh(links, '--network=slirp4netns'), 'lo tap0')
  assert.match(await engine.sh('ip -4 addr show tap0', '--network=slirp4netns'), /inet 10\.0\.2\.100/)
})

async function namespaceOf(engine: Parameters<EngineCase['body']>[0], name: string): Promise<string> {
  return (await engine.host(['readlink', `/proc/self/ns/${name}`])).stdout.trim()
}

on('rootless', 'build: steps as root inside and as another user', async (engine) => {
  const file = `${engine.folder}/Containerfile`
  const image = `localhost/${engine.fresh()}`
  writeFileSync(
    file,
    `FROM ${IMAGE}\nRUN echo built >/f; chown 7:8 /f\nUSER 7\nRUN test -w /f && id -u >>/f\nCMD cat /f\n`,
  )
  await engine.said('build', '--network=none', '--file', file, '--tag', image, engine.folder)
  assert.is(await engine.said('run', '--rm', image), 'built\n7')
  await engine.said('rmi', image)
})

on('rootless', '--privileged: all that his user namespace gives', async (engine) => {
  const script =
    'mount -t tmpfs x /mnt && echo mounted; grep -c "CapEff.*1ffffffffff" /proc/self/status; date -s 1999-01-01 2>&1; true'
  assert.match(await engine.sh(script, '--privileged'), /^mounted\n1\n.*not permitted/)
})

on('rootless', 'a pod', async (engine) => {
  const pod = engine.fresh()
  await engine.said(
    'pod',
    'create',
    '--name',
    pod,
    '--infra-image',
    IMAGE,
    '--infra-command',
    'sleep 300',
    '--share',
    'ipc,uts,net',
  )
  const first = await engine.launch('echo x >/dev/shm/mark; sleep 300', '--pod', pod)
  await engine.until(/x/, 'exec', first, 'cat', '/dev/shm/mark')
  assert.is(await engine.sh('cat /dev/shm/mark', '--pod', pod), 'x')
})

// What is left out by title must be there under it.
const titles = new Set(allCases().map(({ title }) => title))
const strangers = Object.keys(NOT_HIS).filter((title) => !titles.has(title))
if (strangers.length > 0) throw new Error(`no such cases: ${strangers.join('; ')}`)
