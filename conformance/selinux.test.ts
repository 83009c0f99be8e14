// Labels of SELinux, on a machine where it is on and nobody has loaded a policy: the test brings one of its own. With a
// policy that others made, nothing is touched: labels.test.ts shows where labels are written.

import { spawnSync } from 'node:child_process'
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { test } from 'uvu'
import * as assert from 'uvu/assert'
import { Box, failed, Ground, succeeded } from './box.ts'
import { linkBuilt, missingForTests } from './built.ts'
import { findRuntime } from './runtime.ts'

const SELINUX = '/sys/fs/selinux'

/**
 * All is allowed, but for what it names: kernel_t may become whatever it likes and write to all files, container_t may write to
 * those of container_file_t alone.
 */
const POLICY = `
(handleunknown allow)
(mls true)
(policycap nnp_nosuid_transition)
(class process (transition dyntransition))
(class file (write))
(classorder (process file))
(sensitivity s0)
(sensitivityorder (s0))
(category c1)
(category c2)
(categoryorder (c1 c2))
(sensitivitycategory s0 (c1 c2))
(type kernel_t)
(type file_t)
(type container_t)
(type container_file_t)
(typeattribute everything)
(typeattributeset everything (kernel_t file_t container_t container_file_t))
(role system_r)
(role object_r)
(roletype system_r everything)
(roletype object_r everything)
(user system_u)
(userrole system_u system_r)
(userrole system_u object_r)
(userlevel system_u (s0))
(userrange system_u ((s0) (s0 (c1 c2))))
(sid kernel)
(sid security)
(sid unlabeled)
(sidorder (kernel security unlabeled))
(sidcontext kernel (system_u system_r kernel_t ((s0) (s0))))
(sidcontext security (system_u object_r file_t ((s0) (s0))))
(sidcontext unlabeled (system_u object_r file_t ((s0) (s0))))
(allow kernel_t everything (process (transition dyntransition)))
(allow kernel_t everything (file (write)))
(allow container_t container_file_t (file (write)))
`
const LABEL = 'system_u:system_r:container_t:s0:c1,c2'
const MOUNT_LABEL = 'system_u:object_r:container_file_t:s0:c1'
const CURRENT = "tr -d '\\0' </proc/self/attr/current; echo"

/** @returns why not */
function missing(): string | undefined {
  const reason = missingForTests()
  if (reason !== undefined) return reason
  if (!existsSync(`${SELINUX}/enforce`)) return 'SELinux is not at work here: make vm-test'
  const current = readFileSync('/proc/self/attr/current', 'utf8').replace('\0', '')
  return current === 'kernel' ? undefined : `a policy is loaded (this is ${current}), and is left alone`
}

const reason = missing()
if (reason === undefined) {
  const folder = mkdtempSync(`${tmpdir()}/runt-selinux-`)
  loadPolicy(folder)
  writeFileSync(`${SELINUX}/enforce`, '1')
  const ground = new Ground(findRuntime(linkBuilt(`${folder}/runtime`)))
  declareTests(ground)
  test.after(() => {
    ground[Symbol.dispose]()
    writeFileSync(`${SELINUX}/enforce`, '0')
    rmSync(folder, { recursive: true, force: true })
  })
} else {
  console.log(`skipped: ${reason}`)
  test.skip(`SELinux (${reason})`, () => {})
}

function loadPolicy(folder: string): void {
  const [source, compiled] = [`${folder}/policy.cil`, `${folder}/policy`]
  writeFileSync(source, POLICY)
  const version = readFileSync(`${SELINUX}/policyvers`, 'utf8').trim()
  const { status, stderr } = spawnSync('secilc', ['-c', version, '-o', compiled, '-f', '/dev/null', source], {
    encoding: 'utf8',
  })
  assert.is(status, 0, stderr)
  writeFileSync(`${SELINUX}/load`, readFileSync(compiled)) // in one write
}

/** Standard streams that it may not write to the kernel takes from the program: it writes into a file system of its own. */
const SAY = `{ ${CURRENT}; (echo x >/data/forbidden) 2>&1; } >/dev/shm/said 2>&1; echo done >/dev/shm/done`

async function said(box: Box): Promise<string> {
  const folder = `/proc/${(await box.state()).pid}/root/dev/shm`
  await box.waitForFile(`${folder}/done`)
  rmSync(`${folder}/done`)
  return readFileSync(`${folder}/said`, 'utf8')
}

function declareTests(ground: Ground): void {
  const LABELLED = { '/process/selinuxLabel': LABEL, '/linux/mountLabel': MOUNT_LABEL, '/root/readonly': false }

  test('process.selinuxLabel confines the program, and linux.mountLabel is that of its file systems', async () => {
    await using box = new Box(ground)
    await box.launch(`${SAY}; exec sleep 1000`, LABELLED)
    assert.match(await said(box), new RegExp(`^${LABEL}\n.*/data/forbidden: Permission denied\n$`))
    const mounts = readFileSync(`/proc/${(await box.state()).pid}/mounts`, 'utf8')
    assert.match(mounts, new RegExp(` /dev/shm tmpfs \\S*context="?${MOUNT_LABEL}"?`))
  })

  test('without labels a container is what its maker is', async () => {
    await using box = new Box(ground)
    assert.match(await box.sh(`${CURRENT}; echo x >/data/file && cat /data/file`), /:kernel_t:s0\nx$/)
  })

  test('exec has the label of the container, or the one that it is given', async () => {
    await using box = new Box(ground)
    await box.launch('sleep 1000', LABELLED)
    const run = async (...flags: string[]) => {
      succeeded(await box.command(['exec', ...flags, box.id, 'sh', '-c', SAY]))
      return said(box)
    }
    assert.match(await run(), /^system_u:system_r:container_t:s0:c1,c2\n.*forbidden: Permission denied\n$/)
    const other = LABEL.replace(':c1,c2', ':c2')
    assert.match(await run('--process-label', other), /^system_u:system_r:container_t:s0:c2\n.*denied\n$/)
  })

  test('a label that the policy does not know is an error that names it, at create and at exec', async () => {
    await using box = new Box(ground)
    const unknown = 'system_u:system_r:nobody_t:s0'
    const pattern = /process\.selinuxLabel: system_u:system_r:nobody_t:s0: .*EINVAL/
    assert.match(await box.rejected({ '/process/selinuxLabel': unknown }), pattern)
    assert.match(await box.rejected({ '/linux/mountLabel': unknown }), /nobody_t:s0: .*EINVAL/)
    await box.launch('sleep 1000', LABELLED)
    assert.match(
      failed(await box.command(['exec', '--process-label', unknown, box.id, 'true'])).stderr,
      /nobody_t.*EINVAL/,
    )
    assert.is((await box.state()).status, 'running')
  })
}

test.run()
