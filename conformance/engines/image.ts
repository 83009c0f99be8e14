// The images that all engines get, made here: one layer of busybox, as an archive that each of them can load.

import { execFileSync } from 'node:child_process'
import { createHash } from 'node:crypto'
import { existsSync, mkdirSync, readFileSync, renameSync, symlinkSync, writeFileSync } from 'node:fs'
import { makeRootfs } from '../bundle.ts'

export const IMAGE = 'localhost/box:1'

/** What keeps the namespaces of a Kubernetes pod. */
export const PAUSE_IMAGE = 'localhost/pause:1'

/** @returns the path of an archive with both, in the form of `docker save` */
export function makeImages(folder: string): string {
  const rootfs = makeFullRootfs(folder)
  const image = `${folder}/image`
  mkdirSync(image)
  tar(rootfs, `${image}/layer.tar`)
  const manifest = [
    { Config: writeConfig(image, ['sh']), RepoTags: [IMAGE], Layers: ['layer.tar'] },
    { Config: writeConfig(image, ['sleep', '1000000']), RepoTags: [PAUSE_IMAGE], Layers: ['layer.tar'] },
  ]
  writeFileSync(`${image}/manifest.json`, JSON.stringify(manifest))
  tar(image, `${folder}/image.tar`)
  return `${folder}/image.tar`
}

/** @param command of the image @returns the file's name */
function writeConfig(image: string, command: readonly string[]): string {
  const text = JSON.stringify({
    architecture: process.arch === 'x64' ? 'amd64' : process.arch,
    os: 'linux',
    config: { Env: ['PATH=/sbin:/bin', 'IMAGE=box'], Cmd: command, WorkingDir: '/root' },
    rootfs: { type: 'layers', diff_ids: [`sha256:${sha256(readFileSync(`${image}/layer.tar`))}`] },
    history: [{ created: '2024-01-01T00:00:00Z' }],
    created: '2024-01-01T00:00:00Z',
  })
  const name = `${sha256(text)}.json`
  writeFileSync(`${image}/${name}`, text)
  return name
}

/** A root file system with every applet that this busybox has. */
export function makeFullRootfs(folder: string, name = 'rootfs'): string {
  const rootfs = `${folder}/${name}`
  makeRootfs(rootfs, folder)
  for (const folder of ['var', 'run', 'home']) mkdirSync(`${rootfs}/${folder}`)
  mkdirSync(`${rootfs}/var/tmp`, { mode: 0o1777 })
  symlinkSync('bin', `${rootfs}/sbin`)
  const applets = execFileSync('busybox', ['--list'], { encoding: 'utf8' }).split('\n').filter(Boolean)
  for (const applet of applets) {
    if (!existsSync(`${rootfs}/bin/${applet}`)) symlinkSync('busybox', `${rootfs}/bin/${applet}`)
  }
  return rootfs
}

/** Pack a folder. */
export function tar(folder: string, archive: string): void {
  execFileSync('tar', ['--numeric-owner', '--owner=0', '--group=0', '-C', folder, '-cf', `${archive}.new`, '.'])
  renameSync(`${archive}.new`, archive)
}

export function sha256(data: string | Buffer): string {
  return createHash('sha256').update(data).digest('hex')
}
