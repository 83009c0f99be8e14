// The ways in which a container can be moved.

import { closeSync, existsSync, openSync, statSync } from 'node:fs'
import { type Box, succeeded } from '../box.ts'
import { skip } from '../case.ts'
import { canServeLazyPages, requireFeature } from '../checkpoint.ts'
import { waitUntil } from '../patience.ts'
import type { Move } from './move.ts'
import { bytesLeft } from './pagemap.ts'
import type { Daemon } from './place.ts'

export interface Way {
  readonly name: string
  /** What it takes of CRIU and the kernel, as `criu check --feature` calls it, or LAZY_SERVER. */
  readonly needs: readonly string[]
  /** @returns bytes of memory that came after the restore */
  readonly go: (move: Move) => Promise<number>
}

/** The folder of the checkpoint. */
export const LAST = 'last'
const PRE_DUMPS = ['first', 'second', 'third']
const PAGES_PORT = 5600
/** Not a feature that criu check knows. */
const LAZY_SERVER = 'a server of lazy pages'

export const WAYS: readonly Way[] = [
  { name: 'plain', needs: [], go: (move) => copied(move, [], straight) },
  { name: 'pre-dumps', needs: ['mem_dirty_track'], go: (move) => copied(move, PRE_DUMPS, straight) },
  { name: 'page server', needs: [], go: (move) => copied(move, [], served) },
  { name: 'pre-dumps, page server', needs: ['mem_dirty_track'], go: (move) => copied(move, PRE_DUMPS, served) },
  { name: 'lazy, from the images', needs: ['uffd-noncoop'], go: lazyFromImages },
  { name: 'lazy, from the source', needs: ['uffd-noncoop', LAZY_SERVER], go: lazyFromSource },
]

function requireLazyServer(): void {
  if (canServeLazyPages()) return
  skip("criu's server of lazy pages takes a pipe of 4 MiB: CAP_SYS_RESOURCE, or sysctl fs.pipe-max-size=4194304")
}

/** @throws Skip when they are not here */
export function requireWay(box: Box, { needs }: Way): void {
  for (const need of needs) {
    if (need === LAZY_SERVER) requireLazyServer()
    else requireFeature(box, need)
  }
}

/** How memory gets from one host to the other in a pre-dump or checkpoint. @param parent the folder of the one before */
type Transfer = (
  move: Move,
  folder: string,
  parent: string | undefined,
  dump: (...flags: readonly string[]) => Promise<void>,
) => Promise<void>

const straight: Transfer = (_move, _folder, parent, dump) => dump(...parentFlags('--parent-path', parent))

/** The target writes it into the folder itself. */
const served: Transfer = async (move, folder, parent, dump) => {
  const { address, host } = move.target.site
  const listen = ['--address', address, '--port', `${PAGES_PORT}`]
  const images = ['--images-dir', move.folder(folder), ...parentFlags('--prev-images-dir', parent)]
  const server = move.target.serve('page-server', move.work, ...images, ...listen)
  await host.listensTo(PAGES_PORT)
  await dump('--page-server', `${address}:${PAGES_PORT}`, ...parentFlags('--parent-path', parent))
  await server.succeeded()
}

function parentFlags(flag: string, parent: string | undefined): string[] {
  return parent === undefined ? [] : [flag, `../${parent}`]
}

async function copied(move: Move, preDumps: readonly string[], transfer: Transfer): Promise<number> {
  for (const [index, name] of preDumps.entries()) {
    await transfer(move, name, preDumps[index - 1], (...flags) => move.preDump(name, ...flags))
  }
  await transfer(move, LAST, preDumps.at(-1), (...flags) => move.checkpoint(LAST, ...flags))
  await move.restore(LAST)
  return 0
}

/** All is written, but the program goes on before it is read again. */
async function lazyFromImages(move: Move): Promise<number> {
  await move.checkpoint(LAST)
  const daemon = move.target.serve('lazy-pages', move.work, '--images-dir', move.folder(LAST))
  return lazily(move, daemon)
}

/** Memory stays where it is, and is fetched from there. */
async function lazyFromSource(move: Move): Promise<number> {
  const { source, target, work } = move
  const { address } = source.site
  const status = `${move.shared}/status`
  const descriptor = openSync(status, 'w')
  const words = ['--lazy-pages', '--page-server', `${address}:${PAGES_PORT}`, '--status-fd', '3']
  const checkpoint = move.checkpointWith([descriptor], LAST, ...words)
  closeSync(descriptor)
  let ended = false
  const served = checkpoint.finally(() => {
    ended = true
  })
  await waitUntil(
    () => ended || statSync(status).size > 0,
    () => 'the checkpoint does not become ready',
  )
  if (ended) succeeded(await served)
  move.saved()
  const from = ['--page-server', '--address', address, '--port', `${PAGES_PORT}`]
  const daemon = target.serve('lazy-pages', work, '--images-dir', move.folder(LAST), ...from)
  await lazily(move, daemon)
  succeeded(await served)
  return bytesLeft(move.folder(LAST))
}

/** @returns bytes that came when it ran again */
async function lazily(move: Move, daemon: Daemon): Promise<number> {
  const socket = `${move.work}/lazy-pages.socket`
  await waitUntil(
    () => daemon.status !== undefined || existsSync(socket),
    () => 'criu lazy-pages does not listen',
  )
  if (daemon.status !== undefined) await daemon.succeeded()
  await move.restore(LAST, '--lazy-pages')
  await daemon.succeeded()
  return 0
}
